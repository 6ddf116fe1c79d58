// Package view sums the latest partials of all parts up into what a collector answers from. It is a pure function of the
// log of partials: two collectors that have read it up to the same offset give the same answers, byte for byte.
package view

import (
	"cmp"
	"sync"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/partial"
)

// A generation of the group fences earlier ones: a collector that was replaced and does not know it yet cannot overwrite its
// successor. Once the successor has been silent for unfencedAfter, the group may have been made anew, with generations that
// begin at one.
const unfencedAfter = 10 * time.Second

// BehindAfter is the age from which a part is behind. Owners publish once a second.
const BehindAfter = 3 * time.Second

// maxParts bounds what foreign records can make a view hold.
const maxParts = 1<<16 - 2

// Outcome is what became of a record.
type Outcome uint8

// The outcomes of a record.
const (
	Folded  Outcome = iota
	Taken           // a part was taken over
	Claimed         // of claims: kept
	Fenced          // ignored: of an earlier generation than the part's, or an earlier record of the same one
	Removed         // a tombstone: the sums or claims are gone
	Refused         // ignored: it cannot be read
	Outcomes
)

func (o Outcome) String() string {
	return [...]string{"folded", "taken", "claimed", "fenced", "removed", "refused"}[o]
}

// View is the latest partial of every part, and what all parts claim. Any number of goroutines may use it.
type View struct {
	mu       sync.RWMutex
	revision int64
	asOf     int64 // ms
	parts    map[string]*part
	claims   claims
	changes  changes
}

// part is what the log says of one part.
type part struct {
	centre string
	number int
	index  uint16 // in claims
	fence  fence
	at     int64            // record time of the partial, ms
	sums   *partial.Partial // nil where there are none
	pools  []capacity.PoolCell
	ages   []capacity.Ages // by shape
	listed map[uint64]bool // the claims of contenders in the partial
	claims [partial.Buckets]Bucket

	unbroken int // how many sums were folded since records were missed in the log

	contested map[uint64]bool // claims that other parts announce too; replaced, never changed, once it was handed out
	version   int64           // of contested
}

// fence is the last record of a part, of its sums or its claims.
type fence struct {
	generation int32
	instance   string
	sequence   int64
	at         int64 // ms
}

// New makes a view of an empty log.
func New() *View {
	v := &View{parts: map[string]*part{}}
	v.claims.init()
	v.changes.forget(0)
	return v
}

// Apply takes the record at an offset; at is its record time.
func (v *View) Apply(key, value []byte, offset int64, at time.Time) (Outcome, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if offset != v.revision {
		v.missed(offset)
	}
	v.revision = offset + 1
	ms := at.UnixMilli()
	if v.asOf-ms < BehindAfter.Milliseconds() {
		v.asOf = max(v.asOf, ms)
	} else {
		v.asOf = ms // a broker's clock was wrong before, or is now: this is the time that parts are held against from here on
	}
	centre, number, kind, bucket, ok := partial.ParseKey(string(key))
	if !ok {
		return Refused, nil
	}
	p := v.part(centre, number)
	if p == nil {
		return Refused, nil
	}
	if value == nil {
		switch kind {
		case partial.Sums:
			p.sums, p.pools, p.ages, p.listed = nil, nil, nil, nil
			v.changes.forget(v.revision)
		case partial.Claiming:
			v.claims.replace(p, bucket, Bucket{Offset: offset})
		}
		return Removed, nil
	}
	switch kind {
	case partial.Sums:
		return v.fold(p, value, ms)
	case partial.Takeover:
		return v.takeover(p, value, ms)
	default:
		return v.claim(p, bucket, value, offset, ms)
	}
}

// part returns a part, made if it is new; nil where there are too many.
func (v *View) part(centre string, number int) *part {
	key := partial.Key(centre, number)
	p := v.parts[key]
	if p == nil && len(v.parts) < maxParts {
		p = &part{centre: centre, number: number}
		v.claims.enter(p)
		v.parts[key] = p
	}
	return p
}

// fold takes a part's sums.
func (v *View) fold(p *part, value []byte, ms int64) (Outcome, error) {
	sums, err := partial.Decode(value)
	if err != nil {
		return Refused, err
	}
	if !p.fence.pass(fence{sums.Generation, sums.Instance, sums.Sequence, ms}) {
		return Fenced, nil
	}
	was := *p
	p.at, p.sums = ms, sums
	p.pools, p.ages = make([]capacity.PoolCell, len(sums.Pools)), make([]capacity.Ages, len(sums.Shapes))
	for i := range sums.Pools {
		p.pools[i] = sums.Pool(p.centre, i)
	}
	for i := range sums.Shapes {
		p.ages[i] = sums.Shapes[i].AgesOf()
	}
	p.listed = nil
	for i := range sums.Contenders {
		for _, d := range sums.Contenders[i].Devices {
			if d.Claim != 0 {
				if p.listed == nil {
					p.listed = map[uint64]bool{}
				}
				p.listed[d.Claim] = true
			}
		}
	}
	v.changed(&was, p)
	return Folded, nil
}

// takeover takes the word of a part's new owner.
func (v *View) takeover(p *part, value []byte, ms int64) (Outcome, error) {
	o, err := partial.DecodeOwner(value)
	if err != nil {
		return Refused, err
	}
	if !p.fence.pass(fence{o.Generation, o.Instance, o.Sequence, ms}) {
		return Fenced, nil
	}
	return Taken, nil
}

// claim takes a bucket of a part's claims.
func (v *View) claim(p *part, bucket int, value []byte, offset, ms int64) (Outcome, error) {
	c, err := partial.DecodeClaims(value, bucket)
	if err != nil {
		return Refused, err
	}
	if !p.fence.pass(fence{c.Generation, c.Instance, c.Sequence, ms}) {
		return Fenced, nil
	}
	v.claims.replace(p, bucket, Bucket{Offset: offset, Instance: c.Instance, Sequence: c.Sequence, Held: c.Held, Asked: c.Asked})
	return Claimed, nil
}

// pass reports whether a record counts after those before, and if so makes it the last one.
func (f *fence) pass(next fence) bool {
	if f.at-next.at >= BehindAfter.Milliseconds() {
		f.at = max(next.at, 1) // a broker's clock was wrong, then or now: from here on the last one's silence is measured by this one's
	}
	if f.at > 0 && next.at-f.at <= unfencedAfter.Milliseconds() {
		older := next.generation < f.generation
		again := next.generation == f.generation && next.instance == f.instance && next.sequence <= f.sequence
		if older || again {
			return false
		}
	}
	*f = next
	f.at = max(f.at, 1)
	return true
}

// Revision is the offset after the last record that was applied.
func (v *View) Revision() int64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.revision
}

// Part returns the latest partial of a part, which must not be changed; nil where there is none.
func (v *View) Part(centre string, number int) *partial.Partial {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if p := v.parts[partial.Key(centre, number)]; p != nil {
		return p.sums
	}
	return nil
}

// age is how old a part's sums are, in ms. Of sums that are of a later time than as_of, by a clock that was wrong, it is not known: they are as far from
// it as that time is.
func (v *View) age(p *part) int64 { return max(v.asOf-p.at, p.at-v.asOf) }

// Snapshot sums the parts of those centres up that admits, which may be nil, lets in. Ages are those the partials give, and as
// much more as the log has moved on since.
func (v *View) Snapshot(admits func(centre string) bool) *capacity.Snapshot {
	v.mu.RLock()
	defer v.mu.RUnlock()
	s := &capacity.Snapshot{Revision: v.revision, AsOf: time.UnixMilli(v.asOf)}
	var stale int64
	var catalogues, registries versions
	rules := versions{capacity.Rule} // what this collector prices by has a part in the answer too
	parts := v.admitted(admits)      // where two claims are the same in everything, their order decides
	for _, p := range parts {
		stale = max(stale, p.sums.StaleAfter)
		catalogues.add(p.sums.Catalogue)
		registries.add(p.sums.Registry)
		rules.add(cmp.Or(p.sums.Rule, capacity.Rule))
		age := v.age(p)
		s.Parts.Total++
		if age > BehindAfter.Milliseconds() {
			s.Parts.Behind++
		} else {
			s.Parts.Current++
		}
		s.Parts.OldestS = max(s.Parts.OldestS, float64(age)/1000)
	}
	s.Catalogue, s.Registry, s.Rule = catalogues.String(), registries.String(), rules.String()
	s.StaleAfter = time.Duration(stale) * time.Millisecond
	sum := summing{s: s, pools: map[capacity.Pool]int{}, shapes: map[string]int{}, stale: stale}
	won := v.settle(parts)
	for _, p := range parts {
		sum.add(p, v.age(p), won)
		sum.odd(p)
	}
	s.Sort()
	v.changes.mark(s, parts)
	return s
}
