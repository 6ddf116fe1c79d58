package fleet

import (
	"testing"
	"time"

	"github.com/exameter/exameter/telemetry"
)

// TestStirred tells what changes states from what moves all the time.
func TestStirred(t *testing.T) {
	f := New(Options{StaleAfter: stale, Pricing: testPricing(1)})
	header := telemetry.Header{Origin: telemetry.Origin{Cluster: "default", Host: "h"}, Boot: "boot"}
	next := func() telemetry.Header {
		header.Seq++
		header.Time = start.Add(time.Duration(header.Seq) * time.Second)
		return header
	}
	inv := &telemetry.Inventory{Header: next(), Devices: []telemetry.DeviceInfo{{ID: "GPU-0", Vendor: "v", Name: "m0"}}}
	inv.CPU = telemetry.Known(telemetry.CPUInfo{Vendor: "c", Name: "cpu", Cores: telemetry.Known[int64](64)})
	f.ApplyInventory("a", inv, inv.Time)
	report := func(state telemetry.State, slices, cores int64, power telemetry.Milliwatts) bool {
		t.Helper()
		d := telemetry.DeviceStatus{ID: "GPU-0", State: state, Slices: telemetry.Known[int64](4), SlicesBusy: telemetry.Known(slices), PowerMean: telemetry.Known(power)}
		r := &telemetry.Report{Header: next(), Devices: []telemetry.DeviceStatus{d}}
		r.CPU = telemetry.Known(telemetry.CPUStatus{State: telemetry.Busy, CoresBusy: telemetry.Known(cores)})
		if got := f.ApplyReport("a", r, r.Time); got != Applied {
			t.Fatal(got)
		}
		stirred := f.Stirred()
		f.Fold(r.Time)
		if f.Stirred() {
			t.Error("a fold leaves the fleet stirred")
		}
		return stirred
	}
	for _, step := range []struct {
		name          string
		state         telemetry.State
		slices, cores int64
		power         telemetry.Milliwatts
		want          bool
	}{
		{"the first report", telemetry.Busy, 1, 8, 100_000, true},
		{"the same", telemetry.Busy, 1, 8, 100_000, false},
		{"another power", telemetry.Busy, 1, 8, 200_000, false},
		{"other cores at work", telemetry.Busy, 1, 9, 200_000, false},
		{"another slice at work", telemetry.Busy, 2, 9, 200_000, true},
		{"a freed card", telemetry.Free, 0, 9, 50_000, true},
	} {
		if got := report(step.state, step.slices, step.cores, step.power); got != step.want {
			t.Errorf("%s: stirred is %t", step.name, got)
		}
	}
}
