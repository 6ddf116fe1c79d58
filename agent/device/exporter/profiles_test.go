package exporter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exameter/exameter/internal/config"
)

func TestBuiltInProfilesAreValid(t *testing.T) {
	entries, err := files.ReadDir("profiles")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 14 || len(entries) != len(BuiltIn()) {
		t.Errorf("%d files, %d profiles, want the same and at least 14", len(entries), len(BuiltIn()))
	}
	for _, p := range BuiltIn() {
		if p.Exporter == "" || p.Contract == "" {
			t.Errorf("%s does not say which exporter it is for, or where its contract stands", p.Name)
		}
	}
}

// minimal is a profile with nothing but what it must have.
const minimal = `profile: mine
vendor: huawei
detect:
  metrics: [m]
key: [id]
identity:
  uuid: [id]
readings:
  power: [{metric: m, unit: W}]
`

func TestProfileRefused(t *testing.T) {
	f := func(old, with, want string) {
		t.Helper()
		text := strings.Replace(minimal, old, with, 1)
		if text == minimal {
			t.Fatalf("%q does not stand in the profile", old)
		}
		err := config.Read(strings.NewReader(text), "mine.yaml", &Profile{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with %q: error %v, want %q", with, err, want)
		}
	}
	f("vendor: huawei\n", "vendor: huawei\nvendors: x\n", "mine.yaml:3:1: unknown field \"vendors\"")
	f("vendor: huawei\n", "vendor: huawei\nvendor: x\n", "mine.yaml:3:1:")
	f("vendor: huawei", "vendor: Hua Wei", "mine.yaml:2: vendor:")
	f("profile: mine", "profile: ''", "mine.yaml:1: profile:")
	f("  metrics: [m]", "  metrics: []", "mine.yaml:4: detect.metrics: is missing")
	f("  metrics: [m]", "  metrics: [m, m]", `mine.yaml:4: detect.metrics: "m" stands twice`)
	f("  metrics: [m]", "  metrics: [m]\n  labels: [{label: model, match: '('}]", "mine.yaml:5: detect.labels:")
	f("key: [id]", "key: []", "mine.yaml:5: key: is missing")
	f("  uuid: [id]", "  uuid: []", "mine.yaml:7: identity: names none")
	f("  uuid: [id]", "  pci_vendor: 1d22", "mine.yaml:7: identity.pci_vendor:")
	f("unit: W", "unit: kW", `mine.yaml:9: readings.power[0]: "kW" is not a unit of this reading; want one of W, W or mW, dW, mW, uW`)
	f("unit: W", "unit: MiB", "mine.yaml:9: readings.power[0]:")
	f("  power:", "  powr:", "mine.yaml:9: readings.powr: is not a reading")
	f("unit: W", "unit: W, combine: mean", "mine.yaml:9: readings.power[0]:")
	f("unit: W", "unit: W, sum: [a, b]", "want either metric or sum")
	f("key: [id]\n", "key: [id]\nhealth: [{metric: h}]\n", "mine.yaml:6: health[0]: want either ok or bad")
	f("key: [id]\n", "key: [id]\nboards: [{models: x}]\n", "mine.yaml:6: boards[0]: does not say how many")
	f("key: [id]\n", "key: [id]\nboards: [{models: x, size: -2}]\n", "mine.yaml:6: boards[0]: size -2")
	f("key: [id]\n", "key: [id]\nidle_memory: [{models: '[', size: 1GiB}]\n", "mine.yaml:6: idle_memory[0]:")
	f("key: [id]\n", "key: [id]\nslices: {join: serial}\n", "mine.yaml:6: slices:")
}

func TestLoadProfiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("mine.yaml", minimal)
	write("huawei.yaml", strings.Replace(minimal, "profile: mine", "profile: huawei-npu-exporter", 1))
	write("README", "not a profile")
	all, err := LoadProfiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(BuiltIn())+1 {
		t.Errorf("%d profiles, want one more than the %d built in", len(all), len(BuiltIn()))
	}
	if p, err := all.Named("huawei-npu-exporter"); err != nil || p.origin != filepath.Join(dir, "huawei.yaml") {
		t.Errorf("the operator's profile does not replace the built-in one: %v, %v", p, err)
	}
	if _, err := all.Named("none"); err == nil || !strings.Contains(err.Error(), "there are") {
		t.Errorf("error %v", err)
	}
	write("again.yaml", minimal)
	if _, err := LoadProfiles(dir); err == nil || !strings.Contains(err.Error(), "stands in") {
		t.Errorf("two profiles of one name: %v", err)
	}
	write("again.yaml", "profile: other\nvendr: x\n")
	if _, err := LoadProfiles(dir); err == nil || !strings.Contains(err.Error(), "again.yaml:2:1: unknown field") {
		t.Errorf("an unknown key: %v", err)
	}
	if _, err := LoadProfiles(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there is taken")
	}
	if _, err := LoadProfiles(filepath.Join(dir, "README")); err == nil {
		t.Error("a file is taken for a directory")
	}
}
