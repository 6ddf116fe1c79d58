package catalog

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/exameter/exameter/telemetry"
)

// x86 is the identity of an x86 processor without flags and clocks.
func x86(vendor string, family, model int64, name string) telemetry.CPUInfo {
	return telemetry.CPUInfo{Vendor: vendor, Family: telemetry.Known(family), Model: telemetry.Known(model), Name: name}
}

// stepping adds a stepping.
func stepping(info telemetry.CPUInfo, s int64) telemetry.CPUInfo {
	info.Stepping = telemetry.Known(s)
	return info
}

// arm is the identity of an arm64 processor with its highest clock, 0 for none.
func arm(implementer, part string, maxMHz int64) telemetry.CPUInfo {
	info := telemetry.CPUInfo{Vendor: implementer, Part: part}
	if maxMHz > 0 {
		info.MaxClock = telemetry.Known(telemetry.Megahertz(maxMHz))
	}
	return info
}

// based adds a base clock.
func based(info telemetry.CPUInfo, mhz int64) telemetry.CPUInfo {
	info.BaseClock = telemetry.Known(telemetry.Megahertz(mhz))
	return info
}

// flagged adds flags.
func flagged(info telemetry.CPUInfo, flags string) telemetry.CPUInfo {
	info.Flags = flags
	return info
}

// Identities as /proc/cpuinfo and cpufreq print them, with the peaks of whole packages computed by hand: cores ×
// operations per cycle × GHz. Zero means unpriced.
func TestCPU(t *testing.T) {
	c := must(t)
	const intel, amd, hygon = "GenuineIntel", "AuthenticAMD", "HygonGenuine"
	perCore := make(map[string]Peaks) // hosts with one id have one peak
	for _, test := range []struct {
		id         string
		info       telemetry.CPUInfo
		cores      int64
		fp64, fp32 float64 // GFLOPS
	}{
		{"huawei-kunpeng-920-2600mhz", arm("0x48", "0xd01", 2600), 64, 665.6, 2662.4},
		{"phytium-ft-2000-plus-2300mhz", arm("0x70", "0x662", 2300), 64, 588.8, 1177.6},
		{"amd-epyc-9654", x86(amd, 25, 17, "AMD EPYC 9654 96-Core Processor"), 96, 3686.4, 7372.8},
		{"amd-epyc-7742", x86(amd, 23, 49, "AMD EPYC 7742 64-Core Processor"), 64, 2304, 4608},
		{"amd-epyc-7763", x86(amd, 25, 1, "AMD EPYC 7763 64-Core Processor"), 64, 2508.8, 5017.6},
		{"amd-epyc-9965", x86(amd, 26, 17, "AMD EPYC 9965 192-Core Processor"), 192, 13824, 27648},
		{"amd-epyc-7601", x86(amd, 23, 1, "AMD EPYC 7601 32-Core Processor"), 32, 563.2, 1126.4},
		{"intel-xeon-platinum-8480-plus", based(x86(intel, 6, 143, "Intel(R) Xeon(R) Platinum 8480+"), 2000), 56, 3584, 7168},
		{"intel-xeon-gold-6148", stepping(x86(intel, 6, 85, "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz"), 4), 20, 1536, 3072},
		{"intel-xeon-silver-4214", stepping(x86(intel, 6, 85, "Intel(R) Xeon(R) Silver 4214 CPU @ 2.20GHz"), 7), 12, 422.4, 844.8},
		{"intel-xeon-gold-5122", stepping(x86(intel, 6, 85, "Intel(R) Xeon(R) Gold 5122 CPU @ 3.60GHz"), 4), 4, 460.8, 921.6},
		{"intel-xeon-gold-5118", stepping(x86(intel, 6, 85, "Intel(R) Xeon(R) Gold 5118 CPU @ 2.30GHz"), 4), 12, 441.6, 883.2},
		{"intel-xeon-platinum-8280", stepping(x86(intel, 6, 85, "Intel(R) Xeon(R) Platinum 8280 CPU @ 2.70GHz"), 7), 28, 2419.2, 4838.4},
		{"intel-xeon-platinum-8380", x86(intel, 6, 106, "Intel(R) Xeon(R) Platinum 8380 CPU @ 2.30GHz"), 40, 2944, 5888},
		{"intel-xeon-e5-2680-v4", x86(intel, 6, 79, "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz"), 14, 537.6, 1075.2},
		{"intel-xeon-e5-2670-0", x86(intel, 6, 45, "Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz"), 8, 166.4, 332.8},
		{"intel-xeon-phi-7250", x86(intel, 6, 87, "Intel(R) Xeon Phi(TM) CPU 7250 @ 1.40GHz"), 68, 3046.4, 6092.8},
		{"intel-xeon-e-2388g", x86(intel, 6, 167, "Intel(R) Xeon(R) E-2388G CPU @ 3.20GHz"), 8, 409.6, 819.2},
		{"13th-gen-intel-core-i9-13900k-3000mhz", based(x86(intel, 6, 183, "13th Gen Intel(R) Core(TM) i9-13900K"), 3000), 24, 576, 1152}, // a floor
		{"hygon-c86-7285", x86(hygon, 24, 1, "Hygon C86 7285 32-core Processor"), 32, 512, 1024},
		{"hygon-c86-7390", x86(hygon, 24, 4, "Hygon C86 7390 32-core Processor"), 32, 691.2, 1382.4}, // a floor
		{"loongson-3c5000-2200mhz", telemetry.CPUInfo{Vendor: "Loongson", Name: "Loongson-3C5000", MaxClock: telemetry.Known[telemetry.Megahertz](2200)}, 16, 563.2, 1126.4},
		{"loongson-3c6000-s-2200mhz", telemetry.CPUInfo{Vendor: "Loongson", Name: "Loongson-3C6000/S", MaxClock: telemetry.Known[telemetry.Megahertz](2200)}, 16, 563.2, 1126.4}, // a floor
		{"amd-instinct-mi300a-accelerator", x86(amd, 25, 144, "AMD Instinct MI300A Accelerator"), 24, 691.2, 1382.4},
		{"amd-epyc-7a53", x86(amd, 25, 48, "AMD EPYC 7A53 64-Core Processor"), 64, 2048, 4096},
		{"intel-xeon-max-9480", x86(intel, 6, 143, "Intel(R) Xeon(R) CPU Max 9480"), 56, 3404.8, 6809.6},
		{"fujitsu-a64fx-2200mhz", arm("0x46", "0x001", 2200), 48, 3379.2, 6758.4},
		{"arm-neoverse-n1-3000mhz", based(arm("0x41", "0xd0c", 0), 3000), 80, 1920, 3840},

		// Hypervisors: family and model tell, the name does not.
		{"intel-skylake-sp-unnamed-2900mhz", stepping(x86(intel, 6, 85, "Intel(R) Xeon(R) Processor @ 2.90GHz"), 7), 1, 46.4, 92.8},
		{"intel-ice-lake-sp-2900mhz", x86(intel, 6, 106, "Intel(R) Xeon(R) Processor @ 2.90GHz"), 1, 92.8, 185.6},
		{"amd-epyc-9r14-2600mhz", based(x86(amd, 25, 17, "AMD EPYC 9R14"), 2600), 1, 41.6, 83.2},
		{"amd-zen4-2600mhz", based(x86(amd, 25, 17, "AMD EPYC"), 2600), 2, 83.2, 166.4},
		{"amd-zen3-2450mhz", based(x86(amd, 25, 1, "AMD EPYC-Milan Processor"), 2450), 1, 39.2, 78.4},
		{"intel-xeon-platinum-8480-plus-intel-avx2-only", flagged(x86(intel, 6, 143, "Intel(R) Xeon(R) Platinum 8480+"), "avx avx2 fma"), 1, 32, 64},

		// A report that differs from the model's own clock is believed, and named.
		{"amd-epyc-9654-2000mhz", based(x86(amd, 25, 17, "AMD EPYC 9654 96-Core Processor"), 2000), 1, 32, 64},
		{"amd-epyc-9654", based(x86(amd, 25, 17, "AMD EPYC 9654 96-Core Processor"), 2401), 1, 38.4, 76.8},
		{"amd-epyc-9654", based(x86(amd, 25, 17, "AMD EPYC 9654 96-Core Processor"), 0), 1, 38.4, 76.8},

		// Unpriced, each with an id of its own.
		{"amd-zen4", x86(amd, 25, 17, "AMD EPYC"), 1, 0, 0},
		{"amd-epyc-9r14", x86(amd, 25, 17, "AMD EPYC 9R14"), 1, 0, 0},
		{"cpu-authenticamd-26-80", x86(amd, 26, 80, ""), 1, 0, 0}, // a generation after Zen 5
		{"huawei-kunpeng-920", arm("0x48", "0xd01", 0), 1, 0, 0},
		{"huawei-kunpeng-920-v200-2900mhz", arm("0x48", "0xd02", 2900), 1, 0, 0},
		{"arm-neoverse-v1", arm("0x41", "0xd40", 2600), 1, 0, 0}, // a highest clock is no base clock
		{"zhaoxin-kaisheng-kh-40000-16", x86("  Shanghai  ", 7, 91, "ZHAOXIN KaiSheng KH-40000/16"), 1, 0, 0},
		{"cpu-genuineintel-6-6-qemu-virtual-version-2-5-plus", x86(intel, 6, 6, "QEMU Virtual CPU version 2.5+"), 1, 0, 0},
		{"cpu-0x48-0xd99", arm("0x48", "0xd99", 2000), 1, 0, 0},
		{"cpu-unknown", telemetry.CPUInfo{}, 1, 0, 0},
	} {
		m, priced := c.CPU(test.info)
		if m.ID != test.id {
			t.Errorf("%q %s: id %q, want %q", test.info.Name, test.info.Part, m.ID, test.id)
		}
		if before, seen := perCore[m.ID]; seen && before != m.PerCore {
			t.Errorf("%s has two peaks", m.ID)
		}
		perCore[m.ID] = m.PerCore
		fp64, ok := m.PerCore.Get(FP64)
		fp32, also := m.PerCore.Get(FP32)
		if got := float64(fp64*test.cores) / 1000; math.Abs(got-test.fp64) > 1e-6 || ok != (test.fp64 > 0) || ok != priced {
			t.Errorf("%s: fp64 %g GFLOPS, want %g; priced %t", m.ID, got, test.fp64, priced)
		}
		if got := float64(fp32*test.cores) / 1000; math.Abs(got-test.fp32) > 1e-6 || also != ok {
			t.Errorf("%s: fp32 %g GFLOPS, want %g", m.ID, got, test.fp32)
		}
		if !priced && !strings.HasPrefix(m.Notes, "Unpriced: ") {
			t.Errorf("%s: notes %q do not say why it is unpriced", m.ID, m.Notes)
		}
		if priced && (m.ClockSource == "" || !m.ClockMHz.OK || m.Vendor == "" || m.Source == "") {
			t.Errorf("%s lacks its evidence: %+v", m.ID, m)
		}
	}
}

// Matrix units and half precision: per core and cycle, at 1 GHz.
func TestCPULowPrecision(t *testing.T) {
	c := must(t)
	for _, test := range []struct {
		name             string
		info             telemetry.CPUInfo
		fp16, bf16, int8 int64
	}{
		{"Sapphire Rapids", x86("GenuineIntel", 6, 143, ""), 128, 1024, 2048},
		{"Granite Rapids", x86("GenuineIntel", 6, 173, ""), 1024, 1024, 2048},
		{"Zen 4", x86("AuthenticAMD", 25, 17, ""), 0, 64, 0},
		{"Kunpeng 920", arm("0x48", "0xd01", 0), 32, 0, 0},
		{"Ice Lake-SP", x86("GenuineIntel", 6, 106, ""), 0, 0, 0},
	} {
		m, _ := c.CPU(based(test.info, 1000))
		for p, want := range map[Precision]int64{FP16: test.fp16, BF16: test.bf16, INT8: test.int8} {
			if got, ok := m.PerCore.Get(p); got != want*1000 || ok != (want > 0) {
				t.Errorf("%s: %s %d, want %d", test.name, p, got, want*1000)
			}
		}
	}
}

// The published peaks of machines whose processors, core counts and Rpeak are beyond doubt, and of vendors' own
// systems. Cores and Rpeak are those of the Top500 list.
func TestPublishedMachines(t *testing.T) {
	c := must(t)
	cpu := func(info telemetry.CPUInfo, cores int64) float64 {
		m, _ := c.CPU(info)
		v, _ := m.PerCore.Get(FP64)
		return float64(v) * float64(cores) / 1e6
	}
	card := func(id string, n int64, get func(*Model) int64) float64 {
		m, ok := c.Model(id)
		if !ok {
			t.Fatalf("%s is gone", id)
		}
		return float64(get(m)) * float64(n) / 1e6
	}
	at := func(p Precision) func(*Model) int64 {
		return func(m *Model) int64 { v, _ := m.Peaks.Get(p); return v }
	}
	vector := func(m *Model) int64 { return m.FP64Vector.Value }
	for _, test := range []struct {
		name      string
		got, want float64 // TFLOPS
		within    float64
	}{
		{"Fugaku, A64FX at 2.2 GHz", cpu(arm("0x46", "0x001", 2200), 7_630_848), 537_212, 0.001},
		{"Hawk, EPYC 7742", cpu(x86("AuthenticAMD", 23, 49, "AMD EPYC 7742 64-Core Processor"), 698_880), 25_159.7, 0.001},
		{"ARCHER2, EPYC 7742", cpu(x86("AuthenticAMD", 23, 49, "AMD EPYC 7742 64-Core Processor"), 716_800), 25_804.8, 0.001},
		{"Mahti, EPYC 7H12", cpu(x86("AuthenticAMD", 23, 49, "AMD EPYC 7H12 64-Core Processor"), 179_200), 7_454.7, 0.001},
		{"Frontera, Platinum 8280", cpu(stepping(x86("GenuineIntel", 6, 85, "Intel(R) Xeon(R) Platinum 8280 CPU @ 2.70GHz"), 7), 448_448), 38_745.9, 0.001},
		{"Cori, Xeon Phi 7250", cpu(x86("GenuineIntel", 6, 87, "Intel(R) Xeon Phi(TM) CPU 7250 @ 1.40GHz"), 622_336), 27_880.7, 0.001},
		{"El Capitan, 43,808 MI300A with their own cores", card("amd-mi300a", 43_808, vector), 2_746_380, 0.05},
		{"Summit in FP16, 27,648 V100", card("nvidia-v100-sxm2", 27_648, at(FP16)), 3_300_000, 0.05},
		{"DGX A100 in FP64, 8 A100", card("nvidia-a100-sxm4-40gb", 8, at(FP64)), 156, 0.001},
		{"CloudMatrix 384 in BF16, 768 dies", card("huawei-ascend-910c", 768, at(BF16)), 300_000, 0.05},
		{"MI300X platform in FP16, 8 cards", card("amd-mi300x", 8, at(FP16)), 10_460, 0.001},
	} {
		if math.Abs(test.got/test.want-1) > test.within {
			t.Errorf("%s: %.1f TFLOPS, published %.1f", test.name, test.got, test.want)
		}
	}
}

func TestMicroarchitectures(t *testing.T) {
	c := must(t)
	ids := make(map[string]bool)
	for _, u := range c.CPUs() {
		if ids[u.ID] {
			t.Errorf("%s stands twice", u.ID)
		}
		ids[u.ID] = true
		if u.Source == "" {
			t.Errorf("%s has no source", u.ID)
		}
		fp64, ok := u.PerCycle.Get(FP64)
		fp32, also := u.PerCycle.Get(FP32)
		// Single precision is twice double precision, but for the cores that are known to be lopsided.
		if ok != also || fp32 != 2*fp64 && u.ID != "huawei-kunpeng-920" {
			t.Errorf("%s: fp64 %d and fp32 %d a cycle", u.ID, fp64, fp32)
		}
		if !slices.Contains([]int64{0, 4, 8, 16, 32}, fp64) {
			t.Errorf("%s: fp64 %d a cycle", u.ID, fp64)
		}
	}
	// An entry of the clock table that another one hides would never be seen.
	for i, k := range c.clocks {
		for _, p := range k.names {
			name := strings.TrimSuffix(p, "*")
			for _, earlier := range c.clocks[:i] {
				if slices.ContainsFunc(earlier.names, func(q string) bool { return globMatch(q, name) }) {
					t.Errorf("%s is hidden by %s", k.id, earlier.id)
				}
			}
		}
	}
}

func TestGlobMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, s string
		want       bool
	}{
		{"abc", "abc", true},
		{"abc", "abcd", false},
		{"abc*", "abcd", true},
		{"*c", "abc", true},
		{"*b*", "abc", true},
		{"a*c", "ac", true},
		{"ab*bc", "abc", false}, // the two ends may not overlap
		{"a*b*c", "aXbYc", true},
		{"a*b*c", "acb", false},
		{"*", "", true},
		{"", "", true},
		{"", "a", false},
	} {
		if got := globMatch(test.pattern, test.s); got != test.want {
			t.Errorf("globMatch(%q, %q) = %t", test.pattern, test.s, got)
		}
	}
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{
		"Intel Xeon Platinum 8480+": "intel-xeon-platinum-8480-plus",
		"phytium FT-2000+/64":       "phytium-ft-2000-plus-64",
		"  AMD   EPYC 9654 ":        "amd-epyc-9654",
		"海光 C86":                    "c86",
		"昇腾":                        "",
		strings.Repeat("ab-", 40):   strings.Repeat("ab-", 21)[:62],
	} {
		if got := Slug(name); got != want {
			t.Errorf("Slug(%q) = %q, want %q", name, got, want)
		}
	}
}

func FuzzCPU(f *testing.F) {
	f.Add("GenuineIntel", "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", "", "avx2 avx512f", int64(6), int64(85), int64(4), int64(0))
	f.Add("0x48", "", "0xd01", "asimd", int64(-1), int64(-1), int64(-1), int64(2600))
	f.Add("AuthenticAMD", "AMD EPYC 9654 96-Core Processor @ 9999.999GHz", "", "", int64(25), int64(17), int64(1), int64(1<<62))
	f.Fuzz(func(t *testing.T, vendor, name, part, flags string, family, model, step, mhz int64) {
		info := stepping(x86(vendor, family, model, name), step)
		info.Part, info.Flags = part, flags
		info = based(info, mhz)
		info.MaxClock = info.BaseClock
		m, priced := Default().CPU(info)
		if err := telemetry.ValidID(m.ID); err != nil {
			t.Fatal(err)
		}
		if priced == m.PerCore.Empty() || priced && !m.ClockMHz.OK {
			t.Fatalf("priced %t: %+v", priced, m)
		}
		for _, p := range Precisions() {
			if v, ok := m.PerCore.Get(p); ok && (v <= 0 || v > 1<<16*maxClockMHz) {
				t.Fatalf("%s is %d", p, v)
			}
		}
	})
}

func BenchmarkCPU(b *testing.B) {
	info := stepping(x86("GenuineIntel", 6, 85, "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz"), 4)
	b.ReportAllocs()
	for b.Loop() {
		Default().CPU(info)
	}
}
