package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
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
