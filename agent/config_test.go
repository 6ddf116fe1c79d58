package agent

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/exameter/exameter/internal/config"
)

const example = "../packaging/config/agent.yaml"

// TestExampleShowsTheDefaults holds the example against the code: it is valid, and every value but the two that have no
// default is the default.
func TestExampleShowsTheDefaults(t *testing.T) {
	got, err := LoadConfig(example)
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.Centre, want.Kafka.Brokers = got.Centre, got.Kafka.Brokers
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestExampleMentionsEveryKey(t *testing.T) {
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	keys(reflect.TypeFor[Config](), func(key string, depth int) {
		if !regexp.MustCompile(`(?m)^` + strings.Repeat("  ", depth) + key + `:`).Match(b) {
			t.Errorf("key %s is not in the example", key)
		}
	}, 0)
}

// keys visits every key of a configuration.
func keys(t reflect.Type, visit func(key string, depth int), depth int) {
	for i := range t.NumField() {
		f := t.Field(i)
		visit(f.Tag.Get("yaml"), depth)
		if f.Type.Kind() == reflect.Struct {
			keys(f.Type, visit, depth+1)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	const head = "centre: lab\nkafka:\n  brokers: [\"k:9092\"]\n"
	for text, want := range map[string]string{
		"":                                                                     "centre: is missing",
		"centre: Guian\n":                                                      ":1: centre: id \"Guian\"",
		"centre: lab\n":                                                        "kafka.brokers: name at least one broker",
		head + "cluster: \"\"\n":                                               ":4: cluster: id \"\"",
		head + "intervall: 1s\n":                                               ":4:1: unknown field \"intervall\"",
		head + "host:\n  id: \"a b\"\n":                                        ":5: host.id: \"a b\" is not a name",
		head + "intervals:\n  sample: 1\n":                                     ":5:11: \"1\" is not a length of time",
		head + "intervals:\n  sample: 50ms\n":                                  ":5: intervals.sample: 50ms is not within 100ms and 1m0s",
		head + "intervals:\n  sample: 20s\n":                                   ":5: intervals.report: 10s is shorter than intervals.sample, 20s",
		head + "intervals:\n  report: 1h\n":                                    ":5: intervals.report: 1h0m0s is not within 1s and 5m0s",
		head + "intervals:\n  inventory: 5s\n":                                 ":5: intervals.inventory: 5s is shorter than intervals.report, 10s",
		head + "intervals:\n  inventory: 30s\n":                                ":5: intervals.inventory: 30s is not within 1m0s and 24h0m0s",
		head + "state:\n  memory_floor: 512\n":                                 ":5:17: \"512\" is not a size",
		head + "state:\n  utilisation_floor: 0%\n":                             ":5: state.utilisation_floor: is zero",
		head + "state:\n  utilisation_floor: 5\n":                              ":5:22: \"5\" is not a share",
		head + "state:\n  utilisation_hold: 2h\n":                              ":5: state.utilisation_hold: 2h0m0s is longer than 1h0m0s",
		head + "sources:\n  nvml:\n    enabled: maybe\n":                       ":6: sources.nvml.enabled: \"maybe\" is not one of auto, true, false",
		head + "sources:\n  nvml:\n    enabled: false\n    library: /x.so\n":   ":7: sources.nvml.library: is given, and yet",
		head + "sources:\n  nvml:\n    library: x.so\n":                        ":6: sources.nvml.library: \"x.so\" is not an absolute path",
		head + "sources:\n  nvml:\n    vendor: NVIDIA\n":                       ":6: sources.nvml.vendor: id \"NVIDIA\"",
		head + "queue:\n  records: 1\n":                                        ":5: queue.records: 1 is fewer than 10",
		head + "queue:\n  bytes: 1KiB\n":                                       ":5: queue.bytes: is not within 1MiB and 1GiB",
		head + "paths:\n  state: var\n":                                        ":5: paths.state: \"var\" is not an absolute path",
		head + "log:\n  level: loud\n":                                         ":5: log.level: \"loud\" is not one of debug, info, warn, error",
		head + "log:\n  format: xml\n":                                         ":5: log.format: \"xml\" is not one of text, json",
		"centre: lab\nkafka:\n  brokers: [\"k:9092\"]\n  tls:\n    ca: /x\n":   ":5: kafka.tls.enabled: is false",
		"centre: lab\ncentre: lab\n":                                           ":2:1: mapping key \"centre\" already defined",
		"centre: lab\nkafka: {brokers: [k]}\nstate: {utilisation_floor: 200%}": ":3:28: \"200%\" is not a share",
	} {
		c := DefaultConfig()
		err := config.Read(strings.NewReader(text), "agent.yaml", &c)
		if err == nil || !strings.HasPrefix(err.Error(), "agent.yaml") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v\nwant … %s …", text, err, want)
		}
	}
}

func TestLoadConfigNeedsAFile(t *testing.T) {
	if _, err := LoadConfig(""); err == nil {
		t.Error("no file was fine")
	}
	if _, err := LoadConfig(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("a file that is not there was fine")
	}
}

func TestRulesFollowTheSampling(t *testing.T) {
	c := DefaultConfig()
	if s := c.Rules().Silence; s.Seconds() != 5 {
		t.Errorf("silence %v at 1 s", s)
	}
	c.Intervals.Sample = config.Duration(10e9)
	if s := c.Rules().Silence; s.Seconds() != 30 {
		t.Errorf("silence %v at 10 s", s)
	}
}
