package catalog

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/exameter/exameter/telemetry"
)

// testdata reads the rows of a table of testdata, without its header.
func testdata(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

// Every name that a vendor's tool prints leads to its model: with the vendor, as collectors ask, and without where the
// hint does not ask for it.
func TestToolNames(t *testing.T) {
	c := must(t)
	named := map[string]bool{}
	for _, row := range testdata(t, "names.csv") {
		tool, vendor, name, hint, id := row[0], row[1], row[2], row[3], row[4]
		var memory telemetry.Opt[telemetry.Bytes]
		needsVendor := false
		switch word, gib, _ := strings.Cut(hint, " "); word {
		case "vendor":
			needsVendor = true
		case "memory":
			n, err := strconv.ParseInt(gib, 10, 64)
			if err != nil {
				t.Fatalf("%q: %v", hint, err)
			}
			memory = telemetry.Known(telemetry.Bytes(n << 30))
		}
		m, _ := c.LookupMemory(vendor, name, memory)
		if idOf(m) != id {
			t.Errorf("%s of %s prints %q: found %q, want %q", tool, vendor, name, idOf(m), id)
			continue
		}
		named[id] = true
		m, _ = c.LookupMemory("", name, memory)
		if found := idOf(m) == id; found == needsVendor {
			t.Errorf("%q without the vendor finds %q, and the hint says %q", name, idOf(m), hint)
		}
		if bare, ok := c.Lookup(vendor, name); memory.OK && ok {
			t.Errorf("%q without the memory finds %s, and the hint says %q", name, bare.ID, hint)
		}
	}
	// No model is without a name in the list but those that the tools print another's name for.
	for _, m := range c.Models() {
		if !named[m.ID] && len(m.Patterns) > 0 && m.Confidence != Unsure && m.Domestic == telemetry.Known(true) {
			t.Errorf("%s stands in no row of testdata/names.csv", m.ID)
		}
	}
}

// Names are folded in ways that no list holds.
func TestNamesFold(t *testing.T) {
	c := must(t)
	for _, test := range []struct{ vendor, name, id string }{
		{"NVIDIA", "  nvidia   h200 ", "nvidia-h200-sxm"},
		{"nvidia", "NVIDIA H200 MIG 1g.18gb+me", "nvidia-h200-sxm"},
		{"nvidia", "MIG 1g.5gb", ""},
		{"cambricon", "mlu590.mim-2m.16g", ""}, // a slice: the card stands beside it
		{"huawei", "-V1", ""},
		{"huawei", "--V1", ""},
	} {
		m, ok := c.Lookup(test.vendor, test.name)
		if got := idOf(m); got != test.id || ok != (test.id != "") {
			t.Errorf("Lookup(%q, %q) = %q, want %q", test.vendor, test.name, got, test.id)
		}
	}
}
