package capacity

import (
	"slices"
	"time"

	"github.com/exameter/exameter/telemetry"
)

// AgeBins is how finely ages are told apart: in parts of 1/AgeBins of Snapshot.StaleAfter.
const AgeBins = 128

// Snapshot is the state of a fleet at one moment. It is never changed after it was made, so any number of readers may
// share it.
type Snapshot struct {
	Revision   int64
	AsOf       time.Time
	Catalogue  string
	Registry   string // revision of the registry that classed the devices; empty without one
	Rule       string // of accounting; empty is Rule
	StaleAfter time.Duration
	Parts      Parts
	Cut        bool // nothing was read from the log for StaleAfter: see Silenced
	Pools      []PoolCell
	Shapes     []Shape
	Contenders []Contender // of one part's snapshot, sorted by host
	Odd        []Odd       // of the sum of parts, by centre

	// Of a snapshot of the whole province: changes are known back to revision Since. Changed has for each of Pools the revision from
	// which on its counts are as they are now, or a later one; Gone are the pools that went. See changes.go.
	Since   int64
	Changed []int64
	Gone    []GonePool
}

// Parts says how fresh the parts are that figures were summed from. A part is one partition of one centre.
type Parts struct {
	Total   int `json:"total"`
	Current int `json:"current"` // their sums were published at most a few seconds before as_of
	Behind  int `json:"behind"`  // they stand as their last owner left them: no collector publishes them at the moment
	// OldestS is the age of the oldest part's sums at as_of, in seconds.
	OldestS float64 `json:"oldest_s"`
}

// PoolCell is one pool with its cell.
type PoolCell struct {
	Pool Pool
	Cell Cell
}

// Shape counts the hosts that hold devices of exactly the same set of pools, so that a host counts once however the
// answer is grouped.
type Shape struct {
	Pools  []int // indices into Snapshot.Pools, ascending
	Rated  int64
	Online int64
	Ages   Ages // of the online hosts
}

// Ages spreads the ages of last reports.
type Ages struct {
	Bins  [AgeBins]uint32
	Over  uint32 // hosts that were online when they were last summed up and whose reports are older than StaleAfter by now
	MaxMS int64
}

// AddLater counts the hosts of o, whose bins are parts of fromMS, as they are laterMS later, in bins that are parts of intoMS.
// A host is put into the bin that holds the oldest it can be.
func (a *Ages) AddLater(o *Ages, fromMS, laterMS, intoMS int64) {
	for i, n := range o.Bins {
		if n == 0 {
			continue
		}
		upper := fromMS*int64(i+1)/AgeBins + laterMS
		if upper > intoMS || intoMS <= 0 {
			a.Over += n
			continue
		}
		a.Bins[max((upper*AgeBins+intoMS-1)/intoMS-1, 0)] += n
	}
	a.Over += o.Over
	if o.MaxMS > 0 || *o != (Ages{}) {
		a.MaxMS = max(a.MaxMS, o.MaxMS+laterMS)
	}
}

// Observe counts one host whose last report is ageMS milliseconds old, of at most staleMS.
func (a *Ages) Observe(ageMS, staleMS int64) {
	i := int64(0)
	if staleMS > 0 {
		i = min(max(ageMS*AgeBins/staleMS, 0), AgeBins-1)
	}
	a.Bins[i]++
	a.MaxMS = max(a.MaxMS, ageMS)
}

// add counts the hosts of o as well.
func (a *Ages) add(o *Ages) {
	for i, n := range o.Bins {
		a.Bins[i] += n
	}
	a.Over += o.Over
	a.MaxMS = max(a.MaxMS, o.MaxMS)
}

// age returns the percentiles: the upper end of the bin that holds each, and at most the largest age, which is exact.
func (a *Ages) age(stale time.Duration) *Age {
	var n uint64
	for _, b := range a.Bins {
		n += uint64(b)
	}
	n += uint64(a.Over)
	if n == 0 {
		return nil
	}
	at := func(percent uint64) float64 {
		rank, seen := max((n*percent+99)/100, 1), uint64(0)
		for i, b := range a.Bins {
			if seen += uint64(b); seen >= rank {
				return float64(min(stale.Milliseconds()*int64(i+1)/AgeBins, a.MaxMS)) / 1000
			}
		}
		return float64(a.MaxMS) / 1000
	}
	return &Age{P50: at(50), P99: at(99), Max: float64(a.MaxMS) / 1000}
}

// Sort puts pools and shapes into an order that depends on nothing but them.
func (s *Snapshot) Sort() {
	order := make([]int, len(s.Pools))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return s.Pools[a].Pool.compare(&s.Pools[b].Pool) })
	pools, place := make([]PoolCell, len(order)), make([]int, len(order))
	for to, from := range order {
		pools[to], place[from] = s.Pools[from], to
	}
	s.Pools = pools
	for i := range s.Shapes {
		for j, p := range s.Shapes[i].Pools {
			s.Shapes[i].Pools[j] = place[p]
		}
		slices.Sort(s.Shapes[i].Pools)
	}
	slices.SortFunc(s.Shapes, func(a, b Shape) int { return slices.Compare(a.Pools, b.Pools) })
	for i := range s.Contenders {
		for j := range s.Contenders[i].Devices {
			d := &s.Contenders[i].Devices[j]
			d.Pool = place[d.Pool]
		}
	}
}

// SameStates reports whether o says the same of what there is and which state it is in. Power, activity, ages and
// cores at work, which move all the time, may differ.
func (s *Snapshot) SameStates(o *Snapshot) bool {
	if s == nil || o == nil || s.Catalogue != o.Catalogue || s.Registry != o.Registry || len(s.Pools) != len(o.Pools) || len(s.Shapes) != len(o.Shapes) {
		return false
	}
	for i := range s.Pools {
		p, q := &s.Pools[i], &o.Pools[i]
		if p.Pool != q.Pool || p.Cell.Devices != q.Cell.Devices || p.Cell.FreeHosts != q.Cell.FreeHosts {
			return false
		}
		if p.Pool.Kind != telemetry.CPU && p.Cell.Units != q.Cell.Units {
			return false
		}
	}
	for i := range s.Shapes {
		p, q := &s.Shapes[i], &o.Shapes[i]
		if p.Rated != q.Rated || p.Online != q.Online || !slices.Equal(p.Pools, q.Pools) {
			return false
		}
	}
	return slices.EqualFunc(s.Contenders, o.Contenders, sameContender)
}

func sameContender(a, b Contender) bool {
	return a.Host == b.Host && a.Online == b.Online && slices.EqualFunc(a.Devices, b.Devices, func(x, y Contest) bool {
		return x.Pool == y.Pool && x.Leaf.State == y.Leaf.State && x.Claim == y.Claim && (x.PresentMS > 0) == (y.PresentMS > 0)
	})
}

// Silenced returns what s has come to when nothing more was heard for so long: silence is never idle, so every device is
// stale, and what there is stays rated.
func (s *Snapshot) Silenced(since time.Duration) *Snapshot {
	out := *s
	out.Cut = true
	out.Parts.Current, out.Parts.Behind = 0, s.Parts.Total
	out.Parts.OldestS += since.Seconds()
	out.Pools, out.Shapes = slices.Clone(s.Pools), slices.Clone(s.Shapes)
	for i := range out.Pools {
		var c Cell
		for state, n := range s.Pools[i].Cell.Devices {
			c.Devices[Stale] += n
			c.Units[Stale] += s.Pools[i].Cell.Units[state]
		}
		out.Pools[i].Cell = c
	}
	for i := range out.Shapes {
		out.Shapes[i].Online, out.Shapes[i].Ages = 0, Ages{}
	}
	return &out
}
