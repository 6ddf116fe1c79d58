package cpu

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/prometheus/procfs/sysfs"

	"github.com/exameter/exameter/telemetry"
)

// cpuDir holds a folder for every CPU, below /sys.
const cpuDir = "devices/system/cpu"

// topology counts what stands in a host's sockets. Zero means unknown.
type topology struct {
	sockets, cores, threads int
}

func (t topology) apply(info telemetry.CPUInfo) telemetry.CPUInfo {
	for _, f := range []struct {
		to *telemetry.Opt[int64]
		n  int
	}{{&info.Sockets, t.sockets}, {&info.Cores, t.cores}, {&info.Threads, t.threads}} {
		if f.n > 0 {
			*f.to = telemetry.Known(int64(f.n))
		}
	}
	return info
}

// counted is how far the CPUs that are online have been counted.
type counted struct {
	cpus            int
	packages, cores map[string]bool
}

// topology counts the packages and physical cores of the CPUs given from sysfs, and tells whether it could: a machine
// whose firmware does not say has no topology files, or -1 in them. A CPU that is offline does not count. A count that ctx cuts short is gone on
// with the next time: a thousand CPUs are more than an agent may look at in a second of its share of one.
//
// A core is known by the list of its SMT siblings. Its own number is unique within a die alone, which procfs does not
// read, so that a package of two dies would seem to have half its cores.
func (s *Source) topology(ctx context.Context, cpus []int) (topology, bool) {
	c := &s.counted
	if c.cpus == 0 {
		c.packages, c.cores = map[string]bool{}, map[string]bool{}
	}
	for ; c.cpus < len(cpus); c.cpus++ {
		if ctx.Err() != nil {
			return topology{}, false
		}
		t, err := sysfs.CPU(s.cpu(cpus[c.cpus])).Topology()
		if err != nil || !isNumber(t.PhysicalPackageID) || !isNumber(t.CoreID) || t.ThreadSiblingsList == "" {
			return topology{}, false
		}
		c.packages[t.PhysicalPackageID] = true
		c.cores[t.ThreadSiblingsList] = true
	}
	return topology{sockets: len(c.packages), cores: len(c.cores), threads: len(cpus)}, len(cpus) > 0
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}

// topology counts what /proc/cpuinfo tells, for machines whose sysfs has no topology. Online is the number of CPUs that
// sysfs lists, zero if it lists none.
func (p *cpuinfo) topology(online int) topology {
	t := topology{threads: p.threads}
	if online > 0 {
		t.threads = online
	}
	switch {
	case t.threads == 1:
		t.sockets, t.cores = 1, 1
	case p.whole && p.threads > 0 && p.threads == t.threads:
		t.sockets, t.cores = len(p.packages), len(p.cores)
	}
	return t
}

func (s *Source) cpu(n int) string {
	return filepath.Join(s.sysRoot, cpuDir, "cpu"+strconv.Itoa(n))
}

// parseList parses a list of CPUs as the kernel prints it, such as "0-3,8", in rising order. Procfs
// keeps its own parser of such lists to itself, and asks every CPU in a file of its own whether it is online.
func parseList(b []byte) ([]int, error) {
	b = bytes.TrimSpace(b)
	var cpus []int
	for len(b) > 0 {
		item, rest, _ := bytes.Cut(b, []byte(","))
		b = rest
		lo, hi, isRange := bytes.Cut(item, []byte("-"))
		if !isRange {
			hi = lo
		}
		first, err := strconv.ParseUint(string(lo), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("list of CPUs: %w", err)
		}
		last, err := strconv.ParseUint(string(hi), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("list of CPUs: %w", err)
		}
		if last < first || last >= maxThreads || len(cpus) > 0 && int(first) <= cpus[len(cpus)-1] {
			return nil, fmt.Errorf("list of CPUs: %.64q is out of range or order", item)
		}
		for n := first; n <= last; n++ {
			cpus = append(cpus, int(n))
		}
	}
	return cpus, nil
}
