package guides

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestMessages holds docs/troubleshooting.md against the code: every warning and error that the programs can log stands there, under "Every warning and
// error of the logs", and nothing stands there that none of them says. "…" is what differs from one case to the next.
func TestMessages(t *testing.T) {
	const path = "../../docs/troubleshooting.md"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, listed, found := strings.Cut(string(doc), "\n## Every warning and error of the logs\n")
	if !found {
		t.Fatalf("%s does not list the messages", path)
	}
	said := map[string]string{}
	for _, dir := range []string{"agent", "collector", "cmd", "internal", "sim"} {
		messagesOf(t, filepath.Join("../..", dir), said)
	}
	if len(said) < 40 {
		t.Fatalf("found %d messages in the code, which cannot be all", len(said))
	}
	explained := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| \\S.*\\| \\S.*\\|$").FindAllStringSubmatch(listed, -1) {
		explained[row[1]] = true
		if said[row[1]] == "" {
			t.Errorf("%s explains %q, which no program says", path, row[1])
		}
	}
	for message, where := range said {
		if !explained[message] {
			t.Errorf("%s: %q is not explained in %s", where, message, path)
		}
	}
}

// messagesOf collects what the files below a folder can log as a warning or an error, and where.
func messagesOf(t *testing.T, dir string, said map[string]string) {
	t.Helper()
	files := token.NewFileSet()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			for _, e := range messages(n) {
				switch text, where := wording(e), files.Position(e.Pos()).String(); {
				case text == passedOn[path[len("../../"):]]:
				case text == "…":
					t.Errorf("%s: the words of this message are not seen here: teach this test where they stand", where)
				default:
					said[text] = where
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// passedOn are what files log whose words messages finds where they are handed on.
var passedOn = map[string]string{
	"agent/poll/worker.go":       "…", // of notices
	"agent/publish/complaint.go": "…", // of explain
	"agent/state/tracker.go":     "…", // of once
	"agent/agent.go":             "could not …",
}

// messages are the expressions of what a piece of code logs: of a logger's Warn and Error, of the functions that hand a text on to those, and of
// notices with a remedy.
func messages(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.CallExpr:
		f, ok := n.Fun.(*ast.SelectorExpr)
		if !ok || len(n.Args) < 2 && f.Sel.Name != "Warn" && f.Sel.Name != "Error" || len(n.Args) == 0 {
			return nil
		}
		switch on := strings.ToLower(name(f.X)); {
		case on == "log" && (f.Sel.Name == "Warn" || f.Sel.Name == "Error"), on == "slog" && (f.Sel.Name == "Warn" || f.Sel.Name == "Error"):
			return n.Args[:1]
		case f.Sel.Name == "once" && on == "t":
			return n.Args[1:2]
		case f.Sel.Name == "say" && on == "troubles":
			return []ast.Expr{&ast.BinaryExpr{X: &ast.BasicLit{ValuePos: n.Pos(), Kind: token.STRING, Value: `"could not "`}, Op: token.ADD, Y: n.Args[1]}}
		}
	case *ast.CompositeLit:
		var text ast.Expr
		remedy := false
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				switch name(kv.Key) {
				case "Text":
					text = kv.Value
				case "Remedy":
					remedy = true
				}
			}
		}
		if text != nil && remedy {
			return []ast.Expr{text}
		}
	case *ast.FuncDecl:
		if n.Name.Name != "explain" || n.Recv != nil {
			return nil
		}
		var out []ast.Expr
		ast.Inspect(n, func(n ast.Node) bool {
			if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == 2 {
				out = append(out, r.Results[0])
			}
			return true
		})
		return out
	}
	return nil
}

// name is the last name of an expression.
func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

var verb = regexp.MustCompile(`%[-+#0-9.]*[a-zA-Z]`)

// wording is what an expression says, with "…" for what is not known before it runs.
func wording(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, _ := strconv.Unquote(e.Value)
		return s
	case *ast.BinaryExpr:
		return wording(e.X) + wording(e.Y)
	case *ast.CallExpr:
		if name(e.Fun) == "Sprintf" && len(e.Args) > 0 {
			return verb.ReplaceAllString(wording(e.Args[0]), "…")
		}
	}
	return "…"
}
