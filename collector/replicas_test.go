package collector

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/registry"
)

// TestReplicas runs two collectors over the same topics: each owns a share of the parts, both answer for all, and at one
// revision byte for byte alike. One leaves, and the other takes its parts over without a card appearing twice or vanishing.
func TestReplicas(t *testing.T) {
	broker := newBroker(t, 6, []string{"a", "b"})
	p := newProducer(t, broker)
	var hosts []*server
	for i := range 24 {
		s := h200([]string{"a", "b"}[i%2], "host-"+strconv.Itoa(i), free, busy, drained)
		hosts = append(hosts, s)
		p.inventory(s.centre, s.inventory())
		p.report(s.centre, s.report())
	}
	one := start(t, broker.ListenAddrs(), nil)
	one.document("", rated(72))
	two := start(t, broker.ListenAddrs(), nil)
	two.document("", rated(72))
	one.waitMetric("exameter_parts_owned", "6")
	two.waitMetric("exameter_parts_owned", "6")

	same := 0
	for deadline := time.Now().Add(15 * time.Second); same < 5; {
		if time.Now().After(deadline) {
			t.Fatalf("only %d pairs of answers had one revision", same)
		}
		_, x := one.get("/v1/capacity?by=pool&kind=all")
		_, y := two.get("/v1/capacity?by=pool&kind=all")
		if revision(x) != revision(y) {
			continue
		}
		if x != y {
			t.Fatalf("one revision, two answers:\n%s%s", x, y)
		}
		same++
		time.Sleep(100 * time.Millisecond)
	}

	// A change that one of them applies is soon known to the other, whichever it is.
	hosts[0].states[0], hosts[1].states[0] = busy, busy
	began := time.Now()
	p.report("a", hosts[0].report())
	p.report("b", hosts[1].report())
	for _, r := range []*running{one, two} {
		r.document("", func(d *capacity.Document) bool { return d.Total.Devices.Busy == 26 })
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("a change took %s to be known to both", took)
	}

	one.stop()
	for deadline := time.Now().Add(15 * time.Second); two.metric("exameter_parts_owned") != "12"; {
		if time.Now().After(deadline) {
			t.Fatal("the parts were not taken over")
		}
		doc := two.document("", func(*capacity.Document) bool { return true })
		if doc.Total.Devices.Rated != 72 || doc.Total.Devices.Busy != 26 || len(doc.Groups) != 0 {
			t.Fatalf("during the hand-over: %+v", doc.Total.Devices)
		}
		time.Sleep(20 * time.Millisecond)
	}
	two.document("", func(d *capacity.Document) bool {
		if d.Total.Devices.Rated != 72 || d.Total.Devices.Busy != 26 {
			t.Errorf("after the hand-over: %+v", d.Total.Devices)
		}
		return d.Parts.Total == 12 && d.Parts.Behind == 0 && d.Total.Devices.Rated == 72
	})
}

// revision cuts the revision out of an answer.
func revision(answer string) string {
	r, _, _ := strings.Cut(answer, ",")
	return r
}

// TestTwoRegistries lets two collectors with two registries share the parts: both name both, and answer alike byte for byte, whatever each
// of them has read itself.
func TestTwoRegistries(t *testing.T) {
	one, other, _, _ := two(t, func(_ *Config, o *Options) {
		o.Registry = &registry.Registry{Revision: "2b2b2b2b", Centres: []registry.Centre{{ID: "a", Identifier: "CN-1"}, {ID: "b", Identifier: "CN-2"}}}
	})
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no two answers had one revision")
		}
		_, x := one.get("/v1/capacity?by=centre")
		_, y := other.get("/v1/capacity?by=centre")
		if revision(x) != revision(y) {
			continue
		}
		if x != y || !strings.Contains(x, `"registry":"2b2b2b2b, none","rule":"dense-nameplate/1"`) {
			t.Fatalf("one revision, two answers:\n%s%s", x, y)
		}
		break
	}
	one.stop()
	other.document("?by=centre", func(d *capacity.Document) bool {
		return d.Registry == "2b2b2b2b" && len(d.Groups) == 2 && d.Groups[0].Identifier == "CN-1" && d.Groups[1].Identifier == "CN-2"
	})
}
