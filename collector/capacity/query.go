package capacity

import (
	"fmt"
	"slices"

	"github.com/exameter/exameter/telemetry"
)

// Dimension is something that groups can be told apart by.
type Dimension string

// The dimensions of a group.
const (
	ByCentre  Dimension = "centre"
	ByCluster Dimension = "cluster"
	ByKind    Dimension = "kind"
	ByVendor  Dimension = "vendor"
	ByModel   Dimension = "model"
	ByClassOf Dimension = "class"
)

// dimensions says how a pool answers for each dimension, and how a group says so.
var dimensions = [...]struct {
	name Dimension
	of   func(*Pool) string
	set  func(*Group, string)
}{
	{ByCentre, func(p *Pool) string { return p.Centre }, func(g *Group, v string) { g.Centre = v }},
	{ByCluster, func(p *Pool) string { return p.Cluster }, func(g *Group, v string) { g.Cluster = v }},
	{ByKind, func(p *Pool) string { return string(p.Kind) }, func(g *Group, v string) { g.Kind = v }},
	{ByVendor, func(p *Pool) string { return p.Vendor }, func(g *Group, v string) { g.Vendor = v }},
	{ByModel, func(p *Pool) string { return p.Model }, func(g *Group, v string) { g.Model = v }},
	{ByClassOf, func(p *Pool) string { return string(p.Class) }, func(g *Group, v string) { g.Class = v }},
	{ByDomestic, (*Pool).domestic, func(g *Group, v string) { g.Domestic = v }},
}

// ParseDimensions reads the names of dimensions. "pool" stands for centre, cluster, kind and model. A name given twice
// counts once.
func ParseDimensions(names []string) ([]Dimension, error) {
	by := []Dimension{}
	for _, n := range names {
		add := []Dimension{Dimension(n)}
		if n == "pool" {
			add = []Dimension{ByCentre, ByCluster, ByKind, ByModel}
		}
		for _, d := range add {
			if d.index() < 0 {
				return nil, fmt.Errorf("%q is not a dimension: want centre, cluster, kind, vendor, model, class, domestic or pool", n)
			}
			if !slices.Contains(by, d) {
				by = append(by, d)
			}
		}
	}
	return by, nil
}

func (d Dimension) index() int {
	for i := range dimensions {
		if dimensions[i].name == d {
			return i
		}
	}
	return -1
}

// ByDomestic tells models designed in China from others, by these values. What the catalogue does not say is a value of
// its own, and counted as neither.
const (
	ByDomestic Dimension = "domestic"

	DomesticYes     = "yes"
	DomesticNo      = "no"
	DomesticUnknown = "unknown"
)

// Kinds a question may ask for. The default is accelerators alone.
const (
	KindAccelerator = string(telemetry.Accelerator)
	KindCPU         = string(telemetry.CPU)
	KindAll         = "all"
)

// Query says what a document is to hold. The zero value asks for accelerators, by class precision, in one total.
type Query struct {
	By        []Dimension
	Precision Precision // ByClass where empty
	Kind      string    // KindAccelerator where empty

	// Filters: where not empty, only pools with one of the values count.
	Centre, Cluster, Vendor, Model, Class, Domestic []string
}

// normal returns q with its defaults filled in, or what is wrong with it.
func (q Query) normal() (Query, error) {
	if q.Precision == "" {
		q.Precision = ByClass
	}
	if _, err := ParsePrecision(string(q.Precision)); err != nil {
		return q, err
	}
	switch q.Kind {
	case "":
		q.Kind = KindAccelerator
	case KindAccelerator, KindCPU, KindAll:
	default:
		return q, fmt.Errorf("%q is not a kind: want accelerator, cpu or all", q.Kind)
	}
	var err error
	names := make([]string, len(q.By))
	for i, d := range q.By {
		names[i] = string(d)
	}
	q.By, err = ParseDimensions(names)
	return q, err
}

// admits reports whether the query counts a pool.
func (q *Query) admits(p *Pool) bool {
	in := func(filter []string, v string) bool { return len(filter) == 0 || slices.Contains(filter, v) }
	return (q.Kind == KindAll || q.Kind == string(p.Kind)) &&
		in(q.Centre, p.Centre) && in(q.Cluster, p.Cluster) && in(q.Vendor, p.Vendor) && in(q.Model, p.Model) && in(q.Class, string(p.Class)) && in(q.Domestic, p.domestic())
}

// key returns the values that tell a pool's group apart, as one string that sorts like them.
func (q *Query) key(p *Pool) string { return string(q.appendKey(nil, p)) }

func (q *Query) appendKey(b []byte, p *Pool) []byte {
	for _, d := range q.By {
		b = append(append(b, dimensions[d.index()].of(p)...), 0)
	}
	return b
}
