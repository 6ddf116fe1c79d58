package capacity_test

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/telemetry"
)

// lot is what a search over all servers finds of one pool.
type lot struct {
	pool          capacity.Pool
	free          []int64 // whole cards, cores or processor sets, by server that is online
	rated, online int64
	oldestS       float64

	need, gangs, hosts, fewest int64
	left, units                int64 // units: free in all
	preferred                  int
	fits, onlyRoom             bool
}

// search finds every pool that a request lets in by looking at every server, and ranks them by the rules of docs/match.md.
func search(servers []server, r capacity.Request) []*lot {
	found := map[capacity.Pool]*lot{}
	for i := range servers {
		servers[i].visit(r, found)
	}
	var out []*lot
	for _, l := range found {
		l.weigh(r)
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b *lot) int { return rank(r, a, b) })
	return out
}

// visit enters what a server has of each pool that the request lets in.
func (s *server) visit(r capacity.Request, found map[capacity.Pool]*lot) {
	free := map[capacity.Pool]int64{}
	see := func(src fleet.Source, n int64) {
		src.Centre, src.Cluster = s.centre, s.cluster
		if p := poolOf(src); wants(r, p) {
			free[p] += n
		}
	}
	if r.Kind == capacity.KindCPU {
		if c := s.cpu; c != nil {
			n := int64(0)
			if s.online() && c.reported {
				switch {
				case r.Hosts > 0 && c.state == telemetry.Free:
					n = 1
				case r.Hosts == 0 && (c.state == telemetry.Free || c.state == telemetry.Busy):
					n = c.cores - c.busy
				}
			}
			see(fleet.Source{Kind: telemetry.CPU, CPU: telemetry.CPUInfo{Vendor: c.vendor}}, n)
		}
	} else {
		for _, c := range s.cards {
			n := int64(0)
			if s.online() && c.reported && c.state == telemetry.Free {
				n = 1
			}
			see(fleet.Source{Kind: telemetry.Accelerator, Name: c.name}, n)
		}
	}
	for p, n := range free {
		l := found[p]
		if l == nil {
			l = &lot{pool: p}
			found[p] = l
		}
		l.rated++
		if s.online() {
			l.online++
			l.oldestS = max(l.oldestS, s.age.Seconds())
			l.free = append(l.free, n)
		}
	}
}

func wants(r capacity.Request, p capacity.Pool) bool {
	domestic := "unknown"
	if v, ok := p.Domestic.Get(); ok {
		domestic = map[bool]string{true: "yes", false: "no"}[v]
	}
	one := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return one(r.Centre, p.Centre) && one(r.Cluster, p.Cluster) && one(r.Vendor, p.Vendor) && one(r.Model, p.Model) &&
		one(r.Class, string(p.Class)) && one(r.Domestic, domestic) &&
		!slices.Contains(r.ExcludeCentre, p.Centre) && !slices.Contains(r.ExcludeCluster, p.Cluster)
}

// peak is that of one unit in Mflop/s.
func (l *lot) peak(r capacity.Request) (int64, bool) {
	if r.Precision == "" || r.Precision == capacity.ByClass {
		return l.pool.Peaks.Get(l.pool.Basis)
	}
	return l.pool.Peaks.Get(r.Precision)
}

func (l *lot) weigh(r capacity.Request) {
	size := max(r.PerHost, 1)
	slices.SortFunc(l.free, func(a, b int64) int { return cmp.Compare(b, a) })
	for _, n := range l.free {
		l.units += n
		l.gangs += n / size
		if n >= size {
			l.hosts++
		}
	}
	have := l.gangs
	if l.need = r.Count / size; r.Hosts > 0 {
		l.need, have = r.Hosts, l.hosts
	}
	peak, priced := l.peak(r)
	if r.Eflops > 0 && priced {
		gang := size * peak
		l.need = max(l.need, (int64(r.Eflops)+gang-1)/gang)
	}
	l.left = have - l.need
	memory, known := l.pool.Memory.Get()
	l.onlyRoom = (r.Memory == 0 || known && memory >= telemetry.Bytes(r.Memory)) && (r.Eflops == 0 || priced) &&
		(r.MaxAgeS == 0 || l.online > 0 && l.oldestS <= r.MaxAgeS)
	l.fits = l.onlyRoom && l.left >= 0
	if l.fewest = l.need; r.Hosts == 0 {
		l.fewest = 0
		for rest := l.need; rest > 0 && int(l.fewest) < len(l.free); l.fewest++ {
			rest -= l.free[l.fewest] / size
		}
	}
	if slices.Contains(r.PreferCentre, l.pool.Centre) {
		l.preferred++
	}
	if slices.Contains(r.PreferCluster, l.pool.Cluster) {
		l.preferred++
	}
}

func rank(r capacity.Request, a, b *lot) int {
	first := func(a, b bool) int { // what is true comes first
		switch {
		case a == b:
			return 0
		case a:
			return -1
		default:
			return 1
		}
	}
	if c := first(a.fits, b.fits); c != 0 {
		return c
	}
	more := func(a, b int64) int { return cmp.Compare(b, a) }
	var c int
	switch {
	case a.fits && r.Order == capacity.Spread:
		c = cmp.Or(cmp.Compare(b.preferred, a.preferred), more(a.left, b.left), more(a.units, b.units))
	case a.fits:
		c = cmp.Or(cmp.Compare(b.preferred, a.preferred), more(b.left, a.left), more(b.units, a.units))
	default:
		share := func(l *lot) *big.Rat { return big.NewRat(l.left+l.need, max(l.need, 1)) }
		c = cmp.Or(first(a.onlyRoom, b.onlyRoom), share(b).Cmp(share(a)), cmp.Compare(b.preferred, a.preferred), more(a.units, b.units))
	}
	c = cmp.Or(c, first(a.online > 0, b.online > 0), cmp.Compare(a.oldestS, b.oldestS))
	name := func(l *lot) string {
		return strings.Join([]string{l.pool.Centre, l.pool.Cluster, string(l.pool.Kind), l.pool.Vendor, l.pool.Model}, "\x00")
	}
	return cmp.Or(c, strings.Compare(name(a), name(b)))
}

func (l *lot) String() string {
	return fmt.Sprintf("%s/%s %s: free %v", l.pool.Centre, l.pool.Cluster, l.pool.Model, l.free)
}
