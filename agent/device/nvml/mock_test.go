//go:build linux && cgo

package nvml

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxb200"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxh100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxh200"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/gpus"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/server"

	"github.com/exameter/exameter/telemetry"
)

// theirDriver and theirDevice give a Source go-nvml's view of NVML: its mock servers, or its own calls.
type theirDriver struct{ nvml.Interface }

type theirDevice struct{ nvml.Device }

func (d theirDriver) file() string { return "" }

func (d theirDriver) version() (string, nvml.Return) {
	v, r := d.SystemGetDriverVersion()
	return v, r
}

func (d theirDriver) count() (int, nvml.Return) {
	n, r := d.DeviceGetCount()
	return n, r
}

func (d theirDriver) device(i int) (device, nvml.Return) {
	dev, r := d.DeviceGetHandleByIndex(i)
	if r != nvml.SUCCESS {
		return nil, r
	}
	return theirDevice{dev}, nvml.SUCCESS
}

func (d theirDriver) events() (events, nvml.Return) { return nil, nvml.ERROR_NOT_SUPPORTED }

func (d theirDriver) shutdown() error {
	if r := d.Shutdown(); r != nvml.SUCCESS {
		return failure(r)
	}
	return nil
}

// told answers for a mock that was not told what to say: the card does not support the call.
func told[T any](f func() (T, nvml.Return)) (v T, c nvml.Return) {
	defer func() {
		if p := recover(); p != nil {
			if !strings.Contains(fmt.Sprint(p), "method is nil") {
				panic(p)
			}
			c = nvml.ERROR_NOT_SUPPORTED
		}
	}()
	v, r := f()
	return v, r
}

func (d theirDevice) key() uintptr                  { return 0 }
func (d theirDevice) uuid() (string, nvml.Return)   { return told(d.GetUUID) }
func (d theirDevice) serial() (string, nvml.Return) { return told(d.GetSerial) }
func (d theirDevice) name() (string, nvml.Return)   { return told(d.GetName) }
func (d theirDevice) vbios() (string, nvml.Return)  { return told(d.GetVbiosVersion) }
func (d theirDevice) power() (uint32, nvml.Return)  { return told(d.GetPowerUsage) }
func (d theirDevice) energy() (uint64, nvml.Return) { return told(d.GetTotalEnergyConsumption) }

func (d theirDevice) throttle() (uint64, nvml.Return)    { return told(d.GetCurrentClocksEventReasons) }
func (d theirDevice) gpm() (gpm, nvml.Return)            { return nil, nvml.ERROR_NOT_SUPPORTED }
func (d theirDevice) gpuInstance() (uint32, nvml.Return) { return number(told(d.GetGpuInstanceId)) }
func (d theirDevice) maxMIGDevices() (uint32, nvml.Return) {
	return number(told(d.GetMaxMigDeviceCount))
}

func number(v int, c nvml.Return) (uint32, nvml.Return) { return uint32(v), c }

func (d theirDevice) pci() (pciAddress, nvml.Return) {
	p, c := told(d.GetPciInfo)
	return pciAddress{p.Domain, p.Bus, p.Device}, c
}

func (d theirDevice) memory() (memory, nvml.Return) {
	if m, c := told(d.GetMemoryInfo_v2); c == nvml.SUCCESS {
		return memory{m.Total, m.Used}, c
	}
	m, c := told(d.GetMemoryInfo)
	return memory{m.Total, m.Used}, c
}

func (d theirDevice) utilization() (gpu, mem uint32, c nvml.Return) {
	u, c := told(d.GetUtilizationRates)
	return u.Gpu, u.Memory, c
}

func (d theirDevice) temperature() (uint32, nvml.Return) {
	return told(func() (uint32, nvml.Return) { return d.GetTemperature(nvml.TEMPERATURE_GPU) })
}

func (d theirDevice) clock(which nvml.ClockType) (uint32, nvml.Return) {
	return told(func() (uint32, nvml.Return) { return d.GetClockInfo(which) })
}

func (d theirDevice) ecc(which nvml.MemoryErrorType) (uint64, nvml.Return) {
	return told(func() (uint64, nvml.Return) {
		return d.GetTotalEccErrors(which, nvml.VOLATILE_ECC)
	})
}

func (d theirDevice) remapped() (pending, failed uint32, c nvml.Return) {
	type rows struct{ pending, failed bool }
	r, c := told(func() (rows, nvml.Return) {
		_, _, p, f, ret := d.GetRemappedRows()
		return rows{p, f}, ret
	})
	if r.pending {
		pending = 1
	}
	if r.failed {
		failed = 1
	}
	return pending, failed, c
}

func (d theirDevice) processes(list processList, pids []uint32) ([]uint32, nvml.Return) {
	f := d.GetComputeRunningProcesses
	if list == mpsProcesses {
		f = d.GetMPSComputeRunningProcesses
	}
	all, c := told(f)
	for _, p := range all {
		pids = append(pids, p.Pid)
	}
	return pids, c
}

func (d theirDevice) migMode() (uint32, nvml.Return) {
	return number(told(func() (int, nvml.Return) {
		m, _, r := d.GetMigMode()
		return m, r
	}))
}

func (d theirDevice) profileSlices(p uint32) (uint32, nvml.Return) {
	info, c := told(func() (nvml.GpuInstanceProfileInfo, nvml.Return) { return d.GetGpuInstanceProfileInfo(int(p)) })
	return info.SliceCount, c
}

func (d theirDevice) migDevice(i uint32) (device, nvml.Return) {
	m, c := told(func() (nvml.Device, nvml.Return) { return d.GetMigDeviceHandleByIndex(int(i)) })
	if c != nvml.SUCCESS {
		return nil, c
	}
	return theirDevice{m}, c
}

func (d theirDevice) instanceSlices() (uint32, nvml.Return) {
	a, c := told(d.GetAttributes)
	return a.GpuInstanceSliceCount, c
}

func mocked(t *testing.T, srv *server.Server) *Source {
	t.Helper()
	s := New(Config{ProcRoot: t.TempDir(), SysRoot: t.TempDir()})
	s.load = func(string, string) (driver, error) { return theirDriver{srv}, nil }
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The machines that go-nvml knows: each card under its own identity, with the size that its vendor gives it.
func TestMachines(t *testing.T) {
	for name, tt := range map[string]struct {
		server *server.Server
		card   gpus.Config
	}{
		"dgxa100": {dgxa100.New(), gpus.A100_SXM4_40GB},
		"dgxh100": {dgxh100.New(), gpus.H100_SXM5_80GB},
		"dgxh200": {dgxh200.New(), gpus.H200_SXM5_141GB},
		"dgxb200": {dgxb200.New(), gpus.B200_SXM5_180GB},
	} {
		for i, d := range tt.server.Devices {
			d.(*server.Device).GetPciInfoFunc = func() (nvml.PciInfo, nvml.Return) {
				return nvml.PciInfo{Domain: 1, Bus: uint32(0xa0 + i)}, nvml.SUCCESS
			}
		}
		r, err := mocked(t, tt.server).Read(context.Background())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(r.Devices.Devices) != 8 {
			t.Errorf("%s: %d devices, want 8", name, len(r.Devices.Devices))
		}
		for i, d := range r.Devices.Devices {
			want := telemetry.DeviceInfo{
				ID: tt.server.Devices[i].(*server.Device).UUID, Index: telemetry.Known(int64(i)), Vendor: "nvidia", Name: tt.card.Name,
				PCI: fmt.Sprintf("0001:%02x:00.0", 0xa0+i), Memory: telemetry.Known(telemetry.Bytes(tt.card.MemoryMB) << 20),
				Driver: tt.server.DriverVersion, Source: "nvml",
			}
			if d.Info != want {
				t.Errorf("%s: device %d: %+v, want %+v", name, i, d.Info, want)
			}
			if d.Power.OK || d.Processes.OK || d.Utilization.OK || d.Fault != "" {
				t.Errorf("%s: device %d says more than it was asked: %+v", name, i, d)
			}
		}
	}
}

// The compute slices of a partitioned card come from its vendor's profiles.
func TestProfiles(t *testing.T) {
	for _, tt := range []struct {
		card gpus.Config
		want int64
	}{{gpus.A100_SXM4_80GB, 7}, {gpus.A30_PCIE_24GB, 4}, {gpus.H200_SXM5_141GB, 7}, {gpus.B200_SXM5_180GB, 7}} {
		srv := dgxa100.NewWithGPUs(tt.card)
		srv.Devices[0].(*server.Device).MigMode = 1
		r, err := mocked(t, srv).Read(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if d := r.Devices.Devices[0]; d.Slices != telemetry.Known(tt.want) || d.Info.Slices != telemetry.Known(tt.want) {
			t.Errorf("%s: %v slices, want %d", tt.card.Name, d.Slices, tt.want)
		}
	}
}

// Cards that share an identity, as clones of a virtual machine do, are told apart by what differs.
func TestClones(t *testing.T) {
	srv := dgxh200.New()
	for i, d := range srv.Devices[:4] {
		one := d.(*server.Device)
		one.UUID = srv.Devices[0].(*server.Device).UUID
		one.GetPciInfoFunc = func() (nvml.PciInfo, nvml.Return) {
			return nvml.PciInfo{Bus: uint32(i + 1)}, nvml.SUCCESS
		}
		one.GetSerialFunc = func() (string, nvml.Return) { return "0", nvml.SUCCESS }
	}
	srv.Devices[1].(*server.Device).GetSerialFunc = func() (string, nvml.Return) { return "165", nvml.SUCCESS }
	r, err := mocked(t, srv).Read(context.Background())
	if err == nil || !strings.Contains(err.Error(), "two cards call themselves "+srv.Devices[0].(*server.Device).UUID) {
		t.Errorf("error %v", err)
	}
	want := []string{srv.Devices[0].(*server.Device).UUID, "nvidia-165", "0000:03:00.0", "0000:04:00.0"}
	seen := map[string]bool{}
	for i, d := range r.Devices.Devices {
		if i < len(want) && d.Info.ID != want[i] {
			t.Errorf("device %d is %q, want %q", i, d.Info.ID, want[i])
		}
		if seen[d.Info.ID] {
			t.Errorf("%q counts twice", d.Info.ID)
		}
		seen[d.Info.ID] = true
	}
	if len(seen) != 8 {
		t.Errorf("%d devices, want 8", len(seen))
	}
}

// A handle that is refused for lack of rights belongs to somebody else.
func TestRefusedHandle(t *testing.T) {
	srv := dgxh200.New()
	all := srv.DeviceGetHandleByIndexFunc
	srv.DeviceGetHandleByIndexFunc = func(i int) (nvml.Device, nvml.Return) {
		if i > 2 {
			return nil, nvml.ERROR_NO_PERMISSION
		}
		return all(i)
	}
	r, err := mocked(t, srv).Read(context.Background())
	if err != nil || len(r.Devices.Devices) != 3 {
		t.Errorf("%d devices, error %v, want 3 and none", len(r.Devices.Devices), err)
	}
}

func TestXIDLog(t *testing.T) {
	l := &xidLog{pending: map[string][]int64{}}
	for range 10 * maxPending {
		l.add("a", 31)
	}
	l.add("a", 79)
	l.add("a", allOnes32)
	for i := range uint64(10 * maxPending) {
		l.add("b", i)
	}
	a := l.take("a")
	if len(a) != maxPending+1 || a[len(a)-1] != 79 {
		t.Errorf("%d errors, last %v: want a flood thinned out and the last kept", len(a), a[len(a)-1])
	}
	if b := l.take("b"); len(b) != 4*maxPending || b[0] != 0 {
		t.Errorf("%d errors of different numbers, want %d", len(b), 4*maxPending)
	}
	if l.take("a") != nil {
		t.Error("errors told twice")
	}
}

func TestStartsOnlyWhenRead(t *testing.T) {
	s := New(Config{})
	s.load = func(string, string) (driver, error) {
		t.Error("loaded without a Read")
		return nil, failure(nvml.ERROR_UNKNOWN)
	}
	if s.Name() != "nvml" || New(Config{Vendor: "iluvatar"}).Name() != "nvml-iluvatar" {
		t.Error("names")
	}
	time.Sleep(10 * time.Millisecond)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Read(context.Background()); err == nil {
		t.Error("read after close")
	}
}
