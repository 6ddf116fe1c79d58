package collector

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/partial"
)

// publishEvery is how often an unchanged part is published, so that its age says whether it has an owner.
const publishEvery = time.Second

// standstill is how long a worker may not have run before its process counts as having been stopped: its parts may be
// another's by now.
const standstill = 3 * time.Second

// worker applies the records of some of the parts, one thing at a time. Nothing else touches their fleets.
type worker struct {
	c       *collector
	batches chan *consume.Batch
	do      chan func() // runs between batches
	parts   map[consume.Part]*part
	applier applier
	ticked  time.Time
	moved   atomic.Int64 // when it last ticked, in ns, for others
}

// part is one owned part.
type part struct {
	id    consume.Part
	epoch int64
	fleet *fleet.Fleet
	next  [2]int64 // offsets of the next records, by kind of topic

	last       *capacity.Snapshot // what was published last
	generation int32              // under which it was
	when       time.Time
}

func newWorker(c *collector) *worker {
	w := &worker{c: c, batches: make(chan *consume.Batch, 16), do: make(chan func()), parts: map[consume.Part]*part{}}
	w.applier.count(c.metrics)
	return w
}

// run works until ctx ends.
func (w *worker) run(ctx context.Context) {
	tick := time.NewTicker(w.c.cfg.FoldInterval.D())
	defer tick.Stop()
	check := time.NewTicker(checkEvery)
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
	p = &part{
		id: id, epoch: epoch, next: [2]int64{-1, -1},
		fleet: fleet.New(fleet.Options{StaleAfter: w.c.cfg.StaleAfter.D(), Pricing: *w.c.pricing.Load()}),
	}
	w.parts[id] = p
	return p
}

// tick folds every part that is rebuilt, and publishes what is due.
func (w *worker) tick() {
	if stood := time.Since(w.ticked); stood > standstill {
		w.c.log.Warn("the process stood still; nothing is published before the group has confirmed its parts", "for", stood.Round(time.Millisecond))
		w.c.member.Suspect()
	}
	w.step()
	for id := range w.parts {
		if epoch, owned := w.c.owned.of(id); !owned || epoch != w.parts[id].epoch {
			delete(w.parts, id)
		}
	}
	var stats fleet.Stats
	for _, id := range w.c.owned.all(func(p consume.Part) bool { return w.c.workerOf(p) == w }) {
		p := w.part(id)
		if p == nil || !w.c.consumer.Rebuilt(id, p.epoch) {
			continue
		}
		began := time.Now()
		s := p.fleet.Fold(w.c.now())
		w.c.metrics.Folds.Observe(time.Since(began).Seconds())
		one := p.fleet.Stats()
		stats.Add(&one)
		w.publish(p, s, &one)
	}
	w.c.stats.put(w, stats)
}

func (w *worker) step() {
	w.ticked = time.Now()
	w.moved.Store(w.ticked.UnixNano())
}

// publish hands a part's sums to the publisher: at once when a device has changed state, else once a second.
func (w *worker) publish(p *part, s *capacity.Snapshot, stats *fleet.Stats) {
	generation, ok := w.c.member.Lease()
	if !ok {
		return
	}
	if generation == p.generation && time.Since(p.when) < publishEvery && p.last.SameStates(s) {
		return
	}
	out := partial.Partial{
		Instance: w.c.instance, Address: w.c.address, Generation: generation, Sequence: w.c.sequence.Add(1),
		Offsets: partial.Offsets{Inventory: p.next[inventories], Telemetry: p.next[reports]},
		Stats: partial.Stats{
			Hosts: stats.Hosts, UninventoriedHosts: stats.UninventoriedHosts, UninventoriedDevices: stats.UninventoriedDevices,
			ContestedDevices: stats.ContestedDevices, SkewedHosts: stats.SkewedHosts,
		},
	}
	out.Fill(s)
	value, err := out.Encode()
	if err != nil {
		w.c.log.Error("a part's sums cannot be written", "part", p.id.String(), "error", err)
		return
	}
	w.c.publisher.put(p.id, p.epoch, value)
	p.last, p.generation, p.when = s, generation, time.Now()
}

// check recounts the fleets.
func (w *worker) check() {
	for _, p := range w.parts {
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
