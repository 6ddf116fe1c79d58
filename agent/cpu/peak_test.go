package cpu

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exameter/exameter/agent/kernelfile/kernelfiletest"
	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/telemetry"
)

// host is a server as its kernel describes it: the lines of one thread in /proc/cpuinfo, how many there are, and what
// sysfs says of its clock.
type host struct {
	thread         string
	sockets, cores int // cores of one socket
	smt            int // threads of a core
	clock          map[string]string
}

// Where kernels state a clock.
const (
	baseKHz    = "cpufreq/base_frequency"   // intel_pstate
	nominalMHz = "acpi_cppc/nominal_freq"   // ACPI CPPC
	highestKHz = "cpufreq/cpuinfo_max_freq" // any driver
)

// lay writes the host. SMT siblings are numbered as Linux does: the second threads of all cores follow the first.
func (h host) lay(t *testing.T) *Source {
	t.Helper()
	root := t.TempDir()
	cores := h.sockets * h.cores
	var cpuinfo strings.Builder
	for n := range cores * h.smt {
		core := n % cores
		fmt.Fprintf(&cpuinfo, "processor\t: %d\n", n)
		if strings.Contains(h.thread, "vendor_id") {
			fmt.Fprintf(&cpuinfo, "physical id\t: %d\ncore id\t\t: %d\n", core/h.cores, core%h.cores)
		}
		cpuinfo.WriteString(h.thread + "\n")
		dir := fmt.Sprintf("sys/devices/system/cpu/cpu%d/", n)
		var siblings []string
		for s := range h.smt {
			siblings = append(siblings, fmt.Sprint(core+s*cores))
		}
		for name, text := range map[string]string{
			"topology/physical_package_id": fmt.Sprint(core / h.cores), "topology/core_id": fmt.Sprint(core % h.cores),
			"topology/thread_siblings_list": strings.Join(siblings, ","), "topology/core_siblings_list": fmt.Sprint(core),
		} {
			kernelfiletest.Write(t, root, dir+name, text+"\n")
		}
	}
	for name, text := range h.clock {
		kernelfiletest.Write(t, root, "sys/devices/system/cpu/cpu0/"+name, text+"\n")
	}
	kernelfiletest.Write(t, root, "proc/cpuinfo", cpuinfo.String())
	kernelfiletest.Write(t, root, "proc/stat", "cpu  1 0 1 100 0 0 0 0 0 0\n")
	kernelfiletest.Write(t, root, "sys/devices/system/cpu/online", fmt.Sprintf("0-%d\n", cores*h.smt-1))
	s := New(filepath.Join(root, "proc"), filepath.Join(root, "sys"))
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func x86(vendor string, family, model, stepping int, name, flags string) string {
	return fmt.Sprintf("vendor_id\t: %s\ncpu family\t: %d\nmodel\t\t: %d\nmodel name\t: %s\nstepping\t: %d\ncpu MHz\t\t: 3799.870\nflags\t\t: %s\n",
		vendor, family, model, name, stepping, flags)
}

func arm(implementer, part, features string) string {
	return fmt.Sprintf("BogoMIPS\t: 200.00\nFeatures\t: %s\nCPU implementer\t: %s\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: %s\nCPU revision\t: 1\n",
		features, implementer, part)
}

func loong(name string) string {
	return "package\t\t\t: 0\ncore\t\t\t: 0\nCPU Family\t\t: Loongson-64bit\nModel Name\t\t: " + name +
		"\nCPU Revision\t\t: 0x11\nCPU MHz\t\t\t: 2200.00\nBogoMIPS\t\t: 4400.00\nFeatures\t\t: cpucfg lam ual fpu lsx lasx\n"
}

// TestServersAndTheirPeaks follows each kind of processor from what its kernel prints to what the whole host is worth:
// sockets × physical cores × clock × operations a cycle, SMT not counted. The peaks are computed by hand, in Gflop/s; where
// one is unpriced, the reason is the catalogue's.
func TestServersAndTheirPeaks(t *testing.T) {
	const (
		unpublished = "no floating-point width is published"
		noClock     = "the base clock is not known"
		unknownArch = "the catalogue does not know this microarchitecture"
		avx512      = "fpu avx avx2 fma avx512f avx512_vnni"
		sve         = "fp asimd asimdhp sve bf16 i8mm"
	)
	for name, c := range map[string]struct {
		host
		fp64, fp32 float64
		reason     string
	}{
		"Xeon 8480+":              {host{x86("GenuineIntel", 6, 143, 8, "Intel(R) Xeon(R) Platinum 8480+", avx512), 2, 56, 2, map[string]string{baseKHz: "2000000", highestKHz: "3800000"}}, 112 * 2.0 * 32, 112 * 2.0 * 64, ""},
		"Xeon 6148":               {host{x86("GenuineIntel", 6, 85, 4, "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", avx512), 2, 20, 2, nil}, 40 * 2.4 * 32, 40 * 2.4 * 64, ""},
		"Xeon 4210":               {host{x86("GenuineIntel", 6, 85, 7, "Intel(R) Xeon(R) Silver 4210 CPU @ 2.20GHz", avx512), 2, 10, 2, nil}, 20 * 2.2 * 16, 20 * 2.2 * 32, ""},
		"EPYC 9654":               {host{x86("AuthenticAMD", 25, 17, 1, "AMD EPYC 9654 96-Core Processor", avx512), 2, 96, 2, map[string]string{nominalMHz: "2400", highestKHz: "3707812"}}, 192 * 2.4 * 16, 192 * 2.4 * 32, ""},
		"EPYC 7742":               {host{x86("AuthenticAMD", 23, 49, 0, "AMD EPYC 7742 64-Core Processor", "avx avx2 fma"), 2, 64, 1, map[string]string{highestKHz: "2250000"}}, 128 * 2.25 * 16, 128 * 2.25 * 32, ""},
		"Hygon 7285":              {host{x86("HygonGenuine", 24, 1, 1, "Hygon C86 7285 32-core Processor", "avx avx2 fma"), 2, 32, 2, nil}, 64 * 2.0 * 8, 64 * 2.0 * 16, ""},
		"Hygon 7390":              {host{x86("HygonGenuine", 24, 4, 1, "Hygon C86 7390 32-core Processor", "avx avx2 fma"), 2, 32, 2, nil}, 64 * 2.7 * 8, 64 * 2.7 * 16, ""},
		"Hygon 7490":              {host{x86("HygonGenuine", 24, 6, 0, "Hygon C86-4G (OPN:7490)", "avx avx2 fma"), 2, 64, 2, nil}, 0, 0, noClock},
		"KH-40000":                {host{x86("  Shanghai  ", 7, 91, 2, "ZHAOXIN KaiSheng KH-40000/16@2.2GHz", "avx avx2 fma"), 2, 16, 1, nil}, 0, 0, unpublished},
		"KX-7000":                 {host{x86("CentaurHauls", 7, 107, 1, "ZHAOXIN KaiXian KX-7000/8@3.2GHz", "avx avx2 fma"), 1, 8, 1, nil}, 0, 0, unpublished},
		"Kunpeng 920":             {host{arm("0x48", "0xd01", "fp asimd asimdhp"), 2, 64, 1, map[string]string{nominalMHz: "2600", highestKHz: "2600000"}}, 128 * 2.6 * 4, 128 * 2.6 * 16, ""},
		"Kunpeng 920 ×4, no CPPC": {host{arm("0x48", "0xd01", "fp asimd asimdhp"), 4, 48, 1, map[string]string{nominalMHz: "0", highestKHz: "2600000"}}, 192 * 2.6 * 4, 192 * 2.6 * 16, ""},
		"Kunpeng 920B":            {host{arm("0x48", "0xd02", sve), 2, 80, 2, map[string]string{highestKHz: "2900000"}}, 0, 0, unpublished},
		"S2500":                   {host{arm("0x70", "0x663", "fp asimd"), 2, 64, 1, map[string]string{highestKHz: "2100000"}}, 128 * 2.1 * 4, 128 * 2.1 * 8, ""},
		"FT-2000+":                {host{arm("0x70", "0x662", "fp asimd"), 1, 64, 1, map[string]string{highestKHz: "2300000"}}, 588.8, 2 * 588.8, ""},
		"S5000C":                  {host{arm("0x70", "0x862", "fp asimd"), 2, 64, 1, map[string]string{highestKHz: "2300000"}}, 0, 0, unpublished},
		"3C5000":                  {host{loong("Loongson-3C5000"), 2, 16, 1, nil}, 32 * 2.2 * 16, 32 * 2.2 * 32, ""},
		"3C6000":                  {host{loong("Loongson-3C6000/S"), 2, 16, 2, nil}, 32 * 2.2 * 16, 32 * 2.2 * 32, ""}, // a floor
		"Altra":                   {host{arm("0x41", "0xd0c", "fp asimd asimdhp"), 2, 80, 1, map[string]string{nominalMHz: "3000", highestKHz: "3000000"}}, 160 * 3.0 * 8, 160 * 3.0 * 16, ""},
		"AmpereOne":               {host{arm("0xc0", "0xac3", "fp asimd asimdhp bf16"), 1, 192, 1, map[string]string{nominalMHz: "3200"}}, 192 * 3.2 * 8, 192 * 3.2 * 16, ""},
		"Grace":                   {host{arm("0x41", "0xd4f", sve), 2, 72, 1, map[string]string{nominalMHz: "3200", highestKHz: "3402000"}}, 144 * 3.2 * 16, 144 * 3.2 * 32, ""},
		"Graviton3":               {host{arm("0x41", "0xd40", sve), 1, 64, 1, nil}, 0, 0, noClock}, // a cloud tells no clock
		"Yitian 710":              {host{arm("0x41", "0xd49", sve), 1, 128, 1, map[string]string{nominalMHz: "2750"}}, 128 * 2.75 * 8, 128 * 2.75 * 16, ""},
		"virtual Xeon":            {host{x86("GenuineIntel", 6, 143, 8, "Intel Xeon Processor (SapphireRapids)", avx512+" hypervisor"), 4, 1, 1, nil}, 0, 0, noClock},
		"virtual QEMU":            {host{x86("GenuineIntel", 15, 107, 1, "QEMU Virtual CPU version 2.5+", "fpu hypervisor"), 1, 4, 1, nil}, 0, 0, unknownArch},
		"unknown arm64":           {host{arm("0x48", "0xeee", "fp asimd"), 1, 32, 1, map[string]string{highestKHz: "3000000"}}, 0, 0, unknownArch},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := c.lay(t).Read(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			info := r.CPU.Info
			cores := int64(c.sockets * c.cores)
			if info.Sockets != num(int64(c.sockets)) || info.Cores != num(cores) || info.Threads != num(cores*int64(c.smt)) {
				t.Errorf("%v sockets, %v cores, %v threads, want %d, %d, %d", info.Sockets, info.Cores, info.Threads, c.sockets, cores, cores*int64(c.smt))
			}
			m, priced := catalog.Default().CPU(info)
			if priced != (c.reason == "") || !strings.Contains(m.Notes, c.reason) {
				t.Fatalf("priced %v, notes %q, want %q", priced, m.Notes, c.reason)
			}
			for p, want := range map[catalog.Precision]float64{catalog.FP64: c.fp64, catalog.FP32: c.fp32} {
				have, ok := m.PerCore.Get(p)
				if got := float64(have*cores) / 1000; ok != (want > 0) || math.Abs(got-want) > want/1e9 {
					t.Errorf("%s: %.4f Gflop/s, want %.4f", p, got, want)
				}
			}
		})
	}
}

// A host counts the cores that are online: what is switched off computes nothing.
func TestOfflineCoresDoNotCount(t *testing.T) {
	s := host{arm("0x48", "0xd01", "fp asimd"), 2, 4, 1, nil}.lay(t)
	kernelfiletest.Write(t, filepath.Dir(s.sysRoot), "sys/devices/system/cpu/online", "0-2,4-6\n")
	if info, _ := read(t, s); info.Cores != num(6) || info.Sockets != num(2) {
		t.Errorf("%v cores in %v sockets, want 6 in 2", info.Cores, info.Sockets)
	}
	var none telemetry.Opt[int64]
	kernelfiletest.Write(t, filepath.Dir(s.sysRoot), "sys/devices/system/cpu/online", "0\n")
	if info, _ := read(t, s); info.Cores == none || info.Cores.Value != 1 {
		t.Errorf("%v cores, want 1", info.Cores)
	}
}
