//go:build linux && cgo

package nvml

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const goNVML = "github.com/NVIDIA/go-nvml/pkg/nvml"

// parse reads the Go files of a folder, but its tests, by name.
func parse(t *testing.T, dir string) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if files[name], err = parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// The agent uses go-nvml's types and constants and none of its functions and variables, behind which are calls that
// the dynamic linker binds: see docs/nvml.md.
func TestNoBoundCalls(t *testing.T) {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", goNVML).Output()
	if err != nil {
		t.Fatal(err)
	}
	language := map[string]bool{}
	for _, file := range parse(t, strings.TrimSpace(string(dir))) {
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok == token.VAR {
				continue
			}
			for _, s := range g.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					language[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range s.Names {
						language[n.Name] = true
					}
				}
			}
		}
	}
	used := 0
	for name, file := range parse(t, ".") {
		for _, i := range file.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			if strings.HasPrefix(path, "github.com/NVIDIA/") && (path != goNVML || i.Name != nil) {
				t.Errorf("%s imports %s as %v: its uses would not be found here", name, path, i.Name)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "nvml" {
					used++
					if !language[s.Sel.Name] {
						t.Errorf("%s uses nvml.%s, which is neither a type nor a constant", name, s.Sel.Name)
					}
				}
			}
			return true
		})
	}
	if used < 50 {
		t.Errorf("%d uses of go-nvml found: the test looks in the wrong place", used)
	}
}
