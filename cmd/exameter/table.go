package main

import (
	"io"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// table is text in columns, which line up on a terminal also where characters are two columns wide.
type table struct {
	head  []string
	left  int  // so many columns, from the first, are aligned to the left; the others to the right
	words bool // the last column is words, and aligned to the left
	rows  [][]string
	bold  map[int]bool // rows that stand out
	faint map[int]bool // rows that step back
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// mark makes the last row stand out or step back.
func (t *table) mark(set *map[int]bool) {
	if *set == nil {
		*set = map[int]bool{}
	}
	(*set)[len(t.rows)-1] = true
}

// write prints the table, with emphasis where colour is wanted.
func (t *table) write(w io.Writer, colour bool) error {
	width := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			width[i] = max(width[i], runewidth.StringWidth(cell))
		}
	}
	var b strings.Builder
	t.line(&b, t.head, width, escape(colour, "\x1b[2m"))
	for i, row := range t.rows {
		style := ""
		switch {
		case t.bold[i]:
			style = escape(colour, "\x1b[1m")
		case t.faint[i]:
			style = escape(colour, "\x1b[33m")
		}
		t.line(&b, row, width, style)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func escape(colour bool, s string) string {
	if colour {
		return s
	}
	return ""
}

func (t *table) line(b *strings.Builder, row []string, width []int, style string) {
	var line strings.Builder
	for i, cell := range row {
		if i > 0 {
			line.WriteString("  ")
		}
		pad := strings.Repeat(" ", width[i]-runewidth.StringWidth(cell))
		if i < t.left || t.words && i == len(t.head)-1 {
			line.WriteString(cell + pad)
		} else {
			line.WriteString(pad + cell)
		}
	}
	b.WriteString(style + strings.TrimRight(line.String(), " "))
	if style != "" {
		b.WriteString("\x1b[0m")
	}
	b.WriteByte('\n')
}

// printable keeps a name that some host sent from moving the cursor, and from turning round what stands beside it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// printableLines is printable for what may have several lines, as errors have.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}
