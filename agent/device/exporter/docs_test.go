package exporter

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/exameter/exameter/internal/config"
)

// TestDocs holds the tables of docs/exporters.md against the profiles.
func TestDocs(t *testing.T) {
	const path = "../../../docs/exporters.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := string(b)
	for name, table := range map[string]string{"exporters": exportersTable(), "readings": readingsTable()} {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
		i, j := strings.Index(want, begin), strings.Index(want, end)
		if i < 0 || j < i {
			t.Fatalf("%s has no place for %s", path, name)
		}
		want = want[:i+len(begin)] + table + want[j:]
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(b) {
		t.Errorf("%s is not what the profiles say: go test ./agent/device/exporter -run TestDocs -update", path)
	}
}

// TestExampleProfile reads the profile that the guide shows.
func TestExampleProfile(t *testing.T) {
	b, err := os.ReadFile("../../../docs/exporters.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "## A profile of your own")
	_, text, found := strings.Cut(text, "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	if err := config.Read(strings.NewReader(text), "exporters.md", &Profile{}); err != nil || !found {
		t.Errorf("%v in\n%s", err, text)
	}
}

func exportersTable() string {
	var s strings.Builder
	s.WriteString("| exporter, profile | recognised by | identity | reads | contract |\n|---|---|---|---|---|\n")
	for _, p := range BuiltIn() {
		var detect []string
		for _, m := range p.Detect.Metrics {
			detect = append(detect, "`"+p.Prefixes[0]+m+"`")
		}
		by := strings.Join(detect[:min(len(detect), 3)], ", ")
		if len(detect) > 3 {
			by += ", …"
		}
		for _, l := range p.Detect.Labels {
			by += fmt.Sprintf("; `%s` %s", l.Label, "`"+strings.ReplaceAll(l.Match, "|", "\\|")+"`")
		}
		i := &p.Identity
		var identity []string
		for _, l := range [][]string{i.UUID, i.Serial, i.PCI} {
			if len(l) > 0 {
				identity = append(identity, "`"+l[0]+"`")
			}
		}
		if i.PCIVendor != "" {
			identity = append(identity, "order on the PCI bus")
		}
		var reads []string
		for _, name := range sortedKeys(p.Readings) {
			d := p.Readings[name][0]
			metric := strings.Join(d.metrics(), "` + `")
			unit := d.Unit
			if unit != "" {
				unit = " " + unit
			}
			reads = append(reads, fmt.Sprintf("%s `%s`%s", strings.ReplaceAll(name, "_", " "), metric, unit))
		}
		fmt.Fprintf(&s, "| %s, `%s` | %s | %s | %s | %s |\n", p.Exporter, p.Name, by, strings.Join(identity, ", "), strings.Join(reads, "; "), p.Contract)
	}
	return s.String()
}

func readingsTable() string {
	var s strings.Builder
	s.WriteString("| reading | units |\n|---|---|\n")
	for _, name := range sortedKeys(readings) {
		var u []string
		for _, unit := range sortedKeys(units[readings[name]]) {
			if unit == "" {
				unit = "none (\"\")"
			} else {
				unit = "`" + unit + "`"
			}
			u = append(u, unit)
		}
		if readings[name] == counts {
			u = append(u, "or `combine: count` of the series")
		}
		fmt.Fprintf(&s, "| `%s` | %s |\n", name, strings.Join(u, ", "))
	}
	return s.String()
}
