package cpu

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/telemetry"
)

// Bounds of /proc/cpuinfo: 8192 threads of 3 KB each, and a line of flags.
const (
	cpuinfoLimit = 32 << 20
	lineLimit    = 16 << 10
	maxThreads   = telemetry.MaxCores
)

// peakFlags are the features that decide how much arithmetic a core does in a cycle, as Linux spells them on x86, arm64
// and LoongArch.
var peakFlags = []string{
	"avx", "avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "avx512_vnni", "avx_vnni",
	"amx_tile", "amx_bf16", "amx_fp16", "amx_int8",
	"asimd", "asimdhp", "fphp", "sve", "sve2", "bf16", "i8mm",
	"lsx", "lasx",
}

// cpuinfo is what /proc/cpuinfo says. The identity is that of the first processor in it.
type cpuinfo struct {
	info       telemetry.CPUInfo
	hypervisor telemetry.Opt[bool] // x86 only: elsewhere the kernel has no such flag
	threads    int
	packages   map[string]bool
	cores      map[[2]string]bool // by package and core
	whole      bool               // every thread named its package and its core
}

// parseCPUInfo reads /proc/cpuinfo of any architecture: procfs chooses among its parsers when the agent is built, knows
// no LoongArch machine that begins with a processor, and stops after the first megabyte, some 400 threads. What is missing or makes no sense is left unknown; an error
// means that nothing in it identifies a processor, or that it could not be read to its end.
func parseCPUInfo(r io.Reader) (cpuinfo, error) {
	p := cpuinfoParser{cpuinfo: cpuinfo{packages: map[string]bool{}, cores: map[[2]string]bool{}, whole: true}}
	lines := bufio.NewReaderSize(io.LimitReader(r, cpuinfoLimit), lineLimit)
	tooLong := false
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return p.cpuinfo, err
		}
		// A line that is cut short, by the buffer or by the end of what was read, may have lost part of its value.
		if err == nil && !tooLong {
			p.line(line)
		}
		tooLong = errors.Is(err, bufio.ErrBufferFull)
		if errors.Is(err, io.EOF) {
			break
		}
	}
	p.endOfThread()
	if i := p.info; i.Vendor == "" && i.Name == "" && i.Part == "" {
		return p.cpuinfo, errors.New("no processor is identified in it")
	}
	return p.cpuinfo, nil
}

// loongson is the vendor of LoongArch processors, which do not name one.
const loongson = "Loongson"

type cpuinfoParser struct {
	cpuinfo
	begun     bool // the lines of a thread have begun
	pkg, core string
}

func (p *cpuinfoParser) line(line []byte) {
	k, v, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return
	}
	key := string(bytes.ToLower(bytes.TrimSpace(k)))
	v = bytes.TrimSpace(v)
	switch key {
	case "processor":
		if _, err := strconv.ParseUint(string(v), 10, 32); err == nil {
			p.endOfThread()
			p.begun = true
		}
	case "physical id", "package":
		p.pkg = string(v)
	case "core id", "core":
		p.core = string(v)
	default:
		if p.threads == 0 {
			p.identity(key, string(v))
		}
	}
}

func (p *cpuinfoParser) endOfThread() {
	if !p.begun || p.threads >= maxThreads {
		return
	}
	p.threads++
	p.whole = p.whole && p.pkg != "" && p.core != ""
	p.packages[p.pkg] = true
	p.cores[[2]string{p.pkg, p.core}] = true
	p.pkg, p.core = "", ""
}

// identity takes a line of the first thread, or of the machine before it.
func (p *cpuinfoParser) identity(key, value string) {
	i := &p.info
	switch key {
	case "vendor_id", "cpu implementer":
		setText(&i.Vendor, value)
	case "cpu family":
		setNumber(&i.Family, value)
		// LoongArch names no vendor; its family is a word such as Loongson-64bit.
		if family, _, _ := strings.Cut(value, "-"); family == loongson {
			setText(&i.Vendor, family)
		}
	case "model":
		setNumber(&i.Model, value)
	case "model name", "cpu model": // the latter on MIPS
		setText(&i.Name, value)
	case "stepping":
		setNumber(&i.Stepping, value)
	case "cpu part":
		setText(&i.Part, value)
	case "cpu mhz":
		// On LoongArch it is the constant clock that the firmware states, and there alone: x86 prints what a core
		// runs at this moment. See arch/loongarch/kernel/proc.c.
		if i.Vendor == loongson {
			setClock(&i.BaseClock, value)
		}
	case "flags", "features":
		p.flags(key, strings.Fields(value))
	}
}

func (p *cpuinfoParser) flags(key string, all []string) {
	if key == "flags" {
		p.hypervisor = telemetry.Known(slices.Contains(all, "hypervisor"))
	}
	var have []string
	for _, f := range peakFlags {
		if slices.Contains(all, f) {
			have = append(have, f)
		}
	}
	slices.Sort(have)
	p.info.Flags = strings.Join(have, " ")
}

// setText sets a text that is not set yet. Hypervisors print "unknown" where they hide a name.
func setText(to *string, value string) {
	if value = kernelfile.Clean(value); *to == "" && value != "unknown" {
		*to = value
	}
}

func setNumber(to *telemetry.Opt[int64], value string) {
	if v, err := strconv.ParseUint(value, 10, 31); err == nil && !to.OK {
		*to = telemetry.Known(int64(v))
	}
}

// setClock sets a clock in MHz, such as 2200.00, that is not set yet.
func setClock(to *telemetry.Opt[telemetry.Megahertz], value string) {
	if v, err := strconv.ParseFloat(value, 64); err == nil && v >= 1 && v <= maxMHz && !to.OK {
		*to = telemetry.Known(telemetry.Megahertz(v + 0.5))
	}
}
