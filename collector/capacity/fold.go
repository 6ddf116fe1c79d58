package capacity

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Document answers a query. Each pool's cell is priced once, in whole Mflop/s by state; every group and the total are
// sums of those integers.
func (s *Snapshot) Document(q Query) (*Document, error) {
	q, err := q.normal()
	if err != nil {
		return nil, fmt.Errorf("capacity query: %w", err)
	}
	doc := &Document{
		Revision: s.Revision, AsOf: s.AsOf.UTC(), Catalogue: s.Catalogue, Registry: s.Registry, Rule: cmp.Or(s.Rule, Rule),
		Precision: string(q.Precision), Kind: q.Kind, By: make([]string, 0, len(q.By)), Parts: s.Parts,
	}
	for _, d := range q.By {
		doc.By = append(doc.By, string(d))
	}
	w := workings.Get().(*working)
	defer w.release()
	total, groups, groupOf := s.sumPools(&q, w)
	s.sumHosts(total, groupOf)
	doc.Total = total.figure(s)
	doc.Groups = make([]Group, 0, len(groups))
	for _, a := range groups {
		g := Group{Figure: a.figure(s), Identifier: a.place.text}
		for _, d := range q.By {
			dim := &dimensions[d.index()]
			dim.set(&g, dim.of(a.first))
		}
		doc.Groups = append(doc.Groups, g)
	}
	return doc, nil
}

// working is memory for the sums of one document, some two kilobytes each, which is used again and again: it would be most of what a document
// leaves behind.
type working struct {
	rooms   [][]sum
	taken   int
	byKey   map[string]*sum
	groups  []*sum
	groupOf []*sum
}

var workings = sync.Pool{New: func() any { return &working{byKey: map[string]*sum{}} }}

const room = 16

// sum returns one that is empty.
func (w *working) sum() *sum {
	if w.taken == room*len(w.rooms) {
		w.rooms = append(w.rooms, make([]sum, room))
	}
	a := &w.rooms[w.taken/room][w.taken%room]
	w.taken++
	*a = sum{}
	return a
}

// release gives the memory back. Nothing may refer to a sum any more.
func (w *working) release() {
	clear(w.byKey)
	clear(w.groups)
	clear(w.groupOf)
	w.taken = 0
	workings.Put(w)
}

// sumPools prices the pools of the query and sums them, in all and by group. groupOf holds each pool's group; it is nil
// for a pool that the query leaves out, and the total itself where no groups were asked for.
func (s *Snapshot) sumPools(q *Query, w *working) (total *sum, groups []*sum, groupOf []*sum) {
	w.groupOf = append(w.groupOf[:0], make([]*sum, len(s.Pools))...)
	total, groups, groupOf = w.sum(), w.groups[:0], w.groupOf
	var key []byte
	for i := range s.Pools {
		p, c := &s.Pools[i].Pool, &s.Pools[i].Cell
		if !q.admits(p) {
			continue
		}
		groupOf[i] = total
		if len(q.By) > 0 {
			key = q.appendKey(key[:0], p)
			g := w.byKey[string(key)]
			if g == nil {
				g = w.sum()
				g.key, g.first = q.key(p), p
				w.byKey[g.key], groups = g, append(groups, g)
			}
			g.pool(p, c, q.Precision)
			g.place.add(q.identifier(p))
			groupOf[i] = g
		}
		total.pool(p, c, q.Precision)
	}
	w.groups = groups
	slices.SortFunc(groups, func(a, b *sum) int { return strings.Compare(a.key, b.key) })
	return total, groups, groupOf
}

// sumHosts counts each host once in the total and once in every group that one of its pools belongs to.
func (s *Snapshot) sumHosts(total *sum, groupOf []*sum) {
	touched := make([]*sum, 0, 8)
	for i := range s.Shapes {
		shape := &s.Shapes[i]
		touched = touched[:0]
		for _, p := range shape.Pools {
			if g := groupOf[p]; g != nil && !slices.Contains(touched, g) {
				touched = append(touched, g)
			}
		}
		if len(touched) > 0 && !slices.Contains(touched, total) {
			touched = append(touched, total)
		}
		for _, g := range touched {
			g.hosts.Rated += shape.Rated
			g.hosts.Online += shape.Online
			g.ages.add(&shape.Ages)
		}
	}
}

// sum is a figure in the making.
type sum struct {
	key      string
	first    *Pool
	place    identifier
	cell     Cell
	flops    [states]Flops
	origin   Origin
	unpriced int64
	hosts    Hosts
	ages     Ages
	// active and known are Σ peak × units × activity and Σ peak × units × 1000, in Mflop/s × units/UnitsPerDevice.
	active, known wide
}

// pool adds one priced pool.
func (a *sum) pool(p *Pool, c *Cell, precision Precision) {
	a.cell.Add(c, 1)
	devices, eflops := a.origin.parts(p)
	for _, n := range c.Devices {
		*devices += n
	}
	peak, priced := p.peak(precision)
	if !priced {
		for _, n := range c.Devices {
			a.unpriced += n
		}
		return
	}
	for s, f := range c.leaves(peak, p.units()) {
		a.flops[s] += f
		*eflops += f
	}
	if peak <= 0 {
		return
	}
	// Cores and parts of a device are brought to one scale, so that the division comes last.
	scale := UnitsPerDevice / p.units()
	a.active.add(peak, scale, c.ActiveUnits)
	a.known.add(peak, 1000*scale, c.KnownUnits)
}

// parts returns the part of the split that a pool's devices and Eflops stand in.
func (o *Origin) parts(p *Pool) (*int64, *Flops) {
	switch p.domestic() {
	case DomesticYes:
		return &o.Devices.Domestic, &o.Eflops.Domestic
	case DomesticNo:
		return &o.Devices.Foreign, &o.Eflops.Foreign
	default:
		return &o.Devices.Unknown, &o.Eflops.Unknown
	}
}

// figure closes the sum.
func (a *sum) figure(s *Snapshot) Figure {
	d, f := &a.cell.Devices, &a.flops
	fig := Figure{
		Devices: Devices{Busy: d[Busy], Free: d[Free], Drained: d[Drained], Faulty: d[Faulty], Stale: d[Stale], Unpriced: a.unpriced},
		Eflops:  Eflops{Busy: f[Busy], Free: f[Free], Drained: f[Drained], Faulty: f[Faulty], Stale: f[Stale]},
		Origin:  a.origin,

		PowerW: float64(a.cell.PowerMW) / 1000, PowerDevices: a.cell.PowerDevices,
		Hosts: a.hosts, Age: a.ages.age(s.StaleAfter),
	}
	fig.Devices.Healthy = d[Busy] + d[Free]
	fig.Devices.Online = fig.Devices.Healthy + d[Drained] + d[Faulty]
	fig.Devices.Rated = fig.Devices.Online + d[Stale]
	fig.Eflops.Healthy = f[Busy] + f[Free]
	fig.Eflops.Online = fig.Eflops.Healthy + f[Drained] + f[Faulty]
	fig.Eflops.Rated = fig.Eflops.Online + f[Stale]
	fig.Activity = Activity{SM: a.cell.SM, Utilisation: a.cell.Utilisation}
	fig.Activity.Unknown = fig.Devices.Healthy - a.cell.SM - a.cell.Utilisation
	if !a.known.isZero() {
		fig.Utilisation = new(a.active.over(&a.known))
	}
	if a.hosts.Rated > 0 {
		c := float64(a.hosts.Online) / float64(a.hosts.Rated)
		fig.Coverage = &c
	}
	return fig
}
