package view

import (
	"maps"
	"slices"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/partial"
)

// Bucket is the latest record of one bucket of a part's claims. Its lists must not be changed.
type Bucket struct {
	Offset      int64
	Instance    string
	Sequence    int64
	Held, Asked partial.Hashes
}

// claims is what all parts announce that hosts of theirs claim. Nearly every device is claimed in one part alone and costs one
// entry of a map, of 10 bytes.
type claims struct {
	parts  []*part
	of     map[uint64]uint16   // the one part that announces a claim, or several
	shared map[uint64][]uint16 // the parts, where they are several
}

const several = 1<<16 - 1

func (c *claims) init() { c.of, c.shared = map[uint64]uint16{}, map[uint64][]uint16{} }

// enter gives a part its index.
func (c *claims) enter(p *part) {
	p.index = uint16(len(c.parts))
	c.parts = append(c.parts, p)
}

// replace makes b a bucket of a part's claims.
func (c *claims) replace(p *part, bucket int, b Bucket) {
	old := &p.claims[bucket]
	if !slices.Equal(old.Held, b.Held) || !slices.Equal(old.Asked, b.Asked) {
		was, now := old.Held.With(old.Asked), b.Held.With(b.Asked)
		for len(was)+len(now) > 0 {
			switch {
			case len(now) == 0 || len(was) > 0 && was[0] < now[0]:
				c.remove(was[0], p)
				was = was[1:]
			case len(was) == 0 || now[0] < was[0]:
				c.add(now[0], p)
				now = now[1:]
			default:
				was, now = was[1:], now[1:]
			}
		}
	}
	*old = b
}

func (c *claims) add(claim uint64, p *part) {
	first, known := c.of[claim]
	switch {
	case !known:
		c.of[claim] = p.index
		return
	case first != several:
		c.of[claim] = several
		c.shared[claim] = []uint16{first}
		c.parts[first].contest(claim, true)
	}
	c.shared[claim] = append(c.shared[claim], p.index)
	p.contest(claim, true)
}

func (c *claims) remove(claim uint64, p *part) {
	list := c.shared[claim]
	if list == nil {
		delete(c.of, claim)
		return
	}
	list = slices.DeleteFunc(list, func(i uint16) bool { return i == p.index })
	c.shared[claim] = list
	p.contest(claim, false)
	if len(list) == 1 {
		c.of[claim] = list[0]
		delete(c.shared, claim)
		c.parts[list[0]].contest(claim, false)
	}
}

// contest notes whether other parts announce a claim of the part too.
func (p *part) contest(claim uint64, on bool) {
	if p.contested == nil {
		p.contested = map[uint64]bool{}
	}
	p.version++
	if on {
		p.contested[claim] = true
	} else {
		delete(p.contested, claim)
	}
}

// Standing is how a part stands in the log.
type Standing struct {
	Revision  int64
	Writer    string // who wrote its last record of any kind
	Last      int64  // the sequence number of that
	Instance  string // who wrote its last sums; empty where there are none
	Sequence  int64  // of its last sums
	Seen      int64  // how much of the log its last sums rest on
	Buckets   [partial.Buckets]Bucket
	Version   int64           // of Contested
	Contested map[uint64]bool // what other parts announce too; nil where Version is the one asked with
	// Kept are the contested devices that the last sums may count (false), and those that contenders in them contend for (true).
	Kept map[uint64]bool
}

// Standing returns how a part stands. Contested is left out where it has not changed since a version; Kept is for whoever asks first.
func (v *View) Standing(centre string, number int, version int64, first bool) Standing {
	v.mu.RLock()
	defer v.mu.RUnlock()
	s := Standing{Revision: v.revision}
	p := v.parts[partial.Key(centre, number)]
	if p == nil {
		return s
	}
	s.Writer, s.Last = p.fence.instance, p.fence.sequence
	if p.sums != nil {
		s.Instance, s.Sequence, s.Seen = p.sums.Instance, p.sums.Sequence, p.sums.Seen
	}
	if s.Buckets, s.Version = p.claims, p.version; p.version != version {
		if s.Contested = maps.Clone(p.contested); s.Contested == nil {
			s.Contested = map[uint64]bool{}
		}
	}
	if first && p.sums != nil {
		s.Kept = map[uint64]bool{}
		for claim := range p.contested {
			if p.listed[claim] || p.counts(claim) {
				s.Kept[claim] = p.listed[claim]
			}
		}
	}
	return s
}

// Claims returns how many devices all parts announce, and how many of them several parts do.
func (v *View) Claims() (all, contested int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.claims.of), len(v.claims.shared)
}

// device names a device in a contest.
type device struct {
	set bool
	id  string
}

// settle finds out which contender each contested device counts on. A part that announces a device and has not listed it as contested
// may count it in its sums, so that nobody else does until it has.
func (v *View) settle(parts []*part) (won func(*part, *partial.Contest, *partial.Contender) bool) {
	type best struct {
		claim capacity.Claim
		part  *part
		host  *partial.Contender
	}
	winners := map[device]best{}
	admitted := map[*part]bool{}
	for _, p := range parts {
		admitted[p] = true
		for i := range p.sums.Contenders {
			c := &p.sums.Contenders[i]
			for j := range c.Devices {
				d := &c.Devices[j]
				if d.Claim == 0 {
					continue
				}
				claim := capacity.Claim{PresentMS: d.Present, InventoryMS: c.Inventory, Centre: p.centre, Host: c.Host}
				if b, taken := winners[device{d.Set, d.ID}]; !taken || claim.Better(b.claim) {
					winners[device{d.Set, d.ID}] = best{claim, p, c}
				}
			}
		}
	}
	return func(p *part, d *partial.Contest, c *partial.Contender) bool {
		if d.Claim == 0 {
			return true
		}
		if b := winners[device{d.Set, d.ID}]; b.part != p || b.host != c {
			return false
		}
		return !slices.ContainsFunc(v.claims.shared[d.Claim], func(i uint16) bool {
			other := v.claims.parts[i]
			return other != p && admitted[other] && other.counts(d.Claim)
		})
	}
}

// counts reports whether a part may count a device in its sums: it announced it, had read that when it summed up, and neither listed
// it as contested nor released it.
func (p *part) counts(claim uint64) bool {
	b := &p.claims[partial.BucketOf(claim)]
	if !b.Held.Has(claim) && !(b.Asked.Has(claim) && p.sums.Seen > b.Offset) {
		return false
	}
	return !p.listed[claim] && !p.sums.Released.Has(claim)
}
