package collector

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/internal/config"
)

// TestExamples reads the files that the packages install: without brokers the configuration is refused, with them it is valid
// and shows the defaults; the registry is valid.
func TestExamples(t *testing.T) {
	b, err := os.ReadFile("../packaging/config/collector.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := DefaultConfig()
	if err := config.Read(strings.NewReader(string(b)), "collector.yaml", &got); err == nil || !strings.Contains(err.Error(), "kafka.brokers") {
		t.Errorf("without brokers: error %v, want one that names them", err)
	}
	got = DefaultConfig()
	filled := strings.Replace(string(b), "  brokers: []\n", "  brokers: [\"127.0.0.1:9092\"]\n", 1)
	if err := config.Read(strings.NewReader(filled), "collector.yaml", &got); err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the example differs from the defaults (-default +example):\n%s", diff)
	}
	reg, err := registry.Load("../packaging/config/registry.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(reg.Centres) != 2 || reg.Centre("example-east").Status != registry.Planned {
		t.Errorf("registry = %+v", reg)
	}
}

func TestConfigRefuses(t *testing.T) {
	for _, tc := range []struct{ yaml, want string }{
		{"stale: 3s\n", "c.yaml:1"},
		{"kafka:\n  brokers: []\n", "c.yaml:2: kafka.brokers: name at least one"},
		{"http:\n  listen: here\n", `c.yaml:2: http.listen: "here" is not host:port`},
		{"stale_after: 30\n", "not a length of time"},
		{"stale_after: 10ms\n", "c.yaml:1: stale_after: 10ms is not between 1s and 1h"},
		{"fold_interval: 1m\n", "fold_interval: 1m0s is not between"},
		{"stale_after: 1s\nfold_interval: 2s\n", "c.yaml:2: fold_interval: 2s is longer than stale_after"},
		{"discover: false\n", "c.yaml:1: discover: is false without a registry"},
		{"log:\n  level: loud\n", "c.yaml:2: log.level:"},
		{"log:\n  format: xml\n", "c.yaml:2: log.format:"},
	} {
		c := DefaultConfig()
		err := config.Read(strings.NewReader(tc.yaml), "c.yaml", &c)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: error %v, want %q in it", tc.yaml, err, tc.want)
		}
	}
}
