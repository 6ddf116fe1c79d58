// Package vendors runs the real agent, broker and collector over what each vendor's exporter serves, up to the figures of
// the API. testdata holds the expositions, written from the vendors' contracts, and the records that the agent makes of
// them.
package vendors

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// programs is the folder of the programs under test.
var programs string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "vendors:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "exameter-vendors-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	programs = filepath.Join(dir, "bin")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-ldflags", "-X main.version=vendors", "-o", programs+"/",
		"../../cmd/exameter", "../../cmd/exameter-agent", "../../cmd/exameter-collector")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return m.Run(), nil
}
