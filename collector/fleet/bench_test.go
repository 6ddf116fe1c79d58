package fleet

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/hosts"
	"github.com/exameter/exameter/telemetry"
)

const (
	benchHosts    = 10_000
	benchProvince = 150_000
	benchDevices  = 8
)

// benchRecords makes the records of host n, as an agent on a server with eight accelerators sends them: an inventory, and
// the report of a moment.
func benchRecords(n int) (*telemetry.Inventory, *telemetry.Report) {
	h := telemetry.Header{
		Origin: telemetry.Origin{Centre: benchCentre(n), Cluster: "default", Host: fmt.Sprintf("%08x-0000-4000-8000-%012x", n, n)},
		Time:   start, Boot: fmt.Sprintf("%08x-1111-4000-8000-%012x", n, n), Seq: 1,
	}
	inv, r := &telemetry.Inventory{Header: h}, &telemetry.Report{Header: h}
	inv.Name = fmt.Sprintf("gpu-%06d.guian", n)
	inv.CPU = telemetry.Known(telemetry.CPUInfo{Vendor: "GenuineIntel", Name: "Intel(R) Xeon(R) Platinum 8480+", Cores: telemetry.Known(int64(112))})
	for i := range benchDevices {
		id := fmt.Sprintf("GPU-%08x-%04d-4000-8000-%012x", n, i, n)
		inv.Devices = append(inv.Devices, telemetry.DeviceInfo{
			ID: id, Index: telemetry.Known(int64(i)), Vendor: "nvidia", Name: []string{"m0", "m1"}[n%2], Serial: fmt.Sprintf("16540230%05d", n),
			PCI: fmt.Sprintf("0000:%02x:00.0", 0x1b+16*i), Memory: telemetry.Known(telemetry.Bytes(141 << 30)), Driver: "570.133.20", Firmware: "96.00.CF.00.01", Source: "nvml",
		})
		r.Devices = append(r.Devices, telemetry.DeviceStatus{ID: id})
	}
	benchMoment(r, rand.New(rand.NewPCG(uint64(n), 0)))
	return inv, r
}

// benchMoment fills a report with what a host does at one moment: 22 fields of each accelerator, none of which stands still.
func benchMoment(r *telemetry.Report, rnd *rand.Rand) {
	known := func(lo, hi int64) telemetry.Opt[int64] { return telemetry.Known(lo + rnd.Int64N(hi-lo+1)) }
	permille := func() telemetry.Opt[telemetry.Permille] { return telemetry.Known(telemetry.Permille(rnd.Int64N(1001))) }
	power := func(hi int64) telemetry.Opt[telemetry.Milliwatts] {
		return telemetry.Known(telemetry.Milliwatts(50_000 + rnd.Int64N(hi)))
	}
	r.Interval, r.Uptime = telemetry.Known(telemetry.Milliseconds(10_000)), telemetry.Known(telemetry.Seconds(rnd.Int64N(10_000_000)))
	r.LoadMilli, r.Queued, r.Dropped = known(0, 200_000), known(0, 3), known(0, 0)
	r.CPU = telemetry.Known(telemetry.CPUStatus{State: telemetry.Busy, Reason: "load", Cores: known(112, 112), CoresBusy: known(0, 112), UtilizationMean: permille(), UtilizationMax: permille()})
	r.Memory = telemetry.Known(telemetry.MemoryStatus{Total: telemetry.Known(telemetry.Bytes(2_164_228_096_000)), Available: telemetry.Known(telemetry.Bytes(rnd.Int64N(1 << 40)))})
	r.Power = r.Power[:0]
	for _, domain := range [...]string{"package-0", "package-1"} {
		r.Power = append(r.Power, telemetry.PowerStatus{Domain: domain, Method: "rapl", Mean: power(300_000), Max: power(300_000), Energy: telemetry.Known(telemetry.Millijoules(rnd.Int64N(1e12)))})
	}
	r.Sources = append(r.Sources[:0], telemetry.SourceStatus{Source: "cpu", OK: true, Took: telemetry.Known(telemetry.Milliseconds(1)), Missed: known(0, 0)},
		telemetry.SourceStatus{Source: "nvml", OK: true, Took: telemetry.Known(telemetry.Milliseconds(rnd.Int64N(90))), Missed: known(0, 0)})
	for i := range r.Devices {
		d := telemetry.DeviceStatus{ID: r.Devices[i].ID, State: telemetry.Busy, Reason: "processes"}
		if rnd.IntN(4) == 0 {
			d.State, d.Reason = telemetry.Free, ""
		}
		d.UtilizationMean, d.UtilizationMax, d.SMActivity, d.TensorActivity, d.MemoryUtilization = permille(), permille(), permille(), permille(), permille()
		d.MemoryUsed, d.PowerMean, d.PowerMax = telemetry.Known(telemetry.Bytes(rnd.Int64N(141<<30))), power(600_000), power(700_000)
		d.Energy, d.Temperature = telemetry.Known(telemetry.Millijoules(rnd.Int64N(1e13))), telemetry.Known(telemetry.Celsius(30+rnd.Int64N(50)))
		d.SMClock, d.MemoryClock, d.Throttle = telemetry.Known(telemetry.Megahertz(345+rnd.Int64N(1636))), telemetry.Known[telemetry.Megahertz](3201), known(0, 4)
		d.ECCCorrected, d.ECCUncorrected, d.XIDCount, d.Processes = known(0, 12), known(0, 0), known(0, 0), known(0, 8)
		d.RemapPending, d.RemapFailed = telemetry.Known(false), telemetry.Known(false)
		r.Devices[i] = d
	}
}

// benchCentre spreads hosts over a dozen centres.
func benchCentre(n int) string { return benchCentres[n%len(benchCentres)] }

var benchCentres = [...]string{
	"centre-0", "centre-1", "centre-2", "centre-3", "centre-4", "centre-5", "centre-6", "centre-7", "centre-8", "centre-9", "centre-10", "centre-11",
}

// benchBuild makes a fleet of so many hosts, all of which have reported.
func benchBuild(hosts int) *Fleet {
	f := New(Options{StaleAfter: stale, Pricing: testPricing(1)})
	for n := range hosts {
		inv, r := benchRecords(n)
		f.ApplyInventory(benchCentre(n), inv, start)
		f.ApplyReport(benchCentre(n), r, start)
	}
	return f
}

// province is a fleet of the whole province's size, made once for all benchmarks.
var province = sync.OnceValue(func() *Fleet { return benchBuild(benchProvince) })

func benchFleet() (*Fleet, []*telemetry.Report) {
	reports := make([]*telemetry.Report, benchHosts)
	for n := range reports {
		_, reports[n] = benchRecords(n)
	}
	return benchBuild(benchHosts), reports
}

// BenchmarkApplyReport applies reports of hosts with 8 accelerators and processors to a fleet of 150,000 such hosts, in an
// order that no cache foresees. As after decoding, the report lies in the cache and the host does not. Every amount
// changes; "states" changes those of a quarter of the devices too, and "priming" is what Prime alone takes.
func BenchmarkApplyReport(b *testing.B) {
	f := province()
	keys := make([][]byte, benchProvince)
	for slot := range keys {
		keys[slot] = []byte(f.at(uint32(slot)).id())
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	moments := make([]telemetry.Report, 16)
	for i := range moments {
		moments[i].Devices = make([]telemetry.DeviceStatus, benchDevices)
		benchMoment(&moments[i], rnd)
	}
	alike := make([]telemetry.Report, len(moments))
	for i := range alike {
		alike[i] = moments[i]
		alike[i].Devices = slices.Clone(moments[i].Devices)
		for j := range alike[i].Devices {
			alike[i].Devices[j].State = telemetry.Busy
		}
	}
	seq := int64(1 << 40)
	next := func(reports []telemetry.Report) (*telemetry.Report, string) {
		n := rnd.IntN(benchProvince)
		r := &reports[n%len(reports)]
		f.Prime(benchCentre(n), keys[n], r)
		seq++
		r.Seq, r.Time = seq, start
		return r, benchCentre(n)
	}
	for n := range benchProvince { // all of them alike
		r := &alike[n%len(alike)]
		f.Prime(benchCentre(n), keys[n], r)
		seq++
		r.Seq, r.Time = seq, start
		f.ApplyReport(benchCentre(n), r, start)
	}
	b.Run("priming", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			next(alike)
		}
	})
	for i, reports := range [...][]telemetry.Report{alike, moments} {
		b.Run([...]string{"amounts", "states"}[i], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, centre := next(reports)
				if f.ApplyReport(centre, r, start) != Applied {
					b.Fatal("not applied")
				}
			}
		})
	}
}

// BenchmarkFold folds 150,000 hosts with 1,200,000 accelerators.
func BenchmarkFold(b *testing.B) {
	f := province()
	b.ReportAllocs()
	for b.Loop() {
		f.Fold(start.Add(5 * time.Second))
	}
}

// BenchmarkRecount sums 150,000 hosts with 1,200,000 accelerators, and as many processors, from nothing.
func BenchmarkRecount(b *testing.B) {
	f := province()
	b.ReportAllocs()
	for b.Loop() {
		if !f.Recount() {
			b.Fatal("the cells are not what a recount gives")
		}
	}
}

// BenchmarkCheck recounts 150,000 hosts, and settles for every device that it counts once.
func BenchmarkCheck(b *testing.B) {
	f := province()
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Check(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeApply decodes and applies reports, as the collector does for every record.
func BenchmarkDecodeApply(b *testing.B) {
	f, reports := benchFleet()
	var e telemetry.Encoder
	wire, keys := make([][]byte, benchHosts), make([][]byte, benchHosts)
	for n, r := range reports {
		var err error
		if wire[n], err = e.AppendReport(nil, r); err != nil {
			b.Fatal(err)
		}
		keys[n] = []byte(r.Host)
	}
	reports = nil
	var d telemetry.Decoder
	var r telemetry.Report
	b.ReportAllocs()
	b.SetBytes(int64(len(wire[0])))
	n := 0
	for b.Loop() {
		host := n % benchHosts
		f.Prime(benchCentre(host), keys[host], &r)
		if err := d.Report(wire[host], &r); err != nil {
			b.Fatal(err)
		}
		r.Seq += int64(n/benchHosts) + 1 // what makes the same bytes news
		if f.ApplyReport(benchCentre(host), &r, start) != Applied {
			b.Fatal("not applied")
		}
		n++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkCold decodes and applies the inventory and the first report of hosts that are all new.
func BenchmarkCold(b *testing.B) {
	var e telemetry.Encoder
	var inventories, reports [][]byte
	for n := range benchHosts {
		inv, r := benchRecords(n)
		i, err := e.AppendInventory(nil, inv)
		if err != nil {
			b.Fatal(err)
		}
		w, err := e.AppendReport(nil, r)
		if err != nil {
			b.Fatal(err)
		}
		inventories, reports = append(inventories, i), append(reports, w)
	}
	var inv telemetry.Inventory
	var r telemetry.Report
	hosts := 0
	b.ReportAllocs()
	for b.Loop() { // an iteration is a fleet of 10,000
		var d telemetry.Decoder
		f := New(Options{StaleAfter: stale, Pricing: testPricing(1)})
		for n := range inventories {
			if err := d.Inventory(inventories[n], &inv); err != nil {
				b.Fatal(err)
			}
			f.ApplyInventory(benchCentre(n), &inv, start)
		}
		for n := range reports {
			f.Prime(benchCentre(n), []byte(inv.Host), &r)
			if err := d.Report(reports[n], &r); err != nil {
				b.Fatal(err)
			}
			f.ApplyReport(benchCentre(n), &r, start)
		}
		hosts += benchHosts
	}
	b.ReportMetric(float64(hosts)/b.Elapsed().Seconds(), "hosts/s")
}

// BenchmarkApplyInventory applies an hourly inventory that says nothing new.
func BenchmarkApplyInventory(b *testing.B) {
	f, _ := benchFleet()
	inventories := make([]*telemetry.Inventory, benchHosts)
	for n := range inventories {
		inventories[n], _ = benchRecords(n)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		inv := inventories[n%benchHosts]
		inv.Seq++
		f.ApplyInventory(benchCentre(n%benchHosts), inv, start)
		n++
	}
}

// BenchmarkListing lists 100 of 150,000 hosts: "rank" finds them, looking at all; "glance" is what of that is done at a time, between
// records; "page" says what they are.
func BenchmarkListing(b *testing.B) {
	f := province()
	q, err := hosts.Query{Sort: hosts.ByFree, States: []string{"free"}}.Normal()
	if err != nil {
		b.Fatal(err)
	}
	s := &Search{Query: q, Now: start}
	rank := func(from, n uint32) *hosts.Ranking {
		r := hosts.NewRanking(&q)
		f.Rank(s, r, 0, 0, from, n)
		return r
	}
	b.Run("rank", func(b *testing.B) {
		for b.Loop() {
			if r := rank(0, benchProvince); r.Matching == 0 {
				b.Fatal("nothing is free")
			}
		}
	})
	b.Run("glance", func(b *testing.B) {
		n := uint32(0)
		for b.Loop() {
			rank(n%benchProvince, 4096)
			n += 4096
		}
	})
	list, _ := rank(0, benchProvince).List()
	b.Run("page", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, p := range list {
				if f.Hosts(s, p.Key.Centre, []string{p.Key.Host})[0] == nil {
					b.Fatal("gone")
				}
			}
		}
	})
}

// heap is what lives.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMemory states what the state of 150,000 hosts with 8 accelerators each takes, everything included: at most
// 220 B an accelerator. The growth of the tables makes sizes differ by some bytes.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		before := heap()
		f := benchBuild(benchProvince)
		b.ReportMetric(float64(heap()-before)/(benchProvince*benchDevices), "B/accelerator")
		runtime.KeepAlive(f)
	}
}

// TestMemory holds a fleet to the memory that a province can afford, at sizes just before and after tables grow.
func TestMemory(t *testing.T) {
	for _, hosts := range []int{1000, 1700, 6000, 6200, benchHosts} {
		before := heap()
		f := benchBuild(hosts)
		perDevice := float64(heap()-before) / float64(hosts*benchDevices)
		t.Logf("%d hosts: %.0f B an accelerator, host and processors included", hosts, perDevice)
		if perDevice > 220 {
			t.Errorf("%d hosts: an accelerator costs %.0f B, want at most 220", hosts, perDevice)
		}
		runtime.KeepAlive(f)
	}
}
