package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/exameter/exameter/test/stub"
)

// tmux is a real terminal: the program runs in its window, and what stands there can be read.
type tmux struct {
	t      *testing.T
	socket string
}

// inTerminal opens a window with a shell in it. Variables of the program are set with those of the test.
func inTerminal(t *testing.T, columns, rows int) *tmux {
	t.Helper()
	w := &tmux{t, filepath.Join(t.TempDir(), "s")}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SELF", self)
	t.Setenv("TERM", "xterm-256color")
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", w.socket, "kill-server").Run() })
	w.do("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(columns), "-y", fmt.Sprint(rows), "PS1='$ ' PROMPT_COMMAND= exec bash --norc --noprofile")
	w.until("a prompt", func(screen string) bool { return strings.HasPrefix(screen, "$") })
	return w
}

func (w *tmux) do(args ...string) string {
	w.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-u", "-S", w.socket}, args...)...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("tmux %v: %v: %s", args, err, out)
	}
	return string(out)
}

// types runs the program with arguments, with variables before them.
func (w *tmux) types(variables string, args ...string) {
	w.t.Helper()
	w.do("send-keys", "-l", fmt.Sprintf("%s %s=$'%s' $SELF", variables, child, strings.Join(args, `\n`)))
	w.do("send-keys", "Enter")
}

// screen is what stands in the window; with how it looks where styled.
func (w *tmux) screen(styled bool) string {
	w.t.Helper()
	args := []string{"capture-pane", "-p"}
	if styled {
		args = append(args, "-e")
	}
	return w.do(args...)
}

// until waits until the window looks as it should.
func (w *tmux) until(what string, does func(screen string) bool) string {
	w.t.Helper()
	last := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if last = w.screen(false); does(last) {
			return last
		}
	}
	w.t.Fatalf("no %s within 30 s:\n%s", what, last)
	return ""
}

func has(texts ...string) func(string) bool {
	return func(screen string) bool {
		for _, s := range texts {
			if !strings.Contains(screen, s) {
				return false
			}
		}
		return true
	}
}

// shown is how many rows of a window hold something, and what is above it.
func shown(screen string) int { return strings.Count(strings.TrimRight(screen, "\n"), "\n") + 1 }

// TestWatchInATerminal shows a live table in a real terminal: each in the place of the one before, as large as the window also while
// that changes, until Ctrl-C leaves the last one where it stands.
func TestWatchInATerminal(t *testing.T) {
	c := stub.Start(t)
	w := inTerminal(t, 160, 24)
	w.do("send-keys", "-l", "echo what stood there before")
	w.do("send-keys", "Enter")
	w.types("", "capacity", "--collector", c.URL, "--by", "model", "--watch")
	full := w.until("table", has("MODEL", "total", "Eflops, dense peak"))
	if strings.Count(full, "MODEL") != 1 || !strings.HasPrefix(full, "MODEL") || strings.Contains(full, "more lines") || strings.Contains(full, "before") {
		t.Errorf("not in place:\n%s", full)
	}
	if !strings.Contains(w.do("capture-pane", "-p", "-S", "-200"), "\nwhat stood there before\n") {
		t.Errorf("what stood there before is lost:\n%s", w.do("capture-pane", "-p", "-S", "-200"))
	}

	// What changes stands in the place of what was there.
	c.Set("guian-north", "nvidia-h200-sxm", 1)
	changed := w.until("change", func(s string) bool { return s != full && has("total")(s) })
	if strings.Count(changed, "MODEL") != 1 || strings.Count(changed, "\n") != strings.Count(full, "\n") {
		t.Errorf("not in the place of the first one:\n%s", changed)
	}

	// A window that gets smaller or larger has what fits at once: the heading, the total and what is said below it, and how much is left out.
	w.do("resize-window", "-x", "70", "-y", "8")
	cut := w.until("table cut to 8 rows", func(s string) bool {
		return has("more lines", "total", "Eflops, dense peak")(s) && strings.HasPrefix(s, "MODEL") && shown(s) <= 7
	})
	for row := range strings.Lines(cut) {
		if runewidth.StringWidth(strings.TrimSuffix(row, "\n")) > 70 {
			t.Errorf("a row is wider than the window: %q", row)
		}
	}
	w.do("resize-window", "-x", "160", "-y", "24")
	w.until("whole table", func(s string) bool { return has("total")(s) && !has("more lines")(s) })

	w.do("send-keys", "C-c")
	w.until("prompt", func(s string) bool { return strings.HasSuffix(strings.TrimRight(s, "\n"), "\n$") })
	w.do("send-keys", "-l", "echo status $?")
	w.do("send-keys", "Enter")
	left := w.until("status", has("\nstatus "))
	if !strings.Contains(left, "\nstatus 0\n") || !strings.Contains(left, "total") || strings.Contains(left, "^C") || strings.Contains(left, "exameter:") {
		t.Errorf("after Ctrl-C:\n%s", left)
	}
	if state := w.do("display-message", "-p", "#{cursor_flag} #{wrap_flag} #{alternate_on}"); state != "1 1 0\n" {
		t.Errorf("the terminal is left with cursor, wrapping and alternate screen %q", state)
	}
}

// TestWatchIsRedrawn follows the window also between two answers.
func TestWatchIsRedrawn(t *testing.T) {
	c := stub.Start(t)
	w := inTerminal(t, 150, 24)
	w.types("", "pools", "--collector", c.URL, "--watch", "--every", "1h")
	w.until("table", has("MODEL", "GANGS:"))
	w.do("resize-window", "-x", "60", "-y", "6")
	w.until("table cut to 6 rows", func(s string) bool {
		return has("more lines")(s) && strings.HasPrefix(s, "CENTRE") && shown(s) <= 5
	})
	if asked := len(c.Asked()); asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// TestTerminalColours has emphasis on a terminal, and none where NO_COLOR or a pipe says so.
func TestTerminalColours(t *testing.T) {
	c := stub.Start(t)
	for name, tc := range map[string]struct {
		variables, pipe string
		coloured        bool
	}{
		"a terminal": {"", "", true},
		"NO_COLOR":   {"NO_COLOR=1", "", false},
		"dumb":       {"TERM=dumb", "", false},
		"a pipe":     {"", " | cat", false},
	} {
		w := inTerminal(t, 150, 24)
		w.do("send-keys", "-l", fmt.Sprintf("%s %s=$'capacity\\n--by\\nmodel\\n--collector\\n%s' $SELF%s", tc.variables, child, c.URL, tc.pipe))
		w.do("send-keys", "Enter")
		w.until("table", has("total", "Eflops, dense peak"))
		if styled := w.screen(true); strings.Contains(styled, "\x1b[1m") != tc.coloured || strings.Contains(styled, "\x1b[2m") != tc.coloured {
			t.Errorf("%s: %q", name, styled)
		}
	}
}

// TestChineseLinesUp has columns stand below their headings where characters take two columns of a terminal.
func TestChineseLinesUp(t *testing.T) {
	c := stub.Start(t)
	w := inTerminal(t, 180, 24)
	w.types("LC_ALL=zh_CN.UTF-8", "capacity", "--by", "model", "--collector", c.URL, "--watch")
	screen := w.until("table", has("额定", "合计", "单位 Eflops"))
	rows := strings.Split(screen, "\n")
	column := func(row, text string) int { // where a text ends
		i := strings.Index(row, text)
		if i < 0 {
			t.Fatalf("no %q in %q", text, row)
		}
		return runewidth.StringWidth(row[:i] + text)
	}
	want, last := column(rows[0], "利用率"), false
	for i := 1; !last; i++ {
		last = strings.HasPrefix(rows[i], "合计")
		if got := column(rows[i], " %"); got != want {
			t.Errorf("the utilisation ends in column %d, its heading in %d:\n%s", got, want, screen)
		}
	}
}
