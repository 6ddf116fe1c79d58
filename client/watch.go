package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// streamSilence is how long a stream may say nothing: a collector says something every ten seconds.
	streamSilence = 25 * time.Second
	// streamWorked is how long a stream has lasted that is no failure. One that ends sooner is not asked for again at once.
	streamWorked = 5 * time.Second
	// maxRetry bounds how long a collector's stream may ask to wait before it is asked again.
	maxRetry = 30 * time.Second
)

// Update is what a watch has to tell.
type Update struct {
	// Capacity is the whole figure as it is now: the last one known, while Trouble says that nobody tells of newer ones. It is
	// nil before the first. It is not changed afterwards.
	Capacity *Capacity
	// Snapshot says that the figure came whole: at the beginning, and where what changed in between was no longer kept.
	Snapshot bool
	// Changed are the groups that are new or other than before, and Gone those that are no more.
	Changed []Group
	Gone    []Dimensions
	// Trouble says why the stream ended; it is being asked for again. Silence is never idle: the figure is getting old.
	Trouble error
}

// delta is what a stream tells between snapshots.
type delta struct {
	mark
	Parts  Parts        `json:"parts"`
	Total  Figure       `json:"total"`
	Groups []Group      `json:"groups"`
	Gone   []Dimensions `json:"gone"`
}

// Watch tells of the figure that Capacity gives, now and whenever it changes, until ctx ends or the loop is left. Where a
// stream ends or falls silent it resumes at the next collector, without a gap and without going back. The error is not nil at
// most once, at the end: the question is wrong, or collectors of this version have no stream (IsNotThere).
func (c *Client) Watch(ctx context.Context, q CapacityQuery) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		w := &watch{c: c, query: q, yield: yield}
		for failures, hopeless := 0, 0; ; {
			begun, told := time.Now(), w.told
			err := w.stream(ctx)
			if w.left || ctx.Err() != nil {
				return
			}
			if w.id != "" && statusOf(err) == http.StatusBadRequest { // perhaps it is the place to resume at
				w.id, err = "", fmt.Errorf("begin anew: %s", err)
			}
			hopeless = w.lost(err, hopeless)
			if final(err) || hopeless == len(c.bases) {
				yield(Update{Capacity: w.now}, err)
				return
			}
			if !yield(Update{Capacity: w.now, Trouble: err}, nil) {
				return
			}
			if failures++; w.told > told && time.Since(begun) > streamWorked {
				failures = 0
			}
			if sleep(ctx, w.pause(err, failures)) != nil {
				<-ctx.Done()
				return
			}
		}
	}
}

// watch is one watch under way.
type watch struct {
	c     *Client
	query CapacityQuery
	yield func(Update, error) bool

	now   *Capacity // nil before the first snapshot
	id    string    // where to resume
	retry time.Duration
	told  int  // updates told
	left  bool // whether the caller left the loop
	at    int  // index of the collector to ask, or of the one being read
}

// pause is how long to wait before the next collector is asked: not at all for the first one after a stream that worked.
func (w *watch) pause(err error, failures int) time.Duration {
	var p *Problem
	switch {
	case errors.As(err, &p) && p.RetryAfter > 0 && len(w.c.bases) == 1:
		return min(p.RetryAfter, maxRetry)
	case failures == 0:
		return min(w.retry, maxRetry)
	default:
		return min(backoff(failures/len(w.c.bases)), w.c.o.MaxWait)
	}
}

// lost counts the collectors in a row that will never have a stream.
func (w *watch) lost(err error, before int) int {
	if hopeless(err) {
		return before + 1
	}
	return 0
}

// stream reads one collector's stream until it ends, which it does with an error.
func (w *watch) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	base := w.c.bases[w.at]
	w.at = (w.at + 1) % len(w.c.bases) // whatever becomes of this one, the next is another
	resp, err := w.c.send(ctx, base, "v1/stream", w.query.Values(), eventStream, w.id)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, eventStream) {
		return fmt.Errorf("the collector at %s answers with %q, not with a stream", base, kind)
	}
	var silent atomic.Bool
	dog := time.AfterFunc(w.c.silence, func() {
		silent.Store(true)
		cancel()
	})
	defer dog.Stop()
	in := newEvents(resp.Body, w.c.o.MaxAnswer)
	for {
		ev, err := in.next()
		if silent.Load() {
			return fmt.Errorf("the stream of the collector at %s was silent for %s", base, w.c.silence)
		}
		if errors.Is(err, errEventTooLarge) {
			return fmt.Errorf("%w: %w", errTooLarge, err)
		}
		if err != nil {
			return fmt.Errorf("the stream of the collector at %s ended: %w", base, err)
		}
		dog.Reset(w.c.silence)
		w.retry = ev.retry
		if err := w.take(ev, base.String()); err != nil || w.left {
			return err
		}
	}
}

// take takes one event.
func (w *watch) take(ev event, collector string) error {
	switch ev.name {
	case "snapshot":
		var doc Capacity
		if err := json.Unmarshal([]byte(ev.data), &doc); err != nil {
			return fmt.Errorf("read a snapshot of the collector at %s: %w", collector, err)
		}
		if w.now != nil && doc.mark().before(w.now.mark()) {
			return fmt.Errorf("%w: the collector at %s is at revision %d, and %d was seen", ErrBehind, collector, doc.Revision, w.now.Revision)
		}
		w.now, w.id = &doc, ev.id
		w.tell(Update{Capacity: w.now, Snapshot: true, Changed: doc.Groups})
	case "delta":
		var d delta
		if err := json.Unmarshal([]byte(ev.data), &d); err != nil {
			return fmt.Errorf("read a delta of the collector at %s: %w", collector, err)
		}
		if w.now == nil {
			return fmt.Errorf("the collector at %s tells of changes before it told of what changes", collector)
		}
		if d.Revision <= w.now.Revision {
			return nil // told already
		}
		w.now, w.id = w.now.with(&d), ev.id
		w.tell(Update{Capacity: w.now, Changed: d.Groups, Gone: d.Gone})
	case "bye":
		var bye struct{ Reason string }
		if json.Unmarshal([]byte(ev.data), &bye) != nil || bye.Reason == "" {
			bye.Reason = ev.data
		}
		return fmt.Errorf("the collector at %s ended the stream: %.200s", collector, bye.Reason)
	}
	return nil // a heartbeat, or what later versions tell
}

func (w *watch) tell(u Update) {
	w.told++
	w.c.note(w.now.mark(), (w.at+len(w.c.bases)-1)%len(w.c.bases))
	w.left = !w.yield(u, nil)
}

// with returns the document after a change. Groups stay sorted by the dimensions asked for, in their order.
func (doc *Capacity) with(d *delta) *Capacity {
	out := *doc
	out.Revision, out.AsOf, out.Parts, out.Total = d.Revision, d.AsOf, d.Parts, d.Total
	change := make(map[Dimensions]*Group, len(d.Groups))
	for i := range d.Groups {
		change[d.Groups[i].Dimensions] = &d.Groups[i]
	}
	gone := make(map[Dimensions]bool, len(d.Gone))
	for _, g := range d.Gone {
		gone[g] = true
	}
	out.Groups = make([]Group, 0, len(doc.Groups)+len(d.Groups))
	for i := range doc.Groups {
		key := doc.Groups[i].Dimensions
		switch g, changed := change[key]; {
		case changed:
			out.Groups = append(out.Groups, *g)
			delete(change, key)
		case !gone[key]:
			out.Groups = append(out.Groups, doc.Groups[i])
		}
	}
	for i := range d.Groups { // what is left of them is new
		if g, fresh := change[d.Groups[i].Dimensions]; fresh && g == &d.Groups[i] {
			out.Groups = append(out.Groups, *g)
		}
	}
	slices.SortStableFunc(out.Groups, func(a, b Group) int {
		for _, by := range doc.By {
			if c := strings.Compare(a.Get(by), b.Get(by)); c != 0 {
				return c
			}
		}
		return 0
	})
	return &out
}

// Get returns the value of a dimension by its name.
func (d *Dimensions) Get(name string) string {
	switch name {
	case "centre":
		return d.Centre
	case "cluster":
		return d.Cluster
	case "kind":
		return d.Kind
	case "vendor":
		return d.Vendor
	case "model":
		return d.Model
	case "class":
		return d.Class
	case "domestic":
		return d.Domestic
	}
	return ""
}
