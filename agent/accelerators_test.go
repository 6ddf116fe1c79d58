package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/agent/kernelfile/kernelfiletest"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

// configured reads a configuration that has more than the least.
func configured(t *testing.T, more string) Config {
	t.Helper()
	c := DefaultConfig()
	if err := config.Read(strings.NewReader("centre: lab\nkafka:\n  brokers: [\"k:9092\"]\n"+more), "agent.yaml", &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhichSourcesAreRead(t *testing.T) {
	for more, want := range map[string]string{
		"":                                       "host cpu memory power nvml drm",
		"sources:\n  drm:\n    enabled: false\n": "host cpu memory power nvml",
		"sources:\n  nvml:\n    enabled: false\n    others: [{vendor: iluvatar, library: /l.so}]\n":   "host cpu memory power nvml-iluvatar drm",
		"sources:\n  nvml:\n    others: [{vendor: iluvatar, library: /l.so, enabled: false}]\n":       "host cpu memory power nvml drm",
		"sources:\n  nvml:\n    library: /l.so\n    vendor: iluvatar\n":                               "host cpu memory power nvml-iluvatar drm",
		"sources:\n  nvml:\n    others: [{vendor: a, library: /a.so}, {vendor: b, library: /b.so}]\n": "host cpu memory power nvml nvml-a nvml-b drm",
	} {
		var names []string
		for _, m := range Members(configured(t, more), slog.New(slog.DiscardHandler)) {
			names = append(names, m.Name())
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q: sources %s, want %s", more, got, want)
		}
	}
}

// A source whose hardware is promised fails where it is absent, and names the key that promised it.
func TestPromisedHardware(t *testing.T) {
	c := configured(t, "sources:\n  nvml:\n    enabled: false\n    others: [{vendor: iluvatar, library: /does/not/exist.so, enabled: true}]\n  drm: {enabled: true}\n")
	c.Paths.Sys = t.TempDir()
	found := 0
	for _, m := range Members(c, slog.New(slog.DiscardHandler)) {
		key := map[string]string{"nvml-iluvatar": "sources.nvml.others[0].enabled", "drm": "sources.drm.enabled"}[m.Name()]
		if key == "" {
			continue
		}
		found++
		if _, err := m.Read(context.Background()); err == nil || errors.Is(err, poll.ErrAbsent) || !strings.HasPrefix(err.Error(), key+" is true, and yet: ") {
			t.Errorf("%s: error %v, want one about %s that is not \"absent\"", m.Name(), err, key)
		}
		if r, ok := m.Source.(poll.Releaser); ok {
			if err := r.Release(); err != nil {
				t.Error(err)
			}
			r.Resume()
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if found != 2 {
		t.Errorf("%d of the 2 sources", found)
	}
}

// The cards of a host reach the records through the whole agent: what exists, and what each is doing.
func TestCardsOfSysfsInTheRecords(t *testing.T) {
	root := kernelfiletest.Machine(t, "epyc")
	text, err := os.ReadFile("device/drm/testdata/mi300x.txt")
	if err != nil {
		t.Fatal(err)
	}
	cards := kernelfiletest.Tree(t, "mi300x", string(text))
	if err := os.CopyFS(filepath.Join(root, "sys"), os.DirFS(filepath.Join(cards, "sys"))); err != nil {
		t.Fatal(err)
	}
	c := DefaultConfig()
	c.Centre, c.Sources.NVML.Enabled, c.Sources.Power.Enabled = "lab", "false", false
	c.Paths = Paths{Proc: filepath.Join(root, "proc"), Sys: filepath.Join(root, "sys"), Etc: filepath.Join(root, "etc"), State: t.TempDir()}
	c.Intervals.Sample = config.Duration(100 * time.Millisecond)
	inventory, report, err := Sample(context.Background(), c, Options{Log: slog.New(slog.DiscardHandler), Uptime: func() (time.Duration, error) { return time.Hour, nil }})
	if err != nil {
		t.Fatal(err)
	}
	var d telemetry.Decoder
	var inv telemetry.Inventory
	if err := d.Inventory(inventory, &inv); err != nil {
		t.Fatalf("%v\n%s", err, inventory)
	}
	if len(inv.Devices) != 2 || inv.Devices[0].Name != "AMD Instinct MI300X OAM" || inv.Devices[0].Vendor != "amd" || inv.Devices[1].PCI != "0000:46:00.0" {
		t.Errorf("inventory %+v", inv.Devices)
	}
	var rep telemetry.Report
	if err := d.Report(report, &rep); err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	if len(rep.Devices) != 2 || rep.Devices[0].State != telemetry.Busy || rep.Devices[0].Reason != "processes" || rep.Devices[1].State != telemetry.Free {
		t.Errorf("report %+v", rep.Devices)
	}
}

func TestAcceleratorConfigErrors(t *testing.T) {
	const head = "centre: lab\nkafka:\n  brokers: [\"k:9092\"]\nsources:\n  nvml:\n    others:\n"
	for text, want := range map[string]string{
		"    - vendor: iluvatar\n":                 ":7: sources.nvml.others[0].library: \"\" is not an absolute path",
		"    - library: /x.so\n":                   ":7: sources.nvml.others[0].vendor: id \"\"",
		"    - {vendor: nvidia, library: /x.so}\n": "sources.nvml.others[0].vendor: \"nvidia\" has a library already",

		"    - {vendor: a, library: /x.so}\n    - {vendor: b, library: //x.so}\n":  "sources.nvml.others[1].library: \"//x.so\" is another vendor's already",
		"    - {vendor: a, library: /x.so, enabled: on}\n":                         "sources.nvml.others[0].enabled: \"on\" is not one of",
		"    - {vendor: a, librari: /x.so}\n":                                      "unknown field \"librari\"",
		"    - {vendor: a, library: /x.so}\n  drm:\n    enabled: maybe\n":          ":9: sources.drm.enabled: \"maybe\" is not one of auto, true, false",
		"    - {vendor: a, library: /x.so}\n    - {vendor: A B, library: /y.so}\n": "sources.nvml.others[1].vendor: id \"A B\"",
	} {
		c := DefaultConfig()
		err := config.Read(strings.NewReader(head+text), "agent.yaml", &c)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v\nwant … %s …", text, err, want)
		}
	}
}
