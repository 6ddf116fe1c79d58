package streamfeed

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/view"
)

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
