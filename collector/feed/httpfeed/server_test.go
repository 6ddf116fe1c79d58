package httpfeed

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/feed/streamfeed"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/telemetry"
)

var update = flag.Bool("update", false, "write the golden files anew")

const centres = `
province:
  name: {zh: 贵州省, en: Guizhou}
  target: {date: 2027-12-31, eflops: 260}
centres:
  - id: guian
    name: {zh: 贵安, en: Gui'an}
    identifier: CN-52-001
    declared:
      - {date: 2026-06-30, eflops: 0.02, precision: fp16}
      - {date: 2026-11-23, eflops: 0.016, precision: fp16}
      - {date: 2026-11-24, eflops: 99}
    target: {date: 2027-06-30, eflops: 0.03}
    clusters: [{id: hpc, class: super, identifier: CN-52-001/hpc}]
  - id: later
    status: planned
`

// province is a small snapshot with something of everything.
func province() *capacity.Snapshot {
	h200 := catalog.Peaks{}.With(catalog.FP16, 989_500_000).With(catalog.FP64, 66_900_000)
	cell := func(c capacity.Cell, units int64) capacity.Cell {
		for s, n := range c.Devices {
			c.Units[s] = n * units
		}
		return c
	}
	gpus := cell(capacity.Cell{Devices: [5]int64{3, 2, 1, 2, 8}, SM: 5, KnownUnits: 5 * 10080, ActiveUnits: 2400 * 10080, PowerMW: 3_500_500, PowerDevices: 7}, 10080)
	unpriced := cell(capacity.Cell{Devices: [5]int64{0, 4, 0, 0, 0}}, 10080)
	cpus := cell(capacity.Cell{Devices: [5]int64{1, 0, 0, 0, 1}}, 64)
	cpus.Units[capacity.Busy], cpus.Units[capacity.Free] = 40, 24
	s := &capacity.Snapshot{
		Revision: 41, AsOf: time.Date(2026, 11, 23, 8, 0, 0, 250e6, time.UTC), Catalogue: "2026.11", Registry: "1f2e3d4c", StaleAfter: 30 * time.Second,
		Pools: []capacity.PoolCell{
			{Pool: capacity.Pool{Centre: "guian", Cluster: "default", Kind: telemetry.Accelerator, Vendor: "nvidia", Model: "nvidia-h200-sxm", Class: capacity.Intelligent, Basis: catalog.FP16, Peaks: h200, Domestic: telemetry.Known(false), Entry: "nvidia-h200-sxm", CentreIdentifier: "CN-52-001"}, Cell: gpus},
			{Pool: capacity.Pool{Centre: "guiyang", Cluster: "default", Kind: telemetry.Accelerator, Vendor: "newcomer", Model: "=Newcomer, X1", Class: capacity.Intelligent, Basis: catalog.FP16}, Cell: unpriced},
			{Pool: capacity.Pool{Centre: "guian", Cluster: "hpc", Kind: telemetry.CPU, Vendor: "hygon", Model: "hygon-c86-7285", Class: capacity.Super, Basis: catalog.FP64, Peaks: catalog.Peaks{}.With(catalog.FP64, 16_000), Domestic: telemetry.Known(true), Entry: "hygon-dhyana", Identifier: "CN-52-001/hpc", CentreIdentifier: "CN-52-001"}, Cell: cpus},
		},
		Shapes: []capacity.Shape{{Pools: []int{0}, Rated: 2, Online: 1}, {Pools: []int{1}, Rated: 1, Online: 1}, {Pools: []int{2}, Rated: 2, Online: 1}},
	}
	for i, age := range []int64{2_125, 9_800, 31} {
		s.Shapes[i].Ages.Observe(age, 30_000)
	}
	s.Odd = []capacity.Odd{{Centre: "guian", UninventoriedHosts: 1, UninventoriedDevices: 8, ContestedDevices: 2, ContendingHosts: 1, YieldedDevices: 1, UnsettledHosts: 3}, {Centre: "guiyang", UninventoriedDevices: 5}}
	s.Sort()
	return s
}

// handler answers from the snapshot; ready says whether it may.
func handler(t testing.TB, s *capacity.Snapshot, ready bool) http.Handler {
	t.Helper()
	return Handler(source(t, s, ready))
}

// source is that of handler, before anything is answered.
func source(t testing.TB, s *capacity.Snapshot, ready bool) Source {
	t.Helper()
	reg, err := registry.Read(strings.NewReader(centres), "registry.yaml")
	if err != nil {
		t.Fatal(err)
	}
	metrics := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests", Help: "by path and code"}, []string{"path", "code"})
	metrics.MustRegister(requests)
	return Source{
		Snapshot: func() *capacity.Snapshot { return s }, Registry: func() *registry.Registry { return reg },
		Ready: func() (bool, string) { return ready, "3 partitions are still being read" }, Metrics: metrics, Requests: requests, Stream: streamfeed.New(streamfeed.Options{}), Past: somePast(),
		Catalogue: catalog.Default,
	}
}

func get(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// golden compares with a file, after indenting JSON so that a change can be read.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if strings.HasSuffix(name, ".json") {
		var b bytes.Buffer
		if err := json.Indent(&b, got, "", "  "); err != nil {
			t.Fatalf("%s: %v in %s", name, err, got)
		}
		got = b.Bytes()
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestAnswers(t *testing.T) {
	h := handler(t, province(), true)
	for _, tc := range []struct{ target, file, kind string }{
		{"/v1/capacity", "total.json", "application/json"},
		{"/v1/capacity?by=centre", "centre.json", "application/json"},
		{"/v1/capacity?by=pool&kind=all", "pool.json", "application/json"},
		{"/v1/capacity?by=class,vendor&by=kind&kind=all&precision=fp64", "fp64.json", "application/json"},
		{"/v1/capacity?centre=guian&class=intelligent&vendor=nvidia&model=nvidia-h200-sxm&cluster=default", "filtered.json", "application/json"},
		{"/v1/capacity?by=domestic&kind=all&domestic=yes&domestic=unknown", "domestic.json", "application/json"},
		{"/v1/capacity?by=domestic&kind=all&format=csv", "domestic.csv", "text/csv; charset=utf-8; header=present"},
		{"/v1/capacity?centre=nowhere", "nowhere.json", "application/json"},
		{"/v1/capacity?by=centre,model&format=csv", "model.csv", "text/csv; charset=utf-8; header=present"},
		{"/v1/capacity?format=csv&kind=cpu", "total.csv", "text/csv; charset=utf-8; header=present"},
		{"/v1/centres", "centres.json", "application/json"},
		{"/v1/centres?kind=all&precision=fp64", "centres-fp64.json", "application/json"},
		{"/v1/explain?kind=all", "explain.json", "application/json"},
		{"/v1/explain?precision=fp8&centre=guian&cluster=default", "explain-fp8.json", "application/json"},
		{"/v1/explain?centre=nowhere", "explain-nowhere.json", "application/json"},
	} {
		w := get(h, "GET", tc.target)
		if w.Code != 200 || w.Header().Get("Content-Type") != tc.kind || strings.TrimPrefix(w.Header().Get("ETag"), "W/") != `"41"` {
			t.Errorf("%s: %d, headers %v", tc.target, w.Code, w.Header())
		}
		golden(t, tc.file, w.Body.Bytes())
	}
}

func TestProblems(t *testing.T) {
	h := handler(t, province(), true)
	for _, tc := range []struct {
		method, target, parameter, detail string
		code                              int
	}{
		{"GET", "/v1/capacity?colour=red", "colour", "is not a parameter: want by, centre, class", 400},
		{"GET", "/v1/capacity?by=colour", "by", `"colour" is not a dimension`, 400},
		{"GET", "/v1/capacity?by=", "by", `"" is not a dimension`, 400},
		{"GET", "/v1/capacity?precision=fp12", "precision", `"fp12" is not a precision`, 400},
		{"GET", "/v1/capacity?precision=fp16&precision=fp64", "precision", "is given 2 times", 400},
		{"GET", "/v1/capacity?kind=gpu", "kind", `"gpu" is not one of accelerator, cpu, all`, 400},
		{"GET", "/v1/capacity?class=fast", "class", `"fast" is not one of intelligent`, 400},
		{"GET", "/v1/capacity?domestic=maybe", "domestic", `"maybe" is not one of yes, no, unknown`, 400},
		{"GET", "/v1/capacity?centre=A%20B", "centre", "want letters", 400},
		{"GET", "/v1/capacity?cluster=", "cluster", "1 to 63", 400},
		{"GET", "/v1/capacity?format=xml", "format", `"xml" is not one of json, csv`, 400},
		{"GET", "/v1/capacity?by=%zz", "query", "cannot be parsed", 400},
		{"GET", "/v1/capacity?a;b", "query", "cannot be parsed", 400},
		{"GET", "/v1/capacity?" + strings.Repeat("model=m&", 65), "model", "want at most 64", 400},
		{"GET", "/v1/capacity?" + strings.Repeat("x", 5000), strings.Repeat("x", 64) + "…", "is not a parameter", 400},
		{"GET", "/v1/centres?by=centre", "by", "is not a parameter: want kind, precision", 400},
		{"POST", "/v1/capacity", "", "want GET or HEAD", 405},
		{"GET", "/v2/capacity", "", `there is nothing at "/v2/capacity"`, 404},
		{"GET", "/console/none.js", "", `there is nothing at "/console/none.js"`, 404},
		{"POST", "/", "", "want GET or HEAD", 405},
	} {
		w := get(h, tc.method, tc.target)
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Errorf("%s %s: %v in %s", tc.method, tc.target, err, w.Body)
			continue
		}
		if w.Code != tc.code || p.Status != tc.code || p.Parameter != tc.parameter || !strings.Contains(p.Detail, tc.detail) ||
			p.Type != "about:blank" || p.Title != http.StatusText(tc.code) || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %.80s: %d %+v", tc.method, tc.target, w.Code, p)
		}
		if len(w.Body.Bytes()) > 1024 {
			t.Errorf("%s %.80s: an answer of %d bytes", tc.method, tc.target, w.Body.Len())
		}
	}
}

func TestNotModified(t *testing.T) {
	h := handler(t, province(), true)
	for tag, want := range map[string]int{`W/"41"`: 304, `"41"`: 304, `"3", W/"41"`: 304, "*": 304, `W/"40"`: 200, "": 200} {
		if w := get(h, "GET", "/v1/capacity", "If-None-Match", tag); w.Code != want || want == 304 && w.Body.Len() != 0 {
			t.Errorf("If-None-Match %s: %d with %d bytes, want %d", tag, w.Code, w.Body.Len(), want)
		}
	}
	// What is wrong is wrong whatever the client has.
	if w := get(h, "GET", "/v1/capacity?by=colour", "If-None-Match", "*"); w.Code != 400 {
		t.Errorf("a bad request with If-None-Match: %d", w.Code)
	}
}

// TestCutOffTags asks a collector that hears nothing any more: what it says goes on ageing within a revision, and so a tag stands for one answer alone.
func TestCutOffTags(t *testing.T) {
	tags := map[string]string{}
	for _, since := range []time.Duration{31 * time.Second, 31*time.Second + 100*time.Millisecond, time.Minute} {
		for _, path := range []string{"/v1/capacity", "/v1/pools", "/v1/match?count=1"} {
			w := get(handler(t, province().Silenced(since), true), "GET", path)
			tag := w.Header().Get("ETag")
			if !strings.HasSuffix(tag, `-cut"`) {
				t.Errorf("%s: tag %s", path, tag)
			}
			if before, taken := tags[path+tag]; taken && before != w.Body.String() {
				t.Errorf("%s: tag %s is of two answers:\n%s%s", path, tag, before, w.Body)
			}
			tags[path+tag] = w.Body.String()
		}
	}
}

func TestNotReady(t *testing.T) {
	for name, h := range map[string]http.Handler{"rebuilding": handler(t, province(), false), "before the first fold": handler(t, nil, true)} {
		for _, path := range []string{"/v1/capacity", "/v1/centres"} {
			if w := get(h, "GET", path); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
				t.Errorf("%s: %s: %d, headers %v", name, path, w.Code, w.Header())
			}
		}
	}
	h := handler(t, province(), false)
	if w := get(h, "GET", "/readyz"); w.Code != 503 || !strings.Contains(w.Body.String(), "3 partitions") {
		t.Errorf("/readyz: %d %s", w.Code, w.Body)
	}
	if w := get(h, "GET", "/healthz"); w.Code != 200 || w.Body.String() != "ok\n" {
		t.Errorf("/healthz: %d %s", w.Code, w.Body)
	}
	if w := get(handler(t, province(), true), "GET", "/readyz"); w.Code != 200 {
		t.Errorf("/readyz: %d %s", w.Code, w.Body)
	}
}

func TestMetricsAndHead(t *testing.T) {
	h := handler(t, province(), true)
	get(h, "GET", "/v1/capacity?by=colour")
	if w := get(h, "GET", "/metrics"); w.Code != 200 || !strings.Contains(w.Body.String(), `requests{code="400",path="/v1/capacity"} 1`) {
		t.Errorf("/metrics: %d %s", w.Code, w.Body)
	}
	if w := get(h, "HEAD", "/v1/capacity"); w.Code != 200 {
		t.Errorf("HEAD: %d", w.Code)
	}
}

// TestServeStops ends soon after its context, also with a client that never finishes its request.
func TestServeStops(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, handler(t, province(), true), slog.New(slog.DiscardHandler)) }()
	slow, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "GET /v1/capacity HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(4 * time.Second):
		t.Error("did not stop")
	}
}
