//go:build linux && cgo

package nvml

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exameter/exameter/agent/poll"
)

const simulator = "../../../test/nvmlsim"

var build = sync.OnceValue(func() error {
	for _, tool := range []string{"gcc", "make"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("these tests build a simulated NVML and need %s: apt-get install build-essential", tool)
		}
	}
	out, err := exec.Command("make", "-s", "-C", simulator, "CC=gcc").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the simulated NVML: %w\n%s", err, out)
	}
	return nil
})

// world is a host with a simulated driver.
type world struct {
	t         testing.TB
	dir       string
	library   string // of this test alone, so that its state is too
	proc, sys string
	device    string // held open by the driver

	mu  sync.Mutex
	now time.Time
	log bytes.Buffer
}

// simulate makes a host whose driver answers from a ready-made scenario.
func simulate(t testing.TB, scenario string) *world {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	w.library, w.device = filepath.Join(w.dir, "libnvidia-ml.so.1"), filepath.Join(w.dir, "nvidiactl")
	w.proc, w.sys = filepath.Join(w.dir, "proc"), filepath.Join(w.dir, "sys")
	w.install("libnvidia-ml-sim.so")
	w.write(w.device, "")
	w.write(filepath.Join(w.proc, "driver/nvidia/version"), "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.127.08\n")
	w.load()
	if scenario != "" {
		b, err := os.ReadFile(filepath.Join(simulator, "scenarios", scenario+".conf"))
		if err != nil {
			t.Fatal(err)
		}
		w.show(string(b))
	}
	if tt, ok := t.(interface{ Setenv(string, string) }); ok {
		tt.Setenv("EXAMETER_NVMLSIM", filepath.Join(w.dir, "scenario.conf"))
		tt.Setenv("EXAMETER_NVMLSIM_DEVICE", w.device)
	}
	return w
}

func (w *world) write(path, content string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(content), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		w.t.Fatal(err)
	}
}

// install puts a build of the simulated library in place, as a package manager does.
func (w *world) install(name string) {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(simulator, name))
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(w.library, string(b))
}

// load stands for loading the kernel module: its entry in sysfs is a new one every time.
func (w *world) load() {
	w.t.Helper()
	module := filepath.Join(w.sys, "module/nvidia")
	fresh, err := os.MkdirTemp(w.dir, "module")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(module), 0o755); err != nil {
		w.t.Fatal(err)
	}
	_ = os.Rename(module, filepath.Join(w.dir, filepath.Base(fresh)+"-before"))
	if err := os.Rename(fresh, module); err != nil {
		w.t.Fatal(err)
	}
}

// show changes what the simulated driver shows, and waits until it must have noticed.
func (w *world) show(scenario string) {
	w.t.Helper()
	w.write(filepath.Join(w.dir, "scenario.conf"), scenario)
	time.Sleep(30 * time.Millisecond)
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

// source opens the driver of the world; it is closed at the end of the test.
func (w *world) source() *Source {
	s := New(Config{
		Library: w.library, ProcRoot: w.proc, SysRoot: w.sys,
		Log: slog.New(slog.NewTextHandler(w, nil)),
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

// read takes a sample a second after the one before, and wants it whole.
func (w *world) read(s *Source) []poll.DeviceReading {
	w.t.Helper()
	w.advance(time.Second)
	r, err := s.Read(context.Background())
	if err != nil {
		w.t.Fatalf("read: %v\n%s", err, &w.log)
	}
	if r.Devices == nil {
		w.t.Fatal("reading without devices")
	}
	return r.Devices.Devices
}

// readError takes a sample and wants it to fail.
func (w *world) readError(s *Source, words string) poll.Reading {
	w.t.Helper()
	w.advance(time.Second)
	r, err := s.Read(context.Background())
	if err == nil || !strings.Contains(err.Error(), words) {
		w.t.Fatalf("read: error %v, want one with %q", err, words)
	}
	return r
}

// eventually reads until the condition holds, which events take a moment for.
func (w *world) eventually(s *Source, what string, holds func([]poll.DeviceReading) bool) {
	w.t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds(w.read(s)) {
			return
		}
	}
	w.t.Fatalf("not within 5 s: %s\n%s", what, &w.log)
}

// open reports whether this process has a file open.
func open(t testing.TB, path string) bool {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(fds) == 0 {
		t.Fatalf("no list of open files: %v", err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && to == path {
			return true
		}
	}
	return false
}

// mapped reports whether a file is mapped into this process.
func mapped(t testing.TB, path string) bool {
	t.Helper()
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(b, []byte(path))
}

func wantAbsent(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, poll.ErrAbsent) {
		t.Fatalf("error %v, want one that is poll.ErrAbsent", err)
	}
}
