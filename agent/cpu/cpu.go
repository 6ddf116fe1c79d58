// Package cpu reads what processors a host has, from /proc/cpuinfo and the topology and clocks of sysfs, and how busy
// they are, from the first line of /proc/stat.
package cpu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// Bounds of what is read. The aggregate line is the first of /proc/stat and is far shorter than statLimit: what follows
// it, hundreds of kilobytes of interrupts on a large host, is not copied out of the kernel. The line has a parser of its
// own for that reason: procfs reads and parses the whole file.
const (
	statLimit   = 512
	onlineLimit = 16 << 10
)

// Source reads the processors of a host.
type Source struct {
	procRoot, sysRoot string
	stat, online      *kernelfile.File

	info   telemetry.CPUInfo
	loaded bool
	seen   []byte // list of online CPUs that info describes; empty where sysfs has none

	counted counted // of the CPUs in seen

	last    times
	hasLast bool
}

// New returns a source that reads below procRoot and sysRoot, which are /proc and /sys on a real host.
func New(procRoot, sysRoot string) *Source {
	return &Source{
		procRoot: procRoot, sysRoot: sysRoot,
		stat:   kernelfile.New(filepath.Join(procRoot, "stat"), statLimit),
		online: kernelfile.New(filepath.Join(sysRoot, cpuDir, "online"), onlineLimit),
	}
}

// Name returns "cpu".
func (s *Source) Name() string { return "cpu" }

// Read takes one sample. The processors are identified at the first one and again whenever the set of online CPUs
// changed; a host whose sysfs does not list them is taken to keep those it had. The utilisation is that since the
// sample before, unknown at the first and across a change of the set, where the kernel's counters jump.
func (s *Source) Read(ctx context.Context) (poll.Reading, error) {
	var errs error
	online, err := s.online.Read()
	changed := err == nil && !bytes.Equal(online, s.seen)
	if changed {
		s.seen = append(s.seen[:0], online...)
		s.hasLast, s.counted = false, counted{}
	}
	if changed || !s.loaded {
		s.info, err = s.identify(ctx)
		s.loaded = err == nil
		errs = errors.Join(errs, err)
	}
	r := &poll.CPUReading{Info: s.info}
	r.Utilization, err = s.utilization()
	return poll.Reading{CPU: r}, errors.Join(errs, err)
}

// Close closes the files.
func (s *Source) Close() error { return errors.Join(s.stat.Close(), s.online.Close()) }

func (s *Source) utilization() (telemetry.Opt[telemetry.Permille], error) {
	var unknown telemetry.Opt[telemetry.Permille]
	b, err := s.stat.Read()
	if err != nil {
		s.hasLast = false
		return unknown, fmt.Errorf("reading CPU times: %w", err)
	}
	now, err := parseTimes(b)
	if err != nil {
		s.hasLast = false
		return unknown, fmt.Errorf("%s: %w", s.stat.Path(), err)
	}
	had, last := s.hasLast, s.last
	s.last, s.hasLast = now, true
	if !had {
		return unknown, nil
	}
	if u, ok := utilization(last, now); ok {
		return telemetry.Known(u), nil
	}
	return unknown, nil
}
