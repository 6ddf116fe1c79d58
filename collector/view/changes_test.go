package view

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/partial"
	"github.com/exameter/exameter/telemetry"
)

// drawSums draws what a part's owner could say: few values, so that what was comes back often.
func drawSums(t *rapid.T, centre string, sequence int64) []byte {
	s := &capacity.Snapshot{AsOf: start, Catalogue: rapid.SampledFrom([]string{"1", "1", "1", "1", "1", "1", "2"}).Draw(t, "catalogue"), StaleAfter: staleMS * time.Millisecond}
	for _, model := range []string{"m", "n"} {
		for _, kind := range []telemetry.Kind{telemetry.Accelerator, telemetry.CPU} {
			if rapid.IntRange(0, 2).Draw(t, "absent") == 0 {
				continue
			}
			p := capacity.Pool{Centre: centre, Cluster: "default", Kind: kind, Vendor: "v", Model: model, Class: capacity.Intelligent, Basis: catalog.FP16}
			p.Peaks = p.Peaks.With(catalog.FP16, 1000)
			var c capacity.Cell
			units := int64(64)
			if kind == telemetry.Accelerator {
				units = capacity.UnitsPerDevice
			}
			for state := range c.Devices {
				c.Devices[state] = rapid.Int64Range(0, 1).Draw(t, "devices")
				c.Units[state] = c.Devices[state] * units
			}
			healthy := c.Devices[capacity.Busy] + c.Devices[capacity.Free]
			c.SM = rapid.Int64Range(0, healthy).Draw(t, "sm")
			c.KnownUnits = c.SM * units
			c.ActiveUnits = c.KnownUnits * rapid.Int64Range(0, 1000).Draw(t, "activity")
			c.PowerDevices, c.PowerMW = c.SM, c.SM*rapid.Int64Range(0, 700_000).Draw(t, "power")
			s.Pools = append(s.Pools, capacity.PoolCell{Pool: p, Cell: c})
		}
	}
	if n := len(s.Pools); n > 0 {
		for range rapid.IntRange(0, 2).Draw(t, "shapes") {
			sh := capacity.Shape{Pools: rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 1, n, rapid.ID[int]).Draw(t, "pools"), Rated: 2, Online: rapid.Int64Range(0, 2).Draw(t, "online")}
			for range sh.Online {
				sh.Ages.Observe(rapid.Int64Range(0, staleMS).Draw(t, "age"), staleMS)
			}
			s.Shapes = append(s.Shapes, sh)
		}
		if rapid.IntRange(0, 5).Draw(t, "contends") == 0 {
			d := capacity.Contest{Pool: 0, Leaf: capacity.Leaf{State: capacity.Free, Units: 1, PowerMW: -1, Activity: -1}, Claim: fleet.ClaimOf(false, "GPU-7"), ID: "GPU-7", PresentMS: rapid.Int64Range(1, 3).Draw(t, "present")}
			s.Contenders = []capacity.Contender{{Host: "host-" + centre, Online: true, Devices: []capacity.Contest{d}}}
		}
	}
	s.Sort()
	p := partial.Partial{Instance: "one", Generation: 1, Sequence: sequence}
	p.Fill(s)
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// counted is a document without what streams do not promise to the moment: ages, utilisation, power, and what of processors' Eflops is at work.
func counted(f capacity.Figure, kind string) capacity.Figure {
	f.Utilisation, f.PowerW, f.Age = nil, 0, nil
	if kind != capacity.KindAccelerator {
		f.Eflops.Busy, f.Eflops.Free = 0, 0
	}
	return f
}

// follow applies a delta as a reader does, and returns the groups that it then has, by name.
func follow(groups map[string]capacity.Group, d *capacity.Delta) {
	for _, g := range d.Gone {
		delete(groups, name(g))
	}
	for _, g := range d.Groups {
		groups[name(goneOf(&g))] = g
	}
}

func goneOf(g *capacity.Group) capacity.Gone {
	return capacity.Gone{Centre: g.Centre, Cluster: g.Cluster, Kind: g.Kind, Vendor: g.Vendor, Model: g.Model, Class: g.Class, Domestic: g.Domestic}
}

func name(g capacity.Gone) string {
	b, _ := json.Marshal(g) // a struct of strings
	return string(b)
}

// TestChanges reads one log on two collectors, of which the second was behind, and got what compaction had left. A reader takes a document
// from the one at any revision and goes on with a delta of the other: it has every count of the document, or is told to begin anew.
func TestChanges(t *testing.T) {
	deltas := 0
	rapid.Check(t, func(rt *rapid.T) {
		q := capacity.Query{Kind: rapid.SampledFrom([]string{capacity.KindAccelerator, capacity.KindAll}).Draw(rt, "kind")}
		q.By = rapid.SampledFrom([][]capacity.Dimension{nil, {capacity.ByCentre}, {capacity.ByModel}, {capacity.ByCentre, capacity.ByKind, capacity.ByModel}}).Draw(rt, "by")
		if rapid.Bool().Draw(rt, "filter") {
			q.Model = []string{"m"}
		}
		type entry struct {
			key   string
			value []byte
		}
		var log []entry
		for n := range rapid.IntRange(1, 30).Draw(rt, "records") {
			centre := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "centre")
			e := entry{key: centre + "/" + strconv.Itoa(rapid.IntRange(0, 1).Draw(rt, "number"))}
			if rapid.IntRange(0, 9).Draw(rt, "tombstone") > 0 {
				e.value = drawSums(rt, centre, int64(n+1))
			}
			log = append(log, e)
		}
		caughtUp := rapid.IntRange(0, len(log)).Draw(rt, "caught up")
		one, two := New(), New()
		kept := map[string]int{}
		for i, e := range log[:caughtUp] {
			kept[e.key] = i
		}
		apply := func(v *View, i int) {
			if _, err := v.Apply([]byte(log[i].key), log[i].value, int64(i), start.Add(time.Duration(i)*100*time.Millisecond)); err != nil {
				rt.Fatal(err)
			}
		}
		readers := map[int64]map[string]capacity.Group{}
		for i := range log {
			apply(one, i)
			if i >= caughtUp || kept[log[i].key] == i || rapid.Bool().Draw(rt, "left") {
				apply(two, i)
			}
			doc, err := one.Snapshot(nil).Document(q)
			if err != nil {
				rt.Fatal(err)
			}
			readers[doc.Revision] = map[string]capacity.Group{}
			for _, g := range doc.Groups {
				readers[doc.Revision][name(goneOf(&g))] = g
			}
			if i < caughtUp {
				continue
			}
			for _, v := range []*View{one, two} {
				s := v.Snapshot(nil)
				c, err := s.Changes(q)
				if err != nil {
					rt.Fatal(err)
				}
				for from, reader := range readers {
					d := c.Delta(from, nil)
					if d == nil {
						continue
					}
					if len(d.Groups)+len(d.Gone) > 0 && !s.ChangedSince(q, from) {
						rt.Fatalf("from %d to %d groups changed, and yet nothing did", from, s.Revision)
					}
					deltas++
					has := map[string]capacity.Group{}
					for k, g := range reader {
						has[k] = g
					}
					follow(has, d)
					if len(has) != len(doc.Groups) {
						rt.Fatalf("from %d to %d: the reader has %d groups, the document %d", from, s.Revision, len(has), len(doc.Groups))
					}
					for _, g := range doc.Groups {
						h := has[name(goneOf(&g))]
						x, _ := json.Marshal(counted(h.Figure, doc.Kind))
						y, _ := json.Marshal(counted(g.Figure, doc.Kind))
						if !slices.Equal(x, y) {
							rt.Fatalf("from %d to %d, group %s: the reader has\n%s\nthe document\n%s", from, s.Revision, name(goneOf(&g)), x, y)
						}
					}
				}
			}
		}
	})
	if deltas == 0 {
		t.Error("there was never a delta")
	}
	t.Log(deltas, "deltas")
}

// TestChangesAreFew sends nothing of what stayed as it was, and goes back as far as the log was read without a gap.
func TestChangesAreFew(t *testing.T) {
	v := New()
	at := start
	apply := func(key string, busy, age, offset int64) {
		at = at.Add(time.Second)
		if _, err := v.Apply([]byte(key), record(t, "one", 1, offset, busy, 8-busy, age), offset, at); err != nil {
			t.Fatal(err)
		}
	}
	for i, key := range []string{"guian/0", "zunyi/0", "guian/0", "zunyi/0"} {
		apply(key, 1, int64(i), int64(i))
	}
	apply("guian/0", 1, 500, 4)
	apply("zunyi/0", 2, 500, 5)
	delta := func(from int64) *capacity.Delta {
		c, err := v.Snapshot(nil).Changes(capacity.Query{By: []capacity.Dimension{capacity.ByVendor}})
		if err != nil {
			t.Fatal(err)
		}
		return c.Delta(from, nil)
	}
	if d := delta(4); d == nil || len(d.Groups) != 1 || d.Revision != 6 {
		t.Errorf("from 4: %+v", d)
	}
	if d := delta(6); d == nil || len(d.Groups) != 0 {
		t.Errorf("from 6: %+v", d)
	}
	if d := delta(3); d != nil {
		t.Errorf("from 3, when not all parts were sure: %+v", d)
	}
	if d := delta(7); d != nil {
		t.Errorf("from the future: %+v", d)
	}
	apply("guian/0", 1, 0, 9) // 6 to 8 are missing
	if d := delta(6); d != nil {
		t.Errorf("across a gap: %+v", d)
	}
}
