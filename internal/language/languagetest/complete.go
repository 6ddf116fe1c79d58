// Package languagetest holds the texts of a package against their translations.
package languagetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// Method is a function that is given texts to say, and which of its arguments they are.
type Method struct {
	Name string
	Args []int
}

// Report are the methods of a check's report.
var Report = []Method{{"OK", []int{0, 1}}, {"Warn", []int{0, 1}}, {"Fail", []int{0, 1}}, {"say", []int{0, 1}}, {"Do", []int{0}}, {"Say", []int{0}}}

var verb = regexp.MustCompile(`%[^%a-z]*[a-z]`)

// Complete fails the test where a literal that the files of a folder give to one of the methods is missing in the dictionary, where one of
// the dictionary is said by nobody, and where a translation takes other arguments than its original. Words are said as they come.
func Complete(t *testing.T, dir string, dictionary map[string]string, words []string, methods ...Method) {
	t.Helper()
	said := map[string]bool{}
	for _, w := range words {
		said[w] = true
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files in", dir, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			for _, s := range texts(n, methods) {
				said[s] = true
			}
			return true
		})
	}
	for s := range said {
		if dictionary[s] == "" {
			t.Errorf("%q is not said in Chinese", s)
		}
	}
	for s, zh := range dictionary {
		if !said[s] {
			t.Errorf("%q is said in Chinese and nowhere else", s)
		}
		if a, b := verb.FindAllString(s, -1), verb.FindAllString(zh, -1); !slices.Equal(a, b) {
			t.Errorf("%q takes %v, and %q %v", s, a, zh, b)
		}
	}
}

// texts are the literals that a node gives to one of the methods, or to a variable called what, which becomes a method's argument.
func texts(n ast.Node, methods []Method) (out []string) {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for i, to := range n.Lhs {
			if id, ok := to.(*ast.Ident); ok && id.Name == "what" && i < len(n.Rhs) {
				out = append(out, literal(n.Rhs[i])...)
			}
		}
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.SelectorExpr:
			name = f.Sel.Name
		case *ast.Ident:
			name = f.Name
		}
		for _, m := range methods {
			for _, i := range m.Args {
				if m.Name == name && i < len(n.Args) {
					out = append(out, literal(n.Args[i])...)
				}
			}
		}
	}
	return out
}

// literal is the text of a literal with words in it; of one that goes on with something else ("source "+name) the beginning.
func literal(e ast.Expr) []string {
	if sum, ok := e.(*ast.BinaryExpr); ok {
		e = sum.X
	}
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return nil
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil || !strings.ContainsFunc(verb.ReplaceAllString(s, ""), unicode.IsLetter) {
		return nil
	}
	return []string{strings.TrimRight(s, " ")}
}
