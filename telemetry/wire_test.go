package telemetry

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestWire holds the tables and examples of docs/wire.md against the code.
func TestWire(t *testing.T) {
	const path = "../docs/wire.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := string(b)
	for _, part := range []struct{ name, text string }{
		{"inventory", measurements(func(s *shape) bool { return s.inventory != nil })},
		{"report", measurements(func(s *shape) bool { return s.report != nil })},
		{"example inventory", example(string(inventories.bytes(t, exampleInventory())))},
		{"example report", example(string(reports.bytes(t, exampleReport())))},
		{"limits", constants(t, "record.go", "", "| limit | value | what it bounds |\n|---|---|---|\n")},
		{"reasons", constants(t, "error.go", "Reason", "| reason | meaning |\n|---|---|\n")},
	} {
		begin, end := "<!-- begin "+part.name+" -->\n", "<!-- end "+part.name+" -->"
		i, j := strings.Index(want, begin), strings.Index(want, end)
		if i < 0 || j < i {
			t.Fatalf("%s has no place for %s", path, part.name)
		}
		want = want[:i+len(begin)] + part.text + want[j:]
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(b) {
		t.Errorf("%s is not what the code says: go test ./telemetry -run TestWire -update", path)
	}
}

// headerFields are the fields that open every host line. They have no struct tags, as two of them are no one's fields.
const headerFields = "| `schema` (always there) | integer | | 1 | version of the schema |\n" +
	"| `boot` (always there) | string | | | boot id of the host |\n" +
	"| `seq` (always there) | integer | | ≥ 1 | number of the record within the boot and its kind |\n" +
	"| `lines` (always there) | integer | | ≥ 1 | number of lines of the record, this one included |\n"

// measurements returns a table for each measurement of a kind.
func measurements(of func(*shape) bool) string {
	var out strings.Builder
	for i := range shapes {
		s := &shapes[i]
		if !of(s) {
			continue
		}
		fmt.Fprintf(&out, "### %s\n\n%s Tags: `centre`, `cluster`, `host`", s.measurement, s.doc)
		if s.tag != "" {
			fmt.Fprintf(&out, ", `%s`", s.tag)
		}
		out.WriteString(".\n\n| field | type | unit | range | meaning |\n|---|---|---|---|---|\n")
		if s.tag == "" && strings.HasSuffix(s.measurement, "host") {
			out.WriteString(headerFields)
		}
		for _, f := range s.fields() {
			fmt.Fprintf(&out, "| `%s`%s | %s | %s | %s | %s |\n", f.name, required(f), f.kind, f.unit, bounds(f), f.doc)
		}
		out.WriteString("\n")
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func required(f field) string {
	if f.required {
		return " (always there)"
	}
	return ""
}

func bounds(f field) string {
	switch {
	case f.text:
		return "text"
	case f.kind != "integer":
		return ""
	case f.hi == math.MaxInt64:
		return fmt.Sprintf("≥ %d", f.lo)
	}
	return fmt.Sprintf("%d to %d", f.lo, f.hi)
}

// example returns a record as a block of code, with its lines wrapped between fields.
func example(record string) string {
	const width = 116
	var out strings.Builder
	for line := range strings.Lines(record) {
		head, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		out.WriteString(head + "\n")
		column := 0
		for field := range strings.SplitAfterSeq(rest, ",") {
			if column > 0 && column+len(field) > width {
				out.WriteString("\n")
				column = 0
			}
			if column == 0 {
				out.WriteString("    ")
			}
			out.WriteString(field)
			column += len(field)
		}
		out.WriteString("\n")
	}
	return "```\n" + out.String() + "```\n"
}

// constants returns a table of the constants of a file, of the given type or of limits, with their comments.
func constants(t *testing.T, file, typ, head string) string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	out := head
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 {
			return true
		}
		name := spec.Names[0].Name
		switch of, _ := spec.Type.(*ast.Ident); {
		case typ != "" && of != nil && of.Name == typ:
			reason, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out += fmt.Sprintf("| `%s` | %s |\n", reason, oneLine(spec.Comment.Text()))
		case typ == "" && of == nil && strings.HasPrefix(name, "Max"):
			text := strings.TrimPrefix(oneLine(spec.Doc.Text()), name+" bounds ")
			out += fmt.Sprintf("| `%s` | %d | %s |\n", name, limits[name], strings.TrimSuffix(text, "."))
		}
		return true
	})
	return out
}

// limits are the values of the limits that docs/wire.md lists.
var limits = map[string]int{
	"MaxRecordBytes": MaxRecordBytes, "MaxDevices": MaxDevices, "MaxParts": MaxParts, "MaxCores": MaxCores,
	"MaxSlices": MaxSlices, "MaxName": MaxName, "MaxText": MaxText,
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
