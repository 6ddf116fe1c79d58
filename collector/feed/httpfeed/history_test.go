package httpfeed

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/history"
)

func withPast(past *history.History) http.Handler {
	s := province()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests", Help: "by path and code"}, []string{"path", "code"})
	return Handler(Source{
		Snapshot: func() *capacity.Snapshot { return s }, Ready: func() (bool, string) { return true, "" },
		Metrics: prometheus.NewRegistry(), Requests: requests, Past: past,
	})
}

// somePast has a point that something is known of, and one that nothing is.
func somePast() *history.History {
	h := history.New()
	half := 0.5
	h.Put(history.Province, 0, history.PointOf(province().AsOf.Add(-time.Minute), 40, &capacity.Figure{Utilisation: &half, Coverage: &half}), false)
	h.Put(history.Province, 0, history.PointOf(province().AsOf.Add(-time.Second), 41, &capacity.Figure{}), false)
	return h
}

// TestHistory answers points of the time asked for, with the head of the figures it has now.
func TestHistory(t *testing.T) {
	past := history.New()
	now := province().AsOf
	for i := range 30 {
		at := now.Add(time.Duration(i-30) * 10 * time.Second)
		past.Put(history.Province, 0, history.PointOf(at, int64(i), &capacity.Figure{Devices: capacity.Devices{Free: int64(i)}}), false)
	}
	h := withPast(past)
	for _, tc := range []struct {
		query       string
		points      int
		first, last int64
	}{
		{"?step=10s", 30, 0, 29},
		{"", 5, 5, 29},
		{"?step=10s&from=2026-11-23T07:59:00Z", 6, 24, 29},
		{"?step=10s&from=2026-11-23T07:59:00Z&to=2026-11-23T15:59:20%2B08:00", 2, 24, 25},
		{"?scope=centre/guian", 0, 0, 0},
		{"?from=1999-01-01T00:00:00Z&to=1999-01-02T00:00:00Z", 0, 0, 0},
	} {
		w := get(h, http.MethodGet, "/v1/history"+tc.query)
		var got History
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || w.Header().Get("ETag") == "" {
			t.Fatal(w.Code, w.Body, err)
		}
		if got.Points == nil || len(got.Points) != tc.points || got.Revision != 41 || got.Catalogue != "2026.11" || got.Kind != "accelerator" {
			t.Errorf("%q: %s", tc.query, w.Body)
			continue
		}
		if n := len(got.Points); n > 0 && (got.Points[0].Devices.Free != tc.first || got.Points[n-1].Devices.Free != tc.last) {
			t.Errorf("%q: %s", tc.query, w.Body)
		}
	}
}

// TestHistoryCSV has a row a point. What was not known at the time is empty.
func TestHistoryCSV(t *testing.T) {
	w := get(withPast(somePast()), http.MethodGet, "/v1/history?step=10s&format=csv")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/csv; charset=utf-8; header=present" || w.Header().Get("ETag") != `W/"41"` {
		t.Errorf("%d, headers %v", w.Code, w.Header())
	}
	golden(t, "history.csv", w.Body.Bytes())
}

// TestHistoryProblems names the parameter that is wrong.
func TestHistoryProblems(t *testing.T) {
	h := withPast(history.New())
	for query, parameter := range map[string]string{
		"?scope=pool/a": "scope", "?scope=centre/A": "scope", "?scope=": "scope", "?scope=" + strings.Repeat("x", 8000): "scope", "?scope=" + strings.Repeat("x", 9000): "query",
		"?step=1s": "step", "?step=15s": "step", "?step=-1m": "step", "?step=48h": "step", "?step=": "step", "?step=9e9h": "step", "?step=1m&step=1m": "step",
		"?from=yesterday": "from", "?from=2026-11-23": "from", "?to=12026-11-23T00:00:00Z": "to", "?from=2026-11-24T00:00:00Z&to=2026-11-23T00:00:00Z": "from",
		"?format=xml": "format", "?format=csv&format=csv": "format", "?%zz": "query",
	} {
		w := get(h, http.MethodGet, "/v1/history"+query)
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusBadRequest || p.Parameter != parameter || len(p.Detail) > 300 {
			t.Errorf("%.40s: %d %+v %v", query, w.Code, p, err)
		}
	}
}
