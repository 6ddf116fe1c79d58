package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/exameter/exameter/telemetry"
)

// nameIndex finds models by the names the vendors' tools print.
type nameIndex struct {
	byID    map[string]*Model
	vendors map[string]*vendorNames
	order   []string // vendors, sorted
}

// vendorNames are the patterns of one vendor, normalised. A pattern may lead to several models whose memory tells
// them apart.
type vendorNames struct {
	exact map[string][]*Model
	globs []glob // longest first
}

// glob is a pattern that ended in a star.
type glob struct {
	prefix string
	models []*Model
}

// newNameIndex indexes models. It says what is wrong with a model's patterns; two rows of a vendor share one only if
// their memory differs.
func newNameIndex(models []*Model, wrong func(m, other *Model, err error)) nameIndex {
	x := nameIndex{byID: make(map[string]*Model, len(models)), vendors: make(map[string]*vendorNames)}
	for _, m := range models {
		x.byID[m.ID] = m
		v := x.vendors[m.Vendor]
		if v == nil {
			v = &vendorNames{exact: make(map[string][]*Model)}
			x.vendors[m.Vendor] = v
			x.order = append(x.order, m.Vendor)
		}
		for _, p := range m.Patterns {
			if other, err := v.add(p, m); err != nil {
				wrong(m, other, err)
			}
		}
	}
	slices.Sort(x.order)
	for _, v := range x.vendors {
		slices.SortStableFunc(v.globs, func(a, b glob) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	}
	return x
}

// add files one pattern of m. Where it cannot, other is the model that has the pattern already, if that is why.
func (v *vendorNames) add(pattern string, m *Model) (other *Model, err error) {
	key := normalise(m.Vendor, pattern)
	prefix, isGlob := strings.CutSuffix(key, "*")
	if prefix == "" {
		return nil, fmt.Errorf("%q of %s says nothing beyond the vendor", pattern, m.ID)
	}
	if !isGlob {
		v.exact[key], other, err = join(v.exact[key], pattern, m)
		return other, err
	}
	i := slices.IndexFunc(v.globs, func(g glob) bool { return g.prefix == prefix })
	if i < 0 {
		v.globs = append(v.globs, glob{prefix: prefix})
		i = len(v.globs) - 1
	}
	v.globs[i].models, other, err = join(v.globs[i].models, pattern, m)
	return other, err
}

// join adds m to the models of a pattern, where memory can tell it from them, and returns the one it cannot be told from.
func join(models []*Model, pattern string, m *Model) ([]*Model, *Model, error) {
	for _, other := range models {
		if other == m {
			return models, nil, nil // Two spellings of one name.
		}
		a, known := m.Memory.Get()
		b, also := other.Memory.Get()
		if !known || !also || a == b {
			return models, other, fmt.Errorf("%q of %s is a pattern of %s already, and their memory does not tell them apart", pattern, m.ID, other.ID)
		}
	}
	return append(models, m), nil, nil
}

// match returns the models that a name of a vendor may mean: those of the exact pattern, else of the longest glob.
func (v *vendorNames) match(name string) []*Model {
	if models := v.exact[name]; models != nil {
		return models
	}
	for _, g := range v.globs {
		if strings.HasPrefix(name, g.prefix) {
			return g.models
		}
	}
	return nil
}

// optionalPrefixes are words that a vendor's tools print or leave out, in the order in which they are taken off.
var optionalPrefixes = map[string][]string{
	"nvidia":       {"nvidia "},
	"amd":          {"amd "},
	"intel":        {"intel(r) ", "intel "},
	"huawei":       {"huawei ", "ascend "},
	"hygon":        {"hygon ", "dcu "},
	"cambricon":    {"cambricon "},
	"moorethreads": {"moore threads "},
	"iluvatar":     {"iluvatar "},
	"metax":        {"metax "},
	"biren":        {"biren "},
	"kunlunxin":    {"kunlunxin "},
	"enflame":      {"enflame "},
}

// Fold returns what lookups compare of a name: two names of a vendor that fold alike are one name.
func Fold(vendor, name string) string { return normalise(vendor, name) }

// normalise brings the spellings of one name together: case, runs of blanks, the vendor's optional prefix, the
// profile of a MIG slice, and the chip type and version that Huawei's exporter appends.
func normalise(vendor, name string) string {
	if len(name) > telemetry.MaxName {
		return "" // No model has such a name, and no time is spent on it.
	}
	s := strings.Join(strings.Fields(strings.ToLower(name)), " ")
	for _, p := range optionalPrefixes[vendor] {
		s = strings.TrimPrefix(s, p)
	}
	switch vendor {
	case "nvidia":
		// "NVIDIA A100-SXM4-40GB MIG 1g.5gb" is a slice of an A100.
		if i := strings.Index(s, " mig "); i > 0 {
			s = s[:i]
		}
	case "huawei":
		// npu-exporter prints chip name, type and version: 910A-Ascend-V1. A3 parts have no type. "Ascend910B2" stands in
		// other places.
		s = strings.TrimPrefix(s, "ascend")
		if i := strings.LastIndex(s, "-v"); i > 0 && strings.Trim(s[i+2:], "0123456789") == "" {
			s = strings.TrimRight(strings.TrimSuffix(s[:i], "-ascend"), "-")
		}
	}
	return s
}
