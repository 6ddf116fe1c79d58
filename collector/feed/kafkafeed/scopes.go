package kafkafeed

import (
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/history"
)

// figures are a snapshot's records, and which of them have changed since an earlier revision.
type figures struct {
	scopes  []string
	records map[string]*Record
	changed map[string]func(revision int64) bool
}

// poolDimensions tell pools apart in the feed.
var poolDimensions = []capacity.Dimension{capacity.ByCentre, capacity.ByCluster, capacity.ByKind, capacity.ByVendor, capacity.ByModel}

// figuresOf sums a snapshot up by all scopes: accelerators of the province and of each centre, and pools of every kind.
func figuresOf(s *capacity.Snapshot) (*figures, error) {
	f := &figures{records: map[string]*Record{}, changed: map[string]func(int64) bool{}}
	pools, err := s.Changes(capacity.Query{By: poolDimensions, Kind: capacity.KindAll})
	if err != nil {
		return nil, err
	}
	centres, err := s.Changes(capacity.Query{By: []capacity.Dimension{capacity.ByCentre}})
	if err != nil {
		return nil, err
	}
	f.add(history.Province, centres.Document, nil, &centres.Document.Total, func(revision int64) bool {
		return s.ChangedSince(capacity.Query{}, revision)
	})
	for i := range centres.Document.Groups {
		g := &centres.Document.Groups[i]
		f.add(history.CentreScope(g.Centre), centres.Document, g, &g.Figure, func(revision int64) bool { return centres.Changed(i, revision) })
	}
	for i := range pools.Document.Groups {
		g := &pools.Document.Groups[i]
		scope := PoolScope(g.Centre, g.Cluster, g.Kind, g.Vendor, g.Model)
		f.add(scope, pools.Document, g, &g.Figure, func(revision int64) bool { return pools.Changed(i, revision) })
		f.records[scope].Kind = g.Kind
	}
	f.classes(s)
	return f, nil
}

func (f *figures) add(scope string, doc *capacity.Document, g *capacity.Group, figure *capacity.Figure, changed func(int64) bool) {
	r := &Record{
		Revision: doc.Revision, AsOf: doc.AsOf, Catalogue: doc.Catalogue, Registry: doc.Registry, Rule: doc.Rule, Precision: doc.Precision, Kind: doc.Kind, Parts: doc.Parts, Figure: *figure,
	}
	r.Schema, r.Scope = Schema, scope
	if g != nil {
		r.Centre, r.Cluster, r.Vendor, r.Model, r.Identifier = g.Centre, g.Cluster, g.Vendor, g.Model, g.Identifier
	}
	f.scopes = append(f.scopes, scope)
	f.records[scope], f.changed[scope] = r, changed
}

// classes fills in what else is known of pools, where all parts say the same of one.
func (f *figures) classes(s *capacity.Snapshot) {
	const several = "several"
	for i := range s.Pools {
		p := &s.Pools[i].Pool
		r := f.records[PoolScope(p.Centre, p.Cluster, string(p.Kind), p.Vendor, p.Model)]
		for _, v := range []struct {
			to   *string
			name string
		}{{&r.Class, string(p.Class)}, {&r.Domestic, p.DomesticName()}} {
			if *v.to == "" {
				*v.to = v.name
			} else if *v.to != v.name {
				*v.to = several
			}
		}
	}
	for _, r := range f.records {
		for _, v := range []*string{&r.Class, &r.Domestic} {
			if *v == several {
				*v = ""
			}
		}
	}
}
