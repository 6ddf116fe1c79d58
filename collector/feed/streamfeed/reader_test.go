package streamfeed

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/partial"
	"github.com/exameter/exameter/telemetry"
)

var start = time.UnixMilli(1_795_420_800_000)

// sums are what the owner of a part says: for each model so many cards at work and free, on one host.
func sums(t interface{ Fatal(...any) }, centre string, sequence int64, busy, free, activity map[string]int64) []byte {
	s := &capacity.Snapshot{AsOf: start, Catalogue: "1", StaleAfter: 30 * time.Second}
	for _, model := range []string{"m", "n"} {
		n := busy[model] + free[model]
		if n == 0 {
			continue
		}
		p := capacity.Pool{Centre: centre, Cluster: "default", Kind: telemetry.Accelerator, Vendor: "v", Model: model, Class: capacity.Intelligent, Basis: catalog.FP16}
		p.Peaks = p.Peaks.With(catalog.FP16, 1_000_000)
		c := capacity.Cell{Devices: [5]int64{busy[model], free[model]}, SM: n, KnownUnits: n * capacity.UnitsPerDevice, PowerDevices: n, PowerMW: n * 100 * activity[model]}
		c.Units = [5]int64{busy[model] * capacity.UnitsPerDevice, free[model] * capacity.UnitsPerDevice}
		c.ActiveUnits = c.KnownUnits * activity[model]
		s.Pools = append(s.Pools, capacity.PoolCell{Pool: p, Cell: c})
		s.Shapes = append(s.Shapes, capacity.Shape{Pools: []int{len(s.Pools) - 1}, Rated: 1, Online: 1})
	}
	s.Sort()
	p := partial.Partial{Instance: "one", Generation: 1, Sequence: sequence}
	p.Fill(s)
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// message is an event as a reader takes it apart.
type message struct {
	id, kind, data string
}

func read(t interface{ Fatalf(string, ...any) }, b []byte) (m message) {
	text, ends := strings.CutSuffix(string(b), "\n\n")
	if !ends || strings.Contains(text, "\n\n") {
		t.Fatalf("not one event: %q", b)
	}
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "id":
			m.id = value
		case "event":
			m.kind = value
		case "data":
			m.data = value
		case "":
		default:
			t.Fatalf("unknown line %q", line)
		}
	}
	return m
}

// reader keeps the document that a stream tells, as docs/stream.md says that readers do.
type reader struct {
	w      *Watcher
	id     string
	doc    capacity.Document
	groups map[string]capacity.Group
	bye    string
}

func names(v any) string {
	var g capacity.Gone
	b, _ := json.Marshal(v)
	_ = json.Unmarshal(b, &g)
	b, _ = json.Marshal(g)
	return string(b)
}

// take takes an event.
func (r *reader) take(t interface{ Fatalf(string, ...any) }, b []byte) {
	m := read(t, b)
	decode := func(into any) {
		d := json.NewDecoder(strings.NewReader(m.data))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Fatalf("%s: %v", m.data, err)
		}
	}
	switch m.kind {
	case "snapshot":
		r.doc = capacity.Document{}
		decode(&r.doc)
		r.groups = map[string]capacity.Group{}
		for _, g := range r.doc.Groups {
			r.groups[names(g)] = g
		}
	case "delta":
		var d capacity.Delta
		decode(&d)
		if r.groups == nil || d.Revision < r.doc.Revision {
			t.Fatalf("a delta of revision %d after %d", d.Revision, r.doc.Revision)
		}
		r.doc.Revision, r.doc.AsOf, r.doc.Parts, r.doc.Total = d.Revision, d.AsOf, d.Parts, d.Total
		for _, g := range d.Gone {
			delete(r.groups, names(g))
		}
		for _, g := range d.Groups {
			r.groups[names(g)] = g
		}
	case "bye":
		r.bye = m.data
		return
	default:
		return // a heartbeat
	}
	if want := strconv.FormatInt(r.doc.Revision, 10); strings.TrimSuffix(m.id, cutSuffix) != want {
		t.Fatalf("the id is %q, the revision %s", m.id, want)
	}
	r.id = m.id
}

// drain takes all events that are there.
func (r *reader) drain(t interface{ Fatalf(string, ...any) }) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		if r.w.first == nil {
			select {
			case <-r.w.at.ready:
			default:
				return
			}
		}
		b, err := r.w.Next(ctx)
		if errors.Is(err, context.Canceled) {
			return
		}
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("%v", err)
		}
		r.take(t, b)
		if err != nil {
			return
		}
	}
}

// counted leaves out what streams promise within a minute only.
func counted(f capacity.Figure) capacity.Figure {
	f.Utilisation, f.PowerW, f.Age = nil, 0, nil
	return f
}

// same compares what a reader has with the document at its revision: the total in all, groups in all that counts.
func (r *reader) same(t interface{ Fatalf(string, ...any) }, doc *capacity.Document) {
	have := r.doc
	have.Groups = nil
	want := *doc
	want.Groups = nil
	if diff := cmp.Diff(want, have); diff != "" {
		t.Fatalf("revision %d (-document +reader):\n%s", doc.Revision, diff)
	}
	if len(r.groups) != len(doc.Groups) {
		t.Fatalf("revision %d: the reader has %d groups, the document %d", doc.Revision, len(r.groups), len(doc.Groups))
	}
	for _, g := range doc.Groups {
		if diff := cmp.Diff(counted(g.Figure), counted(r.groups[names(g)].Figure)); diff != "" {
			t.Fatalf("revision %d, group %s (-document +reader):\n%s", doc.Revision, names(g), diff)
		}
	}
}
