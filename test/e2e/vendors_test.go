package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exameter/exameter/agent/kernelfile/kernelfiletest"
	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
)

// TestVendorsOfOneServer puts cards of four vendors into one server, which nobody builds: NVIDIA's and Iluvatar's through
// their libraries, AMD's and Hygon's by what the kernel shows. Each comes to its exact figure at the API.
func TestVendorsOfOneServer(t *testing.T) {
	w := newWorld(t, shared, "vendors", brisk)
	root := kernelfiletest.Machine(t, "epyc")
	amd, hygon := recorded(t, "mi300x"), recorded(t, "dcu")
	for card, elsewhere := range map[string]string{"drm/card1": "drm/card11", "drm/card2": "drm/card12", "renderD12": "renderD14"} {
		hygon = strings.ReplaceAll(hygon, card, elsewhere) // these numbers are AMD's
	}
	for name, text := range map[string]string{"mi300x": amd, "dcu": hygon} {
		if err := os.CopyFS(filepath.Join(root, "sys"), os.DirFS(filepath.Join(kernelfiletest.Tree(t, name, text), "sys"))); err != nil {
			t.Fatal(err)
		}
	}
	nvidia, iluvatar := library(t, "libnvidia-ml-sim.so"), library(t, "libixml-sim.so")
	w.write("agent.yaml", fmt.Sprintf(`centre: %s
host: {id: host-of-vendors}
kafka:
  brokers: [%s]
intervals: {sample: %v, report: %v}
sources:
  nvml:
    library: %q
    others:
      - {vendor: iluvatar, library: %q}
  power: {enabled: false}
paths: {proc: %s, sys: %s, etc: %s, state: %s}
`, w.centre, w.brokers(), w.pace.sample, w.pace.report, nvidia, iluvatar, filepath.Join(root, "proc"), filepath.Join(root, "sys"), filepath.Join(root, "etc"), w.dir))
	w.write("cards", "cards = 1\n")
	w.write("ixml", "driver = 4.2.0\ncards = 2\n[gpu 0]\nprocesses = 4711\nused = 20GiB\n")
	w.startCollector()
	w.agent = w.start("agent", []string{"EXAMETER_NVMLSIM=" + w.path("cards"), "EXAMETER_IXMLSIM=" + w.path("ixml")}, "exameter-agent", "run", "--config", w.path("agent.yaml"))
	w.wantDevices(soon, capacity.Devices{Rated: 7, Online: 7, Healthy: 7, Busy: 3, Free: 4})

	type model struct {
		vendor, name string
		cards, busy  int64
	}
	body, err := w.get("/v1/capacity?by=vendor")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Groups []struct {
			Vendor  string
			Devices capacity.Devices
			Eflops  map[string]json.Number
		}
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	for i, m := range []model{{"amd", "AMD Instinct MI300X OAM", 2, 1}, {"hygon", "0x6210", 2, 1}, {"iluvatar", "Iluvatar BI-V150", 2, 1}, {"nvidia", "NVIDIA H200", 1, 0}} {
		if len(doc.Groups) != 4 {
			t.Fatalf("%s", body)
		}
		g := doc.Groups[i]
		if g.Vendor != m.vendor || g.Devices.Rated != m.cards || g.Devices.Busy != m.busy || g.Devices.Unpriced != 0 {
			t.Errorf("%s: %+v, want %d cards, %d busy", g.Vendor, g.Devices, m.cards, m.busy)
		}
		found, ok := catalog.Default().Lookup(m.vendor, m.name)
		if !ok {
			t.Fatalf("the catalogue does not know %q of %s", m.name, m.vendor)
		}
		peak, _ := found.Peaks.Get(catalog.FP16)
		for state, n := range map[string]int64{"rated": m.cards, "online": m.cards, "healthy": m.cards, "busy": m.busy, "free": m.cards - m.busy, "stale": 0} {
			if want := capacity.Flops(n * peak).Eflops(); string(g.Eflops[state]) != fmt.Sprint(want) {
				t.Errorf("%s: %s %s Eflops, want %v", m.vendor, state, g.Eflops[state], want)
			}
		}
	}
	w.stop(w.agent)
	w.stop(w.collector)
}

// recorded reads one of the machines by which the reader of sysfs is tested.
func recorded(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../agent/device/drm/testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// library returns the path of a simulated driver's library.
func library(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../nvmlsim/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
