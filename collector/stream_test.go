package collector

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

// watching is a watcher of a collector's stream that keeps the document, as docs/stream.md says.
type watching struct {
	t      *testing.T
	id     string
	kinds  []string // of the events since it connected
	doc    capacity.Document
	groups map[string]capacity.Group
	in     *bufio.Scanner
	stop   func()
}

func (w *watching) connect(url string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 60*time.Second)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/stream?by=centre", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.id != "" {
		r.Header.Set("Last-Event-ID", w.id)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		w.t.Fatal(resp.Status)
	}
	w.kinds, w.in = nil, bufio.NewScanner(resp.Body)
	w.in.Buffer(nil, 1<<20)
	w.stop = func() {
		cancel()
		_ = resp.Body.Close()
	}
}

// until takes events until the document is as wanted.
func (w *watching) until(want func(*capacity.Document) bool) {
	w.t.Helper()
	var id, kind string
	for w.in.Scan() {
		name, value, _ := strings.Cut(w.in.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			w.take(id, kind, value)
			if want(&w.doc) {
				return
			}
		}
	}
	w.t.Fatalf("the stream ended: %v; last was revision %s, %+v", w.in.Err(), w.id, w.doc.Total.Devices)
}

func (w *watching) take(id, kind, data string) {
	w.t.Helper()
	w.id, w.kinds = id, append(w.kinds, kind)
	if kind == "snapshot" {
		w.doc, w.groups = capacity.Document{}, map[string]capacity.Group{}
		if err := json.Unmarshal([]byte(data), &w.doc); err != nil {
			w.t.Fatal(err)
		}
		for _, g := range w.doc.Groups {
			w.groups[g.Centre] = g
		}
		return
	}
	var d capacity.Delta
	if err := json.Unmarshal([]byte(data), &d); err != nil || kind != "delta" {
		w.t.Fatal(kind, err)
	}
	if d.Revision < w.doc.Revision {
		w.t.Errorf("revision %d after %d", d.Revision, w.doc.Revision)
	}
	w.doc.Revision, w.doc.Total = d.Revision, d.Total
	for _, g := range d.Gone {
		delete(w.groups, g.Centre)
	}
	for _, g := range d.Groups {
		w.groups[g.Centre] = g
	}
	free := int64(0)
	for _, g := range w.groups {
		free += g.Devices.Free
	}
	if free != w.doc.Total.Devices.Free {
		w.t.Errorf("revision %d: groups have %d free, the total %d", d.Revision, free, w.doc.Total.Devices.Free)
	}
}

// TestStreamGoesOn watches one of two collectors, sees changes well within a second, and goes on at the other, which answers with
// a delta, when the first stops.
func TestStreamGoesOn(t *testing.T) {
	broker := newBroker(t, 2, []string{"a", "b"})
	p := newProducer(t, broker)
	var hosts []*server
	for i := range 8 {
		s := h200([]string{"a", "b"}[i%2], "host-"+strconv.Itoa(i), free, busy)
		hosts = append(hosts, s)
		p.inventory(s.centre, s.inventory())
		p.report(s.centre, s.report())
	}
	one, two := start(t, broker.ListenAddrs(), nil), start(t, broker.ListenAddrs(), nil)
	one.document("", rated(16))
	two.document("", rated(16))
	one.waitMetric("exameter_parts_owned", "2")
	two.waitMetric("exameter_parts_owned", "2")

	// Each part is published twice before a collector is sure what its sums take the place of.
	now := one.document("", rated(16)).Revision
	for _, r := range []*running{one, two} {
		r.document("", func(d *capacity.Document) bool { return d.Revision > now+12 })
	}
	w := &watching{t: t}
	w.connect(one.url)
	w.until(func(d *capacity.Document) bool { return d.Total.Devices.Free == 8 })
	change := func(i int, state string, busyNow int64) {
		t.Helper()
		hosts[i].states[0] = busy
		began := time.Now()
		p.report(hosts[i].centre, hosts[i].report())
		w.until(func(d *capacity.Document) bool { return d.Total.Devices.Busy == busyNow })
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s: a change took %s to reach the watcher", state, took)
		}
	}
	change(0, "watching one", 9)
	change(1, "watching one", 10)
	w.stop()
	// What changes while nobody watches is told when the watcher goes on, at the other collector.
	hosts[2].states[0] = busy
	p.report(hosts[2].centre, hosts[2].report())
	w.connect(two.url)
	w.until(func(d *capacity.Document) bool { return d.Total.Devices.Busy == 11 })
	change(3, "watching two", 12)
	for _, kind := range w.kinds {
		if kind != "delta" {
			t.Errorf("after going on came %v", w.kinds)
		}
	}
	// It stops in good order: the watcher is told, and goes on.
	two.stop()
	last := ""
	for w.in.Scan() {
		if w.in.Text() != "" {
			last = w.in.Text()
		}
	}
	if last != `data: {"reason":"stopping"}` {
		t.Errorf("the last line is %q", last)
	}
	w.connect(one.url)
	change(4, "back at one", 13)
	w.stop()
}
