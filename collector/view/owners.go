package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/exameter/exameter/collector/partial"
)

// Owner says who published a part last, and where that collector answers.
type Owner struct {
	Centre            string
	Number            int
	Instance, Address string
}

// admitted returns the parts that have sums, of those centres that admits, which may be nil, lets in, by centre and number.
func (v *View) admitted(admits func(centre string) bool) []*part {
	parts := make([]*part, 0, len(v.parts))
	for _, p := range v.parts {
		if p.sums != nil && (admits == nil || admits(p.centre)) {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(a, b *part) int {
		return cmp.Or(strings.Compare(a.centre, b.centre), cmp.Compare(a.number, b.number))
	})
	return parts
}

// Owners returns the owners of the parts that Snapshot sums up, by centre and number.
func (v *View) Owners(admits func(centre string) bool) []Owner {
	v.mu.RLock()
	defer v.mu.RUnlock()
	parts := v.admitted(admits)
	out := make([]Owner, len(parts))
	for i, p := range parts {
		out[i] = Owner{Centre: p.centre, Number: p.number, Instance: p.sums.Instance, Address: p.sums.Address}
	}
	return out
}

// Won is a contested device on the host that it counts on.
type Won struct {
	Centre string
	Number int
	Host   string
	Set    bool
	ID     string
}

// Won returns the contested devices that Snapshot counts for a contender, each on its host.
func (v *View) Won(admits func(centre string) bool) map[Won]bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	parts, out := v.admitted(admits), map[Won]bool{}
	won := v.settle(parts)
	for _, p := range parts {
		p.contests(func(c *partial.Contender, d *partial.Contest) {
			if won(p, d, c) {
				out[Won{p.centre, p.number, c.Host, d.Set, d.ID}] = true
			}
		})
	}
	return out
}

// contests visits the contested devices of the part's contenders.
func (p *part) contests(visit func(*partial.Contender, *partial.Contest)) {
	for i := range p.sums.Contenders {
		c := &p.sums.Contenders[i]
		for j := range c.Devices {
			if d := &c.Devices[j]; d.Claim != 0 {
				visit(c, d)
			}
		}
	}
}
