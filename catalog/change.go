package catalog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/exameter/exameter/telemetry"
)

// Change is one figure that override files change: of the row ID, from what it is to what it would be. From is empty
// for a figure that is not known so far, To for one that becomes unknown.
type Change struct {
	ID     string `json:"id"`
	New    bool   `json:"new"` // the catalogue does not have the row so far
	Column string `json:"column"`
	From   string `json:"from"`
	To     string `json:"to"`
}

// changes compares every row of two catalogues, in the order of over.
func changes(base, over *Catalog) []Change {
	var out []Change
	out = append(out, changedRows(base.models, over.models, func(m *Model) string { return m.ID }, modelCells)...)
	out = append(out, changedRows(base.uarchs, over.uarchs, func(u *Microarchitecture) string { return u.ID }, cpuCells)...)
	return append(out, changedRows(base.clocks, over.clocks, func(k *clock) string { return k.id }, clockCells)...)
}

// changedRows compares the rows of one table, cell by cell.
func changedRows[T any](base, over []*T, id func(*T) string, cells func(*T) []cell) []Change {
	was := make(map[string]*T, len(base))
	for _, v := range base {
		was[id(v)] = v
	}
	var out []Change
	for _, v := range over {
		old, replaces := was[id(v)]
		if old == v {
			continue
		}
		before := cells(new(T))
		if replaces {
			before = cells(old)
		}
		for i, c := range cells(v) {
			if from := before[i].text; c.text != from {
				out = append(out, Change{ID: id(v), New: !replaces, Column: c.column, From: from, To: c.text})
			}
		}
	}
	return out
}

// cell is what a row says in one column; rows that agree in all cells price alike.
type cell struct{ column, text string }

// modelCells are the columns of a model that decide what it is found by and worth.
func modelCells(m *Model) []cell {
	out := []cell{{"vendor", m.Vendor}, {"patterns", strings.Join(m.Patterns, "|")}}
	for _, f := range peakFields {
		out = append(out, cell{f.column, known(f.of(m), func(v int64) string { return decimalOf(v, 1e6) })})
	}
	board := ""
	if m.DevicesPerBoard > 0 {
		board = strconv.Itoa(m.DevicesPerBoard)
	}
	return append(out,
		cell{"memory_gib", known(m.Memory, func(v telemetry.Bytes) string { return decimalOf(int64(v), 1<<30) })},
		cell{"bandwidth_gbs", known(m.BandwidthGBs, func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) })},
		cell{"tdp_w", known(m.TDP, func(v telemetry.Milliwatts) string { return decimalOf(int64(v), 1000) })},
		cell{"devices_per_board", board},
		cell{"domestic", known(m.Domestic, strconv.FormatBool)},
		cell{"confidence", string(m.Confidence)})
}

// cpuCells are the columns of a microarchitecture.
func cpuCells(u *Microarchitecture) []cell {
	out := []cell{{"vendor", u.Vendor}, {"microarchitecture", u.Name}, {"recognised by", u.match.String()}}
	for _, c := range cpuRates {
		out = append(out, cell{c.column, known(u.PerCycle.opt(c.precision), func(v int64) string { return strconv.FormatInt(v, 10) })})
	}
	return append(out, cell{"domestic", known(u.Domestic, strconv.FormatBool)}, cell{"confidence", string(u.Confidence)})
}

// clockCells are the columns of a clock.
func clockCells(k *clock) []cell {
	mhz := ""
	if k.mhz != 0 {
		mhz = strconv.FormatInt(int64(k.mhz), 10)
	}
	return []cell{{"names", strings.Join(k.names, "|")}, {"base_mhz", mhz}}
}

// String tells the criteria apart from others.
func (m cpuMatch) String() string {
	var out []string
	add := func(name string, v any, given bool) {
		if given {
			out = append(out, fmt.Sprintf("%s %v", name, v))
		}
	}
	add("vendor", strings.Join(m.vendorIDs, "|"), m.vendorIDs != nil)
	add("families", m.families, m.families != nil)
	add("models", m.models, m.models != nil)
	add("steppings", m.steppings, m.steppings != nil)
	add("parts", strings.Join(m.parts, "|"), m.parts != nil)
	add("names", strings.Join(m.names, "|"), m.names != nil)
	add("flags", strings.Join(m.with, "|"), m.with != nil)
	add("no", strings.Join(m.without, "|"), m.without != nil)
	add("highest clock is base", m.maxIsBase, m.maxIsBase)
	return strings.Join(out, ", ")
}

// String prints one number, or the first and the last.
func (s span) String() string {
	if s.from == s.to {
		return strconv.FormatInt(s.from, 10)
	}
	return fmt.Sprintf("%d-%d", s.from, s.to)
}

// known prints what is known; what is not is empty.
func known[T any](v telemetry.Opt[T], print func(T) string) string {
	if x, ok := v.Get(); ok {
		return print(x)
	}
	return ""
}

// decimalOf prints v ÷ unit with at most six decimals and none that says nothing.
func decimalOf(v, unit int64) string {
	s := strconv.FormatFloat(float64(v)/float64(unit), 'f', 6, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
