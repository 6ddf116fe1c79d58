package catalog

import (
	"slices"
	"strings"

	"github.com/exameter/exameter/telemetry"
)

// Lookup finds the model that a vendor's tool prints as name. Exact patterns come before globs and longer globs before
// shorter; case, runs of blanks and the vendor's own prefix ("NVIDIA ") do not matter; a MIG slice finds its card. An
// empty vendor searches all of them and finds a model only where a single one fits. A name that two models share,
// told apart by their memory, is not found: see LookupMemory.
func (c *Catalog) Lookup(vendor, name string) (*Model, bool) {
	return c.LookupMemory(vendor, name, telemetry.Opt[telemetry.Bytes]{})
}

// LookupMemory is Lookup with the memory the device reports, which decides between models that share a name.
func (c *Catalog) LookupMemory(vendor, name string, memory telemetry.Opt[telemetry.Bytes]) (*Model, bool) {
	if vendor != "" {
		m := choose(c.candidates(strings.ToLower(vendor), name), memory)
		return m, m != nil
	}
	var found *Model
	for _, v := range c.index.order {
		candidates := c.candidates(v, name)
		if len(candidates) == 0 {
			continue
		}
		m := choose(candidates, memory)
		if m == nil || found != nil {
			return nil, false // Two vendors claim the name, or one of them cannot say which of its models it is.
		}
		found = m
	}
	return found, found != nil
}

// Search returns every model that name may mean, for a person to choose from: by id, else by the patterns of all
// vendors, else those with name somewhere in their id, name or patterns.
func (c *Catalog) Search(name string) []*Model {
	folded := strings.Join(strings.Fields(strings.ToLower(name)), " ")
	if folded == "" || len(name) > telemetry.MaxName {
		return nil
	}
	if m, ok := c.index.byID[folded]; ok {
		return []*Model{m}
	}
	var out []*Model
	for _, v := range c.index.order {
		out = append(out, c.candidates(v, name)...)
	}
	if len(out) > 0 {
		return out
	}
	contains := func(s string) bool { return strings.Contains(strings.ToLower(s), folded) }
	for _, m := range c.models {
		if contains(m.ID) || contains(m.Name) || slices.ContainsFunc(m.Patterns, contains) {
			out = append(out, m)
		}
	}
	return out
}

// candidates returns the models of one vendor that a name may mean.
func (c *Catalog) candidates(vendor, name string) []*Model {
	v := c.index.vendors[vendor]
	if v == nil {
		return nil
	}
	return v.match(normalise(vendor, name))
}

// choose picks the candidate whose memory is nearest to what the device reports. Tools show up to a fifth less than
// the nominal size, after error correction and reserves; a device that fits no candidate is none of them.
func choose(candidates []*Model, memory telemetry.Opt[telemetry.Bytes]) *Model {
	if len(candidates) == 1 {
		return candidates[0]
	}
	have, ok := memory.Get()
	if !ok {
		return nil
	}
	var best *Model
	var least telemetry.Bytes
	for _, m := range candidates {
		off := max(m.Memory.Value-have, have-m.Memory.Value)
		if off <= m.Memory.Value/5 && (best == nil || off < least) {
			best, least = m, off
		}
	}
	return best
}
