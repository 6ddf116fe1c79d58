package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/exameter/exameter/dashboards"
)

// TestWritten holds the dashboards that are committed against the generator.
func TestWritten(t *testing.T) {
	dir := t.TempDir()
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	for _, language := range dashboards.Languages {
		names, err := filepath.Glob("../grafana/" + language + "/*")
		if err != nil || len(names) != len(boards) {
			t.Errorf("%d files in %s, want %d: %v", len(names), language, len(boards), err)
		}
		for _, b := range boards {
			name := filepath.Join(language, b.name+".json")
			want, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			have, err := os.ReadFile(filepath.Join("../grafana", name))
			if err != nil || !bytes.Equal(have, want) {
				t.Errorf("%s is not what the generator writes: run `make dashboards` (%v)", name, err)
			}
		}
	}
}

// place is a panel's number, kind and place.
type place struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	GridPos struct{ X, Y, W, H int }
	Targets []struct {
		Expr    string
		Instant bool
	}
}

// placesOf reads a dashboard's panels.
func placesOf(t *testing.T, b *board, language string) []place {
	t.Helper()
	text, err := b.json(language)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Panels []place }
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Panels
}

// TestLayout wants every place of the grid to be of one panel at most, rows to be filled from the left, and numbers to be given once.
func TestLayout(t *testing.T) {
	for i := range boards {
		b := &boards[i]
		taken, ids := map[[2]int]string{}, map[int]bool{}
		for _, p := range placesOf(t, b, "en") {
			g := p.GridPos
			if g.X < 0 || g.Y < 0 || g.W < 1 || g.H < 1 || g.X+g.W > width || ids[p.ID] {
				t.Errorf("%s: %q stands at %+v as number %d", b.name, p.Title, g, p.ID)
			}
			ids[p.ID] = true
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other, is := taken[[2]int{x, y}]; is {
						t.Fatalf("%s: %q lies upon %q", b.name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
		for at := range taken {
			if _, is := taken[[2]int{0, at[1]}]; !is {
				t.Errorf("%s: line %d begins with a hole", b.name, at[1])
			}
		}
	}
}

// TestWords wants every text in every language, Chinese ones with Chinese in them, what is missing to be said, and tables to be askable.
func TestWords(t *testing.T) {
	said := func(where string, w words) {
		t.Helper()
		if w.en == "" || w.zh == "" || w.en != w.zh && !strings.ContainsFunc(w.zh, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%s is not said in both languages: %+v", where, w)
		}
		if strings.ContainsFunc(w.en, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%s: %q is not English", where, w.en)
		}
	}
	for i := range boards {
		b := &boards[i]
		said(b.name, b.title)
		said(b.name, b.about)
		for _, v := range b.variables {
			said(b.name+": "+v.name, v.title)
		}
		for _, r := range b.rows {
			if r.title != (words{}) {
				said(b.name, r.title)
			}
			for j := range r.panels {
				p := &r.panels[j]
				at := b.name + ": " + p.title.en
				said(at, p.title)
				said(at+", its description", p.about)
				said(at+", where there is nothing", p.missing)
				// Grafana calls the values of a table Value #A only where there are several queries.
				if p.kind == table && (len(p.queries) < 2 || len(p.columns) == 0) {
					t.Errorf("%s: a table wants two queries, and columns", at)
				}
				for _, c := range p.columns {
					said(at+", a column", c.title)
				}
				if p.kind == number && len(p.queries) != 1 {
					t.Errorf("%s: a number wants one query", at)
				}
			}
		}
	}
}

// TestLanguagesAreAlike wants the dashboards of all languages to differ in nothing but words.
func TestLanguagesAreAlike(t *testing.T) {
	for i := range boards {
		b := &boards[i]
		en, zh := placesOf(t, b, "en"), placesOf(t, b, "zh")
		if len(en) != len(zh) {
			t.Fatalf("%s: %d panels in English, %d in Chinese", b.name, len(en), len(zh))
		}
		for j := range en {
			en[j].Title, zh[j].Title = "", ""
			if !reflect.DeepEqual(en[j], zh[j]) {
				t.Errorf("%s: %+v in English, %+v in Chinese", b.name, en[j], zh[j])
			}
		}
	}
}
