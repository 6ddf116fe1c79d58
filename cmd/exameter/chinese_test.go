package main

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
)

// words are texts that answers hold, and that are looked up as they come.
var words = []string{"busy", "free", "drained", "faulty", "stale", "planned", "building", "operating", "unpriced", "uninventoried", "contested", "unsettled"}

var verb = regexp.MustCompile(`%[a-z]`)

// TestEverythingIsSaidInChinese holds the texts of this program against their translations: none is missing, none is left
// over, and each takes the same arguments in the same order.
func TestEverythingIsSaidInChinese(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	said, heads := map[string]bool{}, map[string]bool{}
	for _, w := range words {
		said[w] = true
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
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			for i, arg := range call.Args {
				text, literal := arg.(*ast.BasicLit)
				if !literal || text.Kind != token.STRING {
					continue
				}
				s, err := strconv.Unquote(text.Value)
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case method.Sel.Name == "t" && i == 0:
					said[s] = true
				case method.Sel.Name == "heads":
					heads[s] = true
				}
			}
			return true
		})
	}
	if len(said) < 40 || len(heads) < 30 {
		t.Fatalf("%d texts and %d headings were found", len(said), len(heads))
	}
	for _, d := range []string{"CENTRE", "CLUSTER", "KIND", "VENDOR", "MODEL", "CLASS", "DOMESTIC"} {
		heads[d] = true // of the dimensions asked for
	}
	compare(t, "text", said, inChinese)
	compare(t, "heading", heads, chineseHeads)
	for text, zh := range inChinese {
		if a, b := verb.FindAllString(text, -1), verb.FindAllString(zh, -1); !slices.Equal(a, b) {
			t.Errorf("%q takes %v, and %q %v", text, a, zh, b)
		}
	}
}

func compare(t *testing.T, what string, said map[string]bool, translated map[string]string) {
	t.Helper()
	for s := range said {
		if translated[s] == "" {
			t.Errorf("the %s %q is not said in Chinese", what, s)
		}
	}
	for s := range translated {
		if !said[s] {
			t.Errorf("the %s %q is said in Chinese and nowhere else", what, s)
		}
	}
}
