package main

import (
	"flag"
	"io"
	"testing"

	"github.com/exameter/exameter/internal/manual"
)

var update = flag.Bool("update", false, "write the manual page anew")

// TestDocs holds the manual page against the commands.
func TestDocs(t *testing.T) {
	p := &program{stdout: io.Discard, stderr: io.Discard}
	page := manual.Page{
		Section: 8,
		Terms: []manual.Terms{{Title: "FILES", Each: [][2]string{
			{defaultPath, "The configuration; exameter-collector.yaml(5) tells its keys."},
			{"/etc/exameter/registry.yaml", "The centres and what they declare, where the configuration names it; exameter-registry.yaml(5) tells its keys."},
		}}},
		See: []string{"exameter(1)", "exameter-agent(8)", "exameter-collector.yaml(5)", "exameter-registry.yaml(5)"},
	}
	if err := manual.Hold("../../packaging/man/exameter-collector.8", page.Program(p.command()), *update); err != nil {
		t.Error(err)
	}
}
