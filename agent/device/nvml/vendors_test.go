//go:build linux && cgo

package nvml

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// iluvatar adds another vendor's library to a world, and a source that reads it beside NVIDIA's.
func (w *world) iluvatar(scenario string) *Source {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(simulator, "libixml-sim.so"))
	if err != nil {
		w.t.Fatal(err)
	}
	library := filepath.Join(w.dir, "libixml.so")
	w.write(library, string(b))
	w.showOther(scenario)
	w.t.(*testing.T).Setenv("EXAMETER_IXMLSIM", filepath.Join(w.dir, "ixml.conf"))
	s := New(Config{
		Library: library, Vendor: "iluvatar", ProcRoot: w.proc, SysRoot: w.sys, Log: slog.New(slog.NewTextHandler(w, nil)),
		Now: func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.now
		},
	})
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Errorf("close: %v", err)
		}
	})
	return s
}

// showOther changes what the other vendor's driver shows.
func (w *world) showOther(scenario string) {
	w.write(filepath.Join(w.dir, "ixml.conf"), scenario)
	time.Sleep(30 * time.Millisecond)
}

func TestTwoVendorsInOneProcess(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 1\n[gpu 0]\nprocesses = 4101\nused = 9GiB\nutilisation = 97 71\n")
	ours, theirs := w.source(), w.iluvatar("driver = 4.2.0\ncards = 2\n[gpu 1]\nprocesses = 11, 12, 13, 14, 15, 16\nused = 20GiB\nutilisation = 88 40\npower = 131000\n")
	if ours.Name() != "nvml" || theirs.Name() != "nvml-iluvatar" {
		t.Errorf("sources %q, %q", ours.Name(), theirs.Name())
	}
	for range 2 { // also the second time: both libraries stay loaded
		n, i := w.read(ours), w.read(theirs)
		if len(n) != 1 || n[0].Info.Name != "NVIDIA H200" || n[0].Info.Vendor != "nvidia" || n[0].Processes != telemetry.Known[int64](1) {
			t.Fatalf("NVIDIA's: %+v", n)
		}
		want := []poll.DeviceReading{{
			Info: telemetry.DeviceInfo{
				ID: "GPU-1c0e0000-0000-5000-8000-000000000000", Index: telemetry.Known[int64](0), Vendor: "iluvatar", Name: "Iluvatar BI-V150",
				Serial: "23121700000000", PCI: "0000:08:00.0", Memory: telemetry.Known[telemetry.Bytes](32768 << 20), Driver: "4.2.0", Source: "nvml-iluvatar",
			},
			Utilization: telemetry.Known[telemetry.Permille](0), MemoryUtilization: telemetry.Known[telemetry.Permille](0), MemoryUsed: telemetry.Known[telemetry.Bytes](0),
			Power: telemetry.Known[telemetry.Milliwatts](55000), Temperature: telemetry.Known[telemetry.Celsius](35),
			SMClock: telemetry.Known[telemetry.Megahertz](500), MemoryClock: telemetry.Known[telemetry.Megahertz](1600),
			Processes: telemetry.Known[int64](0), Generation: 1,
		}, {
			Info: telemetry.DeviceInfo{
				ID: "GPU-1c0e0000-0000-5000-8000-000000000001", Index: telemetry.Known[int64](1), Vendor: "iluvatar", Name: "Iluvatar BI-V150",
				Serial: "23121700000001", PCI: "0000:18:00.0", Memory: telemetry.Known[telemetry.Bytes](32768 << 20), Driver: "4.2.0", Source: "nvml-iluvatar",
			},
			Utilization: telemetry.Known[telemetry.Permille](880), MemoryUtilization: telemetry.Known[telemetry.Permille](400), MemoryUsed: telemetry.Known[telemetry.Bytes](20 << 30),
			Power: telemetry.Known[telemetry.Milliwatts](131000), Temperature: telemetry.Known[telemetry.Celsius](35),
			SMClock: telemetry.Known[telemetry.Megahertz](500), MemoryClock: telemetry.Known[telemetry.Megahertz](1600),
			Processes: telemetry.Known[int64](6), Generation: 1,
		}}
		if d := cmp.Diff(want, i); d != "" {
			t.Fatalf("Iluvatar's: want -, have +:\n%s", d)
		}
	}
}

// What the kernel says of NVIDIA's driver is no news of another vendor's.
func TestKernelOfAnotherVendor(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 1\n")
	for name, text := range map[string]string{"vendor": "0x10de\n", "class": "0x030200\n"} {
		w.write(filepath.Join(w.sys, "bus/pci/devices/0000:17:00.0", name), text)
	}
	// A card that NVIDIA's kernel driver knows, where the other vendor's card without a name might lie.
	w.write(filepath.Join(w.proc, "driver/nvidia/gpus/0000:08:00.0/information"), "Model: \t\t NVIDIA H200\nGPU UUID: \t GPU-99990000-0000-4000-8000-000000000000\n")
	ours, theirs := w.source(), w.iluvatar("driver = 4.2.0\ncards = 1\n[gpu 0]\nsentinel = DeviceGetUUID\n")
	w.read(ours)
	if d := w.read(theirs); d[0].Info.ID != "iluvatar-23121700000000" || d[0].Info.Name != "Iluvatar BI-V150" {
		t.Errorf("device %+v took over what is another's", d[0].Info)
	}
	w.load()
	w.write(filepath.Join(w.proc, "driver/nvidia/version"), "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.10\n")
	w.show("driver = 570.10\ncards = 1\n")
	if a, b := w.read(ours)[0].Generation, w.read(theirs)[0].Generation; a != 2 || b != 1 {
		t.Errorf("generations %d and %d after NVIDIA's driver was loaded anew, want 2 and 1", a, b)
	}
	w.showOther("cards = 0\ninit_error = 9\n")
	if err := theirs.Release(); err != nil {
		t.Fatal(err)
	}
	theirs.Resume()
	r := w.readError(theirs, "the iluvatar driver is not loaded: not on this host")
	if len(r.Notices) > 0 {
		t.Errorf("notices %+v: NVIDIA's cards on the PCI bus are not this vendor's", r.Notices)
	}
	if len(w.read(ours)) != 1 {
		t.Error("NVIDIA's card has gone with the other vendor's driver")
	}
}

func TestLibraryOfAnotherVendorIsAbsent(t *testing.T) {
	w := simulate(t, "h200-idle")
	s := New(Config{Library: filepath.Join(w.dir, "libixml.so"), Vendor: "iluvatar", ProcRoot: w.proc, SysRoot: w.sys, Log: slog.New(slog.DiscardHandler)})
	defer s.Close()
	_, err := s.Read(context.Background())
	wantAbsent(t, err)
	if want := "no iluvatar driver here, "; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %q, want one that begins with %q", err, want)
	}
}
