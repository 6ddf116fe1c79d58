package dashboards

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/exameter/exameter/dashboards"
)

// panel is as much of a panel as it takes to ask what it asks.
type panel struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Targets []struct {
		Expr    string `json:"expr"`
		Instant bool   `json:"instant"`
	} `json:"targets"`
}

// board is as much of a dashboard.
type board struct {
	UID        string `json:"uid"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query any    `json:"query"`
		} `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

// boardsOf reads the dashboards of a language.
func boardsOf(t *testing.T, language string) (out []board) {
	t.Helper()
	files, _, err := dashboards.Grafana(language)
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(files, "*.json")
	if err != nil || len(names) != 5 {
		t.Fatalf("%d dashboards, %v", len(names), err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		var b board
		if err := json.Unmarshal(text, &b); err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

var errNothing = errors.New("nothing is found")

// TestQueries runs every query of every panel, variable and alert against a real Prometheus, which scrapes two collectors of a simulated
// province: none fails, and none finds nothing. Then the collectors end, and nothing is shown of what was.
func TestQueries(t *testing.T) {
	w := newWorld(t)
	eventually(t, "the province is read", func() error {
		found, err := w.now(`exameter:hosts{state="rated"} and on () (sum(exameter:hosts{state="rated"}) == ` + strconv.Itoa(hosts+1) + `)`)
		if err == nil && len(found) != len(plan().Centres) {
			err = fmt.Errorf("%d centres are complete", len(found))
		}
		return err
	})
	t.Run("panels", w.panels)
	t.Run("variables", w.variables)
	t.Run("rules", w.rules)
	t.Run("figures", w.figures)
	w.halt()
	t.Run("silence", w.silence)
}

// substituted is a query as Grafana sends it, everything being chosen.
func substituted(expr string) string {
	for _, name := range []string{"centre", "kind", "vendor", "model"} {
		expr = strings.ReplaceAll(expr, `"$`+name+`"`, `".*"`)
	}
	return strings.ReplaceAll(expr, "$__rate_interval", "10s")
}

// panels asks what all panels ask. Both languages ask the same, which the generator's test says.
func (w *world) panels(t *testing.T) {
	asked := 0
	for _, b := range boardsOf(t, "en") {
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				asked++
				eventually(t, b.UID+": "+p.Title+": "+q.Expr, func() error {
					ask := w.lately
					if q.Instant {
						ask = w.now
					}
					found, err := ask(substituted(q.Expr))
					if err == nil && len(found) == 0 {
						err = errNothing
					}
					return err
				})
				if strings.Contains(substituted(q.Expr), "$") {
					t.Errorf("%s: %s: a variable is left in %s", b.UID, p.Title, q.Expr)
				}
			}
		}
	}
	if asked < 120 {
		t.Errorf("only %d queries were asked", asked)
	}
}

// variables asks for the values that may be chosen.
func (w *world) variables(t *testing.T) {
	values := regexp.MustCompile(`^label_values\((\S+), (\S+)\)$`)
	asked := 0
	for _, b := range boardsOf(t, "en") {
		for _, v := range b.Templating.List {
			if v.Type == "datasource" {
				continue
			}
			query, _ := v.Query.(map[string]any)["query"].(string)
			m := values.FindStringSubmatch(query)
			if m == nil {
				t.Errorf("%s: variable %s asks %v", b.UID, v.Name, v.Query)
				continue
			}
			var found []string
			if err := w.ask("/api/v1/label/"+m[2]+"/values", url.Values{"match[]": {m[1]}}, &found); err != nil || len(found) < 2 {
				t.Errorf("%s: variable %s has the values %v, %v", b.UID, v.Name, found, err)
			}
			asked++
		}
	}
	if asked != 6 {
		t.Errorf("%d variables were asked for", asked)
	}
}

// quiet are selectors of alerts that rightly find nothing here.
var quiet = map[string]string{
	"exameter_topic_producer_time":            "only a topic that was set up wrongly has it",
	"exameter_export_as_of_timestamp_seconds": "only an export for node_exporter has it",
}

// rules evaluates every recording rule and alert, and looks for what they ask for.
func (w *world) rules(t *testing.T) {
	var file struct {
		Groups []struct {
			Rules []struct{ Record, Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(dashboards.Rules(time.Minute)), &file); err != nil {
		t.Fatal(err)
	}
	selector := regexp.MustCompile(`\b(exameter[_:][a-z_]+|up)\b(\{[^}]*\})?`)
	alerts, records := 0, 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				records++
				eventually(t, r.Record, func() error {
					found, err := w.now(r.Record)
					if err == nil && len(found) == 0 {
						err = errNothing
					}
					return err
				})
				continue
			}
			alerts++
			if _, err := w.now(r.Expr); err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
			for _, s := range selector.FindAllString(r.Expr, -1) {
				found, err := w.now(s)
				if why := quiet[s]; err != nil || (len(found) > 0) == (why != "") {
					t.Errorf("%s: %s finds %d series, %v (%s)", r.Alert, s, len(found), err, why)
				}
			}
		}
	}
	if alerts < 20 || records < 30 {
		t.Errorf("%d alerts and %d recording rules were evaluated", alerts, records)
	}
	// Rules that fail are counted by Prometheus itself.
	var state struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	if err := w.ask("/api/v1/rules", url.Values{}, &state); err != nil {
		t.Fatal(err)
	}
	for _, g := range state.Groups {
		for _, r := range g.Rules {
			if r.Health == "err" {
				t.Errorf("%s: %s", r.Name, r.LastError)
			}
		}
	}
}

// figures holds what is recorded against what a collector answers, however many collectors there are.
func (w *world) figures(t *testing.T) {
	resp, err := http.Get(w.collectors[1] + "/v1/capacity?kind=all")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Total struct {
			Eflops struct{ Rated float64 }
			Origin struct{ Eflops struct{ Domestic float64 } }
		}
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	is := func(query string, want float64) {
		t.Helper()
		found, err := w.now(query)
		if err != nil || len(found) != 1 {
			t.Errorf("%s finds %v, %v", query, found, err)
			return
		}
		got, err := strconv.ParseFloat(fmt.Sprint(found[0].Value[1]), 64)
		if diff := got - want; err != nil || diff > 1e-6 || diff < -1e-6 {
			t.Errorf("%s is %v, want %v", query, found[0].Value[1], want)
		}
	}
	is(`sum(exameter:flops{state="rated"}) / 1e18`, doc.Total.Eflops.Rated)
	is(`sum(exameter:centre_flops{state="rated"}) / 1e18`, doc.Total.Eflops.Rated)
	is(`sum(exameter:pool_flops{state="rated"}) / 1e18`, doc.Total.Eflops.Rated)
	is(`sum(exameter:origin_flops{origin="domestic"}) / 1e18`, doc.Total.Origin.Eflops.Domestic)
	is(`exameter:target_flops{centre=""} / 1e18`, 260)
	is(`count(exameter:reader)`, 1)
	is(`count(exameter_ready)`, 2)
}

// silence asks again once no collector answers: what is not known is not shown, neither as zero nor as it was.
func (w *world) silence(t *testing.T) {
	for _, b := range boardsOf(t, "en") {
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				if !q.Instant {
					continue
				}
				eventually(t, b.UID+": "+p.Title+": "+q.Expr, func() error {
					found, err := w.now(substituted(q.Expr))
					// What happened within the last hour did happen.
					if err == nil && len(found) > 0 && !strings.Contains(q.Expr, "[1h]") {
						err = fmt.Errorf("it shows %v", found[0])
					}
					return err
				})
			}
		}
	}
	eventually(t, "an alert says that there are no figures", func() error {
		found, err := w.now(`ALERTS{alertname="ExameterNoFigures"}`)
		if err == nil && len(found) != 1 {
			err = fmt.Errorf("%d alerts", len(found))
		}
		return err
	})
}
