package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/test/stub"
)

// collectorOf answers with a fixed document and notes what it was asked.
func collectorOf(t *testing.T, file string) (url string, asked *atomic.Pointer[string]) {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	asked = &atomic.Pointer[string]{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := r.URL.String()
		asked.Store(&u)
		_, _ = w.Write(body)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestCapacityTable(t *testing.T) {
	url, asked := collectorOf(t, "testdata/capacity.json")
	out, said, status := exameter(t, "capacity", "--collector", url, "--by", "centre", "--kind", "all", "--vendor", "huawei,nvidia", "--model", "a b")
	if status != 0 || said != "" {
		t.Fatalf("status %d, %s", status, said)
	}
	if want := "/v1/capacity?by=centre&kind=all&model=a+b&precision=class&vendor=huawei&vendor=nvidia"; *asked.Load() != want {
		t.Errorf("asked %s, want %s", *asked.Load(), want)
	}
	// How old the figures are depends on when the test runs.
	var kept []string
	for line := range strings.SplitSeq(out, "\n") {
		if !strings.HasPrefix(line, "These figures are ") {
			kept = append(kept, line)
		}
	}
	golden(t, "capacity.txt", strings.Join(kept, "\n"))
	if len(kept) == strings.Count(out, "\n")+1 {
		t.Error("nobody said that the figures are old")
	}
}

func TestCapacityIsExactForPrograms(t *testing.T) {
	url, asked := collectorOf(t, "testdata/capacity.json")
	want, err := os.ReadFile("testdata/capacity.json")
	if err != nil {
		t.Fatal(err)
	}
	if out, _, status := exameter(t, "capacity", "--collector", url, "-o", "json"); out != string(want) || status != 0 {
		t.Errorf("json: status %d, %s", status, out)
	}
	if _, _, status := exameter(t, "capacity", "--collector", url, "-o", "csv"); status != 0 || !strings.Contains(*asked.Load(), "format=csv") {
		t.Errorf("csv: status %d, asked %s", status, *asked.Load())
	}
}

// TestCapacityWatch follows the stream, one document a line for programs, and a table below the other off a terminal.
func TestCapacityWatch(t *testing.T) {
	c := stub.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	time.AfterFunc(400*time.Millisecond, func() { c.Set("guian-south", "hygon-k100-ai", 20) })
	out, said, status := exameterUntil(ctx, "capacity", "--collector", strings.TrimPrefix(c.URL, "http://"), "-o", "json", "--watch")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != 0 || len(lines) != 2 || strings.Contains(out, "\x1b") {
		t.Fatalf("status %d, %d lines, %s", status, len(lines), said)
	}
	for i, want := range []int64{692, 844} {
		var doc client.Capacity
		if err := json.Unmarshal([]byte(lines[i]), &doc); err != nil || doc.Total.Devices.Free != want {
			t.Errorf("line %d: %d devices are free, want %d: %v", i, doc.Total.Devices.Free, want, err)
		}
	}
	if got := c.Undocumented(); len(got) > 0 {
		t.Error(got)
	}
}

// TestCapacityWatchPolls asks collectors that have no stream every now and then.
func TestCapacityWatchPolls(t *testing.T) {
	body, err := os.ReadFile("testdata/capacity.json")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/stream" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(body)
	}))
	defer s.Close()
	for _, format := range []string{"json", "csv"} {
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		out, said, status := exameterUntil(ctx, "capacity", "--collector", s.URL, "-o", format, "--watch", "--every", "100ms")
		cancel()
		if n := strings.Count(out, "\n"); status != 0 || n < 3 || n > 9 || strings.Contains(out, "\x1b") {
			t.Errorf("%s: status %d, %d lines, %s", format, status, n, said)
		}
	}
}

func TestCollectorIsQuoted(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"title":"Service Unavailable","status":503,"detail":"3 of 4 partitions are read"}`))
	}))
	defer s.Close()
	t.Setenv("EXAMETER_COLLECTOR", s.URL)
	if _, said, status := exameter(t, "capacity"); status != 1 || !strings.Contains(said, "3 of 4 partitions are read") {
		t.Errorf("status %d, said %q", status, said)
	}
	junk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer junk.Close()
	if _, said, status := exameter(t, "capacity", "--collector", junk.URL); status != 1 || !strings.Contains(said, "read the collector's answer") {
		t.Errorf("status %d, said %q", status, said)
	}
}

func TestFiguresForPeople(t *testing.T) {
	for want, f := range map[string]client.Flops{
		"0": 0, "84.996": 84_996_295_449_600, "0.001000": client.Eflop / 1000, "0.007916": 7_916_000_000, "0.9990": 999_000_000_000, "0.00099": 990_000_000, "0.00000000017": 167, "0.000000000001": 1,
		"12.000": 12 * client.Eflop,
	} {
		if got := eflops(f); got != want {
			t.Errorf("eflops(%d) = %s, want %s", f, got, want)
		}
	}
	share := func(v float64) *float64 { return &v }
	for want, v := range map[string]*float64{"-": nil, "0.0 %": share(0), "41.4 %": share(0.4137), "99.9 %": share(0.99999), "100.0 %": share(1)} {
		if got := percent(v); got != want {
			t.Errorf("percent(%v) = %s, want %s", v, got, want)
		}
	}
	for want, f := range map[string]client.Figure{
		"-":         {Devices: client.Devices{Online: 3}},
		"5210 W":    {PowerW: 5210.4, PowerDevices: 3, Devices: client.Devices{Online: 3}},
		"12.3 kW+":  {PowerW: 12345, PowerDevices: 2, Devices: client.Devices{Online: 3}},
		"48.00 MW":  {PowerW: 48e6, PowerDevices: 3, Devices: client.Devices{Online: 3}},
		"9999 W+":   {PowerW: 9999, PowerDevices: 1, Devices: client.Devices{Online: 3}},
		"0 W":       {PowerW: 0, PowerDevices: 3, Devices: client.Devices{Online: 3}},
		"10.0 kW":   {PowerW: 10000, PowerDevices: 3, Devices: client.Devices{Online: 3}},
		"1.00 MW+":  {PowerW: 1e6, PowerDevices: 1, Devices: client.Devices{Online: 3}},
		"999.9 kW+": {PowerW: 999_940, PowerDevices: 1, Devices: client.Devices{Online: 3}},
	} {
		if got := watts(&f); got != want {
			t.Errorf("watts(%v of %d) = %s, want %s", f.PowerW, f.PowerDevices, got, want)
		}
	}
}
