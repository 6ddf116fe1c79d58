package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/goccy/go-yaml"

	"github.com/exameter/exameter/test/stub"
)

// promtool runs Prometheus' own tool in a folder.
func promtool(t *testing.T, dir, stdin string, args ...string) (out string, err error) {
	t.Helper()
	path, lookErr := exec.LookPath("promtool")
	if lookErr != nil {
		path, lookErr = filepath.Abs("../../.cache/prometheus/usr/bin/promtool")
		if lookErr != nil {
			t.Fatal(lookErr)
		}
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("no promtool on PATH nor in .cache: run `make promtool` first")
		}
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	b, err := cmd.CombinedOutput()
	return string(b), err
}

func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestExportPrometheus has Prometheus' own parser read the metrics, and looks figures up in them.
func TestExportPrometheus(t *testing.T) {
	c := stub.Start(t)
	out, said, status := exameter(t, "export", "prometheus", "--collector", c.URL, "--gang", "8,4,8")
	if status != 0 {
		t.Fatal(said)
	}
	if text, err := promtool(t, ".", out, "check", "metrics"); err != nil || text != "" {
		t.Errorf("promtool: %v\n%s", err, text)
	}
	const pool = `centre="guian-north",class="intelligent",cluster="train",domestic="yes",kind="accelerator",model="huawei-ascend-910b2"`
	for _, want := range []string{
		"exameter_pool_free_gangs{" + pool + `,size="8",vendor="huawei"} 61`,
		"exameter_pool_free_gangs{" + pool + `,size="4",vendor="huawei"} 127`,
		"exameter_pool_devices{" + pool + `,state="free",vendor="huawei"} 508`,
		"exameter_pool_flops{" + pool + `,state="free",vendor="huawei"} 1.91008e+17`,
		"exameter_pool_report_age_seconds{" + pool + `,vendor="huawei"} 10`,
		"exameter_export_revision 812345",
	} {
		if !strings.Contains(out, want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	// What has no price has no flops, which is not zero flops.
	for line := range strings.SplitSeq(out, "\n") {
		if strings.HasPrefix(line, "exameter_pool_flops{") && strings.Contains(line, "newcomer") {
			t.Errorf("a pool without a price is worth something: %s", line)
		}
	}
}

// rulesTest has Prometheus' own engine evaluate the rules over metrics that go quiet: samples are a minute apart, and the export
// stands still after the third.
const rulesTest = `
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'exameter_export_as_of_timestamp_seconds', values: '0 60 120 120 120 120 120'}
      - {series: 'exameter_pool_free_gangs{centre="a",cluster="x",kind="accelerator",vendor="v",model="m",class="intelligent",domestic="yes",size="8"}', values: '3 5 7 7 7 7 7'}
      - {series: 'exameter_pool_free_gangs{centre="b",cluster="x",kind="accelerator",vendor="v",model="m",class="intelligent",domestic="yes",size="8"}', values: '1x6'}
      - {series: 'exameter_pool_devices{centre="a",cluster="x",kind="accelerator",vendor="v",model="m",class="intelligent",domestic="yes",state="free"}', values: '61x6'}
      - {series: 'exameter_pool_devices{centre="a",cluster="x",kind="accelerator",vendor="v",model="m",class="intelligent",domestic="yes",state="busy"}', values: '9x6'}
      - {series: 'exameter_pool_flops{centre="a",cluster="x",kind="accelerator",vendor="v",model="m",class="intelligent",domestic="yes",state="free"}', values: '2e15x6'}
      - {series: 'exameter_pool_flops{centre="a",cluster="x",kind="accelerator",vendor="v",model="n",class="intelligent",domestic="yes",state="free"}', values: '1e15x6'}
      - {series: 'exameter_coverage_ratio{centre="a"}', values: '0.9x6'}
      - {series: 'exameter_coverage_ratio{centre="b"}', values: '1x6'}
    promql_expr_test:
      - expr: exameter:free_gangs
        eval_time: 2m
        exp_samples:
          - {labels: 'exameter:free_gangs{centre="a",cluster="x",vendor="v",model="m",domestic="yes",size="8"}', value: 7}
          - {labels: 'exameter:free_gangs{centre="b",cluster="x",vendor="v",model="m",domestic="yes",size="8"}', value: 1}
      - expr: exameter:free_devices
        eval_time: 2m
        exp_samples: [{labels: 'exameter:free_devices{centre="a",cluster="x",vendor="v",model="m",domestic="yes"}', value: 61}]
      - expr: exameter:free_flops
        eval_time: 2m
        exp_samples: [{labels: 'exameter:free_flops{centre="a",class="intelligent"}', value: 3e15}]
      # Silence is never idle: nothing is free any more once nobody has said so for a minute.
      - {expr: exameter:free_gangs, eval_time: 4m, exp_samples: []}
      - {expr: exameter:free_devices, eval_time: 4m, exp_samples: []}
      - {expr: exameter:free_flops, eval_time: 4m, exp_samples: []}
      - {expr: exameter:export_age_seconds, eval_time: 4m, exp_samples: [{labels: 'exameter:export_age_seconds', value: 120}]}
    alert_rule_test:
      - {alertname: ExameterExportStale, eval_time: 2m, exp_alerts: []}
      - alertname: ExameterExportStale
        eval_time: 5m
        exp_alerts: [{exp_labels: {severity: warning}, exp_annotations: {summary: 'Exported capacity is 3m 0s old, and no longer shown as free.'}}]
      - alertname: ExameterCentreSilent
        eval_time: 3m
        exp_alerts: [{exp_labels: {severity: warning, centre: a}, exp_annotations: {summary: 'Only 90% of the hosts of a report; the others'' capacity is not online.'}}]
`

func TestExportPrometheusRules(t *testing.T) {
	out, said, status := exameter(t, "export", "prometheus-rules", "--fresh", "60s")
	if status != 0 {
		t.Fatal(said)
	}
	dir := t.TempDir()
	file(t, dir, "rules.yml", out)
	file(t, dir, "test.yml", rulesTest)
	if text, err := promtool(t, dir, "", "check", "rules", "rules.yml"); err != nil || !strings.Contains(text, "SUCCESS: 10 rules found") {
		t.Errorf("promtool: %v\n%s", err, text)
	}
	if text, err := promtool(t, dir, "", "test", "rules", "test.yml"); err != nil {
		t.Errorf("promtool: %v\n%s", err, text)
	}
	// The check can fail.
	file(t, dir, "rules.yml", strings.Replace(out, "<= 60", "<= 600", 1))
	if text, err := promtool(t, dir, "", "test", "rules", "test.yml"); err == nil {
		t.Errorf("figures of ten minutes pass for fresh:\n%s", text)
	}
}

// TestRulesNameWhatIsThere holds the metrics that rules ask for against those that there are.
func TestRulesNameWhatIsThere(t *testing.T) {
	c := stub.Start(t)
	exported, _, _ := exameter(t, "export", "prometheus", "--collector", c.URL)
	documented, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	for word := range strings.FieldsFuncSeq(prometheusRules, func(r rune) bool {
		return r != '_' && r != ':' && (r < 'a' || r > 'z')
	}) {
		if !strings.HasPrefix(word, "exameter_") {
			continue
		}
		names++
		if !strings.Contains(exported, "# TYPE "+word+" ") && !strings.Contains(string(documented), "`"+word+"`") {
			t.Errorf("rules ask for %s, which nobody gives", word)
		}
	}
	if names < 8 {
		t.Errorf("%d names were found", names)
	}
}

// TestExportAdapter reads the configuration strictly, with the names of keys that prometheus-adapter has, and has promtool parse each query as
// the adapter would send it.
func TestExportAdapter(t *testing.T) {
	out, said, status := exameter(t, "export", "prometheus-adapter")
	if status != 0 {
		t.Fatal(said)
	}
	var cfg struct {
		ExternalRules []struct {
			SeriesQuery string `yaml:"seriesQuery"`
			Resources   struct {
				Namespaced *bool `yaml:"namespaced"`
			} `yaml:"resources"`
			Name struct {
				Matches string `yaml:"matches"`
				As      string `yaml:"as"`
			} `yaml:"name"`
			MetricsQuery string `yaml:"metricsQuery"`
		} `yaml:"externalRules"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(out), &cfg, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	rules, _, _ := exameter(t, "export", "prometheus-rules")
	text := "groups:\n- name: adapter\n  rules:\n"
	for i, r := range cfg.ExternalRules {
		if !strings.Contains(rules, "record: "+r.SeriesQuery+"\n") || r.Resources.Namespaced == nil || *r.Resources.Namespaced {
			t.Errorf("%+v asks for what no rule records, or for a namespace", r)
		}
		var query bytes.Buffer
		q, err := template.New("").Delims("<<", ">>").Parse(r.MetricsQuery)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Execute(&query, map[string]string{"Series": r.SeriesQuery, "LabelMatchers": `size="8"`}); err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("  - record: x:%d\n    expr: %s\n", i, query.String())
	}
	dir := t.TempDir()
	file(t, dir, "adapter.yml", text)
	if said, err := promtool(t, dir, "", "check", "rules", "adapter.yml"); err != nil || len(cfg.ExternalRules) != 3 {
		t.Errorf("%d rules, %v\n%s\n%s", len(cfg.ExternalRules), err, said, text)
	}
}
