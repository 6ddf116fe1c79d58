package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/exameter/exameter/telemetry"
)

// maxClockMHz bounds what is believed to be a clock.
const maxClockMHz = 10_000

// cpuMatch says which processors a row means. Every criterion that is given must hold.
type cpuMatch struct {
	vendorIDs []string // as the kernel prints them, lower case
	families  []span
	models    []span
	steppings []span
	parts     []string
	names     []string // globs, lower case, with stars anywhere
	with      []string // flags that must be there
	without   []string // flags that must not
	maxIsBase bool     // the processor has no boost: its highest clock is its base clock
}

// span is a range of numbers, both ends included.
type span struct{ from, to int64 }

// cpuRates are the columns of operations per cycle and core.
var cpuRates = [...]struct {
	precision Precision
	column    string
}{
	{FP64, "fp64_per_cycle"},
	{FP32, "fp32_per_cycle"},
	{FP16, "fp16_per_cycle"},
	{BF16, "bf16_per_cycle"},
	{INT8, "int8_per_cycle"},
}

// parseMicroarchitecture reads a row of the processor table over u.
func parseMicroarchitecture(r row, u *Microarchitecture) {
	u.ID = r.get("id")
	vendor(r, &u.Vendor)
	text(r, "microarchitecture", &u.Name)
	if u.Name == "" {
		r.mistake("microarchitecture", "is empty")
	}
	text(r, "source", &u.Source)
	text(r, "notes", &u.Notes)
	for _, c := range cpuRates {
		optional(r, c.column, &u.PerCycle.mflops[c.precision.index()], parseRate)
	}
	optional(r, "domestic", &u.Domestic, parseBool)
	parseCriteria(r, &u.match)
	if m := u.match; m.vendorIDs == nil && m.names == nil {
		r.mistake("vendor_ids", "is empty, and so are the names: the row would mean every processor")
	}
	confidence(r, &u.Confidence)
}

// parseCriteria reads what a row matches.
func parseCriteria(r row, m *cpuMatch) {
	for _, c := range []struct {
		column string
		spans  *[]span
	}{{"families", &m.families}, {"models", &m.models}, {"steppings", &m.steppings}} {
		if !r.has(c.column) {
			continue
		}
		spans, err := parseSpans(r.list(c.column))
		if err != nil {
			r.mistake(c.column, "%v", err)
			continue
		}
		*c.spans = spans
	}
	for _, c := range []struct {
		column string
		words  *[]string
	}{{"vendor_ids", &m.vendorIDs}, {"parts", &m.parts}, {"names", &m.names}} {
		if r.has(c.column) {
			*c.words = lower(r.list(c.column))
		}
	}
	if r.has("flags") {
		m.with, m.without = nil, nil
		for _, f := range lower(r.list("flags")) {
			if absent, ok := strings.CutPrefix(f, "!"); ok {
				m.without = append(m.without, absent)
			} else {
				m.with = append(m.with, f)
			}
		}
	}
	maxIsBase := telemetry.Known(m.maxIsBase)
	optional(r, "max_is_base", &maxIsBase, parseBool)
	m.maxIsBase = maxIsBase.Value
}

// parseSpans reads numbers and ranges: 85, 16-31.
func parseSpans(cells []string) ([]span, error) {
	var out []span
	for _, cell := range cells {
		first, last, isRange := strings.Cut(cell, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		if err != nil || err2 != nil || from > to {
			return nil, fmt.Errorf("%q: want a number or a range such as 16-31", cell)
		}
		out = append(out, span{int64(from), int64(to)})
	}
	return out, nil
}

// clock is a row of the clock table: the base clock of processors whose name does not say it.
type clock struct {
	id     string
	names  []string // globs, lower case, of names without their clock
	mhz    telemetry.Megahertz
	source string
}

// parseClock reads a row of the clock table over k.
func parseClock(r row, k *clock) {
	k.id = r.get("id")
	if r.has("names") {
		k.names = lower(r.list("names"))
	}
	if len(k.names) == 0 {
		r.mistake("names", "is empty")
	}
	mhz := telemetry.Known(k.mhz)
	optional(r, "base_mhz", &mhz, parseMHz)
	if k.mhz = mhz.Value; k.mhz == 0 {
		r.mistake("base_mhz", "is empty")
	}
	text(r, "source", &k.source)
}

// lower returns words in lower case.
func lower(words []string) []string {
	for i := range words {
		words[i] = strings.ToLower(words[i])
	}
	return words
}

// identity is a processor's identity, made ready for comparison.
type identity struct {
	info   telemetry.CPUInfo
	vendor string // lower case, without blanks around it: Zhaoxin's has two on each side
	name   string // lower case, blanks folded
	flags  []string
}

// newIdentity folds what the kernel printed.
func newIdentity(info telemetry.CPUInfo) identity {
	id := identity{
		info:   info,
		vendor: strings.ToLower(strings.TrimSpace(info.Vendor)),
		name:   strings.ToLower(foldName(info.Name)),
	}
	if len(info.Flags) <= telemetry.MaxText {
		id.flags = strings.Fields(strings.ToLower(info.Flags))
	}
	return id
}

// matches reports whether a processor is what the row means. Flags that were not read exclude nothing that needs
// flags, and nothing is concluded from their absence.
func (m *cpuMatch) matches(id identity) bool {
	if m.vendorIDs != nil && !slices.Contains(m.vendorIDs, id.vendor) {
		return false
	}
	if !within(m.families, id.info.Family) || !within(m.models, id.info.Model) || !within(m.steppings, id.info.Stepping) {
		return false
	}
	if m.parts != nil && !slices.Contains(m.parts, strings.ToLower(strings.TrimSpace(id.info.Part))) {
		return false
	}
	if m.names != nil && !slices.ContainsFunc(m.names, func(p string) bool { return globMatch(p, id.name) }) {
		return false
	}
	if len(id.flags) == 0 {
		return len(m.without) == 0
	}
	lacks := func(f string) bool { return !slices.Contains(id.flags, f) }
	return !slices.ContainsFunc(m.with, lacks) && !slices.ContainsFunc(m.without, func(f string) bool { return !lacks(f) })
}

// within reports whether a number lies in one of the spans; no spans hold any number, known or not.
func within(spans []span, n telemetry.Opt[int64]) bool {
	if spans == nil {
		return true
	}
	v, ok := n.Get()
	return ok && slices.ContainsFunc(spans, func(s span) bool { return v >= s.from && v <= s.to })
}

// globMatch reports whether s matches a pattern in which a star stands for anything. It takes each part of the
// pattern at its first place, so its time is bounded by the lengths' product.
func globMatch(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return s == first
	}
	if !strings.HasPrefix(s, first) || len(s) < len(first)+len(last) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return true
}
