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
	"time"

	"github.com/goccy/go-yaml"

	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/dashboards"
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

// TestExportPrometheusOldest adds up lines that differ in their peak alone: the name is as old as the oldest of them.
func TestExportPrometheusOldest(t *testing.T) {
	doc := &client.Pools{Pools: make([]client.Pool, 3)}
	doc.Pools[0].Age, doc.Pools[1].Age = &client.Age{Max: 40}, &client.Age{Max: 3}
	text, err := poolMetrics(doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `vendor=""} 40`) {
		t.Errorf("in\n%s", text)
	}
}

// TestExportPrometheusRules prints the rules of dashboards/, which are tested there, with the age that was asked for.
func TestExportPrometheusRules(t *testing.T) {
	out, said, status := exameter(t, "export", "prometheus-rules", "--fresh", "90s")
	if status != 0 {
		t.Fatal(said)
	}
	if !strings.HasSuffix(out, dashboards.Rules(90*time.Second)) || !strings.Contains(out, "expr: vector(90)\n") || strings.Contains(out, "vector(60)") {
		t.Errorf("the rules are not those of dashboards/ for 90 s:\n%.600s", out)
	}
	dir := t.TempDir()
	file(t, dir, "rules.yml", out)
	if text, err := promtool(t, dir, "", "check", "rules", "rules.yml"); err != nil || !strings.Contains(text, "SUCCESS: ") {
		t.Errorf("promtool: %v\n%s", err, text)
	}
}

// TestExportGrafana writes the dashboards of a language, and what provisions them.
func TestExportGrafana(t *testing.T) {
	for language, title := range map[string]string{"en": "Exameter: Province", "zh": "Exameter: 全省算力"} {
		dir := t.TempDir()
		if _, said, status := exameter(t, "export", "grafana", "--lang", language, dir); status != 0 {
			t.Fatal(said)
		}
		text, err := os.ReadFile(filepath.Join(dir, "dashboards", "province.json"))
		if err != nil || !strings.Contains(string(text), title) {
			t.Errorf("%s: %v\n%.300s", language, err, text)
		}
		for _, name := range []string{"datasources", "dashboards"} {
			text, err := os.ReadFile(filepath.Join(dir, "provisioning", name, "exameter.yaml"))
			if err != nil || !strings.Contains(string(text), "apiVersion: 1\n") {
				t.Errorf("%s: %v\n%s", name, err, text)
			}
		}
	}
	if _, _, status := exameter(t, "export", "grafana", "--lang", "fr", t.TempDir()); status != 2 {
		t.Errorf("a language that is not there gives status %d", status)
	}
	if _, said, status := exameter(t, "export", "grafana", file(t, t.TempDir(), "taken", "")); status != 1 || !strings.Contains(said, "taken") {
		t.Errorf("a folder that cannot be made gives status %d: %s", status, said)
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
