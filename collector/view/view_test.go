package view

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/partial"
	"github.com/exameter/exameter/telemetry"
)

var start = time.UnixMilli(1_795_420_800_000)

const staleMS = 30_000

// record makes a partial of a part with so many busy and free cards on as many hosts, reported ageMS ago.
func record(t interface{ Fatal(...any) }, instance string, generation int32, sequence, busy, free, ageMS int64) []byte {
	pool := capacity.Pool{
		Centre: "guian", Cluster: "default", Kind: telemetry.Accelerator, Vendor: "nvidia", Model: "nvidia-h200-sxm", Class: capacity.Intelligent,
		Basis: catalog.FP16, Peaks: catalog.Peaks{}.With(catalog.FP16, 989_500_000),
	}
	s := &capacity.Snapshot{AsOf: start, Catalogue: "2026.11", StaleAfter: staleMS * time.Millisecond}
	if n := busy + free; n > 0 {
		c := capacity.Cell{Devices: [5]int64{busy, free}, Units: [5]int64{busy * capacity.UnitsPerDevice, free * capacity.UnitsPerDevice}, SM: busy, PowerMW: 1000 * n, PowerDevices: n}
		c.FreeHosts[min(free, capacity.MaxFree)]++
		s.Pools = []capacity.PoolCell{{Pool: pool, Cell: c}}
		s.Shapes = []capacity.Shape{{Pools: []int{0}, Rated: 1, Online: 1}}
		s.Shapes[0].Ages.Observe(ageMS, staleMS)
	}
	p := partial.Partial{Instance: instance, Generation: generation, Sequence: sequence}
	p.Fill(s)
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// answer is the document of a view, as HTTP would give it.
func answer(t interface{ Fatal(...any) }, v *View) (*capacity.Document, string) {
	doc, err := v.Snapshot(nil).Document(capacity.Query{By: []capacity.Dimension{capacity.ByCentre}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return doc, string(b)
}

// TestWrongClock lets a broker whose clock is an hour ahead lead for a moment. When another one leads again, as_of is its time, and parts that have an
// owner are current; one whose last record is of the wrong clock has none, and is behind.
func TestWrongClock(t *testing.T) {
	v, offset := New(), int64(10)
	say := func(key string, sequence int64, at time.Time) {
		t.Helper()
		if outcome, err := v.Apply([]byte(key), record(t, "one", 3, sequence, 3, 1, 1000), offset, at); outcome != Folded {
			t.Fatal(outcome, err)
		}
		offset++
	}
	say("guian/0", 1, start)
	say("guian/1", 2, start)
	say("guian/0", 3, start.Add(time.Hour))
	say("guian/1", 4, start.Add(time.Hour))
	now := start.Add(2 * time.Second)
	say("guian/0", 5, now)
	doc, _ := answer(t, v)
	if !doc.AsOf.Equal(now) || doc.Parts.Current != 1 || doc.Parts.Behind != 1 {
		t.Errorf("as of %s, want %s; parts %+v", doc.AsOf, now.UTC(), doc.Parts)
	}
	say("guian/1", 6, now)
	say("guian/0", 7, now.Add(-time.Second)) // as little as clocks may differ
	if doc, _ = answer(t, v); !doc.AsOf.Equal(now) || doc.Parts != (capacity.Parts{Total: 2, Current: 2, OldestS: 1}) || doc.Total.Age.Max != 2 {
		t.Errorf("as of %s, want %s; parts %+v, age %+v", doc.AsOf, now.UTC(), doc.Parts, doc.Total.Age)
	}
}

// TestFenceOfWrongClock lets the last record of a part be of a broker whose clock is an hour ahead. Its owner dies, and the group is made anew: who is
// elected in it waits ten seconds by the right clock, and no hour.
func TestFenceOfWrongClock(t *testing.T) {
	v := New()
	for i, tc := range []struct {
		instance   string
		generation int32
		sequence   int64
		after      time.Duration
		want       Outcome
	}{
		{"one", 7, 1, time.Hour, Folded},
		{"two", 1, 2, 2 * time.Second, Fenced},
		{"two", 1, 3, 12 * time.Second, Fenced},
		{"two", 1, 4, 12*time.Second + time.Millisecond, Folded},
		{"one", 7, 5, 13 * time.Second, Folded}, // as little as clocks may differ is no wrong clock
		{"two", 1, 6, 10*time.Second + 500*time.Millisecond, Fenced},
		{"two", 1, 7, 23 * time.Second, Fenced},
	} {
		outcome, err := v.Apply([]byte("guian/0"), record(t, tc.instance, tc.generation, tc.sequence, 3, 1, 1000), int64(i), start.Add(tc.after))
		if outcome != tc.want {
			t.Errorf("record %d of %s: %s, %v; want %s", i, tc.instance, outcome, err, tc.want)
		}
	}
}

// TestOtherVersions reads what collectors of other versions write. What they added is skipped; another schema is left out, fences nothing, and lets the part fall behind.
func TestOtherVersions(t *testing.T) {
	v := New()
	offset := int64(0)
	say := func(key, value string, at time.Time, want Outcome) {
		t.Helper()
		outcome, err := v.Apply([]byte(key), []byte(value), offset, at)
		if offset++; outcome != want || (outcome == Refused) != (err != nil) {
			t.Errorf("%s %s: %s, %v", key, value, outcome, err)
		}
	}
	sums := string(record(t, "one", 3, 1, 3, 1, 1000))
	say("guian/0", strings.Replace(sums, "{", `{"colour":"red","shape_of_things":[{"x":1}],`, 1), start, Folded)
	doc, _ := answer(t, v)
	if doc.Total.Devices.Rated != 4 || doc.Parts.Current != 1 {
		t.Errorf("with fields that are not known: %+v", doc.Total.Devices)
	}
	later := start.Add(4 * time.Second)
	for key, value := range map[string]string{
		"guian/0":       strings.Replace(string(record(t, "two", 9, 1, 0, 1, 1000)), `"schema":1`, `"schema":2`, 1),
		"guian/0/owner": `{"schema":2,"instance":"two","generation":9,"sequence":2}`,
		"guian/0/3":     `{"schema":2,"instance":"two","generation":9,"sequence":3}`,
	} {
		say(key, value, later, Refused)
	}
	doc, _ = answer(t, v)
	if doc.Total.Devices.Rated != 4 || doc.Parts.Behind != 1 || doc.Total.Age.Max != 5 {
		t.Errorf("after another schema: %+v, %+v, %+v", doc.Total.Devices, doc.Parts, doc.Total.Age)
	}
	say("guian/0", string(record(t, "one", 3, 2, 3, 1, 1000)), later, Folded)
}

// TestSum adds two parts of a centre up, and lets one fall behind.
func TestSum(t *testing.T) {
	v := New()
	v.Apply([]byte("guian/0"), record(t, "one", 3, 1, 3, 1, 1000), 10, start)
	v.Apply([]byte("guian/1"), record(t, "two", 3, 1, 2, 6, 2000), 11, start.Add(time.Second))
	doc, _ := answer(t, v)
	if doc.Revision != 12 || !doc.AsOf.Equal(start.Add(time.Second)) || doc.Catalogue != "2026.11" {
		t.Errorf("document = %+v", doc)
	}
	if want := (capacity.Devices{Rated: 12, Online: 12, Healthy: 12, Busy: 5, Free: 7}); doc.Total.Devices != want {
		t.Errorf("devices = %+v, want %+v", doc.Total.Devices, want)
	}
	if doc.Total.Hosts != (capacity.Hosts{Rated: 2, Online: 2}) || doc.Total.Age.Max != 2 {
		t.Errorf("hosts %+v, age %+v: the first part's 1 s is 2 s by now", doc.Total.Hosts, doc.Total.Age)
	}
	if doc.Parts != (capacity.Parts{Total: 2, Current: 2, OldestS: 1}) {
		t.Errorf("parts = %+v", doc.Parts)
	}
	// The first part's owner is gone. Its hosts stand as they were, and their age grows beyond stale_after.
	v.Apply([]byte("guian/1"), record(t, "two", 4, 2, 2, 6, 500), 12, start.Add(time.Minute))
	doc, _ = answer(t, v)
	if doc.Total.Devices.Online != 12 || doc.Total.Age.Max != 61 || doc.Total.Age.P99 != 61 || doc.Parts != (capacity.Parts{Total: 2, Current: 1, Behind: 1, OldestS: 60}) {
		t.Errorf("devices %+v, age %+v, parts %+v", doc.Total.Devices, doc.Total.Age, doc.Parts)
	}
	if outcome, _ := v.Apply([]byte("guian/0"), nil, 13, start.Add(time.Minute)); outcome != Removed {
		t.Errorf("a tombstone was %s", outcome)
	}
	if doc, _ = answer(t, v); doc.Total.Devices.Rated != 8 || doc.Parts.Total != 1 || doc.Revision != 14 {
		t.Errorf("after the tombstone: %+v", doc)
	}
}

// TestFencing lets a collector that was replaced write once more.
func TestFencing(t *testing.T) {
	v := New()
	apply := func(want Outcome, instance string, generation int32, sequence int64, at time.Duration, offset int64) {
		t.Helper()
		if got, _ := v.Apply([]byte("guian/0"), record(t, instance, generation, sequence, 1, 0, 0), offset, start.Add(at)); got != want {
			t.Errorf("offset %d was %s, want %s", offset, got, want)
		}
	}
	apply(Folded, "one", 3, 1, 0, 1)
	apply(Folded, "two", 4, 1, time.Second, 2)
	apply(Fenced, "one", 3, 2, 2*time.Second, 3)
	apply(Fenced, "two", 4, 1, 2*time.Second, 4) // written twice
	apply(Folded, "two", 4, 2, 3*time.Second, 5)
	apply(Fenced, "one", 1, 9, 13*time.Second, 6)
	apply(Folded, "one", 1, 10, 14*time.Second, 7) // the group was made anew
	if got := v.Part("guian", 0); got == nil || got.Instance != "one" || v.Revision() != 8 {
		t.Errorf("the part is %+v at revision %d", got, v.Revision())
	}
}

// TestRefused leaves what cannot be read out, and goes on.
func TestRefused(t *testing.T) {
	v := New()
	v.Apply([]byte("guian/0"), record(t, "one", 3, 1, 3, 1, 1000), 1, start)
	_, before := answer(t, v)
	for i, bad := range []string{
		"", "{", `{"schema":2}`, `{"schema":1,"stale_after_ms":0}`, `{"schema":1,"stale_after_ms":1,"shapes":[{"pools":[0]}]}`,
		`{"schema":1,"stale_after_ms":1,"pools":[{"devices":[-1]}]}`, `{"schema":1,"stale_after_ms":1,"shapes":[{"ages":[[128,1]]}]}`,
	} {
		if outcome, err := v.Apply([]byte("guian/0"), []byte(bad), 1, start); outcome != Refused || err == nil {
			t.Errorf("record %d was %s", i, outcome)
		}
	}
	for _, key := range []string{"", "guian", "guian/", "guian/-1", "guian/01", "GUIAN/1", "/1"} {
		if outcome, _ := v.Apply([]byte(key), record(t, "x", 9, 9, 9, 9, 9), 1, start); outcome != Refused {
			t.Errorf("key %q was %s", key, outcome)
		}
	}
	if _, after := answer(t, v); after != before {
		t.Errorf("the answer changed from %s to %s", before, after)
	}
}

// TestPure folds a log twice, summing up at different moments, and once only its newest records, as compaction leaves them.
func TestPure(t *testing.T) {
	keys := []string{"guian/0", "guian/1", "guian/2", "zunyi/0"}
	rapid.Check(t, func(rt *rapid.T) {
		one, two, compacted := New(), New(), New()
		type entry struct {
			offset int64
			value  []byte
			at     time.Time
		}
		last, at := map[string]entry{}, start
		n := rapid.Int64Range(1, 40).Draw(rt, "n")
		for offset := range n {
			at = at.Add(time.Duration(rapid.Int64Range(0, 1500).Draw(rt, "ms")) * time.Millisecond)
			key := rapid.SampledFrom(keys).Draw(rt, "key")
			draw := func(name string) int64 { return rapid.Int64Range(0, 9).Draw(rt, name) }
			value := record(rt, "one", 1, offset, draw("busy"), draw("free"), draw("age")*1000)
			last[key] = entry{offset, value, at}
			one.Apply([]byte(key), value, offset, at)
			two.Apply([]byte(key), value, offset, at)
			if rapid.Bool().Draw(rt, "look") {
				answer(rt, one)
			}
		}
		for offset := range n {
			for key, e := range last {
				if e.offset == offset {
					compacted.Apply([]byte(key), e.value, offset, e.at)
				}
			}
		}
		_, x := answer(rt, one)
		_, y := answer(rt, two)
		_, z := answer(rt, compacted)
		if x != y || x != z {
			rt.Fatalf("one log, different answers:\n%s\n%s\n%s", x, y, z)
		}
	})
}

// TestSilenced makes everything stale, and loses nothing.
func TestSilenced(t *testing.T) {
	v := New()
	v.Apply([]byte("guian/0"), record(t, "one", 3, 1, 3, 1, 1000), 10, start)
	before := v.Snapshot(nil)
	doc, err := before.Silenced(31 * time.Second).Document(capacity.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if doc.Total.Devices != (capacity.Devices{Rated: 4, Stale: 4}) || doc.Total.Hosts != (capacity.Hosts{Rated: 1}) || doc.Total.Age != nil || doc.Parts != (capacity.Parts{Total: 1, Behind: 1, OldestS: 31}) {
		t.Errorf("%+v, parts %+v", doc.Total, doc.Parts)
	}
	if doc, _ := answer(t, v); doc.Total.Devices.Free != 1 || doc.Total.Eflops.Rated != 4*989_500_000 {
		t.Errorf("the view itself changed: %+v", doc.Total)
	}
}
