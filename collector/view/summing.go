package view

import (
	"encoding/binary"
	"slices"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/partial"
)

// summing is a snapshot in the making.
type summing struct {
	s      *capacity.Snapshot
	stale  int64 // ms
	pools  map[capacity.Pool]int
	shapes map[string]int
	place  []int // of a part's pools in the snapshot
	key    []byte

	yielded int64 // devices of the last part's contenders that were not counted
}

// add counts a part, age ms after it was published, and of its contenders what they have won.
func (a *summing) add(p *part, age int64, won func(*part, *partial.Contest, *partial.Contender) bool) {
	a.place, a.yielded = a.place[:0], 0
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
	for i := range p.sums.Shapes {
		sh := &p.sums.Shapes[i]
		pools := make([]int, 0, len(sh.Pools))
		for _, n := range sh.Pools {
			pools = append(pools, a.place[n])
		}
		into := a.shape(pools)
		into.Rated += sh.Rated
		into.Online += sh.Online
		into.Ages.AddLater(&p.ages[i], p.sums.StaleAfter, age, a.stale)
	}
	for i := range p.sums.Contenders {
		c := &p.sums.Contenders[i]
		a.contender(p, c, age, func(d *partial.Contest) bool { return won(p, d, c) })
	}
}

// odd counts what is odd in the part that was added last. Parts of one centre come one after the other.
func (a *summing) odd(p *part) {
	if n := len(a.s.Odd); n == 0 || a.s.Odd[n-1].Centre != p.centre {
		a.s.Odd = append(a.s.Odd, capacity.Odd{Centre: p.centre})
	}
	o, s := &a.s.Odd[len(a.s.Odd)-1], &p.sums.Stats
	o.UninventoriedHosts += s.UninventoriedHosts
	o.UninventoriedDevices += s.UninventoriedDevices
	o.ContestedDevices += s.ContestedDevices
	o.ContendingHosts += int64(len(p.sums.Contenders))
	o.YieldedDevices += a.yielded
	o.UnsettledHosts += s.UnsettledHosts
}

// shape returns the shape of a set of pools.
func (a *summing) shape(pools []int) *capacity.Shape {
	slices.Sort(pools)
	a.key = a.key[:0]
	for _, n := range pools {
		a.key = binary.AppendUvarint(a.key, uint64(n))
	}
	at, known := a.shapes[string(a.key)]
	if !known {
		at = len(a.s.Shapes)
		a.shapes[string(a.key)] = at
		a.s.Shapes = append(a.s.Shapes, capacity.Shape{Pools: pools})
	}
	return &a.s.Shapes[at]
}

// contender counts what a host has won, as if it stood in its part's sums with that alone.
func (a *summing) contender(p *part, c *partial.Contender, age int64, won func(*partial.Contest) bool) {
	var pools []int
	free := map[int]int{}
	for i := range c.Devices {
		d := &c.Devices[i]
		if !won(d) {
			a.yielded++
			continue
		}
		pool := a.place[d.Leaf[0]]
		if !slices.Contains(pools, pool) {
			pools = append(pools, pool)
		}
		leaf := d.LeafOf()
		a.s.Pools[pool].Cell.Count(leaf, 1)
		if leaf.State == capacity.Free {
			free[pool]++
		}
	}
	if len(pools) == 0 {
		return
	}
	into := a.shape(pools)
	into.Rated++
	if !c.Online {
		return
	}
	into.Online++
	var ages capacity.Ages
	ages.Observe(c.AgeMS, p.sums.StaleAfter)
	into.Ages.AddLater(&ages, p.sums.StaleAfter, age, a.stale)
	for _, pool := range pools {
		a.s.Pools[pool].Cell.FreeHosts[min(free[pool], capacity.MaxFree)]++
	}
}
