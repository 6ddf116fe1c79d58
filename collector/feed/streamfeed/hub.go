// Package streamfeed tells watchers of capacity what changes, as server-sent events. Watchers that ask the same share one
// computation and one encoded event. See docs/stream.md.
package streamfeed

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

// Options bound what watchers may cost. Zero values are defaults.
type Options struct {
	Watchers int // how many there may be at a time; 20,000
	Queries  int // how many different questions they may ask; 256

	Every     time.Duration // the least time between two events of a stream; 250 ms
	Refresh   time.Duration // how often figures that move all the time are looked at; 5 s
	Renew     time.Duration // how long a group may stand without being sent anew; 1 min
	Heartbeat time.Duration // the longest silence on a stream; 10 s
	Patience  time.Duration // how far a watcher may be behind, and how long a log may take to get to where it was; 10 s
	Block     time.Duration // how long a watcher may take to take an event; 10 s
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&o.Every, 250*time.Millisecond)
	set(&o.Refresh, 5*time.Second)
	set(&o.Renew, time.Minute)
	set(&o.Heartbeat, 10*time.Second)
	set(&o.Patience, 10*time.Second)
	set(&o.Block, 10*time.Second)
	if o.Watchers <= 0 {
		o.Watchers = 20_000
	}
	if o.Queries <= 0 {
		o.Queries = 256
	}
	return o
}

// rest bounds what computing streams may take of a processor: after a round, so many times as long as it took is rested.
const rest = 3

// What keeps a watcher from being taken on.
var (
	ErrFull    = errors.New("there are as many watchers as there may be")
	ErrQueries = errors.New("watchers ask as many different questions as they may")
	ErrEarly   = errors.New("there are no figures yet")
	ErrStopped = errors.New("the collector stops")
)

// Hub turns snapshots into streams. Its methods may be called from any goroutine.
type Hub struct {
	o       Options
	latest  atomic.Pointer[capacity.Snapshot]
	wake    chan struct{}
	renewed atomic.Bool // what deltas do not tell has changed: every stream begins anew

	mu       sync.Mutex
	base     *capacity.Snapshot // what the last round was of
	channels map[string]*channel
	watchers int
	stopped  bool

	events, slow atomic.Int64
}

// New makes a hub that does nothing before Run.
func New(o Options) *Hub {
	return &Hub{o: o.withDefaults(), wake: make(chan struct{}, 1), channels: map[string]*channel{}}
}

// Publish gives the hub a newer snapshot. It does not block.
func (h *Hub) Publish(s *capacity.Snapshot) {
	h.latest.Store(s)
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Renew makes every stream begin anew with a whole document: something that deltas do not tell has changed.
func (h *Hub) Renew() { h.renewed.Store(true) }

// Stats are counts since the start, and how many watch now.
type Stats struct {
	Watchers, Queries int
	Events            int64 // encoded, however many watchers took them
	Slow              int64 // watchers that were too slow
}

// Stats returns the current counts.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{Watchers: h.watchers, Queries: len(h.channels), Events: h.events.Load(), Slow: h.slow.Load()}
}

// Run streams until ctx ends, and then bids all watchers farewell.
func (h *Hub) Run(ctx context.Context) {
	tick := time.NewTicker(min(h.o.Refresh, h.o.Heartbeat) / 5)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			h.stop()
			return
		case <-h.wake:
		case <-tick.C:
		}
		began := time.Now()
		if !h.round(began) {
			continue
		}
		pause := time.NewTimer(max(h.o.Every-time.Since(began), rest*time.Since(began)))
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// round tells every channel of the newest snapshot, and reports whether there was anything to tell.
func (h *Hub) round(now time.Time) bool {
	s := h.latest.Load()
	if s == nil {
		return false
	}
	renew := h.renewed.Swap(false)
	h.mu.Lock()
	worked := h.base != s
	h.base = s
	all := make([]*channel, 0, len(h.channels))
	for _, c := range h.channels {
		all = append(all, c)
	}
	h.mu.Unlock()
	for _, c := range all {
		if c.advance(s, now, renew) {
			worked = true
			h.events.Add(1)
		}
	}
	return worked
}

func (h *Hub) stop() {
	h.mu.Lock()
	h.stopped = true
	all := make([]*channel, 0, len(h.channels))
	for _, c := range h.channels {
		all = append(all, c)
	}
	h.mu.Unlock()
	for _, c := range all {
		c.mu.Lock()
		c.append(&event{data: Bye(ReasonStopping), final: true}, time.Now())
		c.mu.Unlock()
	}
}

// Watch takes a watcher on, who closes what it gets. One that had a revision before says so, and gets what changed since if that is known.
func (h *Hub) Watch(q capacity.Query, resume *Point) (*Watcher, error) {
	q, key, err := q.Canonical()
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.channels[key]
	switch {
	case h.stopped:
		return nil, ErrStopped
	case h.latest.Load() == nil:
		return nil, ErrEarly
	case h.watchers >= h.o.Watchers:
		return nil, ErrFull
	case c == nil && len(h.channels) >= h.o.Queries:
		return nil, ErrQueries
	}
	if h.base == nil {
		h.base = h.latest.Load()
	}
	if c == nil {
		if c, err = newChannel(&h.o, key, q, h.base); err != nil {
			return nil, err
		}
		h.channels[key] = c
	}
	c.watchers++
	h.watchers++
	w := &Watcher{h: h, c: c, came: time.Now()}
	if err := w.join(resume); err != nil {
		h.leave(c)
		return nil, err
	}
	return w, nil
}

// leave forgets a watcher, and a channel with its last one. The caller holds the lock.
func (h *Hub) leave(c *channel) {
	h.watchers--
	if c.watchers--; c.watchers == 0 {
		delete(h.channels, c.key)
	}
}
