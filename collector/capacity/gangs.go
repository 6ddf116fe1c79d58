package capacity

import (
	"fmt"
	"math"
	"strconv"
)

// Unit is what a request for capacity counts in.
type Unit string

// The units.
const (
	UnitDevice Unit = "device" // whole accelerators
	UnitCore   Unit = "core"   // physical cores of processors
	UnitHost   Unit = "host"   // hosts whose processors are free as a whole
)

// Span is a number of which two bounds are known. Where they are the same it is known exactly.
type Span struct{ Least, Most int64 }

func (s Span) String() string {
	if s.Least == s.Most {
		return strconv.FormatInt(s.Least, 10)
	}
	return fmt.Sprintf("at least %d and at most %d", s.Least, s.Most)
}

// supply is what a cell has for gangs of one size: so many free units on one host each.
type supply struct {
	free  int64 // units
	gangs Span  // that fit beside each other
	hosts Span  // on which at least one gang fits; not known in cores
}

// supply counts the gangs of so many units that fit on the cell's hosts.
func (c *Cell) supply(unit Unit, size int64) supply {
	switch unit {
	case UnitCore:
		// Free cores are known in all, and each processor set is its host's only one.
		rest := crowd{hosts: c.Devices[Busy] + c.Devices[Free], free: c.Units[Free]}
		return supply{free: c.Units[Free], gangs: rest.gangs(size), hosts: rest.with(size)}
	case UnitHost:
		var n int64
		for k := 1; k <= MaxFree; k++ {
			n = plus(n, c.FreeHosts[k])
		}
		return supply{free: n, gangs: Span{n, n}, hosts: Span{n, n}}
	}
	s := supply{free: c.Devices[Free]}
	for k := size; k < MaxFree; k++ {
		n := c.FreeHosts[k]
		s.gangs.Least = plus(s.gangs.Least, times(n, k/size))
		s.hosts.Least = plus(s.hosts.Least, n)
	}
	rest := c.crowd()
	gangs, hosts := rest.gangs(size), rest.with(size)
	s.gangs = Span{plus(s.gangs.Least, gangs.Least), plus(s.gangs.Least, gangs.Most)}
	s.hosts = Span{plus(s.hosts.Least, hosts.Least), plus(s.hosts.Least, hosts.Most)}
	return s
}

// fewest returns a number of hosts that hold so many gangs of devices, which fit: the fewest there are, or where hosts have more
// than MaxFree devices free, possibly some more.
func (c *Cell) fewest(size, need int64) (hosts int64) {
	rest := c.crowd()
	each := max(MaxFree/size, 1) // larger gangs than MaxFree take a host each
	if most := times(rest.hosts, each); size > MaxFree || need <= most {
		used := min(rest.hosts, (need+each-1)/each)
		hosts, need = used, need-times(used, each)
	} else {
		hosts, need = rest.hosts, need-rest.gangs(size).Least
	}
	for k := int64(MaxFree - 1); k >= size && need > 0; k-- {
		used := min(c.FreeHosts[k], (need+k/size-1)/(k/size))
		hosts, need = hosts+used, need-times(used, k/size)
	}
	return hosts
}

// crowd is hosts of which is known that each has at least so many units free, and how many all of them have.
type crowd struct{ hosts, each, free int64 }

// crowd returns the hosts of the histogram's last bin. What the other bins leave of all free devices is theirs.
func (c *Cell) crowd() crowd {
	r := crowd{hosts: c.FreeHosts[MaxFree], each: MaxFree, free: c.Devices[Free]}
	for k, n := range c.FreeHosts[:MaxFree] {
		r.free -= times(n, int64(k))
	}
	r.free = max(r.free, times(r.hosts, r.each)) // always so, unless somebody else than a collector wrote the sums
	return r
}

// gangs returns between which bounds Σ ⌊free ÷ size⌋ over the hosts lies. Few gangs fit where every host has as many units
// left over as can be without making one, many where no host has any.
func (r crowd) gangs(size int64) Span {
	if r.hosts <= 0 {
		return Span{}
	}
	base, over := times(r.hosts, r.each/size), r.each%size
	extra := r.free - times(r.hosts, r.each)
	s := Span{base, base}
	if idle := times(r.hosts, size-1-over); extra > idle {
		s.Least = plus(base, (extra-idle-1)/size+1)
	}
	if first := times(r.hosts, size-over); extra <= first {
		s.Most = plus(base, extra/(size-over))
	} else {
		s.Most = plus(base, plus(r.hosts, (extra-first)/size))
	}
	return s
}

// with returns between which bounds the number of hosts with at least size free units lies.
func (r crowd) with(size int64) Span {
	if size <= r.each || r.hosts <= 0 {
		return Span{r.hosts, r.hosts}
	}
	extra := r.free - times(r.hosts, r.each)
	s := Span{Most: min(r.hosts, extra/(size-r.each))}
	if extra > times(r.hosts, size-1-r.each) {
		s.Least = 1 // that one host may have all of it
	}
	return s
}

// plus and times hold at the largest number what no real fleet reaches. Their arguments are not negative.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func times(a, b int64) int64 {
	if b != 0 && a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}
