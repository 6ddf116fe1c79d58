package drm

import (
	"context"
	"embed"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/exameter/exameter/agent/kernelfile/kernelfiletest"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/telemetry"
)

var _ poll.Releaser = (*Source)(nil)

//go:embed testdata
var testdata embed.FS

// lay writes a machine of testdata and returns its folder.
func lay(tb testing.TB, name string) string {
	tb.Helper()
	b, err := testdata.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		tb.Fatal(err)
	}
	return kernelfiletest.Tree(tb, name, string(b))
}

// clock is a time that tests move.
type clock struct{ time.Time }

func newSource(tb testing.TB, root string) (*Source, *clock) {
	at := &clock{time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	s := New(Config{SysRoot: filepath.Join(root, "sys"), Now: func() time.Time { return at.Time }})
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s, at
}

// read takes a sample that must succeed.
func read(tb testing.TB, s *Source) []poll.DeviceReading {
	tb.Helper()
	r, err := s.Read(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return r.Devices.Devices
}

func num(v int64) telemetry.Opt[int64] { return telemetry.Known(v) }

func permille(v telemetry.Permille) telemetry.Opt[telemetry.Permille] { return telemetry.Known(v) }

func size(v telemetry.Bytes) telemetry.Opt[telemetry.Bytes] { return telemetry.Known(v) }

func mw(v telemetry.Milliwatts) telemetry.Opt[telemetry.Milliwatts] { return telemetry.Known(v) }

func celsius(v telemetry.Celsius) telemetry.Opt[telemetry.Celsius] { return telemetry.Known(v) }

func mhz(v telemetry.Megahertz) telemetry.Opt[telemetry.Megahertz] { return telemetry.Known(v) }

// mi300x is what both MI300X of the machines have in common.
func mi300x(id, pci, serial string, index int64) telemetry.DeviceInfo {
	return telemetry.DeviceInfo{
		ID: id, Index: num(index), Vendor: "amd", Name: "AMD Instinct MI300X OAM", Serial: serial, PCI: pci,
		Memory: size(206141652992), Firmware: "113-M3000100-102", Source: "drm",
	}
}

func mi250(id, pci string, index int64) telemetry.DeviceInfo {
	return telemetry.DeviceInfo{
		ID: id, Index: num(index), Vendor: "amd", Name: "AMD INSTINCT MI250 (MCM) OAM AC MBA", Serial: "PCB000000-0071", PCI: pci,
		Memory: size(68702699520), Firmware: "113-D65209-073", Source: "drm",
	}
}

func k100(id, pci, serial string, index int64) telemetry.DeviceInfo {
	return telemetry.DeviceInfo{
		ID: id, Index: num(index), Vendor: "hygon", Name: "0x6210", Serial: serial, PCI: pci,
		Memory: size(68702699520), Firmware: "010.002.000.021650", Driver: "6.2.17a", Source: "drm",
	}
}

func driven(info telemetry.DeviceInfo, driver string) telemetry.DeviceInfo {
	info.Driver = driver
	return info
}

func sliced(info telemetry.DeviceInfo, n int64) telemetry.DeviceInfo {
	info.Slices = num(n)
	return info
}

// wants are the machines as they must be read.
var wants = map[string][]poll.DeviceReading{
	"mi300x": {
		{
			Info:        driven(mi300x("GPU-3a00000000000115", "0000:26:00.0", "692251001234", 0), "6.10.5"),
			Utilization: permille(970), MemoryUtilization: permille(370), MemoryUsed: size(171798691840), Power: mw(512000),
			Temperature: celsius(71), SMClock: mhz(2100), MemoryClock: mhz(900), ECCCorrected: num(3), ECCUncorrected: num(0), Processes: num(1),
		},
		{
			Info:        driven(mi300x("GPU-3a00000000000160", "0000:46:00.0", "692251001299", 1), "6.10.5"),
			Utilization: permille(0), MemoryUtilization: permille(0), MemoryUsed: size(297795584), Power: mw(141000),
			Temperature: celsius(44), SMClock: mhz(132), MemoryClock: mhz(900), ECCCorrected: num(0), ECCUncorrected: num(0), Processes: num(0),
		},
	},
	"mi300x-cpx": {{
		Info:        sliced(mi300x("GPU-3a00000000000115", "0000:26:00.0", "692251001234", 0), 8),
		Utilization: permille(250), MemoryUtilization: permille(370), MemoryUsed: size(38654705664), Power: mw(288000),
		Temperature: celsius(55), SMClock: mhz(2100), MemoryClock: mhz(900), ECCCorrected: num(0), ECCUncorrected: num(0),
		Processes: num(2), Slices: num(8), SlicesBusy: num(2),
	}},
	"mi250": {
		{
			Info:        mi250("GPU-2500000000000a1f", "0000:29:00.0", 0),
			Utilization: permille(0), MemoryUtilization: permille(0), MemoryUsed: size(11272192), Power: mw(44500),
			Temperature: celsius(36), SMClock: mhz(800), MemoryClock: mhz(1600), ECCCorrected: num(0), ECCUncorrected: num(0),
		},
		{
			Info:        mi250("GPU-2500000000000b8c", "0000:2c:00.0", 1),
			Utilization: permille(0), MemoryUtilization: permille(0), MemoryUsed: size(11272192), Power: mw(44500),
			Temperature: celsius(36), SMClock: mhz(800), MemoryClock: mhz(1600), ECCCorrected: num(0), ECCUncorrected: num(0),
		},
	},
	"radeon": {{
		Info: telemetry.DeviceInfo{
			ID: "GPU-79000000000000f3", Index: num(0), Vendor: "amd", Name: "0x7448", PCI: "0000:03:00.0", Memory: size(48301604864),
			Firmware: "113-D7070100-100", Source: "drm",
		},
		Utilization: permille(830), MemoryUtilization: permille(210), MemoryUsed: size(9663676416), Power: mw(221000),
		Temperature: celsius(61), SMClock: mhz(1855),
	}},
	"dcu": {
		{
			Info:        k100("GPU-7a10c0de00000101", "0000:07:00.0", "TPX7000000000101", 0),
			Utilization: permille(1000), MemoryUtilization: permille(390), MemoryUsed: size(66571993088), Power: mw(356000), Temperature: celsius(57),
		},
		{
			Info:        k100("GPU-7a10c0de00000102", "0000:0a:00.0", "TPX7000000000102", 1),
			Utilization: permille(0), MemoryUtilization: permille(0), MemoryUsed: size(2097152), Power: mw(107000), Temperature: celsius(57),
		},
	},
}

func TestMachines(t *testing.T) {
	for name, want := range wants {
		t.Run(name, func(t *testing.T) {
			s, _ := newSource(t, lay(t, name))
			if d := cmp.Diff(want, read(t, s)); d != "" {
				t.Errorf("want -, have +:\n%s", d)
			}
		})
	}
}

// What a machine is worth must follow from what it says of itself.
func TestCatalogueKnowsTheNames(t *testing.T) {
	for name, want := range map[string]string{
		"mi300x": "amd-mi300x", "mi300x-cpx": "amd-mi300x", "mi250": "amd-mi250", "dcu": "hygon-k100-ai", "radeon": "",
	} {
		s, _ := newSource(t, lay(t, name))
		for _, d := range read(t, s) {
			id := ""
			if m, ok := catalog.Default().LookupMemory(d.Info.Vendor, d.Info.Name, d.Info.Memory); ok {
				id = m.ID
			}
			if id != want {
				t.Errorf("%s: %q of %s is model %q, want %q", name, d.Info.Name, d.Info.Vendor, id, want)
			}
		}
	}
}

func TestNoticeOfCardsWithoutDriver(t *testing.T) {
	for name, want := range map[string]string{
		"dcu": "the PCI bus shows 1 AMD or Hygon accelerators without a driver; they are not counted", "radeon": "", "mi300x": "",
	} {
		s, _ := newSource(t, lay(t, name))
		r, err := s.Read(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, n := range r.Notices {
			got += n.Text
		}
		if got != want {
			t.Errorf("%s: notices %q, want %q", name, got, want)
		}
	}
}

// Without a driver there may be no graphics devices at all.
func TestNoticeWithoutGraphics(t *testing.T) {
	root := lay(t, "dcu")
	remove(t, root, "sys/class/drm")
	for _, d := range []string{"0000:07:00.0", "0000:0a:00.0"} {
		remove(t, root, "sys/devices/pci0000:00/"+d+"/driver")
	}
	s, _ := newSource(t, root)
	r, err := s.Read(context.Background())
	if !errors.Is(err, poll.ErrAbsent) || len(r.Notices) != 1 || r.Notices[0].Text != "the PCI bus shows 3 AMD or Hygon accelerators without a driver; they are not counted" {
		t.Errorf("error %v, notices %+v", err, r.Notices)
	}
}

func TestAbsent(t *testing.T) {
	empty, _ := newSource(t, t.TempDir())
	root := lay(t, "radeon")
	for _, card := range []string{"0", "1"} { // leaves the graphics inside the processor, and the virtual display
		if err := os.Remove(filepath.Join(root, "sys/class/drm/card"+card)); err != nil {
			t.Fatal(err)
		}
	}
	display, _ := newSource(t, root)
	for _, s := range []*Source{empty, display} {
		if r, err := s.Read(context.Background()); !errors.Is(err, poll.ErrAbsent) || r.Devices != nil {
			t.Errorf("reading %+v, error %v, want that there is nothing", r, err)
		}
	}
}
