package registry

import (
	"strings"
	"testing"

	"github.com/exameter/exameter/telemetry"
)

// FuzzRead reads any file. What is accepted has only usable names, each once, and is read the same a second time.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"", "centres: []\n", "centres:\n  - id: a\n", "centres:\n  - {id: a}\n  - {id: a}\n", "centres:\n  - {id: 'A B'}\n", "target: {date: 2030-12-31, eflops: 100}\n",
		"centres:\n  - id: a\n    declared: [{date: 2026-01-01, eflops: 1.5, precision: fp16}]\n    clusters: [{id: c, class: super}]\n",
		"centres:\n  - id: a\n    eflops: 1e999\n", "target: {date: 2030-02-31, eflops: -1}\n", "&a [*a]\n", "centres: {id: a}\n", "centres:\n - id: a\n   status: planned\n", "\x00", "a: &x [1]\nb: *x\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Read(strings.NewReader(text), "registry.yaml")
		if err != nil {
			if !strings.Contains(err.Error(), "registry.yaml") {
				t.Errorf("%q: %v does not name the file", text, err)
			}
			return
		}
		seen := map[string]bool{}
		for _, c := range r.Centres {
			if telemetry.ValidID(c.ID) != nil || seen[c.ID] {
				t.Errorf("%q: centre %q is accepted", text, c.ID)
			}
			seen[c.ID] = true
		}
		again, err := Read(strings.NewReader(text), "registry.yaml")
		if err != nil || again.Revision != r.Revision || len(again.Centres) != len(r.Centres) {
			t.Errorf("%q: read otherwise the second time: %v", text, err)
		}
	})
}
