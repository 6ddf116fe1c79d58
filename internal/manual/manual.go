// Package manual writes manual pages: of a program from its commands, of a configuration file from the file that explains
// itself.
package manual

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Page is what a program's manual page says beside what its commands say of themselves.
type Page struct {
	Section int
	Terms   []Terms  // sections such as FILES and ENVIRONMENT
	See     []string // other pages, as name(section)
}

// Terms is a section of names and what each of them is.
type Terms struct {
	Title string
	Each  [][2]string
}

// status is the same for every program of Exameter.
var status = Terms{"EXIT STATUS", [][2]string{
	{"0", "All is well."}, {"1", "Something failed, or something that was checked is not in place."}, {"2", "The command line or the configuration is wrong."},
}}

// Program writes the page of a program, in the language of man(7). It leaves the date and the version to whoever installs it:
// they stand there as @DATE@ and @VERSION@.
func (p Page) Program(root *cobra.Command) string {
	var b strings.Builder
	header(&b, root.Name(), p.Section, root.Short)
	b.WriteString(".SH SYNOPSIS\n.B " + escape(root.Name()) + "\n.I command\n.RI [ option ...]\n")
	b.WriteString(".SH DESCRIPTION\n")
	text(&b, root.Long)
	b.WriteString(".SH COMMANDS\n")
	walk(root, func(c *cobra.Command) { command(&b, c) })
	if root.PersistentFlags().HasAvailableFlags() {
		b.WriteString(".SH OPTIONS\nEvery command takes these.\n")
		options(&b, root.PersistentFlags())
	}
	for _, t := range append([]Terms{status}, p.Terms...) {
		b.WriteString(".SH " + quote(t.Title) + "\n")
		for _, e := range t.Each {
			b.WriteString(".TP\n.B " + escape(e[0]) + "\n" + line(e[1]))
		}
	}
	seeAlso(&b, p.See)
	return b.String()
}

// File writes the page of a configuration file: the file itself, whose comments say all there is to say.
func File(name, installed, short, content string, see ...string) string {
	var b strings.Builder
	header(&b, name, 5, short)
	b.WriteString(".SH DESCRIPTION\nInstalled as\n.IR " + escape(installed) + " .\nThe file explains itself; this is all of it, as the package has it.\n.PP\n")
	verbatim(&b, content)
	seeAlso(&b, see)
	return b.String()
}

// walk visits the commands that do something, in order.
func walk(c *cobra.Command, visit func(*cobra.Command)) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			if sub.Runnable() {
				visit(sub)
			}
			walk(sub, visit)
		}
	}
}

func header(b *strings.Builder, name string, section int, short string) {
	fmt.Fprintf(b, ".\\\" Written from the program by its tests: make docs.\n.TH %s %d \"@DATE@\" \"Exameter @VERSION@\" \"Exameter\"\n",
		quote(strings.ToUpper(name)), section)
	b.WriteString(".SH NAME\n" + escape(name) + " \\- " + escape(strings.ToLower(short[:1])+short[1:]) + "\n")
}

func command(b *strings.Builder, c *cobra.Command) {
	b.WriteString(".SS " + quote(c.UseLine()) + "\n")
	long := c.Long
	if long == "" {
		long = c.Short + "."
	}
	text(b, long)
	options(b, c.LocalNonPersistentFlags())
	if c.Example != "" {
		b.WriteString(".PP\nFor example:\n.PP\n")
		verbatim(b, c.Example)
	}
}

// options lists flags, with the default of each where it is not the value that says nothing.
func options(b *strings.Builder, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		b.WriteString(".TP\n")
		name := `\fB` + escape("--"+f.Name) + `\fR`
		if f.Shorthand != "" {
			name = `\fB` + escape("-"+f.Shorthand) + `\fR, ` + name
		}
		if value != "" {
			name += ` \fI` + escape(value) + `\fR`
		}
		b.WriteString(name + "\n")
		switch f.DefValue {
		case "", "false", "0", "0s", "[]":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		b.WriteString(line(usage))
	})
}

func seeAlso(b *strings.Builder, pages []string) {
	b.WriteString(".SH SEE ALSO\n")
	for i, page := range pages {
		name, section, _ := strings.Cut(page, "(")
		end := ","
		if i == len(pages)-1 {
			end = ""
		}
		b.WriteString(".BR " + escape(name) + " (" + section + end + "\n")
	}
}

// text writes paragraphs. One that is indented stands as it is.
func text(b *strings.Builder, s string) {
	for i, paragraph := range strings.Split(strings.Trim(s, "\n"), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if strings.HasPrefix(paragraph, " ") {
			verbatim(b, paragraph)
			continue
		}
		for l := range strings.Lines(paragraph) {
			b.WriteString(line(strings.TrimSpace(l)))
		}
	}
}

func verbatim(b *strings.Builder, s string) {
	b.WriteString(".nf\n")
	for l := range strings.Lines(strings.TrimRight(s, "\n")) {
		b.WriteString(line(strings.TrimRight(l, "\n")))
	}
	b.WriteString(".fi\n")
}

// line is a line of text, which is no request whatever it begins with.
func line(s string) string {
	s = escape(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s + "\n"
}

// escape keeps what means something to roff from meaning it. Hyphens become those that can be copied into a shell.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "~", `\(ti`, "^", `\(ha`).Replace(s)
}

// quote makes one argument of a request out of words.
func quote(s string) string { return `"` + strings.ReplaceAll(escape(s), `"`, `\(dq`) + `"` }

// Hold compares a page with the file it is kept in, or writes the file.
func Hold(path, page string, write bool) error {
	if write {
		return os.WriteFile(path, []byte(page), 0o644)
	}
	have, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read a manual page: %w", err)
	}
	if string(have) != page {
		return fmt.Errorf("%s is behind what it tells of: run make docs", path)
	}
	return nil
}
