// Package view sums the latest partials of all parts up into what a collector answers from. It is a pure function of the
// log of partials: two collectors that have read it up to the same offset give the same answers, byte for byte.
package view

import (
	"encoding/binary"
	"slices"
	"strings"
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

// Outcome is what became of a record.
type Outcome uint8

// The outcomes of a record.
const (
	Folded  Outcome = iota
	Fenced          // ignored: of an earlier generation than the part's, or an earlier record of the same one
	Removed         // a tombstone: the part is gone
	Refused         // ignored: it cannot be read
	Outcomes
)

func (o Outcome) String() string { return [...]string{"folded", "fenced", "removed", "refused"}[o] }

// View is the latest partial of every part. It has one user at a time.
type View struct {
	revision int64
	asOf     int64 // ms
	parts    map[string]*part
}

// part is the latest partial of one part.
type part struct {
	centre  string
	at      int64 // record time, ms
	partial *partial.Partial
	pools   []capacity.PoolCell
	ages    []capacity.Ages // by shape
}

// New makes a view of an empty log.
func New() *View { return &View{parts: map[string]*part{}} }

// Apply takes the record at an offset; at is its record time.
func (v *View) Apply(key, value []byte, offset int64, at time.Time) (Outcome, error) {
	v.revision = offset + 1
	ms := at.UnixMilli()
	v.asOf = max(v.asOf, ms)
	centre, _, ok := partial.ParseKey(string(key))
	if !ok {
		return Refused, nil
	}
	if value == nil {
		delete(v.parts, string(key))
		return Removed, nil
	}
	p, err := partial.Decode(value)
	if err != nil {
		return Refused, err
	}
	held := v.parts[string(key)]
	if held != nil && ms-held.at <= unfencedAfter.Milliseconds() {
		older := p.Generation < held.partial.Generation
		again := p.Generation == held.partial.Generation && p.Instance == held.partial.Instance && p.Sequence <= held.partial.Sequence
		if older || again {
			return Fenced, nil
		}
	}
	next := &part{centre: centre, at: ms, partial: p, pools: make([]capacity.PoolCell, len(p.Pools)), ages: make([]capacity.Ages, len(p.Shapes))}
	for i := range p.Pools {
		next.pools[i] = p.Pool(centre, i)
	}
	for i := range p.Shapes {
		next.ages[i] = p.Shapes[i].AgesOf()
	}
	v.parts[string(key)] = next
	return Folded, nil
}

// Revision is the offset after the last record that was applied.
func (v *View) Revision() int64 { return v.revision }

// Part returns the latest partial of a part, which must not be changed; nil where there is none.
func (v *View) Part(centre string, number int) *partial.Partial {
	if p := v.parts[partial.Key(centre, number)]; p != nil {
		return p.partial
	}
	return nil
}

// Snapshot sums the parts of those centres up that admits, which may be nil, lets in. Ages are those the partials give, and as much more as the log has moved on since.
func (v *View) Snapshot(admits func(centre string) bool) *capacity.Snapshot {
	s := &capacity.Snapshot{Revision: v.revision, AsOf: time.UnixMilli(v.asOf)}
	var stale int64
	var catalogues []string
	var parts []*part
	for _, p := range v.parts {
		if admits != nil && !admits(p.centre) {
			continue
		}
		parts = append(parts, p)
		stale = max(stale, p.partial.StaleAfter)
		if !slices.Contains(catalogues, p.partial.Catalogue) {
			catalogues = append(catalogues, p.partial.Catalogue)
		}
		age := max(v.asOf-p.at, 0)
		s.Parts.Total++
		if age > BehindAfter.Milliseconds() {
			s.Parts.Behind++
		} else {
			s.Parts.Current++
		}
		s.Parts.OldestS = max(s.Parts.OldestS, float64(age)/1000)
	}
	slices.Sort(catalogues)
	s.Catalogue, s.StaleAfter = strings.Join(catalogues, ", "), time.Duration(stale)*time.Millisecond
	sum := summing{s: s, pools: map[capacity.Pool]int{}, shapes: map[string]int{}}
	for _, p := range parts {
		sum.add(p, max(v.asOf-p.at, 0), stale)
	}
	s.Sort()
	return s
}

// summing is a snapshot in the making.
type summing struct {
	s      *capacity.Snapshot
	pools  map[capacity.Pool]int
	shapes map[string]int
	place  []int // of a part's pools in the snapshot
}

// add counts a part, age ms after it was published.
func (a *summing) add(p *part, age, stale int64) {
	a.place = a.place[:0]
	for i := range p.pools {
		at, known := a.pools[p.pools[i].Pool]
		if !known {
			at = len(a.s.Pools)
			a.pools[p.pools[i].Pool] = at
			a.s.Pools = append(a.s.Pools, capacity.PoolCell{Pool: p.pools[i].Pool})
		}
		a.s.Pools[at].Cell.Add(&p.pools[i].Cell, 1)
		a.place = append(a.place, at)
	}
	var key []byte
	for i := range p.partial.Shapes {
		sh := &p.partial.Shapes[i]
		pools := make([]int, 0, len(sh.Pools))
		for _, n := range sh.Pools {
			pools = append(pools, a.place[n])
		}
		slices.Sort(pools)
		key = key[:0]
		for _, n := range pools {
			key = binary.AppendUvarint(key, uint64(n))
		}
		at, known := a.shapes[string(key)]
		if !known {
			at = len(a.s.Shapes)
			a.shapes[string(key)] = at
			a.s.Shapes = append(a.s.Shapes, capacity.Shape{Pools: pools})
		}
		into := &a.s.Shapes[at]
		into.Rated += sh.Rated
		into.Online += sh.Online
		into.Ages.AddLater(&p.ages[i], p.partial.StaleAfter, age, stale)
	}
}
