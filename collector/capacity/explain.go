package capacity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/telemetry"
)

// MaxExplained bounds the pools of an explanation. Records can name as many models as they like.
const MaxExplained = 2000

// Explanation is how a figure came about: the total is the sum of its centres, a centre that of its pools, and a pool a number of devices
// times a peak.
type Explanation struct {
	Head
	Total      Counted           `json:"total"`
	Founded    []Founded         `json:"founded"` // what is rated, by how well its peaks are founded
	Centres    []ExplainedCentre `json:"centres"`
	PoolsLeft  int               `json:"pools_left_out,omitempty"` // beyond MaxExplained; they are in the sums
	Rules      []ExplainedRule   `json:"rules"`
	NotCounted []NotCounted      `json:"not_counted"`
}

// Counted is what a figure counts.
type Counted struct {
	Devices Devices `json:"devices"`
	Eflops  Eflops  `json:"eflops"`
}

// Founded is what of a figure rests on peaks of one confidence. All of them add up to what is rated.
type Founded struct {
	Confidence string `json:"confidence"` // one of the catalogue's; unpriced; or unknown, where the catalogue that was looked in has no such row
	Devices    int64  `json:"devices"`
	Eflops     Flops  `json:"eflops"`
}

// confidences are the values of Founded, best first.
var confidences = [...]string{string(catalog.Datasheet), string(catalog.VendorPage), string(catalog.ThirdParty), string(catalog.Unsure), "unknown", "unpriced"}

// found counts a pool by the confidence of its peak.
func (e *Explanation) found(p *ExplainedPool) {
	at := slices.Index(confidences[:], "unknown")
	switch {
	case p.Peak == nil:
		at = slices.Index(confidences[:], "unpriced")
	case p.Catalogue != nil:
		if known := slices.Index(confidences[:], p.Catalogue.Confidence); known >= 0 {
			at = known
		}
	}
	f := &e.Founded[at]
	f.Devices += p.Devices.Rated
	f.Eflops += p.Eflops.Rated
}

// ExplainedCentre is one centre's share.
type ExplainedCentre struct {
	Centre     string `json:"centre"`
	Identifier string `json:"identifier,omitempty"`
	Counted
	Pools []ExplainedPool `json:"pools"`
}

// ExplainedPool is one pool's share. In every state, and in all, its Eflops are units × peak ÷ per: rated ones exactly, those of a state to
// within one Mflop/s, as the states' running total is rounded.
type ExplainedPool struct {
	Cluster    string `json:"cluster"`
	Identifier string `json:"identifier,omitempty"`
	Kind       string `json:"kind"`
	Vendor     string `json:"vendor"`
	Model      string `json:"model"`
	Class      string `json:"class"`
	Domestic   string `json:"domestic"`
	Counted
	Units Units `json:"units"`
	Peak  *Peak `json:"peak"` // null where the pool is unpriced at the precision asked for
	// Equation is the arithmetic of Eflops.Rated, for people.
	Equation  string `json:"equation"`
	Catalogue *Entry `json:"catalogue"` // null where the catalogue does not know the model
}

// Units are what is multiplied: PerDevice of them make one device of an accelerator; those of processors are cores.
type Units struct {
	Of        string `json:"of"` // slice or core
	PerDevice int64  `json:"per_device,omitempty"`
	Rated     int64  `json:"rated"`
	Busy      int64  `json:"busy"`
	Free      int64  `json:"free"`
	Drained   int64  `json:"drained"`
	Faulty    int64  `json:"faulty"`
	Stale     int64  `json:"stale"`
}

// Peak is what one device, or one core, is priced at.
type Peak struct {
	Precision string  `json:"precision"`
	Of        string  `json:"of"`     // device or core
	Mflops    int64   `json:"mflops"` // 1e6 operations a second
	Tflops    float64 `json:"tflops"`
}

// Entry is the row of the catalogue that a peak is from, as the collector that answers has it.
type Entry struct {
	ID         string `json:"id"`
	Name       string `json:"name,omitempty"`
	Confidence string `json:"confidence,omitempty"`
	Source     string `json:"source,omitempty"`
	Version    string `json:"version"` // of the catalogue that this was looked up in
	// Differs says that the answer was priced by another version than that: the peak is that of the answer's, source and confidence need not
	// be.
	Differs bool `json:"differs,omitempty"`
	Missing bool `json:"missing,omitempty"` // the catalogue that this was looked up in has no such row
}

// Explain answers how the figure of a query came about; By is not used. Names, sources and confidences are looked up in cat.
func (s *Snapshot) Explain(q Query, cat *catalog.Catalog) (*Explanation, error) {
	q.By = []Dimension{ByCentre}
	doc, err := s.Document(q)
	if err != nil {
		return nil, err
	}
	if q, err = q.normal(); err != nil {
		return nil, err
	}
	e := &Explanation{
		Head: s.head(q.Precision, q.Kind), Total: Counted{doc.Total.Devices, doc.Total.Eflops},
		Centres: make([]ExplainedCentre, 0, len(doc.Groups)), Rules: rulesOf(&q, s), NotCounted: s.notCounted(&q, doc),
	}
	place := map[string]int{}
	for i := range doc.Groups {
		g := &doc.Groups[i]
		place[g.Centre] = i
		e.Centres = append(e.Centres, ExplainedCentre{
			Centre: g.Centre, Identifier: g.Identifier, Counted: Counted{g.Devices, g.Eflops}, Pools: []ExplainedPool{},
		})
	}
	for _, c := range confidences {
		e.Founded = append(e.Founded, Founded{Confidence: c})
	}
	n := 0
	for i := range s.Pools {
		p := &s.Pools[i].Pool
		if !q.admits(p) {
			continue
		}
		pool := s.explainPool(&s.Pools[i], q.Precision, cat)
		e.found(&pool)
		if n++; n > MaxExplained {
			e.PoolsLeft++
			continue
		}
		c := &e.Centres[place[p.Centre]]
		c.Pools = append(c.Pools, pool)
	}
	return e, nil
}

// explainPool explains one pool.
func (s *Snapshot) explainPool(pc *PoolCell, asked Precision, cat *catalog.Catalog) ExplainedPool {
	p, c := &pc.Pool, &pc.Cell
	var a sum
	a.pool(p, c, asked)
	fig := a.figure(s)
	out := ExplainedPool{
		Cluster: p.Cluster, Identifier: p.Identifier, Kind: string(p.Kind), Vendor: p.Vendor, Model: p.Model, Class: string(p.Class),
		Domestic: p.domestic(), Counted: Counted{fig.Devices, fig.Eflops}, Catalogue: s.entry(p, cat),
		Units: Units{Of: "slice", PerDevice: UnitsPerDevice, Busy: c.Units[Busy], Free: c.Units[Free], Drained: c.Units[Drained], Faulty: c.Units[Faulty], Stale: c.Units[Stale]},
	}
	for _, n := range c.Units {
		out.Units.Rated += n
	}
	of := "device"
	if p.Kind == telemetry.CPU {
		out.Units.Of, out.Units.PerDevice, of = "core", 0, "core"
	}
	if asked == ByClass {
		asked = p.Basis
	}
	peak, priced := p.peak(asked)
	if !priced {
		out.Equation = fmt.Sprintf("%d devices × no %s peak = unpriced", fig.Devices.Rated, asked)
		return out
	}
	tflops := exact(peak, 6)
	out.Peak = &Peak{Precision: string(asked), Of: of, Mflops: peak, Tflops: float64(peak) / 1e6}
	out.Equation = fmt.Sprintf("%s %ss × %s Tflop/s = %s Eflops", quotient(out.Units.Rated, p.units()), of, tflops, fig.Eflops.Rated.Eflops())
	return out
}

// exact prints n ÷ 10^places.
func exact(n int64, places int) string {
	s := strconv.FormatInt(n, 10)
	for len(s) <= places {
		s = "0" + s
	}
	whole, frac := s[:len(s)-places], strings.TrimRight(s[len(s)-places:], "0")
	if frac == "" {
		return whole
	}
	return whole + "." + frac
}

// quotient prints n ÷ d: whole, or as the fraction that it is.
func quotient(n, d int64) string {
	if n%d == 0 {
		return strconv.FormatInt(n/d, 10)
	}
	return fmt.Sprintf("%d/%d", n, d)
}

// entry looks up the row that priced a pool.
func (s *Snapshot) entry(p *Pool, cat *catalog.Catalog) *Entry {
	if p.Entry == "" || cat == nil {
		return nil
	}
	e := &Entry{ID: p.Entry, Version: cat.Version(), Differs: cat.Version() != s.Catalogue}
	if p.Kind == telemetry.CPU {
		all := cat.CPUs()
		i := slices.IndexFunc(all, func(u *catalog.Microarchitecture) bool { return u.ID == p.Entry })
		if e.Missing = i < 0; i >= 0 {
			e.Name, e.Confidence, e.Source = all[i].Name, string(all[i].Confidence), all[i].Source
		}
		return e
	}
	m, ok := cat.Model(p.Entry)
	if e.Missing = !ok; ok {
		e.Name, e.Confidence, e.Source = m.Name, string(m.Confidence), m.Source
	}
	return e
}
