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

// screen shows one text after the other: in place on a terminal, below each other elsewhere.
type screen struct {
	out   io.Writer
	place bool
	shown bool
}

func newScreen(out io.Writer) *screen {
	return &screen{out: out, place: terminal(out) && os.Getenv("TERM") != "dumb"}
}

// show replaces what was shown before. Each line is cleared to its end and the rest below, so that nothing flickers.
func (s *screen) show(text []byte) error {
	var b bytes.Buffer
	switch {
	case s.place && !s.shown:
		b.WriteString("\x1b[2J")
		fallthrough
	case s.place:
		b.WriteString("\x1b[H")
		b.Write(bytes.ReplaceAll(text, []byte("\n"), []byte("\x1b[K\n")))
		b.WriteString("\x1b[J")
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
