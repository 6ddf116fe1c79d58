package httpfeed

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/feed/streamfeed"
	"github.com/exameter/exameter/collector/hosts"
)

// listening is a real server, with the collector's own limits, on a loopback port.
func listening(t *testing.T, h http.Handler) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, h, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// says sends some bytes on a connection of its own and returns what comes back until the server closes it, and how long that took.
func says(t *testing.T, address string, send func(net.Conn)) (string, time.Duration) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	begun := time.Now()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		send(c)
		<-stop
	}()
	got, err := io.ReadAll(c)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Error("the connection is still open after 30 s")
	}
	return string(got), time.Since(begun)
}

// answered wants others to be answered meanwhile.
func answered(t *testing.T, address string) {
	t.Helper()
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get("http://" + address + "/v1/capacity")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
}

// TestEndlessRequests refuses a query of a million characters and headers without an end before they are read.
func TestEndlessRequests(t *testing.T) {
	address := listening(t, complete(t, true))
	for name, request := range map[string]string{
		"a query":     "GET /v1/capacity?model=" + strings.Repeat("x", 1_000_000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"one header":  "GET /v1/capacity HTTP/1.1\r\nHost: x\r\nAccept-Encoding: " + strings.Repeat("gzip,", 200_000) + "\r\n\r\n",
		"many":        "GET /v1/capacity HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("If-None-Match: \"1\"\r\n", 50_000) + "\r\n",
		"no protocol": strings.Repeat("x", 1_000_000),
	} {
		got, took := says(t, address, func(c net.Conn) { _, _ = io.WriteString(c, request) })
		// Where the server closes before all is sent, the answer may be lost on its way.
		if got != "" && !strings.HasPrefix(got, "HTTP/1.1 431 ") && !strings.HasPrefix(got, "HTTP/1.1 400 ") || strings.Contains(got, "xxxx") || took > 10*time.Second {
			t.Errorf("%s: after %s %.200q", name, took, got)
		}
		answered(t, address)
	}
	// What is within that is bounded by the query's own limit.
	resp, err := http.Get("http://" + address + "/v1/capacity?model=" + strings.Repeat("x", maxQuery))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var p Problem
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || resp.StatusCode != http.StatusBadRequest || p.Parameter != "query" {
		t.Errorf("%s, %+v, %v", resp.Status, p, err)
	}
}

// trickles sends a byte now and then.
func trickles(begin string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := io.WriteString(c, begin); err != nil {
			return
		}
		for {
			if _, err := c.Write([]byte{'x'}); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// TestSlowClients ends a connection whose headers or body never come to an end, however often it says a little.
func TestSlowClients(t *testing.T) {
	address := listening(t, complete(t, true))
	for name, tc := range map[string]struct {
		begin  string
		within time.Duration
	}{
		"headers": {"GET /v1/capacity HTTP/1.1\r\nHost: x\r\nX-Slow: ", 9 * time.Second},
		"a body":  {"POST " + HostsPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{\"schema\":1,\"x\":\"", 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, took := says(t, address, trickles(tc.begin))
			if took > tc.within || took < time.Second || strings.Contains(got, " 200 ") {
				t.Errorf("after %s: %.200q", took, got)
			}
		})
	}
	t.Run("meanwhile", func(t *testing.T) {
		t.Parallel()
		for range 10 {
			answered(t, address)
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// TestCancelledRequests stops the work for a client that went away, be it for a list of hosts or for an explanation with some.
func TestCancelledRequests(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan error, 1)
	src := source(t, province(), true)
	src.Hosts = func(ctx context.Context, _ hosts.Query) (hosts.Page, error) {
		begun <- struct{}{}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Second):
		}
		ended <- ctx.Err()
		return hosts.Page{}, ctx.Err()
	}
	src.OwnHosts = func(ctx context.Context, _ *hosts.Request) (*hosts.Reply, error) {
		_, err := src.Hosts(ctx, hosts.Query{})
		return nil, err
	}
	address := listening(t, Handler(src))
	for _, request := range []string{
		"GET /v1/hosts HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1/explain?hosts=1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST " + HostsPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n{\"schema\":1}",
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		<-begun
		_ = c.Close()
		if err := <-ended; err != context.Canceled {
			t.Errorf("%.20s: the work ended with %v", request, err)
		}
	}
	answered(t, address)
}

// TestContradictingFilters answers with what meets both, which is nothing, where each makes sense by itself.
func TestContradictingFilters(t *testing.T) {
	h := complete(t, true)
	for _, query := range []string{"kind=cpu&class=intelligent", "centre=guian&vendor=newcomer", "domestic=yes&vendor=nvidia", "cluster=hpc&kind=accelerator"} {
		for _, path := range []string{"/v1/capacity?by=pool&", "/v1/pools?"} {
			w := get(h, "GET", path+query)
			var doc struct {
				Total  *capacity.Figure
				Groups []capacity.Group
				Pools  []json.RawMessage
			}
			if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != http.StatusOK || len(doc.Groups)+len(doc.Pools) != 0 || doc.Total != nil && doc.Total.Devices.Rated != 0 {
				t.Errorf("%s%s: %d %.300s", path, query, w.Code, w.Body)
			}
		}
	}
}

// TestOldResumePoint goes on from a revision of any age with all that has changed since, and begins anew where that cannot be told.
func TestOldResumePoint(t *testing.T) {
	s := stream(t, streamfeed.Options{}, freed(41, 5))
	for point, want := range map[string]string{"0": "delta", "1": "delta", "40": "delta", "40-cut": "snapshot"} {
		if id, kind, data := event(t, s.open("?by=centre&last_event_id="+point)); kind != want || id != "41" || !strings.Contains(data, `"centre":"guian"`) {
			t.Errorf("after %s: %s %s %.100s", point, id, kind, data)
		}
	}
	for _, point := range []string{"9223372036854775808", "-1", "41;", "1e3", strings.Repeat("4", 5000)} {
		if resp := s.request("?last_event_id=" + point); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("after %.30s: %s", point, resp.Status)
		}
	}
}
