package localbroker

import (
	"maps"
	"strconv"
	"time"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/telemetry"
)

// partialsKept is how long partials are kept at most. Whoever owns a part writes its sums anew every second and its claims every
// twenty, so what is older was superseded, and dropping by time does what compaction does elsewhere, at no cost.
const partialsKept = 90 * time.Second

// Bounded returns topics that keep their records for at most d, compacted ones excepted, in pieces small enough to be
// dropped one by one: a broker in memory gives back a piece only as a whole.
func Bounded(topics []broker.Topic, d time.Duration) []broker.Topic {
	out := make([]broker.Topic, 0, len(topics))
	for _, t := range topics {
		t.Settings = maps.Clone(t.Settings)
		if t.Name == telemetry.PartialsTopic {
			t.Settings["cleanup.policy"] = "delete"
			t.Settings["retention.ms"] = strconv.FormatInt(min(d, partialsKept).Milliseconds(), 10)
		} else if t.Settings["cleanup.policy"] != "compact" {
			// Where records are compacted and dropped, dropping is enough: those of what there is are written again and again.
			t.Settings["cleanup.policy"] = "delete"
			t.Settings["retention.ms"] = strconv.FormatInt(d.Milliseconds(), 10)
		}
		t.Settings["segment.bytes"] = strconv.Itoa(1 << 20)
		out = append(out, t)
	}
	return out
}
