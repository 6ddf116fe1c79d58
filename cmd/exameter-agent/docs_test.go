package main

import (
	"flag"
	"io"
	"testing"

	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/internal/manual"
)

var update = flag.Bool("update", false, "write the manual page anew")

// TestDocs holds the manual page against the commands.
func TestDocs(t *testing.T) {
	p := &program{stdout: io.Discard, stderr: io.Discard}
	page := manual.Page{
		Section: 8,
		Terms: []manual.Terms{{Title: "FILES", Each: [][2]string{
			{defaultPath, "The configuration; exameter-agent.yaml(5) tells its keys. SIGHUP, as systemctl reload sends, has it read anew."},
			{state.DefaultDir, "What must survive a restart: devices seen, faults that stick, orders to drain."},
		}}},
		See: []string{"exameter(1)", "exameter-agent.yaml(5)", "exameter-collector(8)"},
	}
	if err := manual.Hold("../../packaging/man/exameter-agent.8", page.Program(p.command()), *update); err != nil {
		t.Error(err)
	}
}
