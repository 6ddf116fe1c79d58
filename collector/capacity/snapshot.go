package capacity

import (
	"slices"
	"time"
)

// AgeBins is how finely ages are told apart: in parts of 1/AgeBins of Snapshot.StaleAfter.
const AgeBins = 128

// Snapshot is the state of a fleet at one moment. It is never changed after it was made, so any number of readers may
// share it.
type Snapshot struct {
	Revision   int64
	AsOf       time.Time
	Catalogue  string
	StaleAfter time.Duration
	Pools      []PoolCell
	Shapes     []Shape
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
	MaxMS int64
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
	a.MaxMS = max(a.MaxMS, o.MaxMS)
}

// age returns the percentiles: the upper end of the bin that holds each, and at most the largest age, which is exact.
func (a *Ages) age(stale time.Duration) *Age {
	var n uint64
	for _, b := range a.Bins {
		n += uint64(b)
	}
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
}
