package capacity

import (
	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/telemetry"
)

// Listing is a snapshot with what questions about single pools need of each: its hosts and their ages, which shapes hold. It is
// worked out once for all questions about the snapshot, and like it never changed.
type Listing struct {
	*Snapshot
	hosts []Hosts
	ages  []*Age
}

// List works a snapshot's pools out.
func (s *Snapshot) List() *Listing {
	l := &Listing{Snapshot: s, hosts: make([]Hosts, len(s.Pools)), ages: make([]*Age, len(s.Pools))}
	sums := make([]Ages, len(s.Pools))
	for i := range s.Shapes {
		shape := &s.Shapes[i]
		for _, p := range shape.Pools {
			l.hosts[p].Rated += shape.Rated
			l.hosts[p].Online += shape.Online
			if shape.Online > 0 {
				sums[p].add(&shape.Ages)
			}
		}
	}
	for i := range s.Pools {
		l.ages[i] = sums[i].age(s.StaleAfter)
	}
	return l
}

// PoolName says which pool a line of an answer is about.
type PoolName struct {
	Centre     string `json:"centre"`
	Cluster    string `json:"cluster"`
	Kind       string `json:"kind"`
	Vendor     string `json:"vendor"`
	Model      string `json:"model"`
	Class      string `json:"class"`
	Domestic   string `json:"domestic"`             // yes, no or unknown
	Identifier string `json:"identifier,omitempty"` // of its cluster, as the registry has it
	// MemoryGiB is that of one device, in GiB of 2^30 bytes; left out where it is unknown, and for processors.
	MemoryGiB *float64 `json:"memory_gib,omitempty"`
}

func (l *Listing) name(i int) PoolName {
	p := &l.Pools[i].Pool
	n := PoolName{
		Centre: p.Centre, Cluster: p.Cluster, Kind: string(p.Kind), Vendor: p.Vendor, Model: p.Model, Class: string(p.Class),
		Domestic: p.domestic(), Identifier: p.Identifier,
	}
	if b, ok := p.Memory.Get(); ok {
		n.MemoryGiB = new(gib(b))
	}
	return n
}

// gib is exact: the divisor is a power of two.
func gib(b telemetry.Bytes) float64 { return float64(b) / (1 << 30) }

// tflops are the pool's known peaks in 10^12 operations a second, of a device or of a core.
func (p *Pool) tflops() map[string]float64 {
	out := map[string]float64{}
	for _, precision := range catalog.Precisions() {
		if v, ok := p.Peaks.Get(precision); ok {
			out[string(precision)] = float64(v) / 1e6
		}
	}
	return out
}

// coverage is online hosts ÷ rated hosts; nil where there are none.
func (h Hosts) coverage() *float64 {
	if h.Rated == 0 {
		return nil
	}
	return new(float64(h.Online) / float64(h.Rated))
}
