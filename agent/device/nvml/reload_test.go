//go:build linux && cgo

package nvml

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/agent/poll"
)

// The driver is unloaded and loaded again in the same version.
func TestModuleReloaded(t *testing.T) {
	w := simulate(t, "h200-idle")
	s := w.source()
	w.read(s)
	w.load()
	if d := w.read(s)[0]; d.Generation != 2 || d.Fault != "" {
		t.Errorf("generation %d, fault %q, want 2 and none", d.Generation, d.Fault)
	}
	if d := w.read(s)[0]; d.Generation != 2 {
		t.Errorf("generation %d at the next sample, want 2 still", d.Generation)
	}
}

// The driver is upgraded while the agent runs: kernel module, version and library. The new library answers, not the
// one that was loaded first under the same name.
func TestUpgraded(t *testing.T) {
	w := simulate(t, "h200-idle")
	w.install("libnvidia-ml-sim-old.so")
	s := w.source()
	if d := w.read(s)[0]; d.Energy.OK {
		t.Fatal("the old library has an energy counter")
	}
	w.install("libnvidia-ml-sim.so")
	w.write(filepath.Join(w.proc, "driver/nvidia/version"), "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.10\n")
	w.show("cards = 8\ndriver = 570.10\n")
	d := w.read(s)[0]
	if !d.Energy.OK || d.Info.Driver != "570.10" || d.Generation != 2 {
		t.Errorf("energy %v, driver %q, generation %d", d.Energy, d.Info.Driver, d.Generation)
	}
}

// Only the library is replaced: the driver was not loaded anew.
func TestLibraryReplaced(t *testing.T) {
	w := simulate(t, "h200-idle")
	s := w.source()
	w.read(s)
	w.install("libnvidia-ml-sim-old.so")
	if d := w.read(s)[0]; d.Energy.OK || d.Generation != 1 {
		t.Errorf("energy %v, generation %d: the replaced library does not answer", d.Energy, d.Generation)
	}
}

func TestMismatch(t *testing.T) {
	w := simulate(t, "driver-mismatch")
	s := w.source()
	if r := w.readError(s, "driver and library version mismatch"); r.Devices != nil {
		t.Errorf("devices %+v, where none is known", r.Devices)
	}
	w.show("cards = 2\n")
	w.advance(10 * time.Second)
	w.read(s)
	w.show("cards = 2\ninit_error = 18\n")
	w.install("libnvidia-ml-sim-old.so")
	r := w.readError(s, "driver and library version mismatch")
	if len(r.Devices.Devices) != 2 {
		t.Fatalf("%d devices, want the 2 known before", len(r.Devices.Devices))
	}
	for i, d := range r.Devices.Devices {
		if d.Info.ID != uuid(i) || d.Fault != "driver-mismatch: driver and library version mismatch" || d.Processes.OK {
			t.Errorf("device %d: %+v", i, d)
		}
	}
	if open(t, w.device) || mapped(t, w.library) {
		t.Error("the driver is held although it cannot be used: it could not be replaced")
	}
	w.show("cards = 2\n")
	w.advance(10 * time.Second)
	if d := w.read(s)[0]; d.Fault != "" {
		t.Errorf("fault %q after the mismatch was mended", d.Fault)
	}
}

// The driver comes, goes and comes again.
func TestComesAndGoes(t *testing.T) {
	w := simulate(t, "no-driver")
	s := w.source()
	w.readError(s, "the NVIDIA driver is not loaded: not on this host")
	w.show("cards = 1\n")
	_, err := s.Read(context.Background())
	wantAbsent(t, err) // the next attempt is due ten seconds after the last
	w.advance(10 * time.Second)
	if d := w.read(s)[0]; d.Generation != 1 {
		t.Errorf("generation %d, want 1", d.Generation)
	}
	// Gone: the module's entry and the version vanish, and NVML does not start any more.
	w.show("init_error = 9\n")
	if err := os.Remove(filepath.Join(w.proc, "driver/nvidia/version")); err != nil {
		t.Fatal(err)
	}
	w.readError(s, "not loaded")
	if open(t, w.device) {
		t.Error("the driver's file is open although the driver is gone")
	}
	w.show("cards = 1\n")
	w.advance(10 * time.Second)
	if d := w.read(s)[0]; d.Generation != 2 {
		t.Errorf("generation %d, want 2", d.Generation)
	}
}

// The driver ends the session under the agent's feet.
func TestUninitialised(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 1\n")
	s := w.source()
	w.read(s)
	w.show("cards = 1\nerror = DeviceGetMemoryInfo 1\n")
	w.readError(s, "ends every session")
	w.readError(s, "ends every session")
	w.show("cards = 1\n")
	w.advance(10 * time.Second)
	if d := w.read(s)[0]; d.Fault != "" {
		t.Errorf("fault %q", d.Fault)
	}
}

func TestInitFails(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 1\n")
	s := w.source()
	w.read(s)
	w.show("cards = 1\ninit_error = 999\n")
	w.load()
	r := w.readError(s, "initialise: unknown error")
	if d := r.Devices.Devices[0]; d.Fault != "nvml-error: initialise: unknown error" || d.Info.ID != uuid(0) {
		t.Errorf("device %+v", d)
	}
	w.show("cards = 1\ninit_error = 4\n")
	w.advance(10 * time.Second)
	if r := w.readError(s, "initialise: no permission"); r.Devices != nil || len(r.Notices) != 1 || r.Notices[0].Key != "nvml-permission" {
		t.Errorf("reading %+v, want a notice about rights", r)
	}
}

func TestNoLibrary(t *testing.T) {
	w := simulate(t, "h200-idle")
	for _, tt := range []struct{ library, words string }{
		{filepath.Join(w.dir, "nothing.so"), "nothing.so cannot be found: not on this host"},
		{"libexameter-test-nothing.so.1", "libexameter-test-nothing.so.1 cannot be found: not on this host"},
	} {
		s := New(Config{Library: tt.library, ProcRoot: w.proc, SysRoot: w.sys})
		_, err := s.Read(context.Background())
		wantAbsent(t, err)
		if !strings.Contains(err.Error(), tt.words) {
			t.Errorf("error %q, want %q", err, tt.words)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct{ library, words string }{
		{"libm.so.6", "is no NVML library"},
		{w.device, "load library"},
	} {
		_, err := New(Config{Library: tt.library, ProcRoot: w.proc, SysRoot: w.sys}).Read(context.Background())
		if err == nil || errors.Is(err, poll.ErrAbsent) || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("library %q: error %v, want %q, which is a failure", tt.library, err, tt.words)
		}
	}
}

// Cards without a driver are worth a word to the operator.
func TestUndrivenCards(t *testing.T) {
	w := simulate(t, "no-driver")
	s := w.source()
	if r := w.readError(s, "not loaded"); len(r.Notices) != 0 {
		t.Errorf("notices %+v on a host without cards", r.Notices)
	}
	for i, dev := range [][2]string{{"0x10de", "0x030200"}, {"0x10de", "0x030000"}, {"0x10de", "0x068000"}, {"0x1a03", "0x030000"}} {
		dir := filepath.Join(w.sys, "bus/pci/devices", fmt.Sprintf("0000:%02x:00.0", i))
		w.write(filepath.Join(dir, "vendor"), dev[0]+"\n")
		w.write(filepath.Join(dir, "class"), dev[1]+"\n")
	}
	w.advance(10 * time.Second)
	r := w.readError(s, "not loaded")
	want := "the PCI bus shows 2 NVIDIA devices, but the NVIDIA driver is not loaded; they are not counted"
	if len(r.Notices) != 1 || r.Notices[0].Text != want || r.Notices[0].Remedy == "" {
		t.Errorf("notices %+v, want %q", r.Notices, want)
	}
}

// A card that is plugged in, or bound to the driver later, is seen.
func TestCardAdded(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 1\n")
	w.write(filepath.Join(w.proc, "driver/nvidia/gpus/0000:17:00.0/information"), "")
	s := w.source()
	w.read(s)
	w.show("cards = 2\n")
	w.write(filepath.Join(w.proc, "driver/nvidia/gpus/0000:27:00.0/information"), "")
	w.advance(10 * time.Second)
	if got := w.read(s); len(got) != 2 || got[1].Generation != 1 {
		t.Errorf("%d devices, want 2", len(got))
	}
}

// A call that hangs holds up its own Read and nothing else: Close and Release say after a bounded time that they could
// not let go. When the call returns at last, all is in order again.
func TestHang(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 2\n")
	s := New(Config{Library: w.library, ProcRoot: w.proc, SysRoot: w.sys})
	if _, err := s.Read(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.show("cards = 2\n[gpu 1]\nhang = DeviceGetPowerUsage 4\n")
	done := make(chan error, 1)
	go func() {
		_, err := s.Read(context.Background())
		done <- err
	}()
	time.Sleep(100 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second read: %v, want it to give up in time", err)
	}
	began := time.Now()
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "cannot be released") {
		t.Errorf("close: %v, want an error that says the library cannot be released", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("close took %v", took)
	}
	select {
	case err := <-done:
		t.Fatalf("the reading returned early: %v", err)
	default:
	}
	if err := <-done; err != nil {
		t.Errorf("the late reading: %v", err)
	}
	if err := s.Close(); err != nil || open(t, w.device) || mapped(t, w.library) {
		t.Errorf("close at last: %v, file open %v, library mapped %v", err, open(t, w.device), mapped(t, w.library))
	}
}

// The shutdown hangs: Release returns in time and says so, no second session is begun beside the first, and when the
// driver has let go reading goes on.
func TestShutdownHangs(t *testing.T) {
	w := simulate(t, "")
	w.show("cards = 1\n")
	s := w.source()
	w.read(s)
	w.show("cards = 1\nhang = Shutdown 3\n")
	began := time.Now()
	if err := s.Release(); err == nil || !strings.Contains(err.Error(), "has not let go") {
		t.Errorf("release: %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("release took %v", took)
	}
	if err := s.end(10 * time.Millisecond); err == nil {
		t.Error("the driver is said to be released while it still hangs")
	}
	s.Resume()
	w.readError(s, "has not yet let go")
	w.show("cards = 1\n")
	w.eventuallyOpen(s)
}

func (w *world) eventuallyOpen(s *Source) {
	w.t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := s.Read(context.Background()); err == nil {
			return
		} else if time.Now().After(end) {
			w.t.Fatalf("still: %v", err)
		}
	}
}
