// Package vendors runs the real agent, broker and collector over what each vendor's exporter serves, up to the figures of
// the API. testdata holds the expositions, written from the vendors' contracts, and the records that the agent makes of
// them.
package vendors

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/exameter/exameter/test/process"
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
	if err := process.Build(ctx, programs, "vendors", "exameter", "exameter-agent", "exameter-collector"); err != nil {
		return 0, err
	}
	return m.Run(), nil
}
