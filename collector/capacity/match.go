package capacity

import (
	"cmp"
	"math/bits"
	"slices"
	"sync"
)

// Match is the answer to a Request: the pools that it was held against, best first. docs/match.md has the rules.
type Match struct {
	Head
	Request    Request     `json:"request"`         // as it was understood
	Fits       bool        `json:"fits"`            // in at least one pool
	Candidates int         `json:"candidates"`      // pools that the request lets in
	Fitting    int         `json:"fitting"`         // those of them in which it fits
	Short      string      `json:"short,omitempty"` // what is missing where it fits in none
	Pools      []MatchLine `json:"pools"`           // the first Request.Limit candidates
}

// MatchLine is one pool with what it has for the request. Devices are counted in Request.Unit.
type MatchLine struct {
	Rank int `json:"rank"` // from 1
	PoolName
	Fits          bool   `json:"fits"`
	DevicesFree   int64  `json:"devices_free"`
	HostsFree     *int64 `json:"hosts_free"` // hosts with PerHost units free; null of cores, which are not counted by host
	Gangs         int64  `json:"gangs"`      // of PerHost units on one host, that fit beside each other
	DevicesUsable int64  `json:"devices_usable"`
	EflopsUsable  *Flops `json:"eflops_usable"` // their nameplate; null where the pool has no price at the precision asked for
	GangsNeeded   *int64 `json:"gangs_needed"`  // or hosts, where the request is for hosts; null where Eflops are asked for and the pool has no price
	// HostsNeeded hosts hold the request: the fewest there are, unless hosts have more than MaxFree devices free, when fewer may do.
	// It is left out where the request does not fit, and of cores.
	HostsNeeded *int64 `json:"hosts_needed,omitempty"`

	// Where the histogram of free devices does not tell a number, the one above is what there is at least, and these say what
	// there is at most. They are left out where the number is exact.
	HostsFreeAtMost *int64 `json:"hosts_free_at_most,omitempty"`
	GangsAtMost     *int64 `json:"gangs_at_most,omitempty"`

	Hosts    Hosts    `json:"hosts"`
	Coverage *float64 `json:"coverage"`
	Age      *Age     `json:"age_s"`
	Reasons  []string `json:"reasons"`         // why it stands where it stands
	Short    string   `json:"short,omitempty"` // what is missing where the request does not fit
}

// lack is what keeps a request from fitting, more of which than a lack of room no device that becomes free will change.
type lack uint8

const (
	lacksMemory lack = 1 << iota // less than asked for, or unknown
	lacksPrice                   // so that nobody can say whether it has the Eflops asked for
	lacksReport                  // that is fresh enough
	lacksRoom
)

// candidate is a pool held against a request.
type candidate struct {
	at   int // in the snapshot
	lack lack
	need int64 // gangs, or hosts where the request is for hosts
	have Span  // of the same
	supply
	peak      int64 // of one unit, in Mflop/s
	priced    bool
	preferred int
	age       *Age
}

// candidates is memory for them, some hundred bytes a pool, which would be most of what a match allocates.
var candidates = sync.Pool{New: func() any { return new([]candidate) }}

// Match holds a request against every pool. It reads one snapshot and nothing else: answers at one revision are alike.
func (l *Listing) Match(r Request) (*Match, error) {
	r, err := r.Normal()
	if err != nil {
		return nil, err
	}
	doc := &Match{Head: l.head(r.Precision, r.Kind), Request: r}
	room := candidates.Get().(*[]candidate)
	defer candidates.Put(room)
	all := slices.Grow((*room)[:0], len(l.Pools))
	*room = all
	for i := range l.Pools {
		if r.admits(&l.Pools[i].Pool) {
			c := l.weigh(&r, i)
			all = append(all, c)
			if c.lack == 0 {
				doc.Fitting++
			}
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return r.compare(&a, &b) })
	doc.Candidates, doc.Fits = len(all), doc.Fitting > 0
	doc.Pools = make([]MatchLine, min(r.Limit, len(all)))
	for i := range doc.Pools {
		doc.Pools[i] = l.matchLine(&r, &all[i], i+1)
	}
	if !doc.Fits {
		doc.Short = l.shortOfAll(&r, all)
	}
	return doc, nil
}

// weigh holds the request against one pool.
func (l *Listing) weigh(r *Request, i int) candidate {
	p, cell := &l.Pools[i].Pool, &l.Pools[i].Cell
	c := candidate{at: i, supply: cell.supply(r.Unit, r.PerHost), preferred: r.preferred(p), age: l.ages[i]}
	c.peak, c.priced = p.peak(r.Precision)
	c.need, c.have = r.gangs(c.peak), c.gangs
	if r.Hosts > 0 {
		c.have = c.hosts
	}
	if memory, known := p.Memory.Get(); r.Memory > 0 && (!known || GiB(memory) < r.Memory) {
		c.lack |= lacksMemory
	}
	if r.Eflops > 0 && (!c.priced || c.peak <= 0) {
		c.lack |= lacksPrice
	}
	if r.MaxAgeS > 0 && (c.age == nil || c.age.Max > r.MaxAgeS) {
		c.lack |= lacksReport
	}
	if c.have.Least < c.need {
		c.lack |= lacksRoom
	}
	return c
}

// compare ranks candidates. Where a request fits, preferred pools come first, and then what the order asks for; where it does
// not, pools that lack nothing but room come first, the nearest to having it first.
func (r *Request) compare(a, b *candidate) int {
	if c := compareBool(a.lack > 0, b.lack > 0); c != 0 {
		return c
	}
	var c int
	if a.lack == 0 {
		c = cmp.Or(cmp.Compare(b.preferred, a.preferred), r.compareLeft(a, b))
	} else {
		c = cmp.Or(compareBool(a.lack != lacksRoom, b.lack != lacksRoom), compareShare(b, a), cmp.Compare(b.preferred, a.preferred), cmp.Compare(b.free, a.free))
	}
	return cmp.Or(c, compareAge(a.age, b.age), cmp.Compare(a.at, b.at)) // pools stand in the snapshot by name
}

// compareLeft orders by what is left over, of gangs and then of all that is free.
func (r *Request) compareLeft(a, b *candidate) int {
	c := cmp.Or(cmp.Compare(a.have.Least-a.need, b.have.Least-b.need), cmp.Compare(a.free, b.free))
	if r.Order == Spread {
		return -c
	}
	return c
}

// compareShare compares, exactly, how much each has of what it needs.
func compareShare(a, b *candidate) int {
	hi, lo := bits.Mul64(uint64(a.have.Least), uint64(max(b.need, 1)))
	hj, lj := bits.Mul64(uint64(b.have.Least), uint64(max(a.need, 1)))
	return cmp.Or(cmp.Compare(hi, hj), cmp.Compare(lo, lj))
}

// matchLine writes a candidate down.
func (l *Listing) matchLine(r *Request, c *candidate, rank int) MatchLine {
	m := MatchLine{
		Rank: rank, PoolName: l.name(c.at), Fits: c.lack == 0, DevicesFree: c.free, Gangs: c.gangs.Least,
		DevicesUsable: times(c.have.Least, r.PerHost), GangsAtMost: c.gangs.beyond(),
		Hosts: l.hosts[c.at], Coverage: l.hosts[c.at].coverage(), Age: c.age, Reasons: l.reasons(r, c), Short: l.short(r, c),
	}
	if c.lack&lacksPrice == 0 {
		m.GangsNeeded = new(c.need)
	}
	if r.Unit != UnitCore {
		m.HostsFree, m.HostsFreeAtMost = new(c.hosts.Least), c.hosts.beyond()
		if m.Fits {
			m.HostsNeeded = new(c.need)
			if r.Hosts == 0 {
				*m.HostsNeeded = l.Pools[c.at].Cell.fewest(r.PerHost, c.need)
			}
		}
	}
	if c.priced && r.Unit != UnitHost {
		m.EflopsUsable = new(Flops(times(m.DevicesUsable, max(c.peak, 0))))
	}
	return m
}

// beyond returns what a number is at most where that is not what it is at least.
func (s Span) beyond() *int64 {
	if s.Least == s.Most {
		return nil
	}
	return new(s.Most)
}
