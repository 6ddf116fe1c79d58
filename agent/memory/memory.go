// Package memory reads how much main memory a host has and how much of it is free for new work, from /proc/meminfo.
package memory

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/procfs"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// Source reads /proc/meminfo.
type Source struct {
	procRoot string
}

// New returns a source that reads below procRoot, which is /proc on a real host.
func New(procRoot string) *Source { return &Source{procRoot: procRoot} }

// Name returns "memory".
func (s *Source) Name() string { return "memory" }

// Read takes one sample. What could not be read is unknown in it, and named by the error.
func (s *Source) Read(context.Context) (poll.Reading, error) {
	status, err := read(s.procRoot)
	switch {
	case err == nil:
		return poll.Reading{Memory: &status}, nil
	case errors.Is(err, procfs.ErrFileParse), errors.Is(err, errNonsense):
		return poll.Reading{Memory: &status}, fmt.Errorf("%s/meminfo: %w", s.procRoot, err)
	}
	return poll.Reading{}, fmt.Errorf("reading memory: %w", err)
}

// Close does nothing: no file stays open between two samples.
func (s *Source) Close() error { return nil }

// Total returns the memory that the kernel manages, in bytes.
func Total(procRoot string) (telemetry.Bytes, error) {
	status, err := read(procRoot)
	if !status.Total.OK {
		return 0, err
	}
	return status.Total.Value, nil
}

// errNonsense says that the file was read and that its values cannot be.
var errNonsense = errors.New("makes no sense")

// read reads the two values that matter. Kernels before 3.14 state no available memory: it stays unknown, because what
// they state instead overstates it or understates it by far.
func read(procRoot string) (telemetry.MemoryStatus, error) {
	var status telemetry.MemoryStatus
	proc, err := procfs.NewFS(procRoot)
	if err != nil {
		return status, err
	}
	m, err := proc.Meminfo()
	if err != nil {
		return status, err
	}
	status.Total = kibibytes(m.MemTotal, m.MemTotalBytes)
	status.Available = kibibytes(m.MemAvailable, m.MemAvailableBytes)
	if !status.Total.OK {
		return status, fmt.Errorf("memory total %w: there is none, or more than can be, or not in kB", errNonsense)
	}
	if status.Available.OK && status.Available.Value > status.Total.Value {
		err = fmt.Errorf("memory %w: %d bytes available of %d in all", errNonsense, status.Available.Value, status.Total.Value)
		status.Available = telemetry.Opt[telemetry.Bytes]{}
	}
	return status, err
}

// kibibytes takes a value that the kernel printed in kB, which are 1024 bytes. Procfs takes a number without that unit,
// as the end of a file cut short has it, for bytes, and does not see a product that overflows: both tell by the quotient.
func kibibytes(printed, bytes *uint64) telemetry.Opt[telemetry.Bytes] {
	if printed == nil || bytes == nil || *bytes>>10 != *printed || *bytes > uint64(telemetry.MaxMemory) {
		return telemetry.Opt[telemetry.Bytes]{}
	}
	return telemetry.Known(telemetry.Bytes(*bytes))
}
