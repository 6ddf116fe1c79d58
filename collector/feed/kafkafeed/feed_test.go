package kafkafeed

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/history"
	"github.com/exameter/exameter/telemetry"
)

// topic is a log that feeds write to and read back.
type topic struct {
	fails bool
	feeds []*Feed
	log   []kafka.Message
}

func (l *topic) WriteMessages(_ context.Context, msgs ...kafka.Message) error {
	if l.fails {
		return errors.New("no leader")
	}
	l.log = append(l.log, msgs...)
	return nil
}

// deliver lets every feed read what it has not read.
func (l *topic) deliver(from int) {
	for _, f := range l.feeds {
		b := &consume.Batch{}
		for i, m := range l.log[from:] {
			b.Records = append(b.Records, consume.Record{Offset: int64(from + i), Key: m.Key, Value: m.Value})
		}
		f.take(b)
	}
}

// snapshot has centres with so many free cards each, and processors in centre b. What has changed did so at the revision.
func snapshot(revision int64, free map[string]int64) *capacity.Snapshot {
	s := &capacity.Snapshot{Revision: revision, AsOf: time.Now(), Catalogue: "1", StaleAfter: 30 * time.Second}
	for centre, n := range free {
		p := capacity.Pool{Centre: centre, Cluster: "default", Kind: telemetry.Accelerator, Vendor: "v", Model: "=A/B %1", Class: capacity.Intelligent, Basis: catalog.FP16}
		p.Peaks = p.Peaks.With(catalog.FP16, 1_000_000)
		s.Pools = append(s.Pools, capacity.PoolCell{Pool: p, Cell: capacity.Cell{Devices: [5]int64{0, n}, Units: [5]int64{0, n * capacity.UnitsPerDevice}}})
	}
	s.Sort()
	s.Changed = make([]int64, len(s.Pools))
	for i := range s.Changed {
		s.Changed[i] = revision
	}
	return s
}

func (l *topic) feed(instance string, generation *int32) *Feed {
	f := New(Config{
		Instance: instance, Writer: l, History: history.New(), Log: slog.New(slog.DiscardHandler),
		Elected: func() (int32, bool) { return *generation, *generation > 0 },
	})
	f.read = true
	l.feeds = append(l.feeds, f)
	return f
}

// keys are the keys of what was written after a place in the log, histories left out.
func (l *topic) keys(from int) string {
	var out []string
	for _, m := range l.log[from:] {
		if !strings.HasPrefix(string(m.Key), "history/") {
			mark := ""
			if m.Value == nil {
				mark = " gone"
			}
			out = append(out, string(m.Key)+mark)
		}
	}
	return strings.Join(out, ", ")
}

// TestScopes writes every scope at first, then what changed, then all again so that its age is known, and at last that one is gone.
func TestScopes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l topic
		generation := int32(3)
		f := l.feed("one", &generation)
		round := func(s *capacity.Snapshot) string {
			from := len(l.log)
			f.latest.Store(s)
			f.round(t.Context())
			l.deliver(from)
			return l.keys(from)
		}
		const poolA, poolB = "pool/a/default/accelerator/v/=A%2FB%20%251", "pool/b/default/accelerator/v/=A%2FB%20%251"
		if got := round(snapshot(10, map[string]int64{"a": 1, "b": 2})); got != "province, centre/a, centre/b, "+poolA+", "+poolB {
			t.Errorf("at first: %s", got)
		}
		var r Record
		if err := json.Unmarshal(l.log[0].Value, &r); err != nil || r.Schema != 1 || r.Scope != "province" || r.Instance != "one" || r.Generation != 3 || r.Revision != 10 || r.Devices.Free != 3 || r.Eflops.Free != 3_000_000 || r.Kind != "accelerator" || r.Catalogue != "1" {
			t.Errorf("%+v, %v", r, err)
		}
		if err := json.Unmarshal(l.log[4].Value, &r); err != nil || r.Scope != poolB || r.Centre != "b" || r.Model != "=A/B %1" || r.Class != "intelligent" || r.Domestic != "unknown" || r.Devices.Free != 2 {
			t.Errorf("%+v, %v", r, err)
		}
		time.Sleep(time.Second)
		s := snapshot(20, map[string]int64{"a": 1, "b": 3})
		s.Changed[0] = 10
		if got := round(s); got != "province, centre/b, "+poolB {
			t.Errorf("after a change: %s", got)
		}
		if got := round(s); got != "" {
			t.Errorf("without a change: %s", got)
		}
		s.Revision, s.Changed[1] = 21, 21
		if got := round(s); got != "" {
			t.Errorf("a second change at once: %s", got)
		}
		time.Sleep(pace)
		l.fails = true
		s = snapshot(21, map[string]int64{"a": 1, "b": 4})
		s.Changed[0] = 10
		if got := round(s); got != "" || f.Stats().Failed == 0 {
			t.Errorf("a write that fails: %s", got)
		}
		l.fails = false
		if got := round(s); got != "province, centre/b, "+poolB {
			t.Errorf("after a write that failed: %s", got)
		}
		// What changed since the last record is not known, so it may be anything.
		time.Sleep(pace)
		s = snapshot(22, map[string]int64{"a": 2, "b": 4})
		s.Since, s.Changed = 22, []int64{0, 0}
		if got := round(s); strings.Count(got, ",") != 4 {
			t.Errorf("after a gap in the log: %s", got)
		}
		time.Sleep(again)
		if got := round(s); got != "province, centre/a, centre/b, "+poolA+", "+poolB {
			t.Errorf("again: %s", got)
		}
		s = snapshot(30, map[string]int64{"a": 1})
		if got := round(s); strings.Contains(got, "gone") {
			t.Errorf("at once: %s", got)
		}
		time.Sleep(goneAfter)
		if got := round(s); !strings.Contains(got, "centre/b gone") || !strings.Contains(got, poolB+" gone") || strings.Contains(got, "a gone") {
			t.Errorf("gone: %s", got)
		}
		if got := round(s); strings.Contains(got, "gone") {
			t.Errorf("gone again: %s", got)
		}
		s.Cut = true
		if got := round(s); got != "" {
			t.Errorf("cut off: %s", got)
		}
	})
}

// TestHandOver lets one writer follow another, and an earlier one that does not know it: the later waits until it is as far in the log as
// the earlier was, and writes everything.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l topic
		first, second := int32(3), int32(0)
		one, two := l.feed("one", &first), l.feed("two", &second)
		round := func(f *Feed, revision int64) string {
			from := len(l.log)
			f.latest.Store(snapshot(revision, map[string]int64{"a": revision}))
			f.round(t.Context())
			l.deliver(from)
			return l.keys(from)
		}
		if got := round(two, 9); got != "" || two.Stats().Office {
			t.Errorf("who is not elected wrote %s", got)
		}
		if got := round(one, 10); got == "" || !one.Stats().Office {
			t.Error("who is elected wrote nothing")
		}
		second = 4
		if got := round(two, 9); got != "" {
			t.Errorf("went back to revision 9: %s", got)
		}
		if got := round(two, 12); strings.Count(got, ",") != 2 {
			t.Errorf("the successor wrote %s", got)
		}
		if got := round(one, 13); got != "" {
			t.Errorf("the one before wrote %s after it has read its successor", got)
		}
		// The group is made anew, and counts from one again.
		second = 0
		first = 1
		time.Sleep(unfencedAfter)
		if got := round(one, 14); got == "" {
			t.Error("nobody writes when the group was made anew")
		}
	})
}

// TestHistoryGoesOn writes histories, and lets a collector that begins anew have them.
func TestHistoryGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l topic
		generation := int32(3)
		one := l.feed("one", &generation)
		began := time.Now()
		for i := range int64(3 * 3600) {
			from := len(l.log)
			one.latest.Store(snapshot(i, map[string]int64{"a": i}))
			one.round(t.Context())
			l.deliver(from)
			time.Sleep(time.Second)
		}
		// As compaction leaves the topic.
		last := map[string]int{}
		for i, m := range l.log {
			last[string(m.Key)] = i
		}
		if n := len(last); n > 2*(180+360)+10 {
			t.Errorf("three hours make %d keys", n)
		}
		off := int32(0)
		two := l.feed("two", &off)
		for i, m := range l.log {
			if last[string(m.Key)] == i {
				two.take(&consume.Batch{Records: []consume.Record{{Key: m.Key, Value: m.Value}}})
			}
		}
		for _, scope := range []string{"province", "centre/a"} {
			for _, step := range []time.Duration{10 * time.Second, time.Minute} {
				a, b := one.cfg.History.Points(scope, began, time.Now(), step), two.cfg.History.Points(scope, began, time.Now(), step)
				x, _ := json.Marshal(a)
				y, _ := json.Marshal(b)
				if len(a) < 180 || string(x) != string(y) {
					t.Errorf("%s, %s: %d points before, %d after, or they differ", scope, step, len(a), len(b))
				}
			}
		}
	})
}

// TestHistoryOfTheFuture reads points that a broker of a wrong clock dated years ahead: they do not hold the places of those to come.
func TestHistoryOfTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l topic
		off := int32(0)
		f := l.feed("one", &off)
		now := time.Now()
		for ahead, want := range map[time.Duration]bool{0: true, 30 * time.Minute: true, 24 * 366 * time.Hour: false} {
			p := history.Point{At: now.Add(ahead), Revision: 7}
			slot, _ := history.Tiers[1].Slot(p.At)
			value, err := json.Marshal(Note{Writer{Schema: Schema}, p})
			if err != nil {
				t.Fatal(err)
			}
			f.take(&consume.Batch{Records: []consume.Record{{Key: []byte(history.Key("province", 1, slot)), Value: value}}})
			if _, _, ok := f.cfg.History.At("province", 1, p.At); ok != want {
				t.Errorf("%s ahead: taken %t", ahead, ok)
			}
		}
	})
}

// FuzzTake reads any record of the topic: nothing ends the feed, and what a history takes makes sense.
func FuzzTake(f *testing.F) {
	f.Add("history/province/1m/0", []byte(`{"schema":1,"at":"2026-11-23T08:00:00Z","revision":7,"devices":{"rated":5}}`))
	f.Add("history/province/1m/0", []byte(`{"schema":1,"at":"2026-11-23T08:00:00Z","devices":{"rated":-5}}`))
	f.Add("province", []byte(`{"revision":1e99}`))
	f.Add("", []byte(nil))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		var l topic
		generation := int32(1)
		feed := l.feed("one", &generation)
		feed.take(&consume.Batch{Records: []consume.Record{{Key: []byte(key), Value: value}}})
		for _, p := range feed.cfg.History.Points("province", time.Unix(0, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Minute) {
			if p.Revision < 0 || p.Devices.Rated < 0 {
				t.Errorf("%q: %+v", value, p)
			}
		}
		feed.latest.Store(snapshot(1, map[string]int64{"a": 1}))
		feed.round(t.Context())
	})
}
