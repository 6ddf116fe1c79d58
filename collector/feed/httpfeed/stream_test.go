package httpfeed

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/feed/streamfeed"
	"github.com/exameter/exameter/collector/registry"
)

// streaming is a server with a hub behind it, on a loopback port.
type streaming struct {
	t   *testing.T
	hub *streamfeed.Hub
	url string

	mu   sync.Mutex
	last *capacity.Snapshot
}

func stream(t *testing.T, o streamfeed.Options, first *capacity.Snapshot) *streaming {
	t.Helper()
	s := &streaming{t: t, hub: streamfeed.New(o)}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests", Help: "by path and code"}, []string{"path", "code"})
	h := Handler(Source{
		Snapshot: func() *capacity.Snapshot {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.last
		},
		Registry: func() *registry.Registry { return &registry.Registry{} },
		Ready:    func() (bool, string) { return true, "" }, Metrics: prometheus.NewRegistry(), Requests: requests, Stream: s.hub,
	})
	server := httptest.NewUnstartedServer(h)
	// Shorter than any test below, as the collector's are shorter than any stream.
	server.Config.ReadTimeout, server.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	server.Start()
	s.url = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.hub.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		server.CloseClientConnections()
		server.Close()
	})
	s.publish(first)
	return s
}

func (s *streaming) publish(n *capacity.Snapshot) {
	s.mu.Lock()
	s.last = n
	s.mu.Unlock()
	s.hub.Publish(n)
}

// open watches, and returns the body of what came with status 200.
func (s *streaming) open(query string, header ...string) *bufio.Reader {
	s.t.Helper()
	resp := s.request(query, header...)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		b, _ := io.ReadAll(resp.Body)
		s.t.Fatalf("%s, %v: %s", resp.Status, resp.Header, b)
	}
	return bufio.NewReader(resp.Body)
}

func (s *streaming) request(query string, header ...string) *http.Response {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	s.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/stream"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// event reads the next event that has data, as the standard says: https://html.spec.whatwg.org/multipage/server-sent-events.html
func event(t *testing.T, in *bufio.Reader) (id, kind, data string) {
	t.Helper()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream ended: %v", err)
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "\n" && data != "":
			return id, kind, data
		case name == "id":
			id = value
		case name == "event":
			kind = value
		case name == "data":
			data += value
		}
	}
}

// moved is the province at a later revision, with a card of guian freed.
func moved(revision int64, free int64) *capacity.Snapshot {
	s := province()
	s.Revision, s.Changed = revision, make([]int64, len(s.Pools))
	for i := range s.Pools {
		if p := &s.Pools[i]; p.Pool.Model == "nvidia-h200-sxm" {
			p.Cell.Devices[capacity.Free] += free
			p.Cell.Units[capacity.Free] += free * capacity.UnitsPerDevice
			s.Changed[i] = revision
		}
	}
	return s
}

// TestStream streams the same document that /v1/capacity answers, then what changes, for longer than the server's deadlines for
// ordinary requests, and goes on from where a watcher was.
func TestStream(t *testing.T) {
	s := stream(t, streamfeed.Options{Every: 10 * time.Millisecond}, moved(41, 0))
	in := s.open("?by=centre&kind=all")
	id, kind, data := event(t, in)
	resp, err := http.Get(s.url + "/v1/capacity?by=centre&kind=all")
	if err != nil {
		t.Fatal(err)
	}
	want, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || id != "41" || kind != "snapshot" || data+"\n" != string(want) {
		t.Errorf("%s %s\n%s\nwant\n%s%v", id, kind, data, want, err)
	}
	for revision := range int64(6) {
		time.Sleep(100 * time.Millisecond)
		s.publish(moved(42+revision, 1+revision))
		id, kind, data = event(t, in)
		var d capacity.Delta
		if err := json.Unmarshal([]byte(data), &d); err != nil {
			t.Fatal(err)
		}
		if id != strconv.FormatInt(42+revision, 10) || kind != "delta" || len(d.Groups) != 1 || d.Groups[0].Centre != "guian" || d.Groups[0].Devices.Free != 3+revision || d.Total.Devices.Free != 7+revision {
			t.Errorf("%s %s: %s", id, kind, data)
		}
	}
	for _, from := range [][]string{{"?by=centre&kind=all", "Last-Event-ID", "41"}, {"?by=centre&kind=all&last_event_id=41"}, {"?by=centre&kind=all&last_event_id=7", "Last-Event-ID", "41"}} {
		if id, kind, data := event(t, s.open(from[0], from[1:]...)); id != "47" || kind != "delta" || strings.Contains(data, "guiyang") {
			t.Errorf("%v: %s %s %s", from, id, kind, data)
		}
	}
	if _, kind, _ := event(t, s.open("?by=centre&last_event_id=")); kind != "snapshot" {
		t.Errorf("from nowhere: %s", kind)
	}
}

// TestStreamLeaves forgets watchers that went away.
func TestStreamLeaves(t *testing.T) {
	s := stream(t, streamfeed.Options{Watchers: 2}, moved(41, 0))
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		event(t, bufio.NewReader(resp.Body))
	}
	resp := s.request("")
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(body), "as many watchers as there may be") || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the third watcher: %s %v %s %v", resp.Status, resp.Header, body, err)
	}
	cancel()
	for deadline := time.Now().Add(5 * time.Second); s.hub.Stats().Watchers > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", s.hub.Stats())
		}
		time.Sleep(10 * time.Millisecond)
	}
	event(t, s.open(""))
}

// TestStreamSlow tells a watcher that reads too slowly why its stream ends.
func TestStreamSlow(t *testing.T) {
	s := stream(t, streamfeed.Options{Every: time.Millisecond, Patience: 300 * time.Millisecond}, big(1))
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /v1/stream?by=model HTTP/1.0\r\n\r\n") // without chunks, so that the body is the events
	in := bufio.NewReader(conn)
	event(t, in)
	// Ten megabytes, more than the connection holds: 64 KiB there, and four megabytes here at most.
	for revision, began := int64(2), time.Now(); s.hub.Stats().Events < 5; revision++ {
		if time.Since(began) > 8*time.Second {
			t.Fatalf("the connection could not be filled: %+v", s.hub.Stats())
		}
		s.publish(big(revision))
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(400 * time.Millisecond)
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		_, kind, data := event(t, in)
		if kind != "bye" {
			continue
		}
		if data != `{"reason":"slow"}` {
			t.Errorf("bye: %s", data)
		}
		break
	}
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("after the last event: %q, %v", rest, err)
	}
	if n := s.hub.Stats().Slow; n != 1 {
		t.Errorf("%d were slow", n)
	}
}

// TestStreamBlocked closes the stream of a watcher that takes nothing at all.
func TestStreamBlocked(t *testing.T) {
	s := stream(t, streamfeed.Options{Every: time.Millisecond, Block: 300 * time.Millisecond}, big(1))
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /v1/stream?by=model HTTP/1.1\r\nHost: here\r\n\r\n")
	for revision, began := int64(2), time.Now(); s.hub.Stats().Slow == 0; revision++ {
		if time.Since(began) > 15*time.Second {
			t.Fatalf("%+v", s.hub.Stats())
		}
		s.publish(big(revision))
		time.Sleep(5 * time.Millisecond)
	}
	for deadline := time.Now().Add(5 * time.Second); s.hub.Stats().Watchers > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is kept: %+v", s.hub.Stats())
		}
	}
}

// big is a snapshot whose document has two megabytes and takes little to make: pools with long names, all of which changed.
func big(revision int64) *capacity.Snapshot {
	s := moved(revision, 0)
	pc := s.Pools[0]
	s.Pools, s.Shapes = nil, nil
	for i := range 100 {
		pc.Pool.Model = fmt.Sprintf("model-%03d-%s", i, strings.Repeat("x", 20_000))
		s.Pools, s.Changed = append(s.Pools, pc), append(s.Changed, 0)
	}
	s.Changed = make([]int64, len(s.Pools))
	for i := range s.Changed {
		s.Changed[i] = revision
	}
	s.Sort()
	return s
}

// TestStreamProblems refuses what cannot be understood before anything is streamed.
func TestStreamProblems(t *testing.T) {
	s := stream(t, streamfeed.Options{}, moved(41, 0))
	for _, tc := range []struct {
		query, header, parameter string
	}{
		{"?format=csv", "", "format"},
		{"?by=colour", "", "by"},
		{"?colour=red", "", "colour"},
		{"?last_event_id=-1", "", "last_event_id"},
		{"?last_event_id=41&last_event_id=42", "", "last_event_id"},
		{"?last_event_id=" + strings.Repeat("9", 4_000), "", "last_event_id"},
		{"", "41; DROP TABLE", "Last-Event-ID"},
		{"", "041", "Last-Event-ID"},
		{"?by=%zz", "", "query"},
	} {
		var header []string
		if tc.header != "" {
			header = []string{"Last-Event-ID", tc.header}
		}
		resp := s.request(tc.query, header...)
		var p Problem
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || resp.StatusCode != http.StatusBadRequest || p.Parameter != tc.parameter || len(p.Detail) > 500 {
			t.Errorf("%.40s %s: %s %+v %v", tc.query, tc.header, resp.Status, p, err)
		}
	}
	resp, err := http.Head(s.url + "/v1/stream")
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %v %v", resp, err)
	}
	if n := s.hub.Stats().Watchers; n != 0 {
		t.Errorf("%d watch", n)
	}
}
