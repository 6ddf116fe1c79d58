package catalog

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/exameter/exameter/telemetry"
)

// tableKind tells the three tables apart.
type tableKind int

const (
	acceleratorTable tableKind = iota
	cpuTable
	clockTable
)

// columns of the tables. An override file may leave out any but id.
var (
	acceleratorColumns = []string{
		"id", "vendor", "name", "patterns", "architecture", "fp64_vector_tflops", "fp64_tensor_tflops", "fp32_tflops", "tf32_tflops",
		"fp16_tflops", "bf16_tflops", "fp8_tflops", "int8_tops", "memory_gib", "bandwidth_gbs", "tdp_w", "devices_per_board",
		"domestic", "confidence", "source", "notes",
	}
	cpuColumns = []string{
		"id", "vendor", "microarchitecture", "vendor_ids", "families", "models", "steppings", "parts", "names", "flags", "max_is_base",
		"fp64_per_cycle", "fp32_per_cycle", "fp16_per_cycle", "bf16_per_cycle", "int8_per_cycle",
		"domestic", "confidence", "source", "notes",
	}
	clockColumns = []string{"id", "names", "base_mhz", "source"}
)

// table is one CSV file, and what is wrong in it.
type table struct {
	kind     tableKind
	name     string
	override bool // not one of the binary's own
	header   []string
	columns  map[string]int
	rows     []row
	mistakes findings
}

// mistake notes what is wrong at a place.
func (t *table) mistake(line int, column, format string, args ...any) {
	t.mistakes.add(Finding{t.name, line, column, fmt.Sprintf(format, args...)})
}

// row is one line of a table.
type row struct {
	table *table
	line  int
	cells []string
}

// has reports whether the file has the column at all; a column left out leaves what a replaced row says.
func (r row) has(column string) bool {
	_, ok := r.table.columns[column]
	return ok
}

// get returns the cell of a column, without surrounding blanks; empty where the file has no such column.
func (r row) get(column string) string {
	if i, ok := r.table.columns[column]; ok {
		return strings.TrimSpace(r.cells[i])
	}
	return ""
}

// mistake notes what is wrong in a cell: "prices.csv:4:fp16_tflops: …".
func (r row) mistake(column, format string, args ...any) {
	r.table.mistake(r.line, column, format, args...)
}

// list splits a cell at its bars and drops empty parts.
func (r row) list(column string) []string {
	var out []string
	for part := range strings.SplitSeq(r.get(column), "|") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// readTable reads a whole CSV file: a header with known columns, then rows of as many cells. Lines that begin with #
// are comments. What is wrong stands in the table's mistakes, and does not end the reading unless nothing that follows
// can be told apart.
func readTable(name string, in io.Reader) *table {
	r := csv.NewReader(in)
	r.Comment = '#'
	t := &table{name: name}
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		t.mistake(1, "", "empty file, want a header of column names")
		return t
	}
	if err != nil {
		t.unreadable(err)
		return t
	}
	line, _ := r.FieldPos(0)
	t.parseHeader(line, header)
	if t.columns == nil {
		return t
	}
	for !t.mistakes.full() {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return t
		}
		if err != nil {
			t.unreadable(err)
			if errors.Is(err, csv.ErrFieldCount) {
				continue // The lines that follow are whole.
			}
			return t
		}
		line, _ := r.FieldPos(0)
		t.rows = append(t.rows, row{table: t, line: line, cells: cells})
	}
	return t
}

// parseHeader finds out which table the header belongs to, the one that has most of its columns, and refuses columns that
// table does not have.
func (t *table) parseHeader(line int, header []string) {
	header[0] = strings.TrimPrefix(header[0], "\ufeff") // Spreadsheets begin a file with a byte order mark.
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	known := acceleratorColumns
	for _, other := range []struct {
		kind    tableKind
		columns []string
	}{{cpuTable, cpuColumns}, {clockTable, clockColumns}} {
		if count(header, other.columns) > count(header, known) {
			t.kind, known = other.kind, other.columns
		}
	}
	columns := make(map[string]int, len(header))
	for i, column := range header {
		if !slices.Contains(known, column) {
			t.mistake(line, fmt.Sprintf("%.40q", column), "no such column, want some of %s", strings.Join(known, ", "))
			continue
		}
		if _, twice := columns[column]; twice {
			t.mistake(line, column, "column stands twice")
			continue
		}
		columns[column] = i
	}
	if _, ok := columns["id"]; !ok {
		t.mistake(line, "id", "column is missing")
		return // Rows without an id are no rows.
	}
	t.header, t.columns = header, columns
}

// count says how many columns of a header a table has.
func count(header, table []string) int {
	n := 0
	for _, column := range header {
		if slices.Contains(table, column) {
			n++
		}
	}
	return n
}

// check refuses cells that no table needs and every reader of it would stumble over.
func (r row) check() {
	for i, column := range r.table.header {
		if j, ok := r.table.columns[column]; !ok || i != j {
			continue
		}
		cell := r.cells[i]
		switch {
		case len(cell) > telemetry.MaxText:
			r.mistake(column, "%d bytes, want at most %d", len(cell), telemetry.MaxText)
		case !utf8.ValidString(cell):
			r.mistake(column, "%.40q is not UTF-8", cell)
		case strings.ContainsFunc(cell, unicode.IsControl):
			r.mistake(column, "%.40q has a control character", cell)
		}
	}
	if err := telemetry.ValidID(r.get("id")); err != nil {
		r.mistake("id", "%v", err)
	}
}

// unreadable notes an error of the CSV reader with its line.
func (t *table) unreadable(err error) {
	var p *csv.ParseError
	if errors.As(err, &p) {
		t.mistake(p.Line, "", "%v", p.Err)
		return
	}
	t.mistake(1, "", "%v", err)
}
