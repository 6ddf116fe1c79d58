package capacity_test

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/partial"
	"github.com/exameter/exameter/collector/view"
	"github.com/exameter/exameter/telemetry"
)

// server is one host as a test thinks of it: what is true of it, without any sums.
type server struct {
	centre, cluster, id string
	part                int
	age                 time.Duration // of its last report; below zero where it never reported
	cards               []card
	cpu                 *cpu
}

type card struct {
	name         string
	state        telemetry.State
	slices, busy int64 // slices is 0 of a card that is not partitioned
	reported     bool
}

type cpu struct {
	vendor      string
	cores, busy int64
	state       telemetry.State
	reported    bool
}

const staleAfter = 30 * time.Second

var provinceAt = time.UnixMilli(1_795_420_800_000)

// online reports whether what the server last said counts.
func (s *server) online() bool { return s.age >= 0 && s.age <= staleAfter }

// wares are what cards are sold as: one price each, one of them without a price, one without a known memory.
var wares = map[string]capacity.Pool{
	"big":     {Vendor: "v1", Model: "big", Domestic: telemetry.Known(true), Memory: telemetry.Known(telemetry.Bytes(64 << 30)), Peaks: catalog.Peaks{}.With(catalog.FP16, 376_000_000).With(catalog.FP64, 1_000)},
	"small":   {Vendor: "v1", Model: "small", Domestic: telemetry.Known(true), Memory: telemetry.Known(telemetry.Bytes(32 << 30)), Peaks: catalog.Peaks{}.With(catalog.FP16, 280_500_000)},
	"foreign": {Vendor: "v2", Model: "foreign", Domestic: telemetry.Known(false), Memory: telemetry.Known(telemetry.Bytes(141 << 30)), Peaks: catalog.Peaks{}.With(catalog.FP16, 989_500_000).With(catalog.FP64, 66_900_000)},
	"unknown": {Vendor: "v3", Model: "unknown"},
}

// poolOf is the pool of a device.
func poolOf(s fleet.Source) capacity.Pool {
	p := wares[s.Name]
	p.Class = capacity.Intelligent
	if s.Kind == telemetry.CPU {
		p = capacity.Pool{Vendor: s.CPU.Vendor, Model: "cpu-" + s.CPU.Vendor, Class: capacity.General, Peaks: catalog.Peaks{}.With(catalog.FP32, 64_000)}
	}
	p.Centre, p.Cluster, p.Kind, p.Basis = s.Centre, s.Cluster, s.Kind, p.Class.Basis()
	return p
}

// drawProvince draws servers of at most so many cards.
func drawProvince(t *rapid.T, most int) []server {
	out := make([]server, rapid.IntRange(0, 24).Draw(t, "servers"))
	kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"big", "small", "foreign", "unknown"}), 1, 2).Draw(t, "wares")
	for i := range out {
		s := &out[i]
		s.centre = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "centre")
		s.cluster = rapid.SampledFrom([]string{"default", "train"}).Draw(t, "cluster")
		s.id, s.part = fmt.Sprintf("host-%d", i), rapid.IntRange(0, 1).Draw(t, "part")
		s.age = time.Duration(rapid.SampledFrom([]int{0, 3_000, 9_999, 12_345, 30_000, 30_001, 90_000, -1}).Draw(t, "age")) * time.Millisecond
		name := rapid.SampledFrom(kinds).Draw(t, "ware")
		free := rapid.IntRange(0, 10).Draw(t, "free, of ten")
		for range rapid.IntRange(0, most).Draw(t, "cards") {
			c := card{name: name, state: telemetry.Free, reported: true}
			if rapid.IntRange(0, 9).Draw(t, "use") >= free {
				c.state = rapid.SampledFrom([]telemetry.State{telemetry.Busy, telemetry.Busy, telemetry.Drained, telemetry.Faulty}).Draw(t, "state")
			}
			switch rapid.IntRange(0, 15).Draw(t, "oddity") {
			case 0:
				c.reported = false
			case 1:
				c.name = rapid.SampledFrom(kinds).Draw(t, "another ware")
			case 2, 3:
				c.slices = 7
				c.busy = rapid.Int64Range(0, 7).Draw(t, "slices at work")
			}
			s.cards = append(s.cards, c)
		}
		if rapid.Bool().Draw(t, "has processors") {
			s.cpu = &cpu{vendor: rapid.SampledFrom([]string{"p", "q"}).Draw(t, "vendor"), cores: rapid.Int64Range(1, 40).Draw(t, "cores"), reported: rapid.IntRange(0, 9).Draw(t, "cpu reported") > 0}
			s.cpu.busy = rapid.Int64Range(0, s.cpu.cores).Draw(t, "cores at work")
			s.cpu.state = rapid.SampledFrom([]telemetry.State{telemetry.Free, telemetry.Busy, telemetry.Drained}).Draw(t, "cpu state")
		}
	}
	return out
}

// snapshotOf lets the servers say what they are and do, to fleets of a part each, and sums these up as a collector does.
func snapshotOf(t *rapid.T, servers []server) *capacity.Snapshot {
	type part struct {
		centre string
		number int
	}
	fleets := map[part]*fleet.Fleet{}
	for i := range servers {
		s := &servers[i]
		at := part{s.centre, s.part}
		if fleets[at] == nil {
			fleets[at] = fleet.New(fleet.Options{StaleAfter: staleAfter, Pricing: fleet.Pricing{Catalogue: "test", Pool: poolOf}})
		}
		inv, report := s.records()
		fleets[at].ApplyInventory(s.centre, inv, provinceAt.Add(-time.Hour))
		if report != nil {
			fleets[at].ApplyReport(s.centre, report, report.Time)
		}
	}
	v, offset := view.New(), int64(0)
	for at, f := range fleets {
		p := partial.Partial{Instance: "one", Generation: 1, Sequence: 1}
		p.Fill(f.Fold(provinceAt))
		value, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if outcome, err := v.Apply([]byte(partial.Key(at.centre, at.number)), value, offset, provinceAt); outcome != view.Folded {
			t.Fatal(outcome, err)
		}
		offset++
	}
	return v.Snapshot(nil)
}

// records are the inventory and the last report of a server, nil where it never reported.
func (s *server) records() (*telemetry.Inventory, *telemetry.Report) {
	h := telemetry.Header{Origin: telemetry.Origin{Centre: s.centre, Cluster: s.cluster, Host: s.id}, Time: provinceAt.Add(-time.Hour), Boot: "boot", Seq: 1}
	inv, r := &telemetry.Inventory{Header: h}, &telemetry.Report{Header: h}
	r.Time = provinceAt.Add(-s.age)
	for i, c := range s.cards {
		id := fmt.Sprintf("%s-card-%d", s.id, i)
		inv.Devices = append(inv.Devices, telemetry.DeviceInfo{ID: id, Vendor: wares[c.name].Vendor, Name: c.name})
		if !c.reported {
			continue
		}
		st := telemetry.DeviceStatus{ID: id, State: c.state}
		if c.slices > 0 {
			st.Slices, st.SlicesBusy = telemetry.Known(c.slices), telemetry.Known(c.busy)
		}
		r.Devices = append(r.Devices, st)
	}
	if s.cpu != nil {
		inv.CPU = telemetry.Known(telemetry.CPUInfo{Vendor: s.cpu.vendor, Cores: telemetry.Known(s.cpu.cores)})
		if s.cpu.reported {
			r.CPU = telemetry.Known(telemetry.CPUStatus{State: s.cpu.state, CoresBusy: telemetry.Known(s.cpu.busy)})
		}
	}
	if s.age < 0 {
		return inv, nil
	}
	return inv, r
}
