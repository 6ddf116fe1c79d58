package main

import (
	"bytes"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// terminal reports whether a stream is one.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// coloured reports whether emphasis is wanted: on a terminal, unless NO_COLOR says otherwise (https://no-color.org).
func coloured(w any) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && terminal(w)
}

// size is how many rows a terminal has; 0 where that is not known.
func size(w any) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(ws.Row)
}

// screen shows one text after the other: in place on a terminal, below each other elsewhere.
type screen struct {
	out   io.Writer
	place bool
	shown bool
	rows  func() int
}

func newScreen(out io.Writer) *screen {
	return &screen{out: out, place: terminal(out) && os.Getenv("TERM") != "dumb", rows: func() int { return size(out) }}
}

// show replaces what was shown before. Each line is cleared to its end and the rest below, so that nothing flickers; what is
// wider than the terminal is cut off and what is longer is left out, so that nothing scrolls. The window's size is asked for each time.
func (s *screen) show(text []byte) error {
	var b bytes.Buffer
	switch {
	case s.place && !s.shown:
		b.WriteString("\x1b[2J")
		fallthrough
	case s.place:
		b.WriteString("\x1b[?7l\x1b[H")
		b.Write(bytes.ReplaceAll(s.fitting(text), []byte("\n"), []byte("\x1b[K\n")))
		b.WriteString("\x1b[J\x1b[?7h")
	default:
		if s.shown {
			b.WriteByte('\n')
		}
		b.Write(text)
	}
	s.shown = true
	_, err := s.out.Write(b.Bytes())
	return err
}

// keptBelow is how many of the last lines stay where not all fit: the total, and what keeps it from being the whole truth.
const keptBelow = 6

// fitting leaves lines out of the middle of a text that has more than the terminal has rows.
func (s *screen) fitting(text []byte) []byte {
	rows := 0
	if s.rows != nil {
		rows = s.rows()
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	if rows < 3 || len(lines) < rows {
		return text
	}
	below := min(keptBelow, (rows-2)/2)
	above := rows - 2 - below
	var out []byte
	for _, line := range lines[:above] {
		out = append(out, line...)
	}
	out = append(out, lookOf(nil).t("… %d more lines", len(lines)-above-below)+"\n"...)
	for _, line := range lines[len(lines)-below:] {
		out = append(out, line...)
	}
	return append(bytes.TrimSuffix(out, []byte("\n")), '\n')
}
