// Package house keeps the house rules that no single package can keep: who may import whom, and that the map of the
// house shows every room.
package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/exameter/exameter/"

// rules name the folders that a folder's packages must not reach, directly or through others. Tests may.
var rules = []struct {
	folder string
	never  []string
}{
	{"agent", []string{"collector", "cmd", "sim", "test"}},
	{"collector", []string{"agent", "cmd", "sim", "test"}},
	{"telemetry", []string{"agent", "collector", "cmd", "sim", "test"}},
	{"catalog", []string{"agent", "collector", "cmd", "sim", "test"}},
	{"client", []string{"agent", "collector", "telemetry", "catalog", "internal", "cmd", "sim", "test"}},
	{"internal", []string{"agent", "collector", "cmd", "sim", "test"}},
	// The agent is small because these stay out of it.
	{"cmd/exameter-agent", []string{"collector", "sim", "test"}},
	{"cmd/exameter-collector", []string{"agent", "sim", "test"}},
}

func TestImports(t *testing.T) {
	packages := list(t)
	for _, rule := range rules {
		seen := 0
		for _, p := range packages {
			if !within(p.ImportPath, rule.folder) {
				continue
			}
			seen++
			for _, dep := range p.Deps {
				for _, never := range rule.never {
					if within(dep, never) {
						t.Errorf("%s reaches %s: packages of %s must not", p.ImportPath, dep, rule.folder)
					}
				}
			}
		}
		if seen == 0 {
			t.Errorf("no package below %s: the rule for it guards nothing", rule.folder)
		}
	}
}

// TestBrokerForTests keeps the embedded broker out of the programs that run on servers.
func TestBrokerForTests(t *testing.T) {
	for _, p := range list(t) {
		if !within(p.ImportPath, "cmd/exameter-agent") && !within(p.ImportPath, "cmd/exameter-collector") {
			continue
		}
		for _, dep := range p.Deps {
			if strings.HasPrefix(dep, "github.com/twmb/franz-go") {
				t.Errorf("%s reaches %s, which is for tests, demo and standalone", p.ImportPath, dep)
			}
		}
	}
}

// TestClientAlone wants nothing but the standard library below the package that other people's programs import.
func TestClientAlone(t *testing.T) {
	for _, p := range list(t) {
		if !within(p.ImportPath, "client") {
			continue
		}
		for _, dep := range p.Deps {
			if first, _, _ := strings.Cut(dep, "/"); strings.Contains(first, ".") && dep != p.ImportPath {
				t.Errorf("%s reaches %s: it needs the standard library alone", p.ImportPath, dep)
			}
		}
	}
}

type pkg struct {
	ImportPath string
	Doc        string
	Deps       []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,Deps", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("read go list: %v", err)
		}
		packages = append(packages, p)
	}
}

func within(path, folder string) bool {
	return path == module+folder || strings.HasPrefix(path, module+folder+"/")
}
