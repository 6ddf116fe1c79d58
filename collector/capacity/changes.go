package capacity

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/exameter/exameter/telemetry"
)

// GonePool is a pool that was there and is no more.
type GonePool struct {
	Pool    Pool
	Changed int64 // the revision from which on it is gone
}

// SameCounts reports whether two cells of a pool count alike: devices, what they are worth and of how many power and activity
// are known. Power, activity and the cores of processors at work, which move all the time, may differ.
func (p *Pool) SameCounts(a, b *Cell) bool {
	return a.Devices == b.Devices && (p.Kind == telemetry.CPU || a.Units == b.Units) &&
		a.SM == b.SM && a.Utilisation == b.Utilisation && a.PowerDevices == b.PowerDevices
}

// Delta is what changed in a document since an earlier revision of it: its new total, the groups whose counts are not what they
// were, and those that are no more. A group may stand in it without having changed; one that changed never lacks.
type Delta struct {
	Revision int64     `json:"revision"`
	AsOf     time.Time `json:"as_of"`
	Parts    Parts     `json:"parts"`
	Total    Figure    `json:"total"`
	Groups   []Group   `json:"groups"`
	Gone     []Gone    `json:"gone"`
}

// Gone names a group that is no more, by the dimensions that were asked for.
type Gone struct {
	Centre  string `json:"centre,omitempty"`
	Cluster string `json:"cluster,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Vendor  string `json:"vendor,omitempty"`
	Model   string `json:"model,omitempty"`
	Class   string `json:"class,omitempty"`

	Domestic string `json:"domestic,omitempty"`
}

// Changes is a document together with when each of its groups changed last.
type Changes struct {
	Document *Document
	Keys     []string // of each group, what tells it apart
	changed  []int64  // of each group
	gone     []goneGroup
	since    int64
}

type goneGroup struct {
	names   Gone
	changed int64
}

// changed is the revision at which the counts of the i-th pool changed last, or a later one.
func (s *Snapshot) changed(i int) int64 {
	if i < len(s.Changed) {
		return s.Changed[i]
	}
	return 0
}

// Changes answers a query as Document does, and knows what changed since earlier revisions.
func (s *Snapshot) Changes(q Query) (*Changes, error) {
	q, err := q.normal()
	if err != nil {
		return nil, fmt.Errorf("capacity query: %w", err)
	}
	c := &Changes{since: s.Since}
	if c.Document, err = s.Document(q); err != nil {
		return nil, err
	}
	groups := map[string]int64{}
	for i := range s.Pools {
		if p := &s.Pools[i]; q.admits(&p.Pool) {
			key := q.key(&p.Pool)
			groups[key] = max(groups[key], s.changed(i))
		}
	}
	gone := map[string]*goneGroup{}
	for i := range s.Gone {
		p := &s.Gone[i]
		if !q.admits(&p.Pool) {
			continue
		}
		key := q.key(&p.Pool)
		if last, remains := groups[key]; remains {
			groups[key] = max(last, p.Changed)
			continue
		}
		if gone[key] == nil {
			gone[key] = &goneGroup{names: q.names(&p.Pool)}
		}
		gone[key].changed = max(gone[key].changed, p.Changed)
	}
	if len(q.By) == 0 {
		return c, nil
	}
	// The order of keys is the order of groups.
	for _, key := range sorted(groups) {
		c.Keys, c.changed = append(c.Keys, key), append(c.changed, groups[key])
	}
	for _, key := range sorted(gone) {
		c.gone = append(c.gone, *gone[key])
	}
	return c, nil
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}

// names returns the dimensions of a pool that the query asks for.
func (q *Query) names(p *Pool) Gone {
	var g Group
	for _, d := range q.By {
		dim := &dimensions[d.index()]
		dim.set(&g, dim.of(p))
	}
	return Gone{Centre: g.Centre, Cluster: g.Cluster, Kind: g.Kind, Vendor: g.Vendor, Model: g.Model, Class: g.Class, Domestic: g.Domestic}
}

// Changed reports whether the counts of a group have changed after a revision, or that is not known.
func (c *Changes) Changed(group int, revision int64) bool {
	return c.changed[group] > revision || revision < c.since
}

// Delta returns what changed after a revision, and the groups besides for which also, which may be nil, says so. It is nil where
// that is not known: the revision is before the snapshot's Since, or after its own.
func (c *Changes) Delta(revision int64, also func(group int) bool) *Delta {
	doc := c.Document
	if revision < c.since || revision > doc.Revision {
		return nil
	}
	d := &Delta{Revision: doc.Revision, AsOf: doc.AsOf, Parts: doc.Parts, Total: doc.Total, Groups: []Group{}, Gone: []Gone{}}
	for i := range doc.Groups {
		if c.Changed(i, revision) || also != nil && also(i) {
			d.Groups = append(d.Groups, doc.Groups[i])
		}
	}
	for i := range c.gone {
		if c.gone[i].changed > revision {
			d.Gone = append(d.Gone, c.gone[i].names)
		}
	}
	return d
}

// ChangedSince reports whether anything that the query counts has changed after a revision, without summing it up. Of a
// query that Document refuses it reports false.
func (s *Snapshot) ChangedSince(q Query, revision int64) bool {
	q, err := q.normal()
	if err != nil {
		return false
	}
	if revision < s.Since {
		return true
	}
	for i := range s.Pools {
		if s.changed(i) > revision && q.admits(&s.Pools[i].Pool) {
			return true
		}
	}
	return slices.ContainsFunc(s.Gone, func(g GonePool) bool { return g.Changed > revision && q.admits(&g.Pool) })
}

// Canonical returns the query with its defaults filled in and its filters in order, and a text that two queries share only if
// they ask the same.
func (q Query) Canonical() (Query, string, error) {
	q, err := q.normal()
	if err != nil {
		return q, "", fmt.Errorf("capacity query: %w", err)
	}
	for _, filter := range []*[]string{&q.Centre, &q.Cluster, &q.Vendor, &q.Model, &q.Class, &q.Domestic} {
		*filter = slices.Compact(slices.Sorted(slices.Values(*filter)))
	}
	return q, fmt.Sprintf("%q", []any{q.By, q.Precision, q.Kind, q.Centre, q.Cluster, q.Vendor, q.Model, q.Class, q.Domestic}), nil
}

// DomesticName is the pool's value of the dimension ByDomestic.
func (p *Pool) DomesticName() string { return p.domestic() }
