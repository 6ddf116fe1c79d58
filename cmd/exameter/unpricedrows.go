package main

import (
	"encoding/csv"
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// writeUnpricedCSV prints accelerators as rows of an override file: it loads as it is and changes no figure, until someone
// fills in the peaks. What no row can price is said in a comment.
func writeUnpricedCSV(out io.Writer, doc *client.Capacity, models []unpricedModel, cat *catalog.Catalog) error {
	rows := newUnpricedRows(doc.Precision, cat)
	var b strings.Builder
	fmt.Fprintf(&b, "# Unpriced as of %s, precision %s. Fill in dense peaks of one listed device, and the document they are from.\n", stamp(doc.AsOf), doc.Precision)
	b.WriteString(csvLine(rows.header))
	for _, m := range models {
		rows.add(&b, m)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// unpricedRows makes rows of an override file, each model once.
type unpricedRows struct {
	cat    *catalog.Catalog
	header []string
	peaks  []catalog.Precision
	done   map[[2]string]bool
	ids    map[string]bool
	names  map[[2]string]bool // vendor and pattern
}

func newUnpricedRows(precision string, cat *catalog.Catalog) *unpricedRows {
	r := &unpricedRows{
		cat: cat, header: []string{"id", "vendor", "name", "patterns"}, peaks: []catalog.Precision{catalog.FP64, catalog.FP32, catalog.FP16},
		done: map[[2]string]bool{}, ids: map[string]bool{}, names: map[[2]string]bool{},
	}
	switch p := catalog.Precision(precision); p {
	case capacity.ByClass, catalog.FP64, catalog.FP32, catalog.FP16:
	default:
		r.peaks = append(r.peaks, p)
	}
	for _, p := range r.peaks {
		r.header = append(r.header, catalog.Column(p))
	}
	r.header = append(r.header, "domestic", "confidence", "source")
	return r
}

// add prints a model's row below a comment that says how many devices wait for it, and where.
func (r *unpricedRows) add(b *strings.Builder, m unpricedModel) {
	key := [2]string{m.Vendor, m.Model}
	if m.Kind != capacity.KindAccelerator || r.done[key] {
		return
	}
	r.done[key] = true
	fmt.Fprintf(b, "# %s in %s\n", plural(m.Devices, "device"), centresOf(m))
	line := csvLine(r.cells(m))
	if why := r.refused(m, line); why != "" {
		fmt.Fprintf(b, "# %s %s: no row can price it: %s\n", printable(fmt.Sprintf("%q", m.Vendor)), printable(fmt.Sprintf("%q", m.Model)), printable(why))
		return
	}
	b.WriteString(line)
}

// refused says why a model's row would be refused, alone or with those before it; empty where it would not.
func (r *unpricedRows) refused(m unpricedModel, line string) string {
	mistakes, err := catalog.Check("row", []byte(csvLine(r.header)+line))
	if err != nil {
		return err.Error()
	}
	if len(mistakes) > 0 {
		return mistakes[0].Text
	}
	name := [2]string{m.Vendor, catalog.Fold(m.Vendor, pattern(m.Model))}
	if !m.Known && r.names[name] {
		return "a row above has the same pattern"
	}
	r.names[name] = true
	return ""
}

// cells are a model's row. Of a model that the catalogue knows it says what the catalogue says, so that nothing but what
// is filled in changes.
func (r *unpricedRows) cells(m unpricedModel) []string {
	if known, ok := r.cat.Model(m.Model); ok && m.Known {
		out := []string{known.ID, known.Vendor, known.Name, strings.Join(known.Patterns, "|")}
		for _, p := range r.peaks {
			v, ok := known.Peaks.Get(p)
			if p == catalog.FP64 {
				v, ok = known.FP64Vector.Get()
			}
			if !ok {
				out = append(out, "")
				continue
			}
			out = append(out, tflops(v))
		}
		return append(out, knownBool(known.Domestic), string(known.Confidence), known.Source)
	}
	out := []string{r.id(m), m.Vendor, m.Model, pattern(m.Model)}
	out = append(out, make([]string, len(r.peaks))...)
	return append(out, "", string(catalog.Unsure), "")
}

// id makes an id for a model that the catalogue does not have, and none that it has.
func (r *unpricedRows) id(m unpricedModel) string {
	id := catalog.Slug(m.Model)
	if !strings.HasPrefix(id, m.Vendor+"-") {
		id = catalog.Slug(m.Vendor + " " + m.Model)
	}
	if _, taken := r.cat.Model(id); taken || r.ids[id] || id == m.Vendor {
		h := fnv.New32a()
		h.Write([]byte(m.Model))
		id = fmt.Sprintf("%.54s-%08x", id, h.Sum32())
	}
	r.ids[id] = true
	return id
}

// pattern is a name as a pattern. A bar or a star would mean something else in it, so it ends in a star before the first.
func pattern(name string) string {
	if i := strings.IndexAny(name, "|*"); i >= 0 {
		return strings.TrimRight(name[:i], " ") + "*"
	}
	return name
}

func knownBool(v telemetry.Opt[bool]) string {
	return known(v, func(b bool) string { return fmt.Sprint(b) })
}

// csvLine is one line of CSV. A cell that a spreadsheet would take for a formula begins with a blank, which the catalogue
// does not read.
func csvLine(cells []string) string {
	var b strings.Builder
	safe := make([]string, len(cells))
	for i, c := range cells {
		if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
			c = " " + c
		}
		safe[i] = c
	}
	w := csv.NewWriter(&b)
	_ = w.Write(safe) // A Builder takes everything.
	w.Flush()
	return b.String()
}
