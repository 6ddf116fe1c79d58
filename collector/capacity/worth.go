package capacity

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
