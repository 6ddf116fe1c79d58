package view

import (
	"slices"
	"sync"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/partial"
)

// changes is at which revision the counts of each pool changed last, for streams that go on from an earlier revision. A pool may
// stand here with a later revision than that of its last change, never with an earlier one, from since on: a stream may send
// too much, and never leaves out what changed.
type changes struct {
	mu    sync.Mutex // of snapshots that are made at one time; records come one by one
	since int64      // nothing is known of what changed up to this revision
	at    map[capacity.Pool]int64
}

// maxGone bounds the pools that are kept in mind although they are no more.
const maxGone = 4096

// forget begins anew at a revision.
func (c *changes) forget(revision int64) {
	c.since, c.at = revision, map[capacity.Pool]int64{}
}

// missed notes that records before an offset were not read: compaction, or retention, had dropped them. Whoever read them may
// know figures that this view never had.
func (v *View) missed(offset int64) {
	v.changes.forget(offset)
	for _, p := range v.parts {
		p.unbroken = 0
	}
}

// enough is how many sums of a part must have come after records were missed. The first takes the place of what was missed; it
// may be one that others have fenced, for want of the record that fences it. Its owner's next is not.
const enough = 2

// changed notes what sums of a part have changed. As long as it is not sure what they take the place of, and where they were priced or
// classed by something else, which deltas do not tell, nothing before them is known.
func (v *View) changed(was, now *part) {
	if now.unbroken < enough || was.sums == nil || was.sums.Catalogue != now.sums.Catalogue ||
		was.sums.Registry != now.sums.Registry || was.sums.Rule != now.sums.Rule {
		now.unbroken = min(now.unbroken+1, enough)
		v.changes.forget(v.revision)
		return
	}
	v.changes.compare(was, now, v.revision)
}

// compare notes at a revision which pools of a part are not what they were.
func (c *changes) compare(was, now *part, revision int64) {
	old := make(map[capacity.Pool]*capacity.Cell, len(was.pools))
	for i := range was.pools {
		old[was.pools[i].Pool] = &was.pools[i].Cell
	}
	for i := range now.pools {
		p := &now.pools[i]
		before := old[p.Pool]
		delete(old, p.Pool)
		if before == nil || !p.Pool.SameCounts(before, &p.Cell) {
			c.at[p.Pool] = revision
		}
	}
	for pool := range old {
		c.at[pool] = revision
	}
	// Hosts may count differently where devices do not: two that hold four each become one that holds eight.
	a, b := was.shapes(), now.shapes()
	for i := range max(len(a), len(b)) {
		if i < len(a) && i < len(b) && sameHosts(was, &a[i], now, &b[i]) {
			continue
		}
		if i < len(a) {
			c.shape(was, &a[i], revision)
		}
		if i < len(b) {
			c.shape(now, &b[i], revision)
		}
	}
	c.contended(was, revision)
	c.contended(now, revision)
}

func (c *changes) shape(p *part, s *partial.Shape, revision int64) {
	for _, n := range s.Pools {
		c.at[p.pools[n].Pool] = revision
	}
}

// contended notes the pools that contenders of a part hold devices of: what they win changes with the records of other parts.
func (c *changes) contended(p *part, revision int64) {
	if p.sums == nil {
		return
	}
	for i := range p.sums.Contenders {
		for j := range p.sums.Contenders[i].Devices {
			c.at[p.pools[p.sums.Contenders[i].Devices[j].Leaf[0]].Pool] = revision
		}
	}
}

func (p *part) shapes() []partial.Shape {
	if p.sums == nil {
		return nil
	}
	return p.sums.Shapes
}

// sameHosts reports whether two shapes, of a part before and after, count the same hosts of the same pools.
func sameHosts(was *part, a *partial.Shape, now *part, b *partial.Shape) bool {
	return a.Rated == b.Rated && a.Online == b.Online &&
		slices.EqualFunc(a.Pools, b.Pools, func(i, j int) bool { return was.pools[i].Pool == now.pools[j].Pool })
}

// mark tells a snapshot what changed when.
func (c *changes) mark(s *capacity.Snapshot, parts []*part) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range parts {
		c.contended(p, s.Revision)
	}
	if len(c.at) > len(s.Pools)+maxGone {
		c.forget(s.Revision)
	}
	s.Since = c.since
	here := make(map[capacity.Pool]bool, len(s.Pools))
	s.Changed = make([]int64, len(s.Pools))
	for i := range s.Pools {
		s.Changed[i] = c.at[s.Pools[i].Pool] // zero where it has not changed since
		here[s.Pools[i].Pool] = true
	}
	for pool, at := range c.at {
		if !here[pool] { // in any order: whoever asks puts them in order
			s.Gone = append(s.Gone, capacity.GonePool{Pool: pool, Changed: at})
		}
	}
}
