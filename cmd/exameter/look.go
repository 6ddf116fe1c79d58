package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/exameter/exameter/internal/language"
)

// look is how tables and sentences are printed: in which language, with which emphasis, at what time.
type look struct {
	chinese bool
	colour  bool
	now     time.Time
}

// lookOf is the look that an output and the environment ask for.
func lookOf(out io.Writer) look {
	return look{chinese: language.Chinese(os.Getenv), colour: coloured(out), now: time.Now()}
}

// t says a text in the reader's language, with its arguments in place.
func (l look) t(text string, args ...any) string {
	if zh, ok := inChinese[text]; l.chinese && ok {
		text = zh
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// heads are the headings of columns.
func (l look) heads(names ...string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		if out[i] = n; l.chinese {
			out[i] = cmp.Or(chineseHeads[n], n)
		}
	}
	return out
}

// devices, hosts and models say how many of them.
func (l look) devices(n int64) string {
	if n == 1 {
		return l.t("1 device")
	}
	return l.t("%d devices", n)
}

func (l look) hosts(n int64) string {
	if n == 1 {
		return l.t("1 host")
	}
	return l.t("%d hosts", n)
}

// csvText writes rows; what some host sent is no formula of a spreadsheet.
func csvText(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, row := range rows {
		for i, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				row[i] = "'" + cell
			}
		}
		_ = w.Write(row) // the writer keeps an error until Flush
	}
	w.Flush()
	return b.Bytes(), w.Error()
}
