package sim

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// statement is what one report says, in what a ledger counts.
type statement struct {
	at      int64 // when it was made, in ns; 0: nothing was ever said
	devices [4]int16
	busy    int32 // parts of 1/UnitsPerDevice of devices that are at work
	cpu     telemetry.State
	cores   int32 // at work
}

// The order of states in counts, in the ledger's own order.
var states = [...]telemetry.State{telemetry.Busy, telemetry.Free, telemetry.Drained, telemetry.Faulty}

// stale is the place of devices whose host fell silent.
const stale = len(states)

func index(s telemetry.State) int { return slices.Index(states[:], s) }

// count adds a device, with its slices at work of so many.
func (st *statement) count(s telemetry.State, working, of int64) {
	st.devices[index(s)]++
	switch {
	case s != telemetry.Busy:
	case of > 0:
		st.busy += int32((capacity.UnitsPerDevice*working + of - 1) / of)
	default:
		st.busy += capacity.UnitsPerDevice
	}
}

// Pool is what the ledger knows of the like devices of a cluster: of the accelerators of one name, or of the processors
// of one make.
type Pool struct {
	Centre, Cluster string
	Kind            telemetry.Kind
	Vendor, Name    string            // of accelerators, as their tool prints them
	CPU             telemetry.CPUInfo // of processors
	Memory          telemetry.Bytes   // of one accelerator
	Counted         Counting          // what its cluster is declared to be; mostly nothing

	Busy, Free, Drained, Faulty, Stale int64 // devices; the processors of a host are one
	// Parts are the same in parts: of 1/10,080 of an accelerator, or cores. A partitioned card at work is split.
	Parts [5]int64
}

// Books are what the broker acknowledged, as it stands at one moment.
type Books struct {
	At          time.Time
	HostsRated  int64
	HostsOnline int64
	Pools       []Pool
	// Declared makes the books be priced as clusters are declared, which is what a collector does whose registry has the
	// declarations. Without, every device counts by its kind.
	Declared bool
}

// Books says what a collector must answer at now, if it has read everything that was acknowledged and nothing is on
// its way: hosts whose last report is older than staleAfter are stale.
func (p *Province) Books(now time.Time, staleAfter time.Duration) *Books {
	b := &Books{At: now}
	type key struct {
		centre, cluster, name string
		kind                  telemetry.Kind
	}
	pools := map[key]*Pool{}
	pool := func(of *Centre, h *host, kind telemetry.Kind) *Pool {
		k := key{h.origin.Centre, h.origin.Cluster, h.server.device, kind}
		if kind == telemetry.CPU {
			k.name = h.server.cpu.Name + h.server.cpu.Part
		}
		if pools[k] == nil {
			pools[k] = &Pool{Centre: k.centre, Cluster: k.cluster, Kind: kind, Counted: of.Counted[k.cluster]}
			if kind == telemetry.CPU {
				pools[k].CPU = h.server.cpu
			} else {
				pools[k].Vendor, pools[k].Name, pools[k].Memory = h.server.vendor, h.server.device, h.server.memory
			}
		}
		return pools[k]
	}
	for _, c := range p.centres {
		c.mu.Lock()
		for _, h := range c.hosts {
			if !h.known {
				continue
			}
			online := h.said.at != 0 && now.Sub(time.Unix(0, h.said.at)) <= staleAfter
			b.HostsRated++
			if online {
				b.HostsOnline++
			}
			if len(h.devices) > 0 {
				pool(c.Centre, h, telemetry.Accelerator).accelerators(h, online)
			}
			pool(c.Centre, h, telemetry.CPU).processors(h, online)
		}
		c.mu.Unlock()
	}
	for _, q := range pools {
		b.Pools = append(b.Pools, *q)
	}
	slices.SortFunc(b.Pools, func(x, y Pool) int {
		return cmp.Or(cmp.Compare(x.Centre, y.Centre), cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.Kind, y.Kind),
			cmp.Compare(x.Name, y.Name), cmp.Compare(x.CPU.Name+x.CPU.Part, y.CPU.Name+y.CPU.Part))
	})
	return b
}

func (q *Pool) accelerators(h *host, online bool) {
	n := int64(len(h.devices))
	if !online {
		q.Stale += n
		q.Parts[stale] += n * capacity.UnitsPerDevice
		return
	}
	d := &h.said.devices
	busy, free, drained, faulty := int64(d[0]), int64(d[1]), int64(d[2]), int64(d[3])
	q.Busy, q.Free, q.Drained, q.Faulty = q.Busy+busy, q.Free+free, q.Drained+drained, q.Faulty+faulty
	q.Parts[0] += int64(h.said.busy)
	q.Parts[1] += (busy+free)*capacity.UnitsPerDevice - int64(h.said.busy)
	q.Parts[2] += drained * capacity.UnitsPerDevice
	q.Parts[3] += faulty * capacity.UnitsPerDevice
}

func (q *Pool) processors(h *host, online bool) {
	cores := h.server.cpu.Cores.Value
	if !online {
		q.Stale++
		q.Parts[stale] += cores
		return
	}
	i := index(h.said.cpu)
	for j, n := range []*int64{&q.Busy, &q.Free, &q.Drained, &q.Faulty} {
		if j == i {
			*n++
		}
	}
	if i > 1 {
		q.Parts[i] += cores
		return
	}
	q.Parts[0] += int64(h.said.cores)
	q.Parts[1] += cores - int64(h.said.cores)
}

// Figures are the books priced, in the words of the capacity document.
type Figures struct {
	Devices capacity.Devices `json:"devices"`
	Eflops  capacity.Eflops  `json:"eflops"`
}

// Price adds the pools that pick admits, each at the precision of its class: accelerators FP16, processors FP32, and
// where the declarations count, FP64 in clusters that are super and FP32 in those for rendering.
// It is arithmetic of its own, so that it can be held against the collector's.
func (b *Books) Price(c *catalog.Catalog, pick func(*Pool) bool) Figures {
	var f Figures
	for i := range b.Pools {
		q := &b.Pools[i]
		if !pick(q) {
			continue
		}
		d, e := &f.Devices, &f.Eflops
		d.Busy, d.Free, d.Drained, d.Faulty, d.Stale = d.Busy+q.Busy, d.Free+q.Free, d.Drained+q.Drained, d.Faulty+q.Faulty, d.Stale+q.Stale
		peak, per, priced := q.peak(c, b.precision(q))
		if !priced {
			d.Unpriced += q.Busy + q.Free + q.Drained + q.Faulty + q.Stale
			continue
		}
		// The running total is rounded, halves up: a card split between busy and free is worth the card.
		var parts, before int64
		for s, into := range []*capacity.Flops{&e.Busy, &e.Free, &e.Drained, &e.Faulty, &e.Stale} {
			parts += q.Parts[s]
			hi, lo := bits.Mul64(uint64(parts), uint64(peak))
			lo, carry := bits.Add64(lo, uint64(per)/2, 0)
			quo, _ := bits.Div64(hi+carry, lo, uint64(per))
			*into += capacity.Flops(int64(quo) - before)
			before = int64(quo)
		}
	}
	d, e := &f.Devices, &f.Eflops
	d.Healthy, e.Healthy = d.Busy+d.Free, e.Busy+e.Free
	d.Online, e.Online = d.Healthy+d.Drained+d.Faulty, e.Healthy+e.Drained+e.Faulty
	d.Rated, e.Rated = d.Online+d.Stale, e.Online+e.Stale
	return f
}

// precision is what the devices of a pool are counted by.
func (b *Books) precision(q *Pool) catalog.Precision {
	switch {
	case b.Declared && q.Counted == Super:
		return catalog.FP64
	case b.Declared && q.Counted == Rendering, q.Kind == telemetry.CPU:
		return catalog.FP32
	}
	return catalog.FP16
}

// peak is what one accelerator or one core does at most, in Mflop/s, and how many parts of the pool's counts make one.
func (q *Pool) peak(c *catalog.Catalog, p catalog.Precision) (mflops, per int64, ok bool) {
	if q.Kind == telemetry.CPU {
		m, _ := c.CPU(q.CPU)
		if m == nil {
			return 0, 1, false
		}
		mflops, ok = m.PerCore.Get(p)
		return mflops, 1, ok
	}
	m, found := c.LookupMemory(q.Vendor, q.Name, telemetry.Known(q.Memory))
	if !found {
		return 0, 1, false
	}
	mflops, ok = m.Peaks.Get(p)
	return mflops, capacity.UnitsPerDevice, ok
}

// Summary is the books by centre, with what was simulated.
type Summary struct {
	At      time.Time       `json:"as_of"`
	Hosts   capacity.Hosts  `json:"hosts"`
	Total   Figures         `json:"total"`
	Centres []CentreFigures `json:"centres"`
}

// CentreFigures are one centre's.
type CentreFigures struct {
	Centre string `json:"centre"`
	Figures
}

// Summary prices the books by centre, processors included.
func (b *Books) Summary(c *catalog.Catalog) *Summary {
	s := &Summary{At: b.At.UTC(), Hosts: capacity.Hosts{Rated: b.HostsRated, Online: b.HostsOnline}}
	s.Total = b.Price(c, func(*Pool) bool { return true })
	for i := range b.Pools {
		id := b.Pools[i].Centre
		if n := len(s.Centres); n == 0 || s.Centres[n-1].Centre != id {
			s.Centres = append(s.Centres, CentreFigures{id, b.Price(c, func(q *Pool) bool { return q.Centre == id })})
		}
	}
	return s
}
