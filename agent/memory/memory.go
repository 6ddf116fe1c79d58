// Package memory reads how much main memory a host has and how much of it is free for new work.
package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// meminfoLimit is more than any kernel's /proc/meminfo holds; what is read here stands in its first three lines.
const meminfoLimit = 8 << 10

// Source reads /proc/meminfo.
type Source struct {
	meminfo *kernelfile.File
}

// New returns a source that reads below procRoot, which is /proc on a real host.
func New(procRoot string) *Source {
	return &Source{meminfo: kernelfile.New(filepath.Join(procRoot, "meminfo"), meminfoLimit)}
}

// Name returns "memory".
func (s *Source) Name() string { return "memory" }

// Read takes one sample. What could not be read is unknown in it, and named by the error.
func (s *Source) Read(context.Context) (poll.Reading, error) {
	b, err := s.meminfo.Read()
	if err != nil {
		return poll.Reading{}, fmt.Errorf("reading memory: %w", err)
	}
	status, err := parse(b)
	if err != nil {
		err = fmt.Errorf("%s: %w", s.meminfo.Path(), err)
	}
	return poll.Reading{Memory: &status}, err
}

// Close closes the file.
func (s *Source) Close() error { return s.meminfo.Close() }

// Total returns the memory that the kernel manages, in bytes.
func Total(procRoot string) (telemetry.Bytes, error) {
	s := New(procRoot)
	r, err := s.Read(context.Background())
	if err = errors.Join(err, s.Close()); r.Memory == nil || !r.Memory.Total.OK {
		return 0, err
	}
	return r.Memory.Total.Value, nil
}

var (
	totalKey     = []byte("MemTotal:")
	availableKey = []byte("MemAvailable:")
)

// parse reads the two lines of /proc/meminfo that matter. Kernels before 3.14 print no MemAvailable: it stays unknown,
// because what they print instead overstates it or understates it by far.
func parse(b []byte) (telemetry.MemoryStatus, error) {
	var status telemetry.MemoryStatus
	var errs error
	for len(b) > 0 && !(status.Total.OK && status.Available.OK) {
		line, rest, ended := bytes.Cut(b, []byte("\n"))
		if !ended {
			break // A line without its end may have lost digits.
		}
		b = rest
		var err error
		switch {
		case bytes.HasPrefix(line, totalKey):
			status.Total, err = kibibytes(line[len(totalKey):])
		case bytes.HasPrefix(line, availableKey):
			status.Available, err = kibibytes(line[len(availableKey):])
		}
		if err != nil {
			errs = errors.Join(errs, fmt.Errorf("line %q: %w", line, err))
		}
	}
	if !status.Total.OK {
		errs = errors.Join(errs, errors.New("no memory total in it"))
	}
	if status.Total.OK && status.Available.OK && status.Available.Value > status.Total.Value {
		errs = errors.Join(errs, fmt.Errorf("%d bytes available of %d in all", status.Available.Value, status.Total.Value))
		status.Available = telemetry.Opt[telemetry.Bytes]{}
	}
	return status, errs
}

// kibibytes parses a value such as "  16384 kB", in which the kernel's kB are 1024 bytes.
func kibibytes(b []byte) (telemetry.Opt[telemetry.Bytes], error) {
	number, ok := bytes.CutSuffix(bytes.TrimSpace(b), []byte("kB"))
	if !ok {
		return telemetry.Opt[telemetry.Bytes]{}, errors.New("want a number of kB")
	}
	v, err := strconv.ParseInt(string(bytes.TrimSpace(number)), 10, 64)
	switch {
	case err != nil:
		return telemetry.Opt[telemetry.Bytes]{}, err
	case v < 0, v > math.MaxInt64>>10:
		return telemetry.Opt[telemetry.Bytes]{}, fmt.Errorf("%d kB is out of range", v)
	}
	return telemetry.Known(telemetry.Bytes(v << 10)), nil
}
