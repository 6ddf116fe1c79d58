// Package check is what the programs say when they are asked whether everything is in place: a line for each thing that was looked at, what
// was found, and what to do where something must be done. It holds the checks that agent and collector share.
package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/exameter/exameter/internal/language"
)

// Result is how one thing stands.
type Result string

// The results, from good to bad.
const (
	OK   Result = "ok"   // as it should be
	Warn Result = "warn" // works, and someone should act
	Fail Result = "fail" // keeps the program from working
)

// Finding is what a check found of one thing.
type Finding struct {
	Result Result `json:"result"`
	What   string `json:"what"`         // the thing: "brokers", "source power"
	Found  string `json:"found"`        // what was found
	Do     string `json:"do,omitempty"` // what to do about it
}

// Report gathers findings and prints them: as text while they come, or as one JSON document at the end.
type Report struct {
	Program, Version string
	Out              io.Writer
	JSON             bool
	Speaker          language.Speaker // of texts; JSON is for machines, and English

	findings []Finding
	warned   int
	failed   int

	shown    string // what systemd says of the unit
	shownErr error
}

// New makes a report in the language of the environment, as text or JSON.
func New(program, version string, out io.Writer, asJSON bool, dictionary map[string]string) *Report {
	r := &Report{Program: program, Version: version, Out: out, JSON: asJSON}
	if !asJSON {
		r.Speaker = language.Of(dictionary, chinese)
	}
	return r
}

// Say says a text in the reader's language.
func (r *Report) Say(text string, args ...any) string { return r.Speaker.Say(text, args...) }

// OK says that a thing is as it should be. The first word of what is translated, the rest names one of several.
func (r *Report) OK(what, text string, args ...any) { r.add(OK, what, text, args) }

// Warn says what works less well than it could, where someone should act.
func (r *Report) Warn(what, text string, args ...any) { r.warned++; r.add(Warn, what, text, args) }

// Fail says what keeps the program from working.
func (r *Report) Fail(what, text string, args ...any) { r.failed++; r.add(Fail, what, text, args) }

// Do says what to do about the finding before.
func (r *Report) Do(text string, args ...any) {
	if text == "" || len(r.findings) == 0 {
		return
	}
	last := &r.findings[len(r.findings)-1]
	last.Do = r.Say(text, args...)
	r.line("", "", "→ "+last.Do)
}

func (r *Report) add(result Result, what, text string, args []any) {
	name, which, named := strings.Cut(what, " ")
	what = r.Say(name)
	if named {
		what += " " + which
	}
	f := Finding{Result: result, What: what, Found: oneLine(r.Say(text, args...))}
	r.findings = append(r.findings, f)
	mark := map[Result]string{OK: r.Say("ok"), Warn: r.Say("warn"), Fail: r.Say("FAIL")}[result]
	r.line(mark, f.What, f.Found)
}

// oneLine keeps a finding on its line, whatever an error holds.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (r *Report) line(mark, what, text string) {
	if !r.JSON {
		fmt.Fprintf(r.Out, "%s  %s  %s\n", padded(mark, 4), padded(what, 16), text)
	}
}

// padded fills a text up to a width in columns, of which a Chinese character takes two.
func padded(s string, width int) string {
	for _, c := range s {
		if width--; c >= 0x2e80 {
			width--
		}
	}
	return s + strings.Repeat(" ", max(0, width))
}

// Failed reports whether something must be mended.
func (r *Report) Failed() bool { return r.failed > 0 }

// End prints the sum of it all, or the whole as JSON.
func (r *Report) End() error {
	if r.JSON {
		e := json.NewEncoder(r.Out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(struct {
			Program  string    `json:"program"`
			Version  string    `json:"version"`
			Result   Result    `json:"result"`
			Findings []Finding `json:"findings"`
		}{r.Program, r.Version, r.result(), r.findings})
	}
	text := r.Say("Everything is in place.")
	switch {
	case r.failed > 0:
		text = r.Say("To be mended: %d. To be looked at: %d.", r.failed, r.warned)
	case r.warned > 0:
		text = r.Say("It works. To be looked at: %d.", r.warned)
	}
	_, err := fmt.Fprintf(r.Out, "\n%s\n", text)
	return err
}

func (r *Report) result() Result {
	switch {
	case r.failed > 0:
		return Fail
	case r.warned > 0:
		return Warn
	}
	return OK
}
