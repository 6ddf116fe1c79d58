package capacity

import "slices"

// Rule names how this package counts and prices: dense nameplate throughput by catalogue, integer counts, one class a device.
// docs/capacity.md is its text. It changes with every change that makes the same hosts come to another figure.
const Rule = "dense-nameplate/1"

// identifier is that of the place that a group of pools names, in the making.
type identifier struct {
	text  string
	known bool
}

// add takes what one pool of the group has. Where pools disagree, which they do while collectors read a new registry one after the
// other, the group has none.
func (i *identifier) add(text string) {
	if i.known && i.text != text {
		text = ""
	}
	i.text, i.known = text, true
}

// identifier returns what a pool has for the narrowest place that groups of the query name.
func (q *Query) identifier(p *Pool) string {
	switch {
	case !slices.Contains(q.By, ByCentre):
		return ""
	case slices.Contains(q.By, ByCluster):
		return p.Identifier
	default:
		return p.CentreIdentifier
	}
}
