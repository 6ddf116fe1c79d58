package cpu

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/exameter/exameter/agent/kernelfile/kernelfiletest"
	"github.com/exameter/exameter/telemetry"
)

func num(v int64) telemetry.Opt[int64] { return telemetry.Known(v) }

func mhz(v telemetry.Megahertz) telemetry.Opt[telemetry.Megahertz] { return telemetry.Known(v) }

// infos are the machines as they must be identified.
var infos = map[string]telemetry.CPUInfo{
	"xeon": {
		Vendor: "GenuineIntel", Name: "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", Family: num(6), Model: num(106), Stepping: num(6),
		Sockets: num(2), Cores: num(4), Threads: num(8), Flags: "avx avx2 avx512_vnni avx512f fma", BaseClock: mhz(2000), MaxClock: mhz(3300),
	},
	"epyc": {
		Vendor: "AuthenticAMD", Name: "AMD EPYC 9654 96-Core Processor", Family: num(25), Model: num(17), Stepping: num(1),
		Sockets: num(1), Cores: num(4), Threads: num(8), Flags: "avx avx2 avx512_bf16 avx512_vnni avx512f fma", BaseClock: mhz(2400), MaxClock: mhz(3708),
	},
	"hygon": {
		Vendor: "HygonGenuine", Name: "Hygon C86 7285 32-core Processor", Family: num(24), Model: num(1), Stepping: num(1),
		Sockets: num(2), Cores: num(4), Threads: num(4), Flags: "avx avx2 fma",
	},
	"kunpeng": {
		Vendor: "0x48", Part: "0xd01",
		Sockets: num(2), Cores: num(4), Threads: num(4), Flags: "asimd asimdhp fphp", BaseClock: mhz(2600), MaxClock: mhz(2600),
	},
	"phytium": {
		Vendor: "0x70", Part: "0x663", Name: "Phytium,S2500/64 C00",
		Sockets: num(1), Cores: num(4), Threads: num(4), Flags: "asimd", MaxClock: mhz(2100),
	},
	"loongson": {
		Vendor: "Loongson", Name: "Loongson-3C5000", Sockets: num(2), Cores: num(4), Threads: num(4), Flags: "lasx lsx",
		BaseClock: mhz(2200),
	},
	"vm": {
		Vendor: "GenuineIntel", Name: "Intel Xeon Processor (SapphireRapids)", Family: num(6), Model: num(143), Stepping: num(4),
		Sockets: num(3), Cores: num(3), Threads: num(3),
		Flags: "amx_bf16 amx_int8 amx_tile avx avx2 avx512_bf16 avx512_fp16 avx512_vnni avx512f avx_vnni fma",
	},
	"grace": {
		Vendor: "0x41", Part: "0xd4f", Sockets: num(1), Cores: num(2), Threads: num(2),
		Flags: "asimd asimdhp bf16 fphp i8mm sve sve2", MaxClock: mhz(3402), VectorBytes: num(16),
	},
	"broken": {},
}

func newSource(t testing.TB, root string) *Source {
	s := New(filepath.Join(root, "proc"), filepath.Join(root, "sys"))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestIdentify(t *testing.T) {
	for _, name := range kernelfiletest.Machines(t) {
		t.Run(name, func(t *testing.T) {
			s := newSource(t, kernelfiletest.Machine(t, name))
			r, err := s.Read(context.Background())
			if (err != nil) != (name == "broken") {
				t.Errorf("error %v", err)
			}
			want, ok := infos[name]
			if !ok {
				t.Fatal("no result is given for this machine")
			}
			if d := cmp.Diff(want, r.CPU.Info); d != "" {
				t.Errorf("want -, have +:\n%s", d)
			}
			if r.CPU.Utilization.OK {
				t.Errorf("utilisation %v at the first reading", r.CPU.Utilization)
			}
		})
	}
}

// read takes a sample that must succeed.
func read(t *testing.T, s *Source) (telemetry.CPUInfo, telemetry.Opt[telemetry.Permille]) {
	t.Helper()
	r, err := s.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return r.CPU.Info, r.CPU.Utilization
}

func TestUtilizationIsThatSinceTheSampleBefore(t *testing.T) {
	root := kernelfiletest.Machine(t, "xeon")
	s := newSource(t, root)
	read(t, s)
	kernelfiletest.Write(t, root, "proc/stat", "cpu  8100 100 2000 700250 3050 0 400 0 150 0\nintr 1\n")
	if _, u := read(t, s); u != telemetry.Known(telemetry.Permille(250)) {
		t.Errorf("utilisation %v, want 250: 100 ticks of 400 at work", u)
	}
	if _, u := read(t, s); u.OK {
		t.Errorf("utilisation %v when no time passed", u)
	}
	kernelfiletest.Write(t, root, "proc/stat", "cpu  8")
	if _, err := s.Read(context.Background()); err == nil {
		t.Error("a line cut short was read")
	}
	kernelfiletest.Write(t, root, "proc/stat", "cpu  8200 100 2000 700250 3050 0 400 0 150 0\n")
	if _, u := read(t, s); u.OK {
		t.Errorf("utilisation %v right after a failure", u)
	}
	kernelfiletest.Write(t, root, "proc/stat", "cpu  8300 100 2000 700250 3050 0 400 0 150 0\n")
	if _, u := read(t, s); u != telemetry.Known(telemetry.Permille(1000)) {
		t.Errorf("utilisation %v, want 1000", u)
	}
}

func TestHotPlug(t *testing.T) {
	root := kernelfiletest.Machine(t, "xeon")
	s := newSource(t, root)
	read(t, s)
	// SMT is switched off: four of the eight threads go, no core does, and the idle time jumps.
	kernelfiletest.Write(t, root, "sys/devices/system/cpu/online", "0-3\n")
	kernelfiletest.Write(t, root, "proc/stat", "cpu  8100 100 2000 900250 3050 0 400 0 150 0\n")
	info, u := read(t, s)
	want := infos["xeon"]
	want.Threads, want.MaxClock = num(4), mhz(3200)
	if d := cmp.Diff(want, info); d != "" {
		t.Errorf("want -, have +:\n%s", d)
	}
	if u.OK {
		t.Errorf("utilisation %v across the change", u)
	}
	kernelfiletest.Write(t, root, "proc/stat", "cpu  8150 100 2000 900300 3050 0 400 0 150 0\n")
	if _, u := read(t, s); u != telemetry.Known(telemetry.Permille(500)) {
		t.Errorf("utilisation %v, want 500", u)
	}
	// A whole socket goes.
	kernelfiletest.Write(t, root, "sys/devices/system/cpu/online", "0-1\n")
	want.Sockets, want.Cores, want.Threads = num(1), num(2), num(2)
	if info, _ := read(t, s); info != want {
		t.Errorf("have %+v, want %+v", info, want)
	}
}

func TestInfoIsKeptWhileTheSameCPUsAreOnline(t *testing.T) {
	root := kernelfiletest.Machine(t, "epyc")
	s := newSource(t, root)
	read(t, s)
	kernelfiletest.Write(t, root, "proc/cpuinfo", "")
	if info, _ := read(t, s); info != infos["epyc"] {
		t.Errorf("have %+v", info)
	}
}

func TestFailedIdentificationIsTriedAgain(t *testing.T) {
	root := kernelfiletest.Machine(t, "epyc")
	s := newSource(t, root)
	good := s.procRoot
	s.procRoot = t.TempDir()
	r, err := s.Read(context.Background())
	if err == nil || r.CPU.Info.Cores != num(4) || r.CPU.Info.Name != "" {
		t.Errorf("have %+v, %v; want the topology and an error", r.CPU.Info, err)
	}
	s.procRoot = good
	kernelfiletest.Write(t, root, "proc/stat", "cpu  8100 100 2000 700250 3050 0 400 0 150 0\n")
	if info, u := read(t, s); info != infos["epyc"] || !u.OK {
		t.Errorf("have %+v, utilisation %v", info, u)
	}
}

func TestDeadline(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := newSource(t, kernelfiletest.Machine(t, "xeon"))
	if _, err := s.Read(ctx); err == nil {
		t.Error("the topology was read after the deadline")
	}
	if info, _ := read(t, s); info != infos["xeon"] {
		t.Errorf("have %+v", info)
	}
}

// impatient is a context that ends when it has been asked so many times.
type impatient struct {
	context.Context
	left int
}

func (c *impatient) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestManyTries reads a machine of which no try sees the whole: each goes on where the one before ended.
func TestManyTries(t *testing.T) {
	root := kernelfiletest.Large(t, 256)
	s := newSource(t, root)
	identified := func(threads int64) {
		t.Helper()
		for try := 1; ; try++ {
			r, err := s.Read(&impatient{context.Background(), 100})
			if err == nil {
				if r.CPU.Info.Threads != num(threads) || r.CPU.Info.Cores != num(threads/2) {
					t.Errorf("have %+v", r.CPU.Info)
				}
				return
			}
			if try == 4 {
				t.Fatalf("the fourth try fails too: %v", err)
			}
		}
	}
	identified(256)
	kernelfiletest.Write(t, root, "sys/devices/system/cpu/online", "0-63,128-191\n")
	identified(128)
}

func TestLarge(t *testing.T) {
	s := newSource(t, kernelfiletest.Large(t, 256))
	if info, _ := read(t, s); info.Sockets != num(2) || info.Cores != num(128) || info.Threads != num(256) || info.Name != "Large" {
		t.Errorf("have %+v", info)
	}
}

func TestDiesNumberTheirCoresAlike(t *testing.T) {
	root := kernelfiletest.Machine(t, "xeon")
	for n := range 8 {
		dir := fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology/", n)
		kernelfiletest.Write(t, root, dir+"physical_package_id", "0\n")
		kernelfiletest.Write(t, root, dir+"die_id", fmt.Sprintln(n/2%2))
	}
	if info, _ := read(t, newSource(t, root)); info.Sockets != num(1) || info.Cores != num(4) || info.Threads != num(8) {
		t.Errorf("have %+v", info)
	}
}

func TestTopologyThatFirmwareDoesNotState(t *testing.T) {
	for _, c := range []struct{ file, content string }{
		{"physical_package_id", "-1\n"}, {"core_id", "-1\n"}, {"thread_siblings_list", "\n"},
	} {
		root := kernelfiletest.Machine(t, "kunpeng")
		kernelfiletest.Write(t, root, "sys/devices/system/cpu/cpu3/topology/"+c.file, c.content)
		if info, _ := read(t, newSource(t, root)); info.Sockets.OK || info.Cores.OK || info.Threads != num(4) || info.Part != "0xd01" {
			t.Errorf("%s %q: have %+v", c.file, c.content, info)
		}
	}
}

// TestBothParsersAgree holds procfs against the own parser, which takes its place where it does not fit.
func TestBothParsersAgree(t *testing.T) {
	x86 := []string{"xeon", "epyc", "hygon", "vm"}
	if runtime.GOARCH != "amd64" {
		x86 = nil // procfs has its x86 parser in builds for x86 alone
	}
	for _, name := range kernelfiletest.Machines(t) {
		s := newSource(t, kernelfiletest.Machine(t, name))
		info, err := identity(s.procRoot)
		if (err == nil) != slices.Contains(x86, name) {
			t.Errorf("%s: error %v", name, err)
		}
		if err != nil {
			continue
		}
		own, err := s.cpuinfo(true)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(own.info, info); d != "" {
			t.Errorf("%s: own -, procfs +:\n%s", name, d)
		}
	}
}

func TestProcfsIsGuarded(t *testing.T) {
	root := kernelfiletest.Machine(t, "xeon")
	kernelfiletest.Write(t, root, "proc/cpuinfo", "processor:0\nvendor_id: GenuineIntel\nmodel name: X\n")
	if _, err := identity(filepath.Join(root, "proc")); err == nil {
		t.Error("a file that makes procfs panic was read")
	}
	if info, _ := read(t, newSource(t, root)); info.Vendor != "GenuineIntel" || info.Name != "X" || info.Threads != num(8) {
		t.Errorf("have %+v", info)
	}
}

func TestHypervisor(t *testing.T) {
	for name, want := range map[string]telemetry.Opt[bool]{
		"vm": telemetry.Known(true), "xeon": telemetry.Known(false), "kunpeng": {}, "loongson": {}, "broken": {},
	} {
		if got := Hypervisor(filepath.Join(kernelfiletest.Machine(t, name), "proc")); got != want {
			t.Errorf("%s: have %v, want %v", name, got, want)
		}
	}
}

func TestThisMachine(t *testing.T) {
	s := New("/proc", "/sys")
	defer func() { _ = s.Close() }()
	info, _ := read(t, s)
	if info.Vendor == "" || !info.Threads.OK || info.Threads.Value < 1 || info.Cores.OK && info.Cores.Value > info.Threads.Value {
		t.Errorf("have %+v", info)
	}
	for end := 200_000_000; end > 0; end-- { // some work, so that time passes
	}
	if _, u := read(t, s); u.OK && (u.Value < 0 || u.Value > 1000) {
		t.Errorf("utilisation %v", u)
	}
	t.Logf("%+v", info)
}

func BenchmarkRead(b *testing.B) {
	xeon, large := kernelfiletest.Machine(b, "xeon"), kernelfiletest.Large(b, 256)
	for _, c := range []struct{ name, proc, sys string }{
		{"fixture", xeon + "/proc", xeon + "/sys"}, {"256-threads", large + "/proc", large + "/sys"}, {"proc", "/proc", "/sys"},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := New(c.proc, c.sys)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Read(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkIdentify(b *testing.B) {
	large := kernelfiletest.Large(b, 256)
	b.ReportAllocs()
	for b.Loop() {
		s := New(large+"/proc", large+"/sys")
		if _, err := s.Read(context.Background()); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
