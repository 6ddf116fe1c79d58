package hosts

import (
	"container/heap"
	"slices"
)

// Place is where a host of a ranking is found: Part is whatever the ranking's user makes of it.
type Place struct {
	Key  Key
	Part int
}

// Ranking keeps the first places of a list that is longer than it may be. The zero value keeps none.
type Ranking struct {
	limit  int
	after  *Key
	places places
	more   bool // places behind those kept were left out

	Matching int64            // hosts that were entered, before and behind what is kept
	Reasons  map[string]int64 // their devices that are listed, by why they are in their state
}

// NewRanking makes a ranking for a question.
func NewRanking(q *Query) *Ranking { return &Ranking{limit: q.Limit, after: q.After} }

// Enter enters a host.
func (r *Ranking) Enter(p Place) {
	r.Matching++
	if r.after != nil && p.Key.Compare(r.after) <= 0 {
		return
	}
	switch {
	case len(r.places) < r.limit:
		heap.Push(&r.places, p)
	case p.Key.Compare(&r.places[0].Key) < 0:
		r.places[0], r.more = p, true
		heap.Fix(&r.places, 0)
	default:
		r.more = true
	}
}

// Count counts devices of hosts that were entered, by the code of their reason.
func (r *Ranking) Count(reason string, devices int64) {
	if r.Reasons == nil {
		r.Reasons = map[string]int64{}
	}
	r.Reasons[reason] += devices
}

// Take enters what another ranking for the same question holds.
func (r *Ranking) Take(o *Ranking) {
	all := r.Matching + o.Matching
	for _, p := range o.places {
		r.Enter(p)
	}
	r.Matching, r.more = all, r.more || o.more
	for reason, n := range o.Reasons {
		r.Count(reason, n)
	}
}

// List returns the places in order, and up to which the list is complete; nil where it is complete altogether.
func (r *Ranking) List() (list []Place, upto *Key) {
	list = slices.Clone(r.places)
	slices.SortFunc(list, func(a, b Place) int { return a.Key.Compare(&b.Key) })
	if r.more && len(list) > 0 {
		upto = &list[len(list)-1].Key
	}
	return list, upto
}

// places is a heap whose first element is the last place.
type places []Place

func (p places) Len() int           { return len(p) }
func (p places) Less(i, j int) bool { return p[i].Key.Compare(&p[j].Key) > 0 }
func (p places) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }

// Push and Pop are those of container/heap.
func (p *places) Push(x any) { *p = append(*p, x.(Place)) }

// Pop takes the last element.
func (p *places) Pop() any {
	n := len(*p) - 1
	x := (*p)[n]
	*p = (*p)[:n]
	return x
}
