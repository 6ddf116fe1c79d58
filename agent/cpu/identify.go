package cpu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/telemetry"
)

// firstThread is more than one thread takes in /proc/cpuinfo. The kernel prints the file as it is read, so that reading
// its beginning costs as much on 256 threads as on two.
const firstThread = 16 << 10

// identify reads everything about the processors that does not change while the same CPUs are online.
func (s *Source) identify(ctx context.Context) (telemetry.CPUInfo, error) {
	cpus, err := parseList(s.seen)
	if err != nil {
		return telemetry.CPUInfo{}, fmt.Errorf("%s: %w", s.online.Path(), err)
	}
	sys, inSysfs := s.topology(ctx, cpus)
	if err := ctx.Err(); err != nil {
		return telemetry.CPUInfo{}, fmt.Errorf("reading the topology of %d CPUs: %w", len(cpus), err)
	}
	var info telemetry.CPUInfo
	if inSysfs {
		info, err = identity(s.procRoot)
	}
	if !inSysfs || err != nil {
		// The own parser tells more, and says what is wrong with a file that neither can read.
		var p cpuinfo
		p, err = s.cpuinfo(inSysfs)
		info = p.info
		if !inSysfs {
			sys = p.topology(len(cpus))
		}
	}
	info = sys.apply(info)
	base, highest := s.clocks(cpus)
	if info.MaxClock = highest; base.OK {
		info.BaseClock = base
	}
	info.VectorBytes = s.vectorBytes(info.Flags)
	return info, err
}

// cpuinfo reads /proc/cpuinfo with the own parser: the first thread, where sysfs tells of all, or else the whole.
func (s *Source) cpuinfo(inSysfs bool) (cpuinfo, error) {
	limit := int64(cpuinfoLimit)
	if inSysfs {
		limit = firstThread
	}
	path := filepath.Join(s.procRoot, "cpuinfo")
	f, err := os.Open(path)
	if err != nil {
		return cpuinfo{}, fmt.Errorf("identifying processors: %w", err)
	}
	p, err := parseCPUInfo(io.LimitReader(f, limit))
	if err = errors.Join(err, f.Close()); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return p, err
}

// vectorBytes returns the SVE vector length that programs get, which the kernel states for new processes alone. It is a
// multiple of 16 bytes up to 256: see Documentation/arch/arm64/sve.rst.
func (s *Source) vectorBytes(flags string) telemetry.Opt[int64] {
	if !strings.Contains(" "+flags+" ", " sve ") {
		return telemetry.Opt[int64]{}
	}
	v, err := kernelfile.ReadUint(filepath.Join(s.procRoot, "sys/abi/sve_default_vector_length"))
	if err != nil || v == 0 || v%16 != 0 || v > 256 {
		return telemetry.Opt[int64]{}
	}
	return telemetry.Known(int64(v))
}

// Hypervisor tells whether the processor says that it is a hypervisor's. It is known on x86 alone.
func Hypervisor(procRoot string) telemetry.Opt[bool] {
	b, err := kernelfile.Head(filepath.Join(procRoot, "cpuinfo"), firstThread)
	if err != nil {
		return telemetry.Opt[bool]{}
	}
	p, err := parseCPUInfo(bytes.NewReader(b))
	if err != nil {
		return telemetry.Opt[bool]{}
	}
	return p.hypervisor
}
