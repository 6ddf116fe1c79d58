package agent

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/exameter/exameter/agent/device/exporter"

	"github.com/exameter/exameter/internal/config"
)

const example = "../packaging/config/agent.yaml"

// TestExampleShowsTheDefaults holds the example, which packages install, against the code: as it is, it is refused for the two
// values that have no default; with them it is valid, and every other value is the default.
func TestExampleShowsTheDefaults(t *testing.T) {
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, fill := range [][3]string{
		{"centre", "centre: \"\"\n", "centre: lab\n"},
		{"kafka.brokers", "  brokers: []\n", "  brokers: [\"k:9092\"]\n"},
	} {
		c := DefaultConfig()
		if err := config.Read(strings.NewReader(text), "agent.yaml", &c); err == nil || !strings.Contains(err.Error(), ": "+fill[0]+": ") {
			t.Errorf("without %s: error %v, want one that names it", fill[0], err)
		}
		text = strings.Replace(text, fill[1], fill[2], 1)
	}
	got := DefaultConfig()
	if err := config.Read(strings.NewReader(text), "agent.yaml", &got); err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.Centre, want.Kafka.Brokers = "lab", []string{"k:9092"}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
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

// TestExampleOfAnExporter takes the comment off the example's exporter, which must be valid and show every key.
func TestExampleOfAnExporter(t *testing.T) {
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(b), "  exporters: []\n")
	if !found {
		t.Fatal("the example has no exporters")
	}
	yaml := "centre: lab\nkafka: {brokers: [\"k:9092\"]}\nsources:\n  exporters:\n"
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "  # ") || strings.HasPrefix(line, "  # Directory") {
			break
		}
		yaml += strings.Replace(line, "# ", "", 1)
	}
	c := DefaultConfig()
	if err := config.Read(strings.NewReader(yaml), "example", &c); err != nil {
		t.Fatalf("%v in\n%s", err, yaml)
	}
	want := Exporter{
		URL: "http://127.0.0.1:8082/metrics", Timeout: config.Duration(exporter.DefaultTimeout),
		Interval: config.Duration(exporter.DefaultInterval), MaxAge: config.Duration(exporter.DefaultMaxAge),
	}
	if len(c.Sources.Exporters) != 1 || c.Sources.Exporters[0] != want {
		t.Errorf("the example shows %+v, the defaults are %+v", c.Sources.Exporters, want)
	}
	keys(reflect.TypeFor[Exporter](), func(key string, _ int) {
		if !strings.Contains(yaml, " "+key+": ") {
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
	const oneExporter = "sources:\n  exporters:\n    - url: http://127.0.0.1:9400/metrics\n"
	for text, want := range map[string]string{
		"":                                                                   "centre: is missing",
		"centre: Guian\n":                                                    ":1: centre: id \"Guian\"",
		"centre: lab\n":                                                      "kafka.brokers: name at least one broker",
		head + "cluster: \"\"\n":                                             ":4: cluster: id \"\"",
		head + "intervall: 1s\n":                                             ":4:1: unknown field \"intervall\"",
		head + "host:\n  id: \"a b\"\n":                                      ":5: host.id: \"a b\" is not a name",
		head + "intervals:\n  sample: 1\n":                                   ":5:11: \"1\" is not a length of time",
		head + "intervals:\n  sample: 50ms\n":                                ":5: intervals.sample: 50ms is not within 100ms and 1m0s",
		head + "intervals:\n  sample: 20s\n":                                 ":5: intervals.report: 10s is shorter than intervals.sample, 20s",
		head + "intervals:\n  report: 1h\n":                                  ":5: intervals.report: 1h0m0s is not within 1s and 5m0s",
		head + "intervals:\n  inventory: 5s\n":                               ":5: intervals.inventory: 5s is shorter than intervals.report, 10s",
		head + "intervals:\n  inventory: 30s\n":                              ":5: intervals.inventory: 30s is not within 1m0s and 24h0m0s",
		head + "state:\n  memory_floor: 512\n":                               ":5:17: \"512\" is not a size",
		head + "state:\n  utilisation_floor: 0%\n":                           ":5: state.utilisation_floor: is zero",
		head + "state:\n  utilisation_floor: 5\n":                            ":5:22: \"5\" is not a share",
		head + "state:\n  utilisation_hold: 2h\n":                            ":5: state.utilisation_hold: 2h0m0s is longer than 1h0m0s",
		head + "sources:\n  nvml:\n    enabled: maybe\n":                     ":6: sources.nvml.enabled: \"maybe\" is not one of auto, true, false",
		head + "sources:\n  nvml:\n    enabled: false\n    library: /x.so\n": ":7: sources.nvml.library: is given, and yet",
		head + "sources:\n  nvml:\n    library: x.so\n":                      ":6: sources.nvml.library: \"x.so\" is not an absolute path",
		head + "sources:\n  nvml:\n    vendor: NVIDIA\n":                     ":6: sources.nvml.vendor: id \"NVIDIA\"",

		head + "sources:\n  exporters:\n    - adress: x\n":                         ":6:7: unknown field \"adress\"",
		head + "sources:\n  exporters:\n    - url: 127.0.0.1:9400\n":               ":6: sources.exporters[0].url:",
		head + "sources:\n  exporters:\n    - url: ftp://127.0.0.1/metrics\n":      "is not an address such as",
		head + "sources:\n  exporters:\n    - url: http://gpu-2:9400/metrics\n":    ":6: sources.exporters[0].url: gpu-2 is not this host's loopback",
		head + "sources:\n  exporters:\n    - url: http://u:p@127.0.0.1/metrics\n": "is more than scheme, host, port",
		head + oneExporter + "      profile: none\n":                               ":7: sources.exporters[0].profile: there is no profile \"none\"; there are amd-",
		head + oneExporter + "      timeout: 1m\n":                                 ":7: sources.exporters[0].timeout: 1m0s is not within 50ms and 10s",
		head + oneExporter + "      interval: 2m\n":                                ":7: sources.exporters[0].interval:",
		head + oneExporter + "      max_age: 1ms\n":                                ":7: sources.exporters[0].max_age:",
		head + oneExporter + "      ca: /etc/ca.pem\n":                             ":7: sources.exporters[0].ca: wants an https",
		head + "sources:\n  exporters:\n    - url: http://127.0.0.1/a%0Ab\n":       ":6: sources.exporters[0].url: http://127.0.0.1/a%0Ab makes",
		head + oneExporter + "    - url: http://127.0.0.1:9400\n":                  ":7: sources.exporters[1].url: http://127.0.0.1:9400 stands twice",
		head + "sources:\n  profiles: /nowhere/profiles\n":                         ":5: sources.profiles: read the profiles:",
		head + "queue:\n  records: 1\n":                                            ":5: queue.records: 1 is fewer than 10",
		head + "spool:\n  bytes: 1KiB\n":                                           ":5: spool.bytes: is neither 0B, for none, nor within 1MiB and 64GiB",
		head + "spool:\n  age: 1s\n":                                               ":5: spool.age: 1s is not within 1m0s and 720h0m0s",
		head + "spool:\n  pace: 0\n":                                               ":5: spool.pace: 0 is not within 0.1 and 1000 records a second",
		head + "spool:\n  pace: .nan\n":                                            ":5: spool.pace: NaN is not within 0.1 and 1000 records a second",
		head + "queue:\n  bytes: 1KiB\n":                                           ":5: queue.bytes: is not within 1MiB and 1GiB",
		head + "paths:\n  state: var\n":                                            ":5: paths.state: \"var\" is not an absolute path",
		head + "log:\n  level: loud\n":                                             ":5: log.level: \"loud\" is not one of debug, info, warn, error",
		head + "log:\n  format: xml\n":                                             ":5: log.format: \"xml\" is not one of text, json",
		"centre: lab\nkafka:\n  brokers: [\"k:9092\"]\n  tls:\n    ca: /x\n":       ":5: kafka.tls.enabled: is false",
		"centre: lab\ncentre: lab\n":                                               ":2:1: mapping key \"centre\" already defined",
		"centre: lab\nkafka: {brokers: [k]}\nstate: {utilisation_floor: 200%}":     ":3:28: \"200%\" is not a share",
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
