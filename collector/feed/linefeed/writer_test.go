package linefeed

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

// snapshot has so many free cards in a centre, and one of unknown activity and power.
func snapshot(revision, free int64) *capacity.Snapshot {
	p := capacity.Pool{Centre: "guian", Cluster: "default", Kind: telemetry.Accelerator, Vendor: "v", Model: "m", Class: capacity.Intelligent, Basis: catalog.FP16}
	p.Peaks = p.Peaks.With(catalog.FP16, 989_500_000)
	return &capacity.Snapshot{
		Revision: revision, AsOf: time.UnixMilli(1_795_420_800_000 + revision), StaleAfter: 30 * time.Second,
		Pools:  []capacity.PoolCell{{Pool: p, Cell: capacity.Cell{Devices: [5]int64{0, free}, Units: [5]int64{0, free * capacity.UnitsPerDevice}}}},
		Shapes: []capacity.Shape{{Pools: []int{0}, Rated: 2, Online: 1}},
	}
}

// TestLines writes what the general decoder of line protocol reads, and nothing for what is unknown.
func TestLines(t *testing.T) {
	b, err := encode(snapshot(7, 4))
	if err != nil {
		t.Fatal(err)
	}
	want := "exameter_capacity,centre=guian,scope=centre devices_rated=4i,eflops_rated=0.003958,devices_online=4i,eflops_online=0.003958," +
		"devices_healthy=4i,eflops_healthy=0.003958,devices_busy=0i,eflops_busy=0,devices_free=4i,eflops_free=0.003958,devices_drained=0i,eflops_drained=0," +
		"devices_faulty=0i,eflops_faulty=0,devices_stale=0i,eflops_stale=0,devices_unpriced=0i,power_devices=0i,hosts_rated=2i,hosts_online=1i,coverage=0.5,revision=7i 1795420800007000000\n"
	if got := string(b); got != strings.Replace(want, "centre=guian,scope=centre", "scope=province", 1)+want {
		t.Errorf("got\n%s\nwant both scopes of\n%s", got, want)
	}
	lines := 0
	for d := lineprotocol.NewDecoderWithBytes(b); d.Next(); lines++ {
		if at, err := d.Time(lineprotocol.Nanosecond, time.Time{}); err != nil || !at.Equal(time.UnixMilli(1_795_420_800_007)) {
			t.Errorf("%s, %v", at, err)
		}
	}
	if lines != 2 {
		t.Errorf("%d lines are read", lines)
	}
}

// TestIdentifiers writes that of a centre as a tag, whatever is in it, and never lets one keep figures from being written.
func TestIdentifiers(t *testing.T) {
	for _, identifier := range []string{"", "CN-52-001", "贵 安,号=1", `back\slash`, `"quoted"`, `end\`, `\`, "#"} {
		s := snapshot(7, 4)
		s.Pools[0].Pool.CentreIdentifier = identifier
		b, err := encode(s)
		if err != nil {
			t.Errorf("%q: %v", identifier, err)
			continue
		}
		want, got, lines := identifier, "", 0
		if strings.HasSuffix(identifier, `\`) {
			want = ""
		}
		d := lineprotocol.NewDecoderWithBytes(b)
		for ; d.Next(); lines++ {
			if _, err := d.Measurement(); err != nil {
				t.Errorf("%q: %v", identifier, err)
			}
			for {
				key, value, err := d.NextTag()
				if err != nil || key == nil {
					break
				}
				if string(key) == "identifier" {
					got = string(value)
				}
			}
			if at, err := d.Time(lineprotocol.Nanosecond, time.Time{}); err != nil || at.IsZero() {
				t.Errorf("%q: %v", identifier, err)
			}
		}
		if lines != 2 || got != want {
			t.Errorf("%q: %d lines, of identifier %q", identifier, lines, got)
		}
	}
}

// database answers with what it is told to, and keeps what it took.
type database struct {
	mu     sync.Mutex
	status int
	header http.Header
	took   []string
}

func (d *database) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.header = r.Header.Clone()
	if d.status == http.StatusFound {
		w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
	}
	w.WriteHeader(d.status)
	if d.status == http.StatusNoContent {
		d.took = append(d.took, string(b))
	} else {
		fmt.Fprint(w, `{"error":"no"}`)
	}
}

func (d *database) answers(status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status = status
}

// TestDatabaseAway keeps what a database does not take until it does, gives up what it refuses, and follows nobody elsewhere.
func TestDatabaseAway(t *testing.T) {
	db := &database{status: http.StatusNoContent}
	server := httptest.NewServer(db)
	defer server.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Config{URL: server.URL + "/write?db=x", TokenFile: token, Interval: config.Duration(20 * time.Millisecond)}
	w, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	defer func() {
		cancel()
		<-done
	}()
	until := func(what string, ok func(Stats) bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); !ok(w.Stats()); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v", what, w.Stats())
			}
		}
	}
	w.Take(snapshot(1, 1))
	until("written", func(s Stats) bool { return s.Written == 1 })
	if got := db.header.Get("Authorization"); got != "Token secret" {
		t.Errorf("authorised by %q", got)
	}
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusUnauthorized, http.StatusFound} {
		db.answers(status)
		before := w.Stats()
		w.Take(snapshot(int64(status), 2))
		until(http.StatusText(status), func(s Stats) bool { return s.Failed > before.Failed+1 && s.Dropped == 0 })
	}
	db.answers(http.StatusNoContent)
	until("written later", func(s Stats) bool { return s.Written == 4 })
	db.mu.Lock()
	if last := db.took[len(db.took)-1]; strings.Index(last, "revision=503i") > strings.Index(last, "revision=302i") || strings.Count(last, "\n") != 6 {
		t.Errorf("what waited came as\n%s", last)
	}
	db.mu.Unlock()
	db.answers(http.StatusBadRequest)
	w.Take(snapshot(5, 2))
	until("refused", func(s Stats) bool { return s.Dropped == 1 })
	db.answers(http.StatusNoContent)
	w.Take(snapshot(6, 2))
	until("after what was refused", func(s Stats) bool { return s.Written == 5 })
}

// TestBounded gives the oldest up when too many wait, or too much.
func TestBounded(t *testing.T) {
	db := &database{status: http.StatusServiceUnavailable}
	server := httptest.NewServer(db)
	defer server.Close()
	for name, tc := range map[string]struct {
		waiting, size int // before one more comes
		left, dropped int
	}{
		"as many as may": {kept - 1, 4, kept, 0},
		"too many":       {kept, 4, kept, 1},
		"too much":       {4, keptBytes / 4, 4, 1},
		"far too much":   {3, keptBytes, 1, 3},
	} {
		w, err := New(Config{URL: server.URL, Interval: config.Duration(time.Millisecond)}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for range tc.waiting {
			w.waiting = append(w.waiting, make([]byte, tc.size))
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		w.Take(snapshot(1, 1))
		go func() {
			defer close(done)
			w.Run(ctx)
		}()
		for deadline := time.Now().Add(20 * time.Second); w.Stats().Failed == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v", name, w.Stats())
			}
		}
		cancel()
		<-done
		if n := len(w.waiting); n != tc.left || w.Stats().Dropped != int64(tc.dropped) || !strings.HasPrefix(string(w.waiting[n-1]), Measurement) {
			t.Errorf("%s: %d wait, %d were dropped, want %d and %d", name, n, w.Stats().Dropped, tc.left, tc.dropped)
		}
	}
}

// TestConfig refuses what cannot work, and does not say what may be secret.
func TestConfig(t *testing.T) {
	for _, tc := range []struct {
		c    Config
		want string
	}{
		{Config{URL: "http://h/write?db=x", Interval: config.Duration(time.Second)}, ""},
		{Config{}, ""},
		{Config{TokenFile: "f"}, "write.url"},
		{Config{URL: "h:8086", Interval: config.Duration(time.Second)}, "write.url"},
		{Config{URL: "ftp://h/", Interval: config.Duration(time.Second)}, "write.url"},
		{Config{URL: "http://u:hunter2@h/", Interval: config.Duration(time.Second)}, "write.url"},
		{Config{URL: "http://h/write?u=a&p=hunter2", Interval: config.Duration(time.Second)}, "write.url"},
		{Config{URL: "http://h\x7f/hunter2", Interval: config.Duration(time.Second)}, "write.url"},
		{Config{URL: "http://h/", CA: "f", Interval: config.Duration(time.Second)}, "write.ca"},
		{Config{URL: "http://h/", Username: "u", Interval: config.Duration(time.Second)}, "write.token_file"},
		{Config{URL: "http://h/", Interval: config.Duration(time.Millisecond)}, "write.interval"},
	} {
		switch err := tc.c.Validate(); {
		case tc.want == "" && err != nil, tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%+v: %v", tc.c, err)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("a secret is told: %v", err)
		}
	}
}

// TestInfluxDBv2 holds requests against the contract of InfluxDB v2 (POST /api/v2/write): method, parameters, headers and body, and what
// follows from each answer that it documents. https://docs.influxdata.com/influxdb/v2/api/#operation/PostWrite
func TestInfluxDBv2(t *testing.T) {
	type answer struct {
		status int
		after  string
		body   string
	}
	var (
		mu      sync.Mutex
		answers []answer
		asked   []time.Time
		lines   []int // of each request
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		q := r.URL.Query()
		switch {
		case r.Method != http.MethodPost, r.URL.Path != "/api/v2/write":
			t.Errorf("%s %s", r.Method, r.URL)
		case q.Get("org") != "province", q.Get("bucket") != "exameter", q.Has("precision") && q.Get("precision") != "ns":
			t.Errorf("parameters %v", q)
		case r.Header.Get("Authorization") != "Token a-token==", r.Header.Get("Content-Type") != "text/plain; charset=utf-8", r.Header.Get("Content-Encoding") != "":
			t.Errorf("headers %v", r.Header)
		}
		for d := lineprotocol.NewDecoderWithBytes(body); d.Next(); {
			if at, err := d.Time(lineprotocol.Nanosecond, time.Time{}); err != nil || at.Year() != 2026 {
				t.Errorf("a line of %s: %v", at, err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		asked, lines = append(asked, time.Now()), append(lines, strings.Count(string(body), "\n"))
		a := answer{status: http.StatusNoContent}
		if len(answers) > 0 {
			a, answers = answers[0], answers[1:]
		}
		if a.after != "" {
			w.Header().Set("Retry-After", a.after)
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(a.status)
		if a.status != http.StatusNoContent {
			_, _ = io.WriteString(w, a.body)
		}
	}))
	defer server.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a-token==\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const figures = 4
	for name, tc := range map[string]struct {
		answers          []answer
		written, dropped int64
		lines            []int         // of each request, two a figure
		within           time.Duration // between the first two requests, at least
	}{
		"written":         {nil, figures, 0, []int{8}, 0},
		"a wrong line":    {[]answer{{400, "", `{"code":"invalid","message":"partial write: field type conflict"}`}}, 0, figures, []int{8}, 0},
		"not allowed yet": {[]answer{{401, "", `{"code":"unauthorized"}`}}, figures, 0, []int{8, 8}, 0},
		"no such bucket":  {[]answer{{404, "", `{"code":"not found"}`}}, figures, 0, []int{8, 8}, 0},
		"too much":        {[]answer{{413, "", `{"code":"request too large"}`}}, figures, 0, []int{8, 4, 4}, 0},
		"always too much": {[]answer{{413, "", ""}, {413, "", ""}, {413, "", ""}}, figures - 1, 1, []int{8, 4, 2, 2, 2, 2}, 0},
		"too often":       {[]answer{{429, "1", `{"code":"too many requests"}`}}, figures, 0, []int{8, 8}, time.Second},
		"unavailable":     {[]answer{{503, "1", ""}}, figures, 0, []int{8, 8}, time.Second},
		"out of order":    {[]answer{{500, "soon", `{"code":"internal error"}`}}, figures, 0, []int{8, 8}, 0},
	} {
		mu.Lock()
		answers, asked, lines = tc.answers, nil, nil
		mu.Unlock()
		w, err := New(Config{URL: server.URL + "/api/v2/write?org=province&bucket=exameter&precision=ns", TokenFile: token, Interval: config.Duration(5 * time.Millisecond)}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(figures) {
			b, err := encode(snapshot(i, 4))
			if err != nil {
				t.Fatal(err)
			}
			w.waiting = append(w.waiting, b)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.Run(ctx)
		}()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			if s := w.Stats(); s.Written == tc.written && s.Dropped == tc.dropped {
				break
			} else if time.Now().After(deadline) {
				t.Errorf("%s: %+v", name, s)
				break
			}
		}
		cancel()
		<-done
		if !slices.Equal(lines, tc.lines) {
			t.Errorf("%s: requests of %v lines, want %v", name, lines, tc.lines)
		} else if len(asked) > 1 && asked[1].Sub(asked[0]) < tc.within {
			t.Errorf("%s: asked again after %s", name, asked[1].Sub(asked[0]))
		}
	}
	for v, want := range map[string]time.Duration{"": 0, "0": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "99999": maxPause, "99999999999999": 0} {
		if got := pause(v); got != want {
			t.Errorf("Retry-After %q: %s, want %s", v, got, want)
		}
	}
}
