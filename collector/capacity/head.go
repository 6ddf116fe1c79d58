package capacity

import (
	"cmp"
	"time"
)

// Head is what every answer begins with: what it was worked out from, and how it counts. Its fields are those of Document.
type Head struct {
	Revision  int64     `json:"revision"`
	AsOf      time.Time `json:"as_of"`
	Catalogue string    `json:"catalogue"`
	Registry  string    `json:"registry"`
	Rule      string    `json:"rule"`
	Precision string    `json:"precision"`
	Kind      string    `json:"kind"`
	Parts     Parts     `json:"parts"`
}

// head is the head of an answer from the snapshot.
func (s *Snapshot) head(precision Precision, kind string) Head {
	return Head{
		Revision: s.Revision, AsOf: s.AsOf.UTC(), Catalogue: s.Catalogue, Registry: s.Registry, Rule: cmp.Or(s.Rule, Rule),
		Precision: string(precision), Kind: kind, Parts: s.Parts,
	}
}

// Head is the head of an answer to a query.
func (s *Snapshot) Head(q Query) (Head, error) {
	q, err := q.Normal()
	return s.head(q.Precision, q.Kind), err
}

// Normal returns the query with its defaults filled in, or what is wrong with it.
func (q Query) Normal() (Query, error) { return q.normal() }

// Admits reports whether a query, which must be normal, counts a pool.
func (q *Query) Admits(p *Pool) bool { return q.admits(p) }

// DomesticOf is the pool's value of the dimension ByDomestic.
func (p *Pool) DomesticOf() string { return p.domestic() }

// Worth is what so many of the pool's units are worth under the precision asked for; ok is false where the pool has no such peak.
func (p *Pool) Worth(units int64, asked Precision) (f Flops, ok bool) {
	peak, ok := p.peak(asked)
	if !ok {
		return 0, false
	}
	return price(units, peak, p.units()), true
}
