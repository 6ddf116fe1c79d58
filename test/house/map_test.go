package house

import (
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestMap compares the map of the house in CONTRIBUTING.md with the folders that hold Go packages, and the top level's.
func TestMap(t *testing.T) {
	text, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "git", "-C", "../..", "ls-files").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var folders []string
	for _, file := range strings.Fields(string(out)) {
		top, _, inFolder := strings.Cut(file, "/")
		if inFolder && !strings.HasPrefix(top, ".") {
			folders = append(folders, top)
		}
		if strings.HasSuffix(file, ".go") && !strings.Contains(file, "/testdata/") {
			folders = append(folders, path.Dir(file))
		}
	}
	slices.Sort(folders)
	for _, f := range slices.Compact(folders) {
		if !strings.Contains(string(text), "`"+f+"/`") {
			t.Errorf("CONTRIBUTING.md does not say what is in `%s/`", f)
		}
	}
	for _, part := range strings.Split(string(text), "`") {
		if f, found := strings.CutSuffix(part, "/"); found && !strings.ContainsAny(part, " \n<") {
			if _, err := os.Stat("../../" + f); err != nil {
				t.Errorf("CONTRIBUTING.md names `%s`, which does not exist", part)
			}
		}
	}
}

// TestDocs wants one sentence about every package.
func TestDocs(t *testing.T) {
	for _, p := range list(t) {
		if p.Doc == "" && !strings.Contains(p.ImportPath, "/test/") {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
