package dashboards

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/exameter/exameter/dashboards"
	"github.com/exameter/exameter/test/process"
)

// program finds Prometheus' programs, on PATH or where make puts them.
func program(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path, err := filepath.Abs("../../.cache/prometheus/usr/bin/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no %s on PATH nor in .cache: run `make promtool` first", name)
	}
	return path
}

// well are the metrics of a collector and a centre that are well, an hour and more of minutes.
var well = map[string]string{
	`up{job="exameter",instance="a"}`:                                                                 "1x120",
	`exameter_build_info{job="exameter",instance="a",version="1"}`:                                    "1x120",
	`exameter_ready{job="exameter",instance="a"}`:                                                     "1x120",
	`exameter_revision{job="exameter",instance="a"}`:                                                  "1+1x120",
	`exameter_as_of_timestamp_seconds{job="exameter",instance="a"}`:                                   "0+60x120",
	`exameter_parts{job="exameter",instance="a",state="behind"}`:                                      "0x120",
	`exameter_self_checks_total{job="exameter",instance="a",result="different"}`:                      "0x120",
	`exameter_hosts{job="exameter",instance="a",centre="x",state="rated"}`:                            "10x120",
	`exameter_hosts{job="exameter",instance="a",centre="x",state="online"}`:                           "10x120",
	`exameter_coverage_ratio{job="exameter",instance="a",centre="x"}`:                                 "1x120",
	`exameter_devices{job="exameter",instance="a",centre="x",class="intelligent",state="online"}`:     "80x120",
	`exameter_devices{job="exameter",instance="a",centre="x",class="intelligent",state="faulty"}`:     "1x120",
	`exameter_agent_xid_errors_total{job="exameter",instance="a",centre="x"}`:                         "7x120",
	`exameter_agent_dropped_records_total{job="exameter",instance="a",centre="x"}`:                    "7x120",
	`exameter_hosts_source_failing{job="exameter",instance="a",centre="x"}`:                           "0x120",
	`exameter_hosts_skewed{job="exameter",instance="a",centre="x"}`:                                   "0x120",
	`exameter_hosts_unsettled{job="exameter",instance="a"}`:                                           "0x120",
	`exameter_partition_lag_records{job="exameter",instance="a",topic="t",partition="0"}`:             "9x120",
	`exameter_partitions_failing{job="exameter",instance="a"}`:                                        "0x120",
	`exameter_records_total{job="exameter",instance="a",kind="telemetry",result="rejected"}`:          "7x120",
	`exameter_records_total{job="exameter",instance="a",kind="telemetry",result="returned"}`:          "7x120",
	`exameter_peer_questions_total{job="exameter",instance="a",result="silent"}`:                      "7x120",
	`exameter_feed_writer{job="exameter",instance="a"}`:                                               "1x120",
	`exameter_write_figures_total{job="exameter",instance="a",result="dropped"}`:                      "7x120",
	`exameter_export_as_of_timestamp_seconds{job="node",instance="n"}`:                                "0+60x120",
	`exameter_pool_free_gangs{job="exameter",instance="a",centre="x",cluster="c",size="8"}`:           "5x120",
	`exameter_pool_free_gangs{job="node",instance="n",centre="x",cluster="c",size="8"}`:               "4x120",
	`exameter_pool_devices{job="exameter",instance="a",centre="x",cluster="c",state="free"}`:          "61x120",
	`exameter_pool_flops{job="exameter",instance="a",centre="x",class="intelligent",state="free"}`:    "2e15x120",
	`exameter_capacity_flops{job="exameter",instance="a",class="intelligent",state="free"}`:           "2e15x120",
	`exameter_target_flops{job="exameter",instance="a"}`:                                              "2.6e20x120",
	`exameter_topic_producer_time{job="exameter",instance="a",topic="t"}`:                             "0x120",
	`exameter_model_devices_unpriced{job="exameter",instance="a",vendor="v",model="m",class="super"}`: "0x120",
}

// ill is how an alert comes about: what is otherwise than well, for how many minutes it is not told yet, and what is told then.
type ill struct {
	series  map[string]string // by the beginning of their names; empty values are not there
	quiet   string            // not yet
	fires   string            // by then
	labels  map[string]string
	summary string
}

var ills = map[string]ill{
	"ExameterNoFigures": {
		map[string]string{"exameter_ready{": "0x120"}, "0m", "2m", map[string]string{"severity": "critical"}, "No collector tells fresh figures.",
	},
	"ExameterCollectorDown": {
		map[string]string{"up{": "1x10 0x110", "exameter_build_info{": "1x10 stale"},
		"11m", "13m",
		map[string]string{"severity": "warning", "job": "exameter", "instance": "a"},
		"The collector a cannot be scraped.",
	},
	"ExameterCollectorStandsStill": {
		map[string]string{"exameter_as_of_timestamp_seconds{": "0+60x10 600x110"},
		"11m", "13m",
		map[string]string{"severity": "critical", "job": "exameter", "instance": "a"},
		"The figures of a have been standing still for 3m 0s.",
	},
	"ExameterCollectorNotReady": {
		map[string]string{"exameter_ready{": "0x120"},
		"4m", "6m",
		map[string]string{"severity": "critical", "job": "exameter", "instance": "a"},
		"a cannot sum up every part; /readyz says which.",
	},
	"ExameterPartsBehind": {
		map[string]string{"exameter_parts{": "0x10 3x110"}, "11m", "13m", map[string]string{"severity": "warning"}, "Nobody publishes 3 parts.",
	},
	"ExameterRecountDiffers": {
		map[string]string{"exameter_self_checks_total{": "0x10 1x110"},
		"10m", "12m",
		map[string]string{"severity": "critical", "job": "exameter", "instance": "a", "result": "different"},
		"A recount of a gave other figures; this is a defect of Exameter.",
	},
	"ExameterCentreSilent": {
		map[string]string{`exameter_hosts{job="exameter",instance="a",centre="x",state="online"}`: "10x10 0x110"},
		"11m", "13m",
		map[string]string{"severity": "critical", "centre": "x", "state": "online"},
		"No host of x reports.",
	},
	"ExameterCoverageLow": {
		map[string]string{"exameter_coverage_ratio{": "1x10 0.9x110"}, "14m", "18m", map[string]string{"severity": "warning", "centre": "x"}, "Only 90% of the hosts of x report.",
	},
	"ExameterFaultRateHigh": {
		map[string]string{`exameter_devices{job="exameter",instance="a",centre="x",class="intelligent",state="faulty"}`: "1x10 8x110"},
		"24m", "27m",
		map[string]string{"severity": "warning", "centre": "x"},
		"10% of the online devices of x are faulty.",
	},
	"ExameterXIDErrors": {
		map[string]string{"exameter_agent_xid_errors_total{": "0x61 60x59"}, "60m", "90m", map[string]string{"severity": "warning", "centre": "x"}, "Drivers of x told 60 XID errors within an hour.",
	},
	"ExameterSourcesFailing": {
		map[string]string{"exameter_hosts_source_failing{": "0x10 4x110"}, "39m", "42m", map[string]string{"severity": "info", "centre": "x"}, "On 4 hosts of x something cannot be read.",
	},
	"ExameterAgentsDropping": {
		map[string]string{"exameter_agent_dropped_records_total{": "0x20 150x100"}, "20m", "25m", map[string]string{"severity": "warning", "centre": "x"}, "Agents of x dropped 150 records.",
	},
	"ExameterClocksWrong": {
		map[string]string{"exameter_hosts_skewed{": "0x10 2x110"}, "24m", "27m", map[string]string{"severity": "warning", "centre": "x"}, "The clocks of 2 hosts of x are more than a minute wrong.",
	},
	"ExameterModelUnpriced": {
		map[string]string{"exameter_model_devices_unpriced{": "0x10 16x110"},
		"69m", "72m",
		map[string]string{"severity": "info", "vendor": "v", "model": "m", "class": "super"},
		`16 devices of v "m" have no peak in the catalogue.`,
	},
	"ExameterConsumerLag": {
		map[string]string{"exameter_partition_lag_records{": "0x10 10001x110"}, "14m", "17m", map[string]string{"severity": "warning", "topic": "t"}, "10001 records of t wait to be read.",
	},
	"ExameterPartitionsFailing": {
		map[string]string{"exameter_partitions_failing{": "0x10 2x110"},
		"14m", "17m",
		map[string]string{"severity": "warning", "job": "exameter", "instance": "a"},
		"a cannot read 2 partitions.",
	},
	"ExameterTopicProducerTime": {
		map[string]string{"exameter_topic_producer_time{": "1x120"}, "9m", "11m", map[string]string{"severity": "warning", "topic": "t"}, "t does not use LogAppendTime.",
	},
	"ExameterQuarantineGrowing": {
		map[string]string{`exameter_records_total{job="exameter",instance="a",kind="telemetry",result="rejected"}`: "0+1x120"},
		"9m", "13m",
		map[string]string{"severity": "warning"},
		"Records come that cannot be read.",
	},
	"ExameterHostsCloned": {
		map[string]string{`exameter_records_total{job="exameter",instance="a",kind="telemetry",result="returned"}`: "0x30 0+2x90"},
		"31m", "60m",
		map[string]string{"severity": "warning"},
		"Hosts share a machine id, and count as one.",
	},
	"ExameterHostsUnsettled": {
		map[string]string{"exameter_hosts_unsettled{": "0x10 3x110"}, "14m", "17m", map[string]string{"severity": "warning"}, "3 hosts have devices that count nowhere.",
	},
	"ExameterPeersSilent": {
		map[string]string{"exameter_peer_questions_total{": "0+1x120"}, "29m", "33m", map[string]string{"severity": "warning", "instance": "a"}, "a does not reach other collectors.",
	},
	"ExameterFeedWithoutWriter": {
		map[string]string{"exameter_feed_writer{": "1x10 0x110"}, "14m", "17m", map[string]string{"severity": "warning"}, "0 collectors write the capacity topic; one should.",
	},
	"ExameterWritesDropped": {
		map[string]string{"exameter_write_figures_total{": "0x20 5x100"}, "20m", "25m", map[string]string{"severity": "warning"}, "Figures were not written to the database.",
	},
	"ExameterExportStale": {
		map[string]string{"exameter_export_as_of_timestamp_seconds{": "0+60x10 600x110"},
		"11m", "14m",
		map[string]string{"severity": "warning"},
		"Exported capacity is 4m 0s old, and no longer shown as free.",
	},
}

// alert is one of the rules.
type alert struct {
	Alert       string            `yaml:"alert"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// alertsOf reads the alerts of rules.
func alertsOf(t *testing.T, rules string) map[string]alert {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal([]byte(rules), &file); err != nil {
		t.Fatal(err)
	}
	out := map[string]alert{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert != "" {
				out[r.Alert] = r
			}
		}
	}
	return out
}

type object = map[string]any

// trial is one of promtool's tests: what is otherwise than well, and what is expected then.
func trial(change map[string]string, expect object) object {
	series := maps.Clone(well)
	for begin, values := range change {
		for name := range series {
			if strings.HasPrefix(name, begin) {
				series[name] = values
			}
		}
	}
	var input []object
	for _, name := range slices.Sorted(maps.Keys(series)) {
		if series[name] != "" {
			input = append(input, object{"series": name, "values": series[name]})
		}
	}
	expect["interval"], expect["input_series"] = "1m", input
	return expect
}

// TestAlerts has Prometheus' own engine bring about every alert, and none where all is well.
func TestAlerts(t *testing.T) {
	rules := dashboards.Rules(time.Minute)
	alerts := alertsOf(t, rules)
	var tests, never []object
	for _, name := range slices.Sorted(maps.Keys(alerts)) {
		a, how := alerts[name], ills[name]
		if how.summary == "" {
			t.Errorf("nothing brings %s about", name)
			continue
		}
		annotations := object{"summary": how.summary, "description": a.Annotations["description"], "runbook_url": a.Annotations["runbook_url"]}
		tests = append(tests, trial(how.series, object{"alert_rule_test": []object{
			{"alertname": name, "eval_time": how.quiet, "exp_alerts": []object{}},
			{"alertname": name, "eval_time": how.fires, "exp_alerts": []object{{"exp_labels": how.labels, "exp_annotations": annotations}}},
		}}))
		for _, at := range []string{"5m", "100m"} {
			never = append(never, object{"alertname": name, "eval_time": at, "exp_alerts": []object{}})
		}
	}
	tests = append(tests, trial(nil, object{"alert_rule_test": never}))
	promtool(t, rules, tests)
}

// TestRecording has Prometheus' own engine record what several collectors tell, and nothing that is not fresh.
func TestRecording(t *testing.T) {
	two := map[string]string{
		`exameter_ready{job="exameter",instance="b"}`:                                           "1x120",
		`exameter_revision{job="exameter",instance="b"}`:                                        "0+1x120", // a revision behind a's
		`exameter_as_of_timestamp_seconds{job="exameter",instance="b"}`:                         "0+60x120",
		`exameter_capacity_flops{job="exameter",instance="b",class="intelligent",state="free"}`: "1e15x120",
	}
	maps.Copy(well, two)
	defer maps.DeleteFunc(well, func(name, _ string) bool { return two[name] != "" })
	at := func(expr, time string, samples ...object) object {
		return object{"expr": expr, "eval_time": time, "exp_samples": append([]object{}, samples...)}
	}
	is := func(labels string, value float64) object { return object{"labels": labels, "value": value} }
	free := `exameter:flops{class="intelligent",state="free"}`
	promtool(t, dashboards.Rules(time.Minute), []object{
		// Each collector tells of the whole province, so that one of them is read.
		trial(nil, object{"promql_expr_test": []object{
			at("exameter:reader", "30m", is(`exameter:reader{job="exameter",instance="a"}`, 31)),
			at("exameter:flops", "30m", is(free, 2e15)),
			at("exameter:free_gangs", "30m", is(`exameter:free_gangs{centre="x",cluster="c",size="8"}`, 5)),
			at("exameter:target_flops", "30m", is("exameter:target_flops", 2.6e20)),
			at("exameter:centre_faulty_ratio", "30m", is(`exameter:centre_faulty_ratio{centre="x"}`, 1.0/80)),
		}}),
		// One that stands still, or is not ready, is not read.
		trial(map[string]string{`exameter_as_of_timestamp_seconds{job="exameter",instance="a"}`: "0+60x10 600x110"}, object{"promql_expr_test": []object{
			at("exameter:flops", "10m", is(free, 2e15)), at("exameter:flops", "20m", is(free, 1e15)),
		}}),
		trial(map[string]string{`exameter_ready{job="exameter",instance="a"}`: "0x120"}, object{"promql_expr_test": []object{at("exameter:flops", "20m", is(free, 1e15))}}),
		// Where no collector is reached, an export stands in for its pools, and for nothing else.
		trial(map[string]string{"exameter_revision{": ""}, object{"promql_expr_test": []object{
			at("exameter:free_gangs", "30m", is(`exameter:free_gangs{centre="x",cluster="c",size="8"}`, 4)), at("exameter:flops", "30m"),
		}}),
		// Silence is never idle: where nobody tells anything afresh, nothing is there, and nothing is free.
		trial(map[string]string{"exameter_as_of_timestamp_seconds{": "0+60x10 600x110", "exameter_export_as_of_timestamp_seconds{": "0+60x10 600x110"}, object{"promql_expr_test": []object{
			at("exameter:flops", "12m"), at("exameter:free_gangs", "12m"), at("exameter:free_devices", "12m"), at("exameter:hosts", "12m"), at("exameter:target_flops", "12m"),
		}}),
	})
}

// promtool runs tests over rules.
func promtool(t *testing.T, rules string, tests []object) {
	t.Helper()
	text, err := yaml.Marshal(object{"rule_files": []string{"rules.yml"}, "evaluation_interval": "1m", "tests": tests})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"rules.yml": rules, "tests.yml": string(text)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := process.Command(t.Context(), program(t, "promtool"), "test", "rules", "tests.yml")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// TestRunbooks finds a section of docs/alerts.md for every alert, where the alert says, and none of an alert that is not there.
func TestRunbooks(t *testing.T) {
	text, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name, found := strings.CutPrefix(line, "### "); found {
			sections[strings.TrimSpace(name)] = true
		}
	}
	alerts := alertsOf(t, dashboards.Rules(time.Minute))
	for name, a := range alerts {
		if want := "https://github.com/exameter/exameter/blob/main/docs/alerts.md#" + strings.ToLower(name); a.Annotations["runbook_url"] != want || !sections[name] {
			t.Errorf("%s has no section in docs/alerts.md, or does not lead there: %s", name, a.Annotations["runbook_url"])
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" || !slices.Contains([]string{"info", "warning", "critical"}, a.Labels["severity"]) {
			t.Errorf("%s says too little: %+v", name, a)
		}
		delete(sections, name)
	}
	for name := range sections {
		t.Errorf("docs/alerts.md explains %s, which is not there", name)
	}
}
