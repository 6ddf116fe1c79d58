package streamfeed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/partial"
	"github.com/exameter/exameter/collector/view"
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

// TestStreamsAreTrue lets readers watch two collectors that read one log, each at its own pace, come and go and go on at the other. After
// every event a reader has the document of its revision.
func TestStreamsAreTrue(t *testing.T) {
	deltas, resumed := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		q := capacity.Query{By: rapid.SampledFrom([][]capacity.Dimension{nil, {capacity.ByCentre}, {capacity.ByCentre, capacity.ByModel}}).Draw(rt, "by")}
		type collector struct {
			hub  *Hub
			view *view.View
			next int
		}
		var all [2]*collector
		for i := range all {
			all[i] = &collector{hub: New(Options{Patience: time.Hour}), view: view.New()}
		}
		type entry struct {
			key   string
			value []byte
		}
		var log []entry
		docs := map[int64]*capacity.Document{}
		truth := view.New()
		note := func() {
			doc, err := truth.Snapshot(nil).Document(q)
			if err != nil {
				rt.Fatal(err)
			}
			docs[doc.Revision] = doc
		}
		note()
		write := func() {
			centre := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "centre")
			draw := func(most int64) map[string]int64 {
				return map[string]int64{"m": rapid.Int64Range(0, most).Draw(rt, "m"), "n": rapid.Int64Range(0, most).Draw(rt, "n")}
			}
			e := entry{centre + "/" + strconv.Itoa(rapid.IntRange(0, 1).Draw(rt, "number")), nil}
			e.value = sums(rt, centre, int64(len(log)+1), draw(1), draw(2), draw(1000))
			_, _ = truth.Apply([]byte(e.key), e.value, int64(len(log)), start.Add(time.Duration(len(log))*100*time.Millisecond))
			log = append(log, e)
			note()
		}
		for range 8 {
			write()
		}
		now := time.Now() // and on from there, in big steps
		var readers []*reader
		for range rapid.IntRange(5, 60).Draw(rt, "steps") {
			c := all[rapid.IntRange(0, 1).Draw(rt, "collector")]
			switch rapid.SampledFrom([]string{"write", "read", "read", "round", "round", "watch", "resume", "drain"}).Draw(rt, "step") {
			case "write":
				write()
			case "read":
				for n := rapid.IntRange(0, 3).Draw(rt, "n"); n > 0 && c.next < len(log); n-- {
					_, _ = c.view.Apply([]byte(log[c.next].key), log[c.next].value, int64(c.next), start.Add(time.Duration(c.next)*100*time.Millisecond))
					c.next++
				}
				c.hub.Publish(c.view.Snapshot(nil))
			case "round":
				now = now.Add(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 6 * time.Second, time.Minute}).Draw(rt, "passes"))
				c.hub.round(now)
			case "watch":
				if c.next > 0 {
					w, err := c.hub.Watch(q, nil)
					if err != nil {
						rt.Fatal(err)
					}
					readers = append(readers, &reader{w: w})
				}
			case "resume":
				if len(readers) == 0 || c.hub.latest.Load() == nil {
					continue
				}
				r := rapid.SampledFrom(readers).Draw(rt, "reader")
				if r.id == "" {
					continue
				}
				p, err := ParsePoint(r.id)
				if err != nil {
					rt.Fatal(err)
				}
				r.w.Close()
				if r.w, err = c.hub.Watch(q, &p); err != nil {
					rt.Fatal(err)
				}
				resumed++
			default:
				for _, r := range readers {
					before := r.id
					r.drain(rt)
					if r.id == "" {
						continue
					}
					if r.id != before {
						deltas++
					}
					r.same(rt, docs[r.doc.Revision])
				}
			}
		}
		for _, r := range readers {
			r.w.Close()
		}
		for _, c := range all {
			if s := c.hub.Stats(); s.Watchers != 0 || s.Queries != 0 {
				rt.Fatalf("everybody left, and yet: %+v", s)
			}
		}
	})
	if deltas == 0 || resumed == 0 {
		t.Errorf("%d events changed something, %d readers went on", deltas, resumed)
	}
	t.Log(deltas, "events,", resumed, "resumed")
}

// bench is a hub with one view behind it, in fake time.
type bench struct {
	t      *testing.T
	hub    *Hub
	view   *view.View
	offset int64
	stop   func()
}

func newBench(t *testing.T, o Options) *bench {
	b := &bench{t: t, hub: New(o), view: view.New()}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.hub.Run(ctx)
	}()
	b.stop = func() {
		cancel()
		<-done
	}
	for range 4 {
		b.say("a", 1, 1, 500)
		b.say("b", 2, 2, 500)
	}
	time.Sleep(time.Second)
	synctest.Wait()
	return b
}

// say publishes what a centre has of model m.
func (b *bench) say(centre string, busy, free, activity int64) {
	one := func(n int64) map[string]int64 { return map[string]int64{"m": n} }
	_, _ = b.view.Apply([]byte(centre+"/0"), sums(b.t, centre, b.offset+1, one(busy), one(free), one(activity)), b.offset, time.Now())
	b.offset++
	b.hub.Publish(b.view.Snapshot(nil))
}

func (b *bench) watch(resume *Point) *reader {
	w, err := b.hub.Watch(capacity.Query{By: []capacity.Dimension{capacity.ByCentre}}, resume)
	if err != nil {
		b.t.Fatal(err)
	}
	return &reader{w: w}
}

// next waits for the next event, and says how long it took.
func (b *bench) next(r *reader) (message, time.Duration) {
	b.t.Helper()
	began := time.Now()
	data, err := r.w.Next(b.t.Context())
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, ErrSlow) {
		b.t.Fatal(err)
	}
	r.take(b.t, data)
	return read(b.t, data), time.Since(began)
}

// TestPace sends a change at once, those that follow closely together, and shows that it lives when nothing changes.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		defer b.stop()
		time.Sleep(3 * time.Second)
		r := b.watch(nil)
		if m, took := b.next(r); m.kind != "snapshot" || took != 0 {
			t.Errorf("first came %q after %s", m.kind, took)
		}
		b.say("a", 2, 0, 500)
		if m, took := b.next(r); m.kind != "delta" || took > 0 || strings.Count(m.data, `"centre"`) != 1 {
			t.Errorf("a change came after %s: %+v", took, m)
		}
		// The next one waits for its turn, and takes with it what comes meanwhile.
		b.say("a", 0, 2, 500)
		b.say("b", 3, 1, 500)
		if m, took := b.next(r); m.kind != "delta" || took != 250*time.Millisecond || strings.Count(m.data, `"centre"`) != 2 {
			t.Errorf("two changes came after %s: %+v", took, m)
		}
		// Power and activity alone wait to be looked at.
		b.say("a", 0, 2, 600)
		m, took := b.next(r)
		if m.kind != "delta" || took < time.Second || took > 6*time.Second || strings.Count(m.data, `"centre"`) != 1 {
			t.Errorf("activity came after %s: %+v", took, m)
		}
		// The same again: the time moves on, and no group is sent.
		b.say("a", 0, 2, 601)
		if m, took := b.next(r); m.kind != "delta" || took < 4*time.Second || took > 7*time.Second || strings.Contains(m.data, `"centre"`) {
			t.Errorf("as_of came after %s: %+v", took, m)
		}
		// Nothing at all comes from Kafka.
		if m, took := b.next(r); m != (message{}) || took < 8*time.Second || took > 13*time.Second {
			t.Errorf("a heartbeat came after %s: %+v", took, m)
		}
		// A group is sent after a minute, whatever it says.
		sent := false
		for began := time.Now(); time.Since(began) < 70*time.Second; {
			b.say("a", 0, 2, 601)
			m, _ := b.next(r)
			sent = sent || strings.Contains(m.data, `"centre":"b"`)
		}
		if !sent {
			t.Error("a group was not sent for a minute")
		}
		r.w.Close()
	})
}

// TestBeginsAnew sends a whole document where a delta cannot tell what changed.
func TestBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		defer b.stop()
		r := b.watch(nil)
		b.next(r)
		want := func(what, id string) {
			t.Helper()
			if m, _ := b.next(r); m.kind != "snapshot" || m.id != id {
				t.Errorf("%s: %s", what, m.kind)
			}
		}
		b.hub.Renew()
		want("renewed", r.id)
		b.hub.Publish(b.view.Snapshot(nil).Silenced(31 * time.Second))
		want("cut off", "8-cut")
		if r.doc.Total.Devices.Stale != 6 {
			t.Errorf("cut off, and yet %+v", r.doc.Total.Devices)
		}
		p, err := ParsePoint(r.id)
		if err != nil || !p.Cut {
			t.Fatal(p, err)
		}
		r.w.Close()
		b.say("a", 2, 0, 500)
		time.Sleep(time.Second)
		r = b.watch(&p)
		want("back from being cut off", "9")
		b.offset += 5 // records were missed
		b.say("a", 2, 0, 500)
		want("after a gap", "15")
		r.w.Close()
		// A point that this collector has not reached and never will: the log was begun anew.
		r = b.watch(&Point{Revision: 1 << 40})
		for began := time.Now(); ; {
			m, _ := b.next(r)
			if m.kind == "snapshot" {
				break
			}
			if m.kind != "" || time.Since(began) > time.Minute {
				t.Fatalf("after %s: %+v", time.Since(began), m)
			}
		}
		r.w.Close()
	})
}

// TestSlow closes a stream that nobody reads, and lets the others be.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		slow, quick := b.watch(nil), b.watch(nil)
		b.next(slow)
		b.next(quick)
		for i := range int64(12) {
			b.say("a", i%2, 2, 500)
			b.next(quick)
			time.Sleep(time.Second)
		}
		data, err := slow.w.Next(t.Context())
		if !errors.Is(err, ErrSlow) || !bytes.Contains(data, []byte(`event: bye`)) || !bytes.Contains(data, []byte(`"slow"`)) {
			t.Errorf("%q, %v", data, err)
		}
		if s := b.hub.Stats(); s.Slow != 1 || s.Watchers != 2 || s.Queries != 1 {
			t.Errorf("%+v", s)
		}
		b.stop()
		for quick.bye == "" {
			b.next(quick)
		}
		if !strings.Contains(quick.bye, ReasonStopping) {
			t.Error(quick.bye)
		}
		if _, err := b.hub.Watch(capacity.Query{}, nil); !errors.Is(err, ErrStopped) {
			t.Error(err)
		}
	})
}

// TestLimits refuses watchers and questions beyond what may be, and takes others on when some have left.
func TestLimits(t *testing.T) {
	h := New(Options{Watchers: 3, Queries: 2})
	if _, err := h.Watch(capacity.Query{}, nil); !errors.Is(err, ErrEarly) {
		t.Error(err)
	}
	h.Publish(view.New().Snapshot(nil))
	watch := func(want error, models ...string) *Watcher {
		t.Helper()
		w, err := h.Watch(capacity.Query{Model: models}, nil)
		if !errors.Is(err, want) {
			t.Errorf("%v: %v, want %v", models, err, want)
		}
		return w
	}
	one := watch(nil, "a", "b")
	watch(nil, "b", "a", "b") // the same question
	watch(nil, "c")
	watch(ErrFull, "c")
	one.Close()
	watch(ErrQueries, "d")
	watch(nil, "c")
	if s := h.Stats(); s.Watchers != 3 || s.Queries != 2 {
		t.Errorf("%+v", s)
	}
	if _, err := h.Watch(capacity.Query{Kind: "tpu"}, nil); err == nil {
		t.Error("a query that makes no sense was taken on")
	}
}

// FuzzPoint reads any id: one that is read is written the same.
func FuzzPoint(f *testing.F) {
	for _, s := range []string{"0", "812345", "812345-cut", "-1", "01", "9223372036854775808", "x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePoint(s)
		if err != nil {
			return
		}
		id := strconv.FormatInt(p.Revision, 10)
		if p.Cut {
			id += cutSuffix
		}
		if id != s || p.Revision < 0 {
			t.Errorf("%q was read as %+v", s, p)
		}
	})
}
