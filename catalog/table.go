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

// table is one parsed CSV file.
type table struct {
	kind    tableKind
	name    string
	columns map[string]int
	rows    []row
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

// errorf places an error: "prices.csv:4:fp16_tflops: …".
func (r row) errorf(column, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%s: %w", r.table.name, r.line, column, fmt.Errorf(format, args...))
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
// are comments.
func readTable(name string, in io.Reader) (*table, error) {
	r := csv.NewReader(in)
	r.Comment = '#'
	header, err := r.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s:1: empty file, want a header of column names", name)
		}
		return nil, placed(name, err)
	}
	line, _ := r.FieldPos(0)
	t, err := parseHeader(name, line, header)
	if err != nil {
		return nil, err
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, placed(name, err)
		}
		line, _ := r.FieldPos(0)
		row := row{table: t, line: line, cells: cells}
		if err := row.check(); err != nil {
			return nil, err
		}
		t.rows = append(t.rows, row)
	}
}

// parseHeader finds out which table the header belongs to and refuses columns that table does not have.
func parseHeader(name string, line int, header []string) (*table, error) {
	header[0] = strings.TrimPrefix(header[0], "\ufeff") // Spreadsheets begin a file with a byte order mark.
	t := &table{kind: acceleratorTable, name: name, columns: make(map[string]int, len(header))}
	known := acceleratorColumns
	switch {
	case slices.Contains(header, "base_mhz"):
		t.kind, known = clockTable, clockColumns
	case slices.Contains(header, "microarchitecture"):
		t.kind, known = cpuTable, cpuColumns
	}
	for i, column := range header {
		column = strings.TrimSpace(column)
		if !slices.Contains(known, column) {
			return nil, fmt.Errorf("%s:%d:%.40q: no such column, want some of %s", name, line, column, strings.Join(known, ", "))
		}
		if _, twice := t.columns[column]; twice {
			return nil, fmt.Errorf("%s:%d:%s: column stands twice", name, line, column)
		}
		t.columns[column] = i
	}
	if _, ok := t.columns["id"]; !ok {
		return nil, fmt.Errorf("%s:%d:id: column is missing", name, line)
	}
	return t, nil
}

// check refuses cells that no table needs and every reader of it would stumble over.
func (r row) check() error {
	for column, i := range r.table.columns {
		cell := r.cells[i]
		if len(cell) > telemetry.MaxText {
			return r.errorf(column, "%d bytes, want at most %d", len(cell), telemetry.MaxText)
		}
		if !utf8.ValidString(cell) {
			return r.errorf(column, "%.40q is not UTF-8", cell)
		}
		if strings.ContainsFunc(cell, unicode.IsControl) {
			return r.errorf(column, "%.40q has a control character", cell)
		}
	}
	if err := telemetry.ValidID(r.get("id")); err != nil {
		return r.errorf("id", "%w", err)
	}
	return nil
}

// placed turns an error of the CSV reader into one with file and line.
func placed(name string, err error) error {
	var p *csv.ParseError
	if errors.As(err, &p) {
		return fmt.Errorf("%s:%d: %w", name, p.Line, p.Err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
