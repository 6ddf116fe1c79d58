package capacity

import "testing"

// TestIdentifiers gives each group the identifier of the narrowest place that it names, and none where its pools disagree.
func TestIdentifiers(t *testing.T) {
	pool := func(cluster, model, identifier, ofCentre string) PoolCell {
		return PoolCell{Pool: Pool{Centre: "guian", Cluster: cluster, Kind: "accelerator", Model: model, Identifier: identifier, CentreIdentifier: ofCentre}}
	}
	s := &Snapshot{Pools: []PoolCell{pool("a", "x", "A", "G"), pool("a", "y", "A", "G"), pool("b", "x", "", "G")}}
	f := func(want map[string]string, by ...Dimension) {
		t.Helper()
		doc, err := s.Document(Query{By: by})
		if err != nil {
			t.Fatal(err)
		}
		if len(doc.Groups) != len(want) {
			t.Errorf("by %v: %d groups", by, len(doc.Groups))
		}
		for _, g := range doc.Groups {
			if id := want[g.Cluster+g.Model]; g.Identifier != id {
				t.Errorf("by %v: %s %s has %q, want %q", by, g.Cluster, g.Model, g.Identifier, id)
			}
		}
	}
	f(map[string]string{"": "G"}, ByCentre)
	f(map[string]string{"x": "G", "y": "G"}, ByCentre, ByModel)
	f(map[string]string{"a": "A", "b": ""}, ByCentre, ByCluster)
	f(map[string]string{"x": "", "y": ""}, ByModel)
	f(map[string]string{"a": "", "b": ""}, ByCluster) // clusters of several centres may share a name

	// One collector has read the new registry, the other one has not.
	for _, late := range []string{"G2", ""} {
		s.Pools[2].Pool.CentreIdentifier = late
		f(map[string]string{"": ""}, ByCentre)
		s.Pools[0].Pool.CentreIdentifier, s.Pools[2].Pool.CentreIdentifier = s.Pools[2].Pool.CentreIdentifier, s.Pools[0].Pool.CentreIdentifier
		f(map[string]string{"": ""}, ByCentre)
		s.Pools[0].Pool.CentreIdentifier = "G"
	}
}
