package kafkafeed

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/history"
	"github.com/exameter/exameter/collector/quarantine"
	"github.com/exameter/exameter/telemetry"
)

const (
	// every is the least time between two looks at what changed, and pace that between two records of a scope, so that a change is there well
	// within a second.
	every = 200 * time.Millisecond
	pace  = 400 * time.Millisecond
	// again is how long a scope may stand without being written anew, so that its age tells whether somebody writes.
	again = 10 * time.Second
	// goneAfter is how long a scope has to be absent before it is removed: a collector that was replaced and does not know it has lost its
	// lease by then.
	goneAfter = 30 * time.Second
	// unfencedAfter is how long another writer, of a later generation or further in the log, is given way to after its last record.
	unfencedAfter = 10 * time.Second
	// maxScopes bounds what foreign records can make a feed keep in mind.
	maxScopes = 1 << 16
	// future is how far ahead of this collector's clock a point of a history may be. One of years ahead, by a broker of a wrong clock, would hold
	// its slot for as long.
	future  = time.Hour
	timeout = 5 * time.Second
)

// Config says how a feed is written.
type Config struct {
	Instance string
	Writer   quarantine.Writer
	// Elected returns the generation under which this collector is the one to write; ok is false while it is not.
	Elected func() (generation int32, ok bool)
	History *history.History
	Log     *slog.Logger
	// Written is called with what the topic holds by now, while this collector is the one to write; nil where nobody wants to know. It
	// does not block.
	Written func(s *capacity.Snapshot)
}

// Feed follows the topic, and writes to it while it is this collector's turn.
type Feed struct {
	cfg     Config
	latest  atomic.Pointer[capacity.Snapshot]
	wake    chan struct{}
	batches chan *consume.Batch

	// What follows belongs to Run.
	read    bool                 // the topic was read to the end that it had
	known   map[string]time.Time // scopes that stand in the topic; since when they have been absent from snapshots, if they are
	other   seen                 // the last record of another collector
	written map[string]mark      // what this collector wrote in this term of office; nil while it is not in office
	said    time.Time
	busy    time.Duration // what of the last round was not waiting for the broker

	records, failed atomic.Int64
	office          atomic.Bool
}

// seen is how far another writer was.
type seen struct {
	generation int32
	revision   int64
	at         time.Time // when it was read
}

// mark is how a scope was written last.
type mark struct {
	revision int64
	at       time.Time
}

// New makes a feed that does nothing before Run.
func New(cfg Config) *Feed {
	return &Feed{cfg: cfg, wake: make(chan struct{}, 1), batches: make(chan *consume.Batch, 4), known: map[string]time.Time{}}
}

// NewWriter writes to the capacity topic through a transport. The topic must exist.
func NewWriter(c *kafka.Client) *kafka.Writer {
	return &kafka.Writer{
		Addr: c.Addr, Transport: c.Transport, Topic: telemetry.CapacityTopic, RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4,
		BatchSize: 100, BatchTimeout: time.Millisecond, MaxAttempts: 1, WriteTimeout: timeout, ReadTimeout: timeout,
	}
}

// Batches takes what is read of the topic.
func (f *Feed) Batches() chan<- *consume.Batch { return f.batches }

// Publish gives the feed a newer snapshot. It does not block.
func (f *Feed) Publish(s *capacity.Snapshot) {
	f.latest.Store(s)
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Stats say how a feed is written.
type Stats struct {
	Records, Failed int64 // written, tombstones and history included; not written
	Office          bool  // this collector is the one to write
}

// Stats returns the current counts.
func (f *Feed) Stats() Stats {
	return Stats{Records: f.records.Load(), Failed: f.failed.Load(), Office: f.office.Load()}
}

// Run follows and writes until ctx ends.
func (f *Feed) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	rest := time.NewTimer(0)
	defer rest.Stop()
	var next time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-f.batches:
			f.take(b)
			b.Done()
			continue
		case <-f.wake:
		case <-tick.C:
		case <-rest.C:
		}
		if now := time.Now(); now.Before(next) {
			rest.Reset(next.Sub(now))
			continue
		}
		began := time.Now()
		f.busy = 0
		f.round(ctx)
		next = began.Add(max(every, min(4*f.busy, time.Second))) // at most a quarter of a processor
	}
}

// take reads records of the topic. What cannot be read is nobody's loss.
func (f *Feed) take(b *consume.Batch) {
	f.read = f.read || len(b.Records) == 0
	for i := range b.Records {
		rec := &b.Records[i]
		key := string(rec.Key)
		if scope, tier, slot, ok := history.ParseKey(key); ok {
			p, err := decodeNote(rec.Value)
			if s, _ := history.Tiers[tier].Slot(p.At); err == nil && s == slot && time.Until(p.At) <= future {
				f.cfg.History.Put(scope, tier, p, true)
			}
			continue
		}
		if rec.Value == nil {
			delete(f.known, key)
			continue
		}
		var r struct {
			Writer
			Revision int64 `json:"revision"`
		}
		if len(f.known) < maxScopes {
			f.known[key] = time.Time{}
		}
		if decode(rec.Value, &r) == nil && r.Instance != f.cfg.Instance {
			f.other = seen{r.Generation, r.Revision, time.Now()}
		}
	}
}

// round notes the history, and writes what is due if this collector is the one to write.
func (f *Feed) round(ctx context.Context) {
	s := f.latest.Load()
	if s == nil || s.Cut {
		return // what is not read any more is not written either
	}
	now := time.Now()
	generation, office := f.cfg.Elected()
	office = office && f.read
	f.office.Store(office)
	if !office {
		f.written = nil
	} else if f.written == nil {
		f.written = map[string]mark{}
	}
	ahead := s.Revision < f.other.revision || generation < f.other.generation
	if office && ahead && now.Sub(f.other.at) < unfencedAfter {
		return
	}
	figures, err := figuresOf(s)
	if err != nil {
		f.cfg.Log.Error("the feed's figures cannot be summed up", "error", err)
		return
	}
	notes := f.note(figures)
	f.busy = time.Since(now)
	if !office {
		return
	}
	w := writing{Writer: Writer{Schema: Schema, Instance: f.cfg.Instance, Generation: generation}, scopes: map[string]bool{}}
	f.due(&w, figures, now)
	f.gone(&w, figures, now)
	for _, n := range notes {
		w.add(history.Key(n.scope, n.tier, n.slot()), n.scope, func(by Writer) any { return Note{by, n.Point} })
	}
	f.busy = time.Since(now)
	if len(w.msgs) > 0 && !f.write(ctx, &w) {
		return
	}
	for scope := range w.scopes {
		f.written[scope] = mark{s.Revision, now}
	}
	for _, n := range notes {
		f.cfg.History.Put(n.scope, n.tier, n.Point, true)
	}
	if f.cfg.Written != nil {
		f.cfg.Written(s)
	}
}

// note is a point that does not stand in the topic yet.
type note struct {
	history.Point
	scope string
	tier  int
}

func (n *note) slot() int {
	slot, _ := history.Tiers[n.tier].Slot(n.At)
	return slot
}

// note puts figures into the history where their turn has come, and returns what does not stand in the topic.
func (f *Feed) note(figures *figures) (notes []note) {
	for _, scope := range figures.scopes {
		if history.ValidScope(scope) != nil {
			continue // a pool
		}
		r := figures.records[scope]
		for tier := range history.Tiers {
			p, noted, ok := f.cfg.History.At(scope, tier, r.AsOf)
			if !ok {
				p = history.PointOf(r.AsOf, r.Revision, &r.Figure)
				f.cfg.History.Put(scope, tier, p, false)
			}
			if !noted {
				notes = append(notes, note{p, scope, tier})
			}
		}
	}
	return notes
}

// due adds the scopes that changed, and those that were not written for long.
func (f *Feed) due(w *writing, figures *figures, now time.Time) {
	for _, scope := range figures.scopes {
		last, wrote := f.written[scope]
		if since := now.Sub(last.at); !wrote || since >= again || since >= pace && figures.changed[scope](last.revision) {
			r := figures.records[scope]
			w.add(scope, scope, func(by Writer) any {
				r.Writer = by
				return r
			})
			w.scopes[scope] = true
		}
	}
}

// gone removes scopes that have been absent for long enough.
func (f *Feed) gone(w *writing, figures *figures, now time.Time) {
	for scope, since := range f.known {
		switch {
		case figures.records[scope] != nil:
			f.known[scope] = time.Time{}
		case since.IsZero():
			f.known[scope] = now
		case now.Sub(since) >= goneAfter:
			w.msgs = append(w.msgs, kafka.Message{Key: []byte(scope)})
		}
	}
	for scope := range f.written {
		if figures.records[scope] == nil {
			delete(f.written, scope)
		}
	}
}

// write writes, and reports whether all of it is written.
func (f *Feed) write(ctx context.Context, w *writing) bool {
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := w.err
	if err == nil {
		err = f.cfg.Writer.WriteMessages(within, w.msgs...)
	}
	if err == nil {
		f.records.Add(int64(len(w.msgs)))
		return true
	}
	f.failed.Add(int64(len(w.msgs)))
	if time.Since(f.said) > time.Minute && ctx.Err() == nil { // that the collector stops is no news
		f.said = time.Now()
		f.cfg.Log.Warn("cannot write the feed", "topic", telemetry.CapacityTopic, "error", err)
	}
	return false
}
