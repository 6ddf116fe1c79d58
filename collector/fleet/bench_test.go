package fleet

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/exameter/exameter/telemetry"
)

const (
	benchHosts   = 10_000
	benchDevices = 8
)

// benchRecords makes the records of host n: an inventory, and reports as they come every ten seconds.
func benchRecords(n int) (*telemetry.Inventory, *telemetry.Report) {
	h := telemetry.Header{
		Origin: telemetry.Origin{Centre: "x", Cluster: "default", Host: fmt.Sprintf("%08x-0000-4000-8000-%012x", n, n)},
		Time:   start, Boot: fmt.Sprintf("%08x-1111-4000-8000-%012x", n, n), Seq: 1,
	}
	inv, r := &telemetry.Inventory{Header: h}, &telemetry.Report{Header: h}
	inv.CPU = telemetry.Known(telemetry.CPUInfo{Vendor: "GenuineIntel", Name: "Intel(R) Xeon(R) Platinum 8480+", Cores: telemetry.Known(int64(112))})
	r.CPU = telemetry.Known(telemetry.CPUStatus{State: telemetry.Busy, Cores: telemetry.Known(int64(112)), CoresBusy: telemetry.Known(int64(17)), UtilizationMean: telemetry.Known(telemetry.Permille(149))})
	r.Power = []telemetry.PowerStatus{{Domain: "package-0", Method: "rapl", Mean: telemetry.Known(telemetry.Milliwatts(181_250))}, {Domain: "package-1", Method: "rapl", Mean: telemetry.Known(telemetry.Milliwatts(176_500))}}
	states := []telemetry.State{telemetry.Busy, telemetry.Busy, telemetry.Busy, telemetry.Free}
	for i := range benchDevices {
		id := fmt.Sprintf("GPU-%08x-%04d-4000-8000-%012x", n, i, n)
		inv.Devices = append(inv.Devices, telemetry.DeviceInfo{ID: id, Index: telemetry.Known(int64(i)), Vendor: "nvidia", Name: []string{"m0", "m1"}[n%2]})
		r.Devices = append(r.Devices, telemetry.DeviceStatus{
			ID: id, State: states[(n+i)%4], UtilizationMean: telemetry.Known(telemetry.Permille(870)), UtilizationMax: telemetry.Known(telemetry.Permille(1000)),
			SMActivity: telemetry.Known(telemetry.Permille(640)), MemoryUsed: telemetry.Known(telemetry.Bytes(120 << 30)), PowerMean: telemetry.Known(telemetry.Milliwatts(612_345)),
			PowerMax: telemetry.Known(telemetry.Milliwatts(700_000)), Temperature: telemetry.Known(telemetry.Celsius(61)), SMClock: telemetry.Known(telemetry.Megahertz(1980)),
			ECCCorrected: telemetry.Known(int64(0)), ECCUncorrected: telemetry.Known(int64(0)), Processes: telemetry.Known(int64(1)),
		})
	}
	return inv, r
}

// benchCentre spreads hosts over a dozen centres.
func benchCentre(n int) string { return benchCentres[n%len(benchCentres)] }

var benchCentres = [...]string{
	"centre-0", "centre-1", "centre-2", "centre-3", "centre-4", "centre-5", "centre-6", "centre-7", "centre-8", "centre-9", "centre-10", "centre-11",
}

func benchFleet() (*Fleet, []*telemetry.Report) {
	f := New(Options{StaleAfter: stale, Pricing: testPricing(1)})
	reports := make([]*telemetry.Report, benchHosts)
	for n := range benchHosts {
		inv, r := benchRecords(n)
		f.ApplyInventory(benchCentre(n), inv, start)
		f.ApplyReport(benchCentre(n), r, start)
		reports[n] = r
	}
	return f, reports
}

// BenchmarkApplyReport applies a report of a host with 8 accelerators and processors to a fleet of 10,000 such hosts.
func BenchmarkApplyReport(b *testing.B) {
	f, reports := benchFleet()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		r := reports[n%benchHosts]
		r.Seq++
		if f.ApplyReport(benchCentre(n%benchHosts), r, start) != Applied {
			b.Fatal("not applied")
		}
		n++
	}
}

// BenchmarkFold folds 10,000 hosts with 80,000 accelerators.
func BenchmarkFold(b *testing.B) {
	f, _ := benchFleet()
	b.ReportAllocs()
	for b.Loop() {
		f.Fold(start.Add(5 * time.Second))
	}
}

// BenchmarkCheck recounts 10,000 hosts.
func BenchmarkCheck(b *testing.B) {
	f, _ := benchFleet()
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Check(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeApply decodes and applies a report, as the collector does for every record.
func BenchmarkDecodeApply(b *testing.B) {
	f, reports := benchFleet()
	var e telemetry.Encoder
	wire := make([][]byte, benchHosts)
	for n, r := range reports {
		r.Centre = benchCentre(n)
		var err error
		if wire[n], err = e.AppendReport(nil, r); err != nil {
			b.Fatal(err)
		}
	}
	var d telemetry.Decoder
	var r telemetry.Report
	b.ReportAllocs()
	b.SetBytes(int64(len(wire[0])))
	n := 0
	for b.Loop() {
		host := n % benchHosts
		f.Prime(benchCentre(host), []byte(reports[host].Host), &r)
		if err := d.Report(wire[host], &r); err != nil {
			b.Fatal(err)
		}
		r.Seq += int64(n/benchHosts) + 1 // what makes the same bytes news
		if f.ApplyReport(benchCentre(host), &r, start) != Applied {
			b.Fatal("not applied")
		}
		n++
	}
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

// TestMemory holds a fleet to the memory that a province can afford.
func TestMemory(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	f := New(Options{StaleAfter: stale, Pricing: testPricing(1)})
	for n := range benchHosts {
		inv, r := benchRecords(n)
		f.ApplyInventory(benchCentre(n), inv, start)
		f.ApplyReport(benchCentre(n), r, start)
	}
	perDevice := float64(heap()-before) / (benchHosts * benchDevices)
	t.Logf("%.0f B an accelerator, host and processors included", perDevice)
	if perDevice > 220 {
		t.Errorf("a device costs %.0f B, want at most 220", perDevice)
	}
	runtime.KeepAlive(f)
}
