package view

import (
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/partial"
)

// TestMadeBy names every catalogue, registry and rule that parts were summed up by, as a function of the log: what this process has
// read from its disk has no part in it.
func TestMadeBy(t *testing.T) {
	f := func(parts []partial.Partial, catalogue, registry, rule string) {
		t.Helper()
		forth, back := New(), New()
		for i := range parts {
			for v, n := range map[*View]int{forth: i, back: len(parts) - 1 - i} {
				p := parts[n]
				p.Fill(&capacity.Snapshot{AsOf: start, Catalogue: p.Catalogue, Registry: p.Registry, Rule: p.Rule, StaleAfter: time.Second})
				b, err := p.Encode()
				if err != nil {
					t.Fatal(err)
				}
				if outcome, err := v.Apply([]byte(partial.Key("guian", n)), b, int64(i), start); outcome != Folded {
					t.Fatal(outcome, err)
				}
			}
		}
		for _, v := range []*View{forth, back} {
			doc, _ := answer(t, v)
			if doc.Catalogue != catalogue || doc.Registry != registry || doc.Rule != rule {
				t.Errorf("%q, %q, %q; want %q, %q, %q", doc.Catalogue, doc.Registry, doc.Rule, catalogue, registry, rule)
			}
		}
	}
	f(nil, "", "", "dense-nameplate/1")
	f([]partial.Partial{{Catalogue: "2026.11"}}, "2026.11", "", "dense-nameplate/1") // of a collector that does not say its rule yet
	f([]partial.Partial{{Catalogue: "2026.11", Registry: "b"}, {Catalogue: "2026.11", Registry: "a"}, {Catalogue: "2026.10"}},
		"2026.10, 2026.11", "a, b, none", "dense-nameplate/1")
	f([]partial.Partial{{Rule: "dense-nameplate/2"}}, "", "", "dense-nameplate/1, dense-nameplate/2")
}
