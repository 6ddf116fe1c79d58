package state

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/states.md anew")

// TestDocs holds the tables of docs/states.md against the rules.
func TestDocs(t *testing.T) {
	const path = "../../docs/states.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := string(b)
	for name, table := range map[string]string{"codes": codesTable(), "fatal XIDs": fatalTable(), "tolerated XIDs": toleratedTable(), "defaults": defaultsTable()} {
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
		t.Errorf("%s is not what the rules say: go test ./agent/state -run TestDocs -update", path)
	}
}

func codesTable() string {
	var s strings.Builder
	s.WriteString("| code | state | what it means | what ends it |\n|---|---|---|---|\n")
	for _, c := range Codes {
		fmt.Fprintf(&s, "| `%s` | %s | %s | %s |\n", c.Code, c.State, c.Meaning, c.Ends)
	}
	return s.String()
}

func fatalTable() string {
	var s strings.Builder
	s.WriteString("| XID | meaning | immediate action of the catalogue |\n|---|---|---|\n")
	for _, x := range FatalXIDs {
		fmt.Fprintf(&s, "| %d | %s | `%s` |\n", x.Number, x.Meaning, x.Action)
	}
	return s.String()
}

func toleratedTable() string {
	var s strings.Builder
	s.WriteString("| XID | why it is not fatal |\n|---|---|\n")
	for _, x := range ToleratedXIDs {
		fmt.Fprintf(&s, "| %s | %s |\n", x.Numbers, x.Why)
	}
	return s.String()
}

func defaultsTable() string {
	r := DefaultRules()
	return "| rule | default |\n|---|---|\n" +
		fmt.Sprintf("| `state.memory_floor` | %dMiB |\n", r.MemoryFloor>>20) +
		fmt.Sprintf("| `state.utilisation_floor` | %g%% |\n", float64(r.UtilisationFloor)/10) +
		fmt.Sprintf("| `state.utilisation_hold` | %v |\n", r.UtilisationHold) +
		fmt.Sprintf("| silence limit | %v, and at least three times `intervals.sample` |\n", r.Silence)
}

// TestCodesAreDocumentedOnce guards the table itself.
func TestCodesAreDocumentedOnce(t *testing.T) {
	seen := map[Code]bool{}
	for _, c := range Codes {
		if seen[c.Code] || c.Meaning == "" || c.Ends == "" || !c.State.Valid() {
			t.Errorf("%+v", c)
		}
		seen[c.Code] = true
	}
	for _, x := range FatalXIDs {
		if meaning, ok := fatal(x.Number); !ok || meaning != x.Meaning {
			t.Errorf("XID %d stands twice", x.Number)
		}
	}
}
