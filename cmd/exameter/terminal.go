package main

import (
	"bytes"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"

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

	mu   sync.Mutex // between what is shown and a window that changes
	last []byte     // what stands there
	kept int
	stop func()
}

// newScreen makes a screen, which close ends.
func newScreen(out io.Writer) *screen {
	s := &screen{out: out, place: terminal(out) && os.Getenv("TERM") != "dumb", rows: func() int { return size(out) }}
	if s.place {
		s.follow()
	}
	return s
}

// follow shows the last text anew when the window gets another size.
func (s *screen) follow() {
	changed, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(changed, unix.SIGWINCH)
	var following sync.WaitGroup
	following.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-changed:
				s.again()
			}
		}
	})
	s.stop = func() {
		signal.Stop(changed)
		close(done)
		following.Wait()
	}
}

// again draws what stands there already.
func (s *screen) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil {
		_, _ = s.out.Write(s.drawn()) // whoever shows the next text hears of it
	}
}

// close leaves the last text where it stands, with what comes after below it: the terminal itself may have printed ^C there.
func (s *screen) close() {
	if s.stop == nil {
		return
	}
	s.stop()
	s.stop = nil
	if s.shown {
		_, _ = io.WriteString(s.out, "\r\x1b[J")
	}
}

// show replaces what was shown before. So many lines at its end stay where not all fit; 0 is as many as look well. What stood on a
// terminal before the first text is scrolled away, where the reader finds it afterwards.
func (s *screen) show(text []byte, kept int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b bytes.Buffer
	switch {
	case s.place:
		if !s.shown {
			b.WriteString(strings.Repeat("\n", s.height()) + "\x1b[2J")
		}
		s.last, s.kept = text, kept
		b.Write(s.drawn())
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

// drawn is the last text as it goes to a terminal. Each line is cleared to its end and the rest below, so that nothing flickers; what is
// wider than the terminal is cut off and what is longer is left out, so that nothing scrolls. The window's size is asked for each time.
func (s *screen) drawn() []byte {
	var b bytes.Buffer
	b.WriteString("\x1b[?7l\x1b[H")
	b.Write(bytes.ReplaceAll(s.fitting(s.last, s.kept), []byte("\n"), []byte("\x1b[K\n")))
	b.WriteString("\x1b[J\x1b[?7h")
	return b.Bytes()
}

// height is how many rows there are; 0 where that is not known.
func (s *screen) height() int {
	if s.rows == nil {
		return 0
	}
	return s.rows()
}

// keptBelow is how many of the last lines stay of a text that does not say it.
const keptBelow = 6

// fitting leaves lines out of the middle of a text that has more than the terminal has rows, and says how many.
func (s *screen) fitting(text []byte, kept int) []byte {
	rows := s.height()
	lines := bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	if rows < 3 || len(lines) < rows {
		return text
	}
	below := min(keptBelow, (rows-2)/2)
	if kept > 0 {
		below = min(kept, max(rows-4, 0)) // beside them the heading and a line stay
	}
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
