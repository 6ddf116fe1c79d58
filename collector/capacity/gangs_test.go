package capacity

import (
	"math"
	"testing"
)

// splits calls visit with every way in which hosts can have at least so many units each and all of them so many.
func splits(hosts, each, free int64, have []int64, visit func([]int64)) {
	if hosts == 0 {
		if free == 0 {
			visit(have)
		}
		return
	}
	for n := each; n <= free-(hosts-1)*each; n++ {
		splits(hosts-1, each, free-n, append(have, n), visit)
	}
}

// TestCrowd finds the bounds of a crowd by trying every split: nothing narrower would be true, nothing wider is said.
func TestCrowd(t *testing.T) {
	for _, each := range []int64{0, 3, 16} {
		for hosts := range int64(4) {
			for extra := range int64(9) {
				for size := int64(1); size <= 24; size++ {
					r := crowd{hosts: hosts, each: each, free: hosts*each + extra}
					if hosts == 0 {
						r.free = 0
					}
					gangs, with := Span{math.MaxInt64, 0}, Span{math.MaxInt64, 0}
					splits(r.hosts, r.each, r.free, nil, func(have []int64) {
						var g, w int64
						for _, n := range have {
							g += n / size
							if n >= size {
								w++
							}
						}
						gangs = Span{min(gangs.Least, g), max(gangs.Most, g)}
						with = Span{min(with.Least, w), max(with.Most, w)}
					})
					if got := r.gangs(size); got != gangs {
						t.Fatalf("%+v holds %+v gangs of %d, want %+v", r, got, size, gangs)
					}
					if got := r.with(size); got != with {
						t.Fatalf("%+v has %+v hosts with %d, want %+v", r, got, size, with)
					}
				}
			}
		}
	}
}

// TestSupplyAtTheEdge: what no fleet reaches is held at the largest number, and never turns negative.
func TestSupplyAtTheEdge(t *testing.T) {
	var c Cell
	for i := range c.FreeHosts {
		c.FreeHosts[i] = math.MaxInt64
	}
	c.Devices[Free], c.Units[Free], c.Devices[Busy] = math.MaxInt64, math.MaxInt64, 0
	for _, unit := range []Unit{UnitDevice, UnitCore, UnitHost} {
		for _, size := range []int64{1, 3, 16, 17, MaxPerHost} {
			s := c.supply(unit, size)
			for _, n := range []int64{s.free, s.gangs.Least, s.gangs.Most, s.hosts.Least, s.hosts.Most} {
				if n < 0 || s.gangs.Least > s.gangs.Most || s.hosts.Least > s.hosts.Most {
					t.Fatalf("%s of %d: %+v", unit, size, s)
				}
			}
			if n := c.fewest(size, MaxCount); n < 0 {
				t.Fatalf("fewest hosts: %d", n)
			}
		}
	}
	// Sums that no collector writes: fewer free devices than the histogram has.
	c = Cell{FreeHosts: [MaxFree + 1]int64{8: 3, 16: 2}}
	if s := c.supply(UnitDevice, 8); s.gangs != (Span{7, 7}) {
		t.Errorf("gangs = %+v", s.gangs)
	}
}
