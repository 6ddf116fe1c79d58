package cpu

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/exameter/exameter/agent/kernelfile"
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

// core is where a hardware thread runs. Core ids are unique within a die, or within a package where the kernel knows of
// no dies; SMT siblings share one.
type core struct {
	pkg, die, id uint64
}

// topology counts the packages and physical cores of the CPUs given from sysfs, and tells whether it could: a machine
// whose firmware does not say has no topology files, or -1 in them. A CPU that is offline does not count.
func (s *Source) topology(ctx context.Context, cpus []int) (topology, bool) {
	packages, cores := map[uint64]bool{}, map[core]bool{}
	for _, n := range cpus {
		if ctx.Err() != nil {
			return topology{}, false
		}
		dir := filepath.Join(s.cpu(n), "topology")
		id, err := kernelfile.ReadUint(filepath.Join(dir, "core_id"))
		if err != nil {
			return topology{}, false
		}
		pkg, err := kernelfile.ReadUint(filepath.Join(dir, "physical_package_id"))
		if err != nil {
			return topology{}, false
		}
		// Kernels before 5.1 have no die_id, and machines without dies say -1: then all cores are of die 0.
		die, err := kernelfile.ReadUint(filepath.Join(dir, "die_id"))
		if err != nil {
			die = 0
		}
		packages[pkg] = true
		cores[core{pkg, die, id}] = true
	}
	return topology{sockets: len(packages), cores: len(cores), threads: len(cpus)}, len(cpus) > 0
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

// parseList parses a list of CPUs as the kernel prints it, such as "0-3,8", in rising order.
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
