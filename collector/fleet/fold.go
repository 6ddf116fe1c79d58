package fleet

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

// Fold makes silent hosts stale and returns the fleet as it stands at now, by the collector's clock.
//
// The revision grows with every fold before which something changed: a record was applied, a host fell silent or was
// retired, prices changed. It never falls behind the clock's milliseconds since 1970, so that it grows across restarts
// as well. Without a change the figures stay as they are, under the same revision, and only as_of and the ages move on.
func (f *Fleet) Fold(now time.Time) *capacity.Snapshot {
	ms, stale := now.UnixMilli(), f.opts.StaleAfter.Milliseconds()
	ages := make([]*capacity.Ages, len(f.shapes.list))
	for slot, at := range f.seenAt {
		if at == 0 {
			continue
		}
		age := max(ms-at, 0)
		if age > stale {
			f.silence(uint32(slot), age, stale)
			continue
		}
		if sh := f.shape[slot]; sh != 0 {
			if ages[sh] == nil {
				ages[sh] = new(capacity.Ages)
			}
			ages[sh].Observe(age, stale)
		}
	}
	if f.dirty {
		f.revision, f.dirty = max(f.revision+1, ms), false
	}
	f.stirred = false
	return f.snapshot(&f.tally, ages, now)
}

// silence makes a host stale. A host that has no inventory is forgotten once it has been silent for three times as long:
// a rebuild from the log would not read its reports either.
func (f *Fleet) silence(slot uint32, age, stale int64) {
	h := f.at(slot)
	if !h.is(hasInventory) {
		if age > 3*stale {
			f.remove(slot)
		}
		return
	}
	f.count(slot, -1)
	h.set(isStale, true)
	f.unhear(h)
	f.count(slot, 1)
	f.seenAt[slot] = 0
	f.dirty = true
}

// snapshot copies a tally.
func (f *Fleet) snapshot(t *tally, ages []*capacity.Ages, now time.Time) *capacity.Snapshot {
	s := &capacity.Snapshot{
		Revision: f.revision, AsOf: now, Catalogue: f.opts.Pricing.Catalogue, Registry: f.opts.Pricing.Registry, Rule: capacity.Rule, StaleAfter: f.opts.StaleAfter,
		Pools: make([]capacity.PoolCell, 0, len(f.pools.list)), Shapes: make([]capacity.Shape, 0, len(f.shapes.list)),
	}
	s.Contenders = f.contending(now.UnixMilli())
	place, contested := make([]int, len(f.pools.list)), make([]bool, len(f.pools.list))
	for i := range s.Contenders {
		for _, d := range s.Contenders[i].Devices {
			contested[d.Pool] = true
		}
	}
	for id := range f.pools.list {
		c := &t.cells[id]
		if *c == (capacity.Cell{}) && !contested[id] {
			continue
		}
		place[id] = len(s.Pools)
		s.Pools = append(s.Pools, capacity.PoolCell{Pool: f.pools.list[id].pool, Cell: *c})
	}
	for id := range f.shapes.list {
		if id == 0 || t.rated[id] == 0 {
			continue
		}
		sh := capacity.Shape{Pools: make([]int, len(f.shapes.list[id].pools)), Rated: t.rated[id], Online: t.online[id]}
		for i, p := range f.shapes.list[id].pools {
			sh.Pools[i] = place[p]
		}
		if a := ages[id]; a != nil {
			sh.Ages = *a
		}
		s.Shapes = append(s.Shapes, sh)
	}
	for i := range s.Contenders {
		for j := range s.Contenders[i].Devices {
			d := &s.Contenders[i].Devices[j]
			d.Pool = place[d.Pool]
		}
	}
	s.Sort()
	return s
}

// Recount sums all hosts from nothing, and reports whether the cells say the same.
func (f *Fleet) Recount() bool {
	t := f.recount(nil)
	return t.equal(&f.tally)
}

// recount sums all hosts from nothing, and calls visit for each of them, while what it holds is at hand.
func (f *Fleet) recount(visit func(slot uint32, h *host)) tally {
	var t tally
	t.grow(len(f.tally.cells), len(f.tally.rated))
	for slot := range uint32(len(f.shape)) {
		c := f.chunks[slot/chunkSize]
		if slot%touchSize == 0 {
			touch(c[slot%chunkSize:][:touchSize])
		}
		f.countInto(&t, slot, 1)
		if visit != nil {
			visit(slot, &c[slot%chunkSize])
		}
	}
	return t
}

// touchSize is how many hosts are touched at a time: their devices fit the nearest cache.
const touchSize = 16

// touch reads a little of all devices of some hosts, so that many reads of memory are under way at a time. Were it inlined,
// the reads would be left out, as nobody needs their sum.
//
//go:noinline
func touch(hosts []host) (sum uint8) {
	for i := range hosts {
		for d := hosts[i].devices; len(d) > 0; d = d[min(2, len(d)):] {
			sum += d[0].idSize
		}
	}
	return sum
}

// ErrMismatch says that the incremental cells are not what a recount gives. It cannot happen; if it does, the figures
// were wrong and are right again.
var ErrMismatch = errors.New("incremental cells differ from a recount")

// Check recounts the fleet and compares. On a difference it takes the recount over and returns an error wrapping
// ErrMismatch that says where it was.
func (f *Fleet) Check() error {
	var claimed claimCheck
	t := f.recount(func(slot uint32, h *host) { claimed.add(f, slot, h) })
	var errs []error
	for id := range t.cells {
		if t.cells[id] != f.tally.cells[id] {
			errs = append(errs, fmt.Errorf("pool %+v: have %+v, recount %+v", f.poolName(id), f.tally.cells[id], t.cells[id]))
		}
	}
	if !slices.Equal(t.rated, f.tally.rated) || !slices.Equal(t.online, f.tally.online) {
		errs = append(errs, errors.New("hosts by shape"))
	}
	if t.faults != f.tally.faults {
		errs = append(errs, fmt.Errorf("faults by reason: have %v, recount %v", f.tally.faults, t.faults))
	}
	errs = append(errs, claimed.compare(f)...)
	if len(errs) == 0 {
		return nil
	}
	f.tally, f.dirty = t, true
	return fmt.Errorf("%w: %w", ErrMismatch, errors.Join(errs[:min(len(errs), 5)]...))
}

func (f *Fleet) poolName(id int) capacity.Pool {
	if id < len(f.pools.list) {
		return f.pools.list[id].pool
	}
	return capacity.Pool{}
}
