//go:build linux && cgo

package nvml

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

func uuid(i int) string { return fmt.Sprintf("GPU-5eed0000-0000-4000-8000-%012d", i) }

// h200 is what a Source says of an idle H200 of the simulator at its second sample. Energy grows with real time and is
// left out.
func h200(i int) poll.DeviceReading {
	return poll.DeviceReading{
		Info: telemetry.DeviceInfo{
			ID: uuid(i), Index: telemetry.Known(int64(i)), Vendor: "nvidia", Name: "NVIDIA H200",
			Serial: fmt.Sprintf("165482300%04d", i), PCI: fmt.Sprintf("0000:%02x:00.0", (0x17+0x10*i)&0xff),
			Memory: telemetry.Known[telemetry.Bytes](143771 << 20), Driver: "550.127.08", Firmware: "96.00.A8.00.01", Source: "nvml",
		},
		Utilization: telemetry.Known[telemetry.Permille](0), MemoryUtilization: telemetry.Known[telemetry.Permille](0),
		SMActivity: telemetry.Known[telemetry.Permille](0), TensorActivity: telemetry.Known[telemetry.Permille](0),
		MemoryUsed: telemetry.Known[telemetry.Bytes](0), Power: telemetry.Known[telemetry.Milliwatts](77000),
		Temperature: telemetry.Known[telemetry.Celsius](29), SMClock: telemetry.Known[telemetry.Megahertz](345),
		MemoryClock: telemetry.Known[telemetry.Megahertz](3201), Throttle: telemetry.Known[int64](1),
		ECCCorrected: telemetry.Known[int64](0), ECCUncorrected: telemetry.Known[int64](0),
		RemapPending: telemetry.Known(false), RemapFailed: telemetry.Known(false),
		Processes: telemetry.Known[int64](0), Generation: 1,
	}
}

func withoutEnergy(t *testing.T, d poll.DeviceReading) poll.DeviceReading {
	t.Helper()
	if !d.Energy.OK {
		t.Errorf("device %s: energy unknown", d.Info.ID)
	}
	d.Energy = telemetry.Opt[telemetry.Millijoules]{}
	return d
}

func TestIdle(t *testing.T) {
	w := simulate(t, "h200-idle")
	s := w.source()
	if first := w.read(s); first[0].SMActivity.OK {
		t.Error("activity known at the first sample, which has none before it")
	}
	got := w.read(s)
	if len(got) != 8 {
		t.Fatalf("%d devices, want 8", len(got))
	}
	for i, d := range got {
		if diff := cmp.Diff(h200(i), withoutEnergy(t, d)); diff != "" {
			t.Errorf("device %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestMixed(t *testing.T) {
	w := simulate(t, "h200-mixed")
	s := w.source()
	var xids []int64
	w.eventually(s, "XID 79 of card 6", func(d []poll.DeviceReading) bool {
		xids = append(xids, d[6].XIDs...)
		return len(xids) > 0
	})
	if !slices.Equal(xids, []int64{79}) {
		t.Errorf("XID errors %v, want 79", xids)
	}
	got := w.read(s)
	want := h200(1)
	want.Utilization, want.MemoryUtilization = telemetry.Known[telemetry.Permille](1000), telemetry.Known[telemetry.Permille](800)
	want.SMActivity, want.TensorActivity = telemetry.Known[telemetry.Permille](960), telemetry.Known[telemetry.Permille](700)
	want.MemoryUsed, want.Power = telemetry.Known[telemetry.Bytes](131<<30), telemetry.Known[telemetry.Milliwatts](690000)
	want.Temperature, want.SMClock = telemetry.Known[telemetry.Celsius](66), telemetry.Known[telemetry.Megahertz](1965)
	want.Throttle, want.Processes = telemetry.Known[int64](4), telemetry.Known[int64](2)
	if diff := cmp.Diff(want, withoutEnergy(t, got[1])); diff != "" {
		t.Errorf("busy card (-want +got):\n%s", diff)
	}
	lost := poll.DeviceReading{Info: h200(5).Info, Fault: "lost", Generation: 1}
	lost.Info.Memory = telemetry.Opt[telemetry.Bytes]{} // was lost before it could say
	if diff := cmp.Diff(lost, got[5]); diff != "" {
		t.Errorf("lost card (-want +got):\n%s", diff)
	}
	for i, n := range []int64{1, 2, 1, 0, 0} {
		if got[i].Processes != telemetry.Known(n) || got[i].Fault != "" {
			t.Errorf("card %d: %v processes, fault %q, want %d and none", i, got[i].Processes, got[i].Fault, n)
		}
	}
}

// A card that goes free is free at the next sample.
func TestFreed(t *testing.T) {
	w := simulate(t, "h200-mixed")
	s := w.source()
	if d := w.read(s)[0]; d.Processes.Value != 1 {
		t.Fatalf("%d processes, want 1", d.Processes.Value)
	}
	w.show("cards = 8\n")
	d := w.read(s)[0]
	if d.Processes != telemetry.Known[int64](0) || d.MemoryUsed != telemetry.Known[telemetry.Bytes](0) {
		t.Errorf("processes %v, memory %v, want none", d.Processes, d.MemoryUsed)
	}
}

// A card that falls off the bus keeps its identity, tells its last XID error, and does not silence the others.
func TestLostLater(t *testing.T) {
	w := simulate(t, "h200-lost-later")
	s := w.source()
	if d := w.read(s)[3]; d.Fault != "" {
		t.Fatalf("fault %q before it is lost", d.Fault)
	}
	var xids []int64
	w.eventually(s, "card 3 lost", func(d []poll.DeviceReading) bool {
		xids = append(xids, d[3].XIDs...)
		return d[3].Fault == "lost" && len(xids) > 0
	})
	d := w.read(s)
	if diff := cmp.Diff(poll.DeviceReading{Info: h200(3).Info, Fault: "lost", Generation: 1}, d[3]); diff != "" {
		t.Errorf("lost card (-want +got):\n%s", diff)
	}
	if !slices.Equal(xids, []int64{79}) || d[2].Fault != "" {
		t.Errorf("XID errors %v, want 79; fault of its neighbour %q, want none", xids, d[2].Fault)
	}
	w.show("cards = 8\n[gpu 3]\nxid = 79 @2\nlost = @2\n[gpu 2]\nxid = 63\n")
	w.eventually(s, "XID 63 of card 2 beside a lost card", func(d []poll.DeviceReading) bool { return slices.Equal(d[2].XIDs, []int64{63}) })
}

// A card lost before the agent came is known to the kernel driver.
func TestLostFromTheStart(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 3\n[gpu 1]\nlost = yes\n")
	for i, id := range []string{uuid(0), uuid(1), uuid(2)} {
		pci := h200(i).Info.PCI
		w.write(filepath.Join(w.proc, "driver/nvidia/gpus", pci, "information"),
			"Model: \t\t NVIDIA H200\nIRQ:   \t\t 18\nGPU UUID: \t "+id+"\nVideo BIOS: \t ??.??.??.??.??\nBus Location: \t "+pci+"\n")
	}
	s := w.source()
	got := w.read(s)
	if len(got) != 3 {
		t.Fatalf("%d devices, want 3", len(got))
	}
	want := telemetry.DeviceInfo{
		ID: uuid(1), Index: telemetry.Known[int64](1), Vendor: "nvidia", Name: "NVIDIA H200", PCI: "0000:27:00.0",
		Driver: "550.127.08", Source: "nvml",
	}
	if diff := cmp.Diff(poll.DeviceReading{Info: want, Fault: "lost", Generation: 1}, got[1]); diff != "" {
		t.Errorf("lost card (-want +got):\n%s", diff)
	}
	// It comes back, and is asked again within ten seconds.
	w.show("cards = 3\n")
	w.advance(10 * time.Second)
	if d := w.read(s)[1]; d.Fault != "" || d.Info.Serial != h200(1).Info.Serial {
		t.Errorf("returned card: fault %q, serial %q", d.Fault, d.Info.Serial)
	}
}

// Without any account of its identity a lost card is not given one, and the reading says that it lacks a card.
func TestLostNameless(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 2\n[gpu 1]\nlost = yes\n")
	s := w.source()
	r := w.readError(s, "card 1: GPU is lost, and nothing tells its identity")
	if len(r.Devices.Devices) != 1 || r.Devices.Devices[0].Info.ID != uuid(0) {
		t.Errorf("devices %+v, want card 0 alone", r.Devices.Devices)
	}
}

func TestAllLost(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 2\n")
	s := w.source()
	w.read(s)
	w.show("cards = 2\n[gpu *]\nlost = yes\n")
	for _, d := range w.read(s) {
		if d.Fault != "lost" {
			t.Errorf("fault %q, want lost", d.Fault)
		}
	}
	w.advance(10 * time.Second) // starts anew, and knows them still
	got := w.read(s)
	if len(got) != 2 || got[0].Info.ID != uuid(0) || got[0].Fault != "lost" {
		t.Errorf("after starting anew: %+v", got)
	}
	w.show("cards = 2\n")
	w.advance(10 * time.Second)
	for _, d := range w.read(s) {
		if d.Fault != "" || d.Generation != 1 {
			t.Errorf("returned card: fault %q, generation %d", d.Fault, d.Generation)
		}
	}
}

func TestMIG(t *testing.T) {
	w := simulate(t, "a100-mig")
	got := w.read(w.source())
	d := got[0]
	type use struct{ slices, busy, processes, infoSlices telemetry.Opt[int64] }
	want := use{telemetry.Known[int64](7), telemetry.Known[int64](3), telemetry.Known[int64](1), telemetry.Known[int64](7)}
	if have := (use{d.Slices, d.SlicesBusy, d.Processes, d.Info.Slices}); have != want {
		t.Errorf("partitioned card %+v, want %+v", have, want)
	}
	if d.Info.ID != uuid(0) || d.Utilization.OK || d.SMActivity.OK || !d.MemoryUsed.OK || !d.Power.OK {
		t.Errorf("partitioned card: %+v", d)
	}
	if whole := got[1]; whole.Slices.OK || whole.SlicesBusy.OK || whole.Info.Slices.OK || !whole.Utilization.OK {
		t.Errorf("whole card: %+v", whole)
	}
}

func TestMIGSeven(t *testing.T) {
	w := simulate(t, "a100-mig-seven")
	s := w.source()
	d := w.read(s)[0]
	if d.Slices.Value != 7 || d.SlicesBusy != telemetry.Known[int64](3) || d.Processes != telemetry.Known[int64](4) {
		t.Errorf("slices %v busy %v processes %v, want 7, 3, 4", d.Slices, d.SlicesBusy, d.Processes)
	}
	// Processes of one instance cannot be listed and its memory cannot be read: the sum is unknown, not too small.
	w.show("cards = 1\n[gpu 0]\nmig = on\ninstance = 7 slices=1 pids=1\nerror = DeviceGetComputeRunningProcesses 4\nerror = DeviceGetMemoryInfo 4\n")
	d = w.read(s)[0]
	if d.SlicesBusy.OK || d.Processes.OK || d.Slices.Value != 7 {
		t.Errorf("unreadable instances: busy %v processes %v of %v", d.SlicesBusy, d.Processes, d.Slices)
	}
}

// MIG is switched on and off while the agent runs.
func TestMIGSwitched(t *testing.T) {
	w := simulate(t, "")
	const whole, cut = "cards = 1\n", "cards = 1\n[gpu 0]\nmig = on\ninstance = 1 slices=4 pids=9\n"
	w.show(whole)
	s := w.source()
	for _, step := range []struct {
		scenario     string
		slices, busy telemetry.Opt[int64]
		utilisation  bool
	}{
		{whole, telemetry.Opt[int64]{}, telemetry.Opt[int64]{}, true},
		{cut, telemetry.Known[int64](7), telemetry.Known[int64](4), false},
		{whole, telemetry.Opt[int64]{}, telemetry.Opt[int64]{}, true},
	} {
		w.show(step.scenario)
		w.advance(slowEvery)
		d := w.read(s)[0]
		if d.Slices != step.slices || d.SlicesBusy != step.busy || d.Info.Slices != step.slices || d.Utilization.OK != step.utilisation {
			t.Errorf("%q: slices %v busy %v utilisation %v", step.scenario, d.Slices, d.SlicesBusy, d.Utilization)
		}
	}
}

// What an old driver does not have is unknown, and calls nothing that is not there.
func TestOldDriver(t *testing.T) {
	w := simulate(t, "old-driver")
	w.install("libnvidia-ml-sim-old.so")
	s := w.source()
	w.read(s)
	got := w.read(s)
	want := poll.DeviceReading{
		Info: telemetry.DeviceInfo{
			ID: uuid(0), Index: telemetry.Known[int64](0), Vendor: "nvidia", Name: "Tesla V100-SXM2-32GB", Serial: h200(0).Info.Serial,
			PCI: h200(0).Info.PCI, Memory: telemetry.Known[telemetry.Bytes](32480 << 20), Driver: "418.226.00",
			Firmware: h200(0).Info.Firmware, Source: "nvml",
		},
		Utilization: telemetry.Known[telemetry.Permille](550), MemoryUtilization: telemetry.Known[telemetry.Permille](200),
		MemoryUsed: telemetry.Known[telemetry.Bytes](8 << 30), Power: telemetry.Known[telemetry.Milliwatts](77000),
		Temperature: telemetry.Known[telemetry.Celsius](29), SMClock: telemetry.Known[telemetry.Megahertz](345),
		MemoryClock: telemetry.Known[telemetry.Megahertz](3201), Throttle: telemetry.Known[int64](1),
		ECCCorrected: telemetry.Known[int64](0), ECCUncorrected: telemetry.Known[int64](0),
		Processes: telemetry.Known[int64](1), Generation: 1,
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.show("driver = 418.226.00\ncards = 4\n[gpu 2]\nxid = 31\n")
	w.eventually(s, "XID 31 from an old driver", func(d []poll.DeviceReading) bool { return slices.Equal(d[2].XIDs, []int64{31}) })
}

func TestSentinels(t *testing.T) {
	w := simulate(t, "sentinels")
	s := w.source()
	w.read(s)
	got := w.read(s)
	want := poll.DeviceReading{Info: h200(0).Info, Generation: 1}
	want.Info.Serial, want.Info.Firmware, want.Info.Memory = "", "", telemetry.Opt[telemetry.Bytes]{}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("card of sentinels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(h200(1), withoutEnergy(t, got[1])); diff != "" {
		t.Errorf("its neighbour (-want +got):\n%s", diff)
	}
}

func TestFaultsAndErrors(t *testing.T) {
	for _, tt := range []struct{ rules, fault, err string }{
		{"error = DeviceGetPowerUsage 999", "", "device " + uuid(0) + ": read power: unknown error"},
		{"error = DeviceGetPowerUsage 999\nerror = DeviceGetTemperature 11", "", "read power: unknown error, and 1 more"},
		{"error = DeviceGetPowerUsage 3", "", ""},
		{"error = DeviceGetPowerUsage 4", "", ""},
		{"error = DeviceGetPowerUsage 10", "", ""},
		{"error = DeviceGetPowerUsage 15", "lost", ""},
		{"error = DeviceGetMemoryInfo 16", "reset-required", ""},
		{"error = * 999", "nvml-error: memory: unknown error", ""},
	} {
		w := simulate(t, "")
		w.show("cards = 1\n")
		s := w.source()
		w.read(s)
		w.show("cards = 1\n[gpu 0]\n" + tt.rules + "\n")
		w.advance(time.Second)
		r, err := s.Read(context.Background())
		if got := fmt.Sprint(err); tt.err == "" && err != nil || !strings.Contains(got, tt.err) {
			t.Errorf("%q: error %q, want %q", tt.rules, got, tt.err)
		}
		d := r.Devices.Devices[0]
		if d.Fault != tt.fault {
			t.Errorf("%q: fault %q, want %q", tt.rules, d.Fault, tt.fault)
		}
		if tt.rules == "error = DeviceGetPowerUsage 4" && (len(r.Notices) != 1 || r.Notices[0].Key != "nvml-permission-power") {
			t.Errorf("%q: notices %+v, want one about power", tt.rules, r.Notices)
		}
		if d.Power.OK {
			t.Errorf("%q: power %v, want unknown", tt.rules, d.Power)
		}
	}
}

// A question that the card cannot answer is not asked again; every other is.
func TestUnsupportedIsRemembered(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 1\n[gpu 0]\nerror = DeviceGetPowerUsage 3\nerror = DeviceGetTemperature 27\n")
	s := w.source()
	w.read(s)
	w.show("cards = 1\n")
	if d := w.read(s)[0]; d.Power.OK || !d.Temperature.OK {
		t.Errorf("power %v, want unknown as before; temperature %v, want known", d.Power, d.Temperature)
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	s.Resume()
	if d := w.read(s)[0]; !d.Power.OK {
		t.Error("power unknown after the driver was taken up anew")
	}
}

// The energy counter falls only when a card starts anew, which clears what was wrong with it.
func TestReset(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 2\n[gpu *]\nenergy = 900000000\n")
	s := w.source()
	w.read(s)
	w.show("cards = 2\n[gpu 0]\nenergy = 900000000\n[gpu 1]\nenergy = 5\n")
	got := w.read(s)
	if got[0].Generation != 1 || got[1].Generation != 2 {
		t.Errorf("generations %d and %d, want 1 and 2", got[0].Generation, got[1].Generation)
	}
}

func TestSlowReadings(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 1\n")
	s := w.source()
	w.read(s)
	w.show("cards = 1\n[gpu 0]\necc_corrected = 17\necc_uncorrected = 2\nremap_pending = yes\nremap_failed = yes\n")
	w.advance(slowEvery)
	d := w.read(s)[0]
	if d.ECCCorrected != telemetry.Known[int64](17) || d.ECCUncorrected != telemetry.Known[int64](2) ||
		d.RemapPending != telemetry.Known(true) || d.RemapFailed != telemetry.Known(true) {
		t.Errorf("ECC %v %v, remap %v %v", d.ECCCorrected, d.ECCUncorrected, d.RemapPending, d.RemapFailed)
	}
}

func TestMPS(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 1\n[gpu 0]\nmps = 70, 71, 70\n")
	if d := w.read(w.source())[0]; d.Processes != telemetry.Known[int64](2) {
		t.Errorf("%v processes, want 2", d.Processes)
	}
}

func TestManyProcesses(t *testing.T) {
	w := simulate(t, "")
	pids := strings.Repeat("7,", 63) + "8"
	w.show("cards = 1\n[gpu 0]\nprocesses = " + pids + "\n")
	s := w.source()
	w.read(s)
	s.ses.drv.(*library).processes = make([]nvml.ProcessInfo, 2) // as if there were more than there is room for
	if d := w.read(s)[0]; d.Processes != telemetry.Known[int64](2) {
		t.Errorf("%v processes, want 2 distinct", d.Processes)
	}
}

func TestNoDevices(t *testing.T) {
	w := simulate(t, "no-devices")
	if got := w.read(w.source()); len(got) != 0 {
		t.Errorf("%d devices, want none", len(got))
	}
}

func TestReleased(t *testing.T) {
	w := simulate(t, "h200-idle")
	s := w.source()
	w.read(s)
	if !open(t, w.device) || !mapped(t, w.library) {
		t.Fatal("the driver is not held while it is read")
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	if open(t, w.device) {
		t.Error("the driver's file is still open")
	}
	if mapped(t, w.library) {
		t.Error("the library is still mapped")
	}
	if _, err := s.Read(context.Background()); !errors.Is(err, poll.ErrReleased) {
		t.Errorf("read while released: %v", err)
	}
	if err := s.Release(); err != nil {
		t.Errorf("second release: %v", err)
	}
	s.Resume()
	if d := w.read(s); len(d) != 8 || d[0].Generation != 1 {
		t.Errorf("after resume: %d devices of generation %d", len(d), d[0].Generation)
	}
	if err := s.Close(); err != nil || open(t, w.device) || mapped(t, w.library) {
		t.Errorf("close: %v, file open %v, library mapped %v", err, open(t, w.device), mapped(t, w.library))
	}
}
