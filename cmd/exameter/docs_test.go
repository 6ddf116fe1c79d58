package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/internal/manual"
)

const (
	cliDoc = "../../docs/cli.md"
	marker = "<!-- From here on written by: go test ./cmd/exameter -run TestDocs -update -->\n"
)

// TestDocs holds the reference in docs/cli.md against the commands.
func TestDocs(t *testing.T) {
	t.Setenv("EXAMETER_COLLECTOR", "")
	var b strings.Builder
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !cmd.HasSubCommands() || cmd.LocalFlags().HasFlags() {
			b.WriteString("\n## " + cmd.CommandPath() + "\n\n")
			text := cmd.Long
			if text == "" {
				text = cmd.Short + "."
			}
			b.WriteString(text + "\n\n```\n" + cmd.UseLine() + "\n\n" + cmd.LocalFlags().FlagUsages() + "```\n")
			if cmd.Example != "" {
				b.WriteString("\n```\n" + strings.ReplaceAll(strings.TrimPrefix(cmd.Example, "  "), "\n  ", "\n") + "\n```\n")
			}
		}
		for _, c := range cmd.Commands() {
			if c.Name() != "help" {
				walk(c)
			}
		}
	}
	walk(rootCommand())
	doc, err := os.ReadFile(cliDoc)
	if err != nil {
		t.Fatal(err)
	}
	preface, have, ok := strings.Cut(string(doc), marker)
	if !ok {
		t.Fatalf("%s has no line %q", cliDoc, marker)
	}
	if *update {
		have = b.String()
		if err := os.WriteFile(cliDoc, []byte(preface+marker+have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have != b.String() {
		t.Errorf("%s is behind the commands: run go test ./cmd/exameter -run TestDocs -update", cliDoc)
	}
}

// TestDocsManual holds the manual page against the commands.
func TestDocsManual(t *testing.T) {
	for _, name := range []string{"EXAMETER_COLLECTOR", "EXAMETER_CA", "EXAMETER_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	page := manual.Page{
		Section: 1,
		Terms: []manual.Terms{{Title: "ENVIRONMENT", Each: [][2]string{
			{"EXAMETER_COLLECTOR", "Where collectors answer, as --collector says it."},
			{"EXAMETER_CA", "Which authorities verify them, as --ca says it."},
			{"EXAMETER_TOKEN_FILE", "Where the bearer token is, as --token-file says it."},
			{"NO_COLOR", "Tables have no colour where this is set."},
			{"LC_ALL, LC_MESSAGES, LANG", "Tables are in Chinese where these name that language."},
		}}},
		See: []string{"exameter-agent(8)", "exameter-collector(8)"},
	}
	if err := manual.Hold("../../packaging/man/exameter.1", page.Program(rootCommand()), *update); err != nil {
		t.Error(err)
	}
}
