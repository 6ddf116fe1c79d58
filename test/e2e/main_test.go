// Package e2e runs the three real programs against a real Apache Kafka, with a simulated NVIDIA driver library that
// the agent loads by path. A scenario file is the hardware: what the tests change there, the province must show.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/exameter/exameter/test/kafka"
	"github.com/exameter/exameter/test/process"
)

// Shared by all tests: the folder of the three programs, and a cluster on which each test has a centre of its own.
var (
	programs string
	shared   *kafka.Cluster
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "exameter-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	programs = filepath.Join(dir, "bin")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := process.Build(ctx, programs, "e2e", "exameter", "exameter-agent", "exameter-collector"); err != nil {
		return 0, err
	}
	if out, err := exec.CommandContext(ctx, "make", "-C", "../nvmlsim").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the simulated driver library: %w\n%s", err, out)
	}
	shared, err = kafka.Start(ctx, filepath.Join(dir, "kafka"), kafka.Options{})
	if err != nil {
		return 0, fmt.Errorf("start Kafka: %w", err)
	}
	defer shared.Close()
	fmt.Printf("Kafka was ready after %v\n", shared.Took.Round(time.Millisecond))
	return m.Run(), nil
}
