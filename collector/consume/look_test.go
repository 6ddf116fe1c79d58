package consume

import (
	"maps"
	"testing"

	"github.com/segmentio/kafka-go"
)

// TestMerge tells brokers apart that know the latest election from those that were parted from the others.
func TestMerge(t *testing.T) {
	p := Partition{Topic: "exameter.v1.telemetry.a", Centre: "a"}
	led := func(by int, epoch int32) map[Partition]leader {
		return map[Partition]leader{p: {kafka.Broker{ID: by, Host: "h"}, epoch}}
	}
	none := map[Partition]leader{}
	f := func(name string, known map[Partition]leader, most bool, want map[Partition]leader, said ...map[Partition]leader) {
		t.Helper()
		var all []picture
		for _, s := range said {
			all = append(all, picture{leaders: s})
		}
		if got := merge(known, all, most); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	f("the first look", none, true, led(1, 4), led(1, 4))
	f("a new leader", led(1, 4), true, led(2, 5), led(2, 5), led(2, 5))
	f("one is alone, and answers first", led(1, 4), true, led(2, 5), led(1, 4), led(2, 5))
	f("one is alone, and answers last", led(1, 4), true, led(2, 5), led(2, 5), led(1, 4))
	f("only the one that is alone answers", led(2, 5), false, led(2, 5), led(1, 4))
	f("one of many knows of an election", led(2, 5), false, led(3, 6), led(3, 6))
	f("the topic was made anew", led(2, 5), true, led(1, 0), led(1, 0), led(1, 0))
	f("the topic is gone", led(2, 5), true, none, none, none)
	f("one does not know of the topic yet", none, true, led(1, 0), none, led(1, 0))
}
