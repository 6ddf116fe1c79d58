package collector

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/fleet"
)

// standstill is how long a worker may not have run before its process counts as having been stopped: its parts may be
// another's by now.
const standstill = 3 * time.Second

// A fold interval is made of turns, in each of which a worker looks at some of its parts: the work of all of them does not come in one go.
const turn = 5 * time.Millisecond

// worker applies the records of some of the parts, one thing at a time. Nothing else touches their fleets.
type worker struct {
	c       *collector
	batches chan *consume.Batch
	do      chan func() // runs between batches
	parts   map[consume.Part]*part
	applier applier
	order   []consume.Part // of the parts, by turns
	turns   int            // in a fold interval
	turn    int            // the present one
	ticked  time.Time
	moved   atomic.Int64 // when it last ticked, in ns, for others
}

func newWorker(c *collector) *worker {
	w := &worker{c: c, batches: make(chan *consume.Batch, 16), do: make(chan func()), parts: map[consume.Part]*part{}}
	w.turns = max(1, int(c.cfg.FoldInterval.D()/turn))
	w.applier.count(c.metrics)
	return w
}

// run works until ctx ends.
func (w *worker) run(ctx context.Context) {
	tick := time.NewTicker(w.c.cfg.FoldInterval.D() / time.Duration(w.turns))
	defer tick.Stop()
	check := time.NewTicker(time.Second)
	defer check.Stop()
	w.step()
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-w.batches:
			w.take(b)
		case <-tick.C:
			w.tick()
		case <-check.C:
			w.check()
		case do := <-w.do:
			do()
		}
	}
}

// take applies a batch, unless it is of a part that has left or of an earlier time it was here.
func (w *worker) take(b *consume.Batch) {
	if p := w.part(b.Part()); p != nil && p.epoch == b.Epoch {
		w.apply(p, b)
	}
	b.Done()
}

// part returns the state of an owned part, a new one where the part is new or came back; nil where it is not owned.
func (w *worker) part(id consume.Part) *part {
	epoch, owned := w.c.owned.of(id)
	p := w.parts[id]
	if p != nil && owned && p.epoch == epoch {
		return p
	}
	if !owned {
		delete(w.parts, id)
		return nil
	}
	w.parts[id] = newPart(id, epoch, w.c.now(), fleet.Options{StaleAfter: w.c.cfg.StaleAfter.D(), Pricing: *w.c.pricing.Load()})
	return w.parts[id]
}

// tick folds the parts whose turn it is, where they are rebuilt, and publishes what is due.
func (w *worker) tick() {
	if stood := time.Since(w.ticked); stood > standstill {
		w.c.log.Warn("the process stood still; nothing is published before the group has confirmed its parts", "for", stood.Round(time.Millisecond))
		w.c.member.Suspect()
	}
	w.step()
	if w.turn = (w.turn + 1) % w.turns; w.turn == 0 {
		w.round()
	}
	for i := w.turn; i < len(w.order); i += w.turns {
		if p := w.part(w.order[i]); p != nil && w.c.consumer.Rebuilt(p.id, p.epoch) {
			w.publish(p)
		}
	}
}

// round begins a fold interval: it takes leave of parts that have left, and puts the others in order.
func (w *worker) round() {
	for id := range w.parts {
		if epoch, owned := w.c.owned.of(id); !owned || epoch != w.parts[id].epoch {
			delete(w.parts, id)
		}
	}
	w.order = w.c.owned.all(func(p consume.Part) bool { return w.c.workerOf(p) == w })
	slices.SortFunc(w.order, func(a, b consume.Part) int {
		return cmp.Or(strings.Compare(a.Centre, b.Centre), cmp.Compare(a.Number, b.Number))
	})
	stats := map[string]*fleet.Stats{}
	for _, id := range w.order {
		if p := w.parts[id]; p != nil && w.c.consumer.Rebuilt(id, p.epoch) {
			one := p.fleet.Stats()
			w.heard(p)
			if stats[id.Centre] == nil {
				stats[id.Centre] = new(fleet.Stats)
			}
			stats[id.Centre].Add(&one)
		}
	}
	w.c.stats.put(w, stats)
}

// heard counts what agents of a part said they dropped and saw since it was looked at last.
func (w *worker) heard(p *part) {
	if !p.begun {
		return
	}
	grown := p.tally.grown(p.fleet.Heard())
	w.c.metrics.Dropped.WithLabelValues(p.id.Centre).Add(float64(grown.DroppedRecords))
	w.c.metrics.XIDs.WithLabelValues(p.id.Centre).Add(float64(grown.XIDErrors))
}

func (w *worker) step() {
	w.ticked = time.Now()
	w.moved.Store(w.ticked.UnixNano())
}

// publish hands what is due of a part to the publisher.
func (w *worker) publish(p *part) {
	generation, ok := w.c.member.Lease()
	if !ok {
		return
	}
	began := time.Now()
	records, err := p.step(w.c.view, &author{
		instance: w.c.instance, address: w.c.address, generation: generation, next: func() int64 { return w.c.sequence.Add(1) }, now: w.c.now(),
	})
	w.c.metrics.Folds.Observe(time.Since(began).Seconds())
	if err != nil {
		w.c.log.Error("a part cannot be published", "part", p.id.String(), "error", err)
		return
	}
	w.c.publisher.put(p.id, p.epoch, records)
}

// check recounts the fleets that are due, as many a second as bring all of them round in time.
func (w *worker) check() {
	due := make([]*part, 0, len(w.parts))
	for _, p := range w.parts {
		if p.begun && time.Since(p.checked) >= checkEvery {
			due = append(due, p)
		}
	}
	slices.SortFunc(due, func(a, b *part) int { return a.checked.Compare(b.checked) })
	for _, p := range due[:min(len(due), 1+len(w.parts)/int(checkEvery/time.Second))] {
		p.checked = time.Now()
		if err := p.fleet.Check(); err != nil {
			w.c.metrics.Checks.WithLabelValues("different").Inc()
			w.c.log.Error("the self-check failed: figures may have been wrong until now and are recounted; please report this",
				"part", p.id.String(), "error", err)
			continue
		}
		w.c.metrics.Checks.WithLabelValues("equal").Inc()
	}
}

// reprice looks all pools up anew.
func (w *worker) reprice(p fleet.Pricing) {
	for _, part := range w.parts {
		part.fleet.Reprice(p)
		part.when = time.Time{}
	}
}
