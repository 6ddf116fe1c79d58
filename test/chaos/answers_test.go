package main

import (
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/sim"
)

// TestJudge wants every promise to be one that can be seen broken.
func TestJudge(t *testing.T) {
	province, err := sim.New(sim.Spec{Seed: 1, Hosts: 1, Centres: sim.DefaultCentres()[:1], Calm: true}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	centre := province.Centres()[0]
	right := capacity.Devices{Rated: 8, Online: 8, Healthy: 8, Busy: 3, Free: 5}
	now := time.Now()
	f := func(want string, spoil func(w *watch, d *capacity.Document, tag *string)) {
		t.Helper()
		l := &ledger{province: province, rated: map[string]int64{centre: 8, servers: 0}}
		l.books = []book{{at: now, centres: map[string]capacity.Devices{centre: right, servers: {}}}}
		j := &judge{findings: &findings{began: now, say: t.Logf, count: map[string]int{}, first: map[string]string{}}, ledger: l}
		w := newWatch("a collector")
		figure := capacity.Figure{
			Devices: right, Origin: capacity.Origin{Devices: capacity.OriginDevices{Domestic: 8}},
			Hosts: capacity.Hosts{Rated: 1, Online: 1}, Age: &capacity.Age{Max: 1},
		}
		doc := &capacity.Document{AsOf: now, Total: figure, Groups: []capacity.Group{{Centre: centre, Figure: figure}}}
		tag := `"7"`
		spoil(w, doc, &tag)
		j.take(w, doc, tag, nil, now)
		if have := j.count[want]; want != "" && have == 0 || want == "" && j.violations() > 0 {
			t.Errorf("want %q, have %v", want, j.count)
		}
	}
	all := func(d *capacity.Document, change func(*capacity.Figure)) {
		change(&d.Total)
		change(&d.Groups[0].Figure)
	}
	f("", func(*watch, *capacity.Document, *string) {})
	f(conservation, func(_ *watch, d *capacity.Document, _ *string) { d.Total.Devices.Busy, d.Total.Devices.Free = 4, 4 })
	f(conservation, func(_ *watch, d *capacity.Document, _ *string) {
		all(d, func(f *capacity.Figure) { f.Devices.Free++ })
	})
	f(conservation, func(_ *watch, d *capacity.Document, _ *string) {
		all(d, func(f *capacity.Figure) { f.Origin.Devices.Unknown++ })
	})
	f(countedOnce, func(_ *watch, d *capacity.Document, _ *string) {
		all(d, func(f *capacity.Figure) {
			f.Devices = capacity.Devices{Rated: 9, Online: 9, Healthy: 9, Busy: 3, Free: 6}
			f.Origin.Devices.Domestic = 9
		})
	})
	f(countedOnce, func(_ *watch, d *capacity.Document, _ *string) {
		d.Groups, d.Total = nil, capacity.Figure{}
	})
	// One answer that is as old as this is no offence, if the next one says that it is.
	old := func(w *watch, d *capacity.Document, _ *string) { d.AsOf = now.Add(-staleAfter - 2*grace) }
	f("", old)
	f(silence, func(w *watch, d *capacity.Document, tag *string) {
		old(w, d, tag)
		w.idle = now.Add(-2 * grace)
	})
	wrong := func(w *watch, d *capacity.Document, _ *string) {
		w.matched[centre] = now.Add(-2 * wrongFor)
		all(d, func(f *capacity.Figure) { f.Devices.Busy, f.Devices.Free = 4, 4 })
	}
	f(flagged, wrong)
	f("", func(w *watch, d *capacity.Document, tag *string) {
		wrong(w, d, tag)
		*tag = `"7-cut"`
	})
	f("", func(w *watch, d *capacity.Document, tag *string) {
		wrong(w, d, tag)
		d.Parts.Behind = 1
	})
	f("", func(w *watch, d *capacity.Document, tag *string) {
		wrong(w, d, tag)
		all(d, func(f *capacity.Figure) { f.Hosts.Online, f.Hosts.Rated = 1, 2 })
	})
}
