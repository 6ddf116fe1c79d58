package catalog

import (
	"cmp"
	"fmt"
	"slices"
)

// Finding is what there is to say about one place of a table: a mistake, for which it is refused, or a doubt.
type Finding struct {
	File   string `json:"file"`
	Line   int    `json:"line"`   // 0 where the file as a whole is meant
	Column string `json:"column"` // empty where the line as a whole is meant
	Text   string `json:"text"`
}

// String places the text: "prices.csv:4:fp16_tflops: …".
func (f Finding) String() string {
	s := f.File
	if f.Line > 0 {
		s += fmt.Sprintf(":%d", f.Line)
		if f.Column != "" {
			s += ":" + f.Column
		}
	}
	return s + ": " + f.Text
}

// Error makes a mistake an error.
func (f Finding) Error() string { return f.String() }

// place is where a row stands.
type place struct {
	file     string
	line     int
	override bool // in an override file, not in a table of the binary
}

// maxFindings bounds what is kept of one file, so that a wrong file cannot fill the memory with what is wrong in it.
const maxFindings = 1000

// findings gathers what is wrong in one table.
type findings struct {
	list []Finding
}

// add keeps a finding, unless one is known of the same cell: what follows from a mistake is none of its own.
func (f *findings) add(n Finding) {
	for i := len(f.list) - 1; i >= 0 && f.list[i].Line == n.Line; i-- {
		if f.list[i].Column == n.Column {
			return
		}
	}
	f.list = append(f.list, n)
}

// full reports whether enough is known.
func (f *findings) full() bool { return len(f.list) >= maxFindings }

// inOrder sorts findings by line; those of one line stay in the order in which they were found.
func inOrder(list []Finding) []Finding {
	slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return list
}
