package capacity

import (
	"cmp"
	"fmt"
	"slices"
)

// PoolSort is an order of pools.
type PoolSort string

// The orders of pools. Among equals, pools stand by name.
const (
	SortName   PoolSort = "name"   // centre, cluster, kind, vendor, model
	SortFree   PoolSort = "free"   // most free devices first
	SortEflops PoolSort = "eflops" // most free Eflops first
	SortAge    PoolSort = "age"    // those whose oldest report is freshest first, those without reports last
)

// PoolSorts are all orders of pools.
var PoolSorts = []PoolSort{SortName, SortFree, SortEflops, SortAge}

// Limits of a page.
const (
	MaxPage     = 1000 // lines
	DefaultPage = MaxPage
)

// PoolQuery asks for pools: those a Query admits, whose By is not used.
type PoolQuery struct {
	Query
	Sort   PoolSort // SortName where empty
	Offset int      // pools to leave out at the beginning
	Limit  int      // DefaultPage where zero
}

// Pools is the answer to a PoolQuery.
type Pools struct {
	Head
	Pools []PoolLine `json:"pools"`
	Of    int        `json:"of"`             // how many pools there are, on all pages
	Next  string     `json:"next,omitempty"` // where the next page begins, as the feed has it; empty on the last
}

// PoolLine is one pool. Two lines of one name differ in class, precision or peaks: a part of the province counts it otherwise.
type PoolLine struct {
	PoolName
	PeakTflops map[string]float64 `json:"peak_tflops"` // of one device, of processors of one core; by precision, where known
	Figure
	// SliceUnitsFree is what is free of partitioned cards that are at work in part, in 1/UnitsPerDevice of a card. They count as
	// busy devices, and what is free of them stands in eflops.free.
	SliceUnitsFree int64 `json:"slice_units_free"`
	CoresFree      int64 `json:"cores_free"` // of processors
	// FreeHosts counts the online hosts by how many devices are free on them, the last place being MaxFree and more.
	FreeHosts []int64 `json:"free_hosts"`
}

// Answer lists pools.
func (l *Listing) Answer(q PoolQuery) (*Pools, error) {
	normal, err := q.Query.normal()
	if err != nil {
		return nil, fmt.Errorf("pools query: %w", err)
	}
	q.Query, q.Limit = normal, cmp.Or(q.Limit, DefaultPage)
	var at []int
	for i := range l.Pools {
		if q.admits(&l.Pools[i].Pool) {
			at = append(at, i)
		}
	}
	l.sort(at, q.Sort, q.Precision)
	doc := &Pools{Head: l.head(q.Precision, q.Kind), Of: len(at)}
	at = at[min(max(q.Offset, 0), len(at)):]
	at = at[:min(q.Limit, len(at))]
	doc.Pools = make([]PoolLine, len(at))
	for i, n := range at {
		doc.Pools[i] = l.line(n, q.Precision)
	}
	return doc, nil
}

// sort orders pools, which stand by name, by what is asked for.
func (l *Listing) sort(at []int, by PoolSort, precision Precision) {
	switch by {
	case SortFree:
		slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(l.free(b), l.free(a)) })
	case SortEflops:
		free := make(map[int]Flops, len(at))
		for _, i := range at {
			p := &l.Pools[i].Pool
			if peak, ok := p.peak(precision); ok {
				free[i] = l.Pools[i].Cell.leaves(peak, p.units())[Free]
			}
		}
		slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(free[b], free[a]) })
	case SortAge:
		slices.SortStableFunc(at, func(a, b int) int { return compareAge(l.ages[a], l.ages[b]) })
	}
}

func (l *Listing) free(i int) int64 { return l.Pools[i].Cell.Devices[Free] }

// compareAge orders by the oldest report, what has none last.
func compareAge(a, b *Age) int {
	switch {
	case a == nil || b == nil:
		return compareBool(a == nil, b == nil)
	default:
		return cmp.Compare(a.Max, b.Max)
	}
}

func (l *Listing) line(i int, precision Precision) PoolLine {
	p, c := &l.Pools[i].Pool, &l.Pools[i].Cell
	var a sum
	a.pool(p, c, precision)
	a.hosts = l.hosts[i]
	line := PoolLine{PoolName: l.name(i), PeakTflops: p.tflops(), Figure: a.figure(l.Snapshot), FreeHosts: c.FreeHosts[:]}
	line.Age = l.ages[i]
	if p.units() == UnitsPerDevice {
		line.SliceUnitsFree = c.slicesFree()
	} else {
		line.CoresFree = c.Units[Free]
	}
	return line
}

// slicesFree is what is free of accelerators that are not free as a whole, in 1/UnitsPerDevice.
func (c *Cell) slicesFree() int64 { return c.Units[Free] - times(c.Devices[Free], UnitsPerDevice) }
