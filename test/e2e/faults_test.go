package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

// TestDriverFaults breaks the driver of a running agent in every way that a scenario knows, one after the other, and mends it again. What is
// wrong is told at the API, other readings go on meanwhile, and once it is mended every card counts again.
func TestDriverFaults(t *testing.T) {
	w := newWorld(t, shared, "driver-faults", brisk)
	library := w.path("libnvidia-ml.so.1") // of its own, so that it can be replaced
	w.install(library, "sim")
	w.write("agent.yaml", strings.Replace(w.agentConfig("sim"), simulator(w, "sim"), library, 1))
	well := capacity.Devices{Rated: 8, Online: 8, Healthy: 8, Free: 8}
	w.write("cards", cards(nil))
	w.startCollector()
	w.startAgent()
	w.wantDevices(soon, well)
	one := capacity.Devices{Rated: 8, Online: 8, Healthy: 7, Free: 7, Faulty: 1}
	all := capacity.Devices{Rated: 8, Online: 8, Faulty: 8}
	for _, f := range []struct {
		name, scenario string
		want           capacity.Devices
		reason         string // of card 3
		within         time.Duration
		mend           func() // beside a scenario without faults
	}{
		// A fault that a reading shows is told at once. Silence is told when it has lasted for five seconds.
		{name: "a lost card", scenario: cards(map[int]string{3: lost}), want: one, reason: "lost", within: soon},
		{name: "a call that hangs", scenario: "hang = DeviceGetPowerUsage 600\n" + cards(nil), want: all, reason: "source-silent", within: soon},
		{name: "every call hangs", scenario: "hang = * 600\n" + cards(nil), want: all, reason: "source-silent", within: soon},
		{name: "every call fails", scenario: "error = * 999\n" + cards(nil), want: all, reason: "nvml-error", within: soon},
		{name: "a driver that is unloaded", scenario: "init_error = 9\nerror = * 9\n" + cards(nil), want: all, reason: "missing", within: soon},
		{name: "a driver and library that differ", scenario: "init_error = 18\nerror = * 18\n" + cards(nil), want: all, reason: "driver-mismatch", within: soon},
		{name: "sentinels", scenario: cards(map[int]string{3: "sentinel = *\n"}), want: one, reason: "unreadable", within: soon},
		{
			name: "memory errors", scenario: cards(map[int]string{3: "ecc_uncorrected = 2\n"}), want: one, reason: "ecc-uncorrected", within: soon,
			mend: func() { w.exec("exameter-agent", "undrain", "--config", w.path("agent.yaml")) },
		},
		{name: "rows that cannot be remapped", scenario: cards(map[int]string{3: "remap_failed = yes\n"}), want: one, reason: "remap-failed", within: soon},
		{
			name: "a storm of XID errors", scenario: cards(map[int]string{3: strings.Repeat("xid = 31\n", 31) + "xid = 79\n"}), want: one, reason: "xid", within: soon,
			mend: func() { w.exec("exameter-agent", "undrain", "--config", w.path("agent.yaml")) },
		},
	} {
		t.Run(f.name, func(t *testing.T) {
			w := w.in(t)
			w.write("cards", f.scenario)
			shown := w.wantDevices(f.within, f.want)
			w.eventually(soon, func() error {
				if reason := w.reason(3); !strings.HasPrefix(reason, f.reason) {
					return fmt.Errorf("reason %q, want %q", reason, f.reason)
				}
				return nil
			})
			w.goesOn()
			w.write("cards", cards(nil))
			if f.mend != nil {
				f.mend()
			}
			t.Logf("shown after %v, over after %v", shown.Round(time.Millisecond), w.wantDevices(soon, well).Round(time.Millisecond))
		})
	}
	t.Run("an old library, and a new one", func(t *testing.T) {
		w := w.in(t)
		// An old driver counts as used what a newer one counts as reserved; such drivers reserve next to nothing.
		w.write("cards", "cards = 8\n[gpu *]\nreserved = 0\n")
		for _, l := range []struct {
			name   string
			energy bool
		}{{"sim-old", false}, {"sim", true}} {
			w.install(library, l.name)
			w.eventually(soon, func() error {
				last := w.lastReport()
				if has := bytes.Contains(last, []byte("energy")); has != l.energy || !bytes.Contains(last, []byte("utilization")) && !bytes.Contains(last, []byte("processes")) {
					return fmt.Errorf("energy %v, want %v:\n%s", has, l.energy, last)
				}
				return nil
			})
			w.wantDevices(soon, well)
		}
	})
	t.Run("a driver that is let go of", func(t *testing.T) {
		w := w.in(t)
		if !w.mapped(library) {
			t.Fatal("the library is not loaded to begin with")
		}
		w.exec("exameter-agent", "drain", "--config", w.path("agent.yaml"), "--release-driver", "new driver")
		w.wantDevices(soon, capacity.Devices{Rated: 8, Online: 8, Drained: 8})
		w.eventually(soon, func() error {
			if w.mapped(library) {
				return fmt.Errorf("the library is still loaded")
			}
			return nil
		})
		w.goesOn()
		w.exec("exameter-agent", "undrain", "--config", w.path("agent.yaml"))
		w.wantDevices(soon, well)
	})
}

// in is the world in a test within its test.
func (w *world) in(t *testing.T) *world {
	inner := *w
	inner.T = t
	return &inner
}

// simulator is the path of a simulated library.
func simulator(w *world, name string) string {
	path, err := filepath.Abs("../nvmlsim/libnvidia-ml-" + name + ".so")
	if err != nil {
		w.Fatal(err)
	}
	return path
}

// install puts a library in place, as a package manager does.
func (w *world) install(path, name string) {
	w.Helper()
	b, err := os.ReadFile(simulator(w, name))
	if err != nil {
		w.Fatal(err)
	}
	w.write(filepath.Base(path), string(b))
}

// mapped reports whether the agent has a file loaded.
func (w *world) mapped(path string) bool {
	w.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", w.agent.PID()))
	if err != nil {
		w.Fatal(err)
	}
	return bytes.Contains(maps, []byte(path))
}

// reason is why the collector says that a card is in its state.
func (w *world) reason(index int) string {
	w.Helper()
	var doc struct {
		Hosts []struct{ Devices []struct{ ID, Reason string } }
	}
	body, err := w.get("/v1/hosts")
	if err == nil {
		err = json.Unmarshal(body, &doc)
	}
	if err != nil || len(doc.Hosts) != 1 {
		return fmt.Sprintf("%d hosts, %v", len(doc.Hosts), err)
	}
	for _, d := range doc.Hosts[0].Devices {
		if strings.HasSuffix(d.ID, fmt.Sprintf("%012d", index)) {
			return d.Reason
		}
	}
	return "no such card"
}

// lastReport is what the agent reported last.
func (w *world) lastReport() []byte {
	all := w.read("exameter.v1.telemetry." + w.centre)
	return all[len(all)-1].Value
}

// goesOn wants three more reports, a second apart each, with readings of the processors in them.
func (w *world) goesOn() {
	w.Helper()
	seen := map[string]bool{}
	w.eventually(soon, func() error {
		last := w.lastReport()
		if !bytes.Contains(last, []byte("exameter_cpu")) {
			return fmt.Errorf("no reading of the processors in\n%s", last)
		}
		seen[string(last)] = true
		if len(seen) < 3 {
			return fmt.Errorf("%d different reports so far", len(seen))
		}
		return nil
	})
}
