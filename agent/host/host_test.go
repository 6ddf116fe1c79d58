package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/exameter/exameter/agent/kernelfile/kernelfiletest"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

func rootsOf(dir string) Roots {
	return Roots{Proc: filepath.Join(dir, "proc"), Sys: filepath.Join(dir, "sys"), Etc: filepath.Join(dir, "etc")}
}

func kib(v int64) telemetry.Opt[telemetry.Bytes] { return telemetry.Known(telemetry.Bytes(v << 10)) }

var yes, no = telemetry.Known(true), telemetry.Known(false)

var infos = map[string]telemetry.HostInfo{
	"xeon": {
		Name: "gy-a01", OS: "Ubuntu 22.04.5 LTS", Kernel: "5.15.0-119-generic", Arch: "x86_64", Product: "NF5688M6",
		Virtual: no, Memory: kib(527956488),
	},
	"epyc": {
		Name: "gy-b17", OS: "openEuler 24.03 (LTS)", Kernel: "6.8.0-45-generic", Arch: "x86_64", Product: "AS -8125GS-TNHR",
		Virtual: no, Memory: kib(791234568),
	},
	"hygon": {
		Name: "gy-c03", OS: "Kylin Linux Advanced Server V10 (Sword)", Kernel: "4.19.90-52.22.v2207.ky10.x86_64", Arch: "x86_64",
		Product: "R6240H0", Virtual: no, Memory: kib(263873384),
	},
	"kunpeng": {
		Name: "gy-d44", OS: "openEuler 22.03 (LTS-SP4)", Kernel: "5.10.0-216.0.0.115.oe2203sp4.aarch64", Arch: "aarch64",
		Product: "TaiShan 200 (Model 2280)", Virtual: no, Memory: kib(534000000),
	},
	"phytium": {
		Name: "gy-e05", OS: "Kylin Linux Advanced Server V10 (Tercel)", Kernel: "4.19.90-25.ky10.aarch64", Arch: "aarch64",
		Virtual: no, Memory: kib(65000000),
	},
	"loongson": {
		Name: "gy-f06", OS: "Loongnix-Server Linux release 8.4", Kernel: "4.19.190-7.8.lns8.loongarch64", Arch: "loongarch64",
		Memory: kib(133000000),
	},
	"vm": {
		Name: "vm-1.example", OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-26-cloud-amd64", Arch: "x86_64",
		Product: "Standard PC (Q35 + ICH9, 2009)", Virtual: yes, Memory: kib(8000000),
	},
	"grace": {
		Name: "gy-g07", OS: "Ubuntu 24.04.1 LTS", Kernel: "6.8.0-1017-nvidia-64k", Arch: "aarch64", Product: "ARS-121L-DNR",
		Virtual: no, Memory: kib(500000000),
	},
	"broken": {Name: "gy-broken", OS: `"`, Arch: "x86_64"},
}

func TestInfo(t *testing.T) {
	for _, name := range kernelfiletest.Machines(t) {
		want, ok := infos[name]
		if !ok {
			t.Errorf("%s: no result is given for this machine", name)
		}
		want.Agent = "1.2.3"
		if d := cmp.Diff(want, Info(rootsOf(kernelfiletest.Machine(t, name)), "1.2.3")); d != "" {
			t.Errorf("%s: want -, have +:\n%s", name, d)
		}
	}
}

// readings are what each machine says of itself, with a clock that is 1.5 ms wrong at most.
var readings = map[string]poll.HostReading{
	"xeon":     reading(1036800, 3070),
	"epyc":     reading(5000, 520),
	"hygon":    reading(86400, 12000),
	"kunpeng":  reading(777, 0),
	"phytium":  reading(60, 100),
	"loongson": reading(3600, 1000),
	"vm":       reading(12, 0),
	"grace":    reading(500, 200),
	"broken":   {ClockError: telemetry.Known(telemetry.Milliseconds(2))},
}

func reading(uptime telemetry.Seconds, load int64) poll.HostReading {
	return poll.HostReading{
		Uptime: telemetry.Known(uptime), LoadMilli: telemetry.Known(load), ClockError: telemetry.Known(telemetry.Milliseconds(2)),
	}
}

func newSource(t testing.TB, root string) *Source {
	s := New(rootsOf(root))
	s.adjtimex = func(x *unix.Timex) (int, error) {
		x.Maxerror = 1500
		return unix.TIME_OK, nil
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestRead(t *testing.T) {
	for _, name := range kernelfiletest.Machines(t) {
		s := newSource(t, kernelfiletest.Machine(t, name))
		r, err := s.Read(context.Background())
		if (err != nil) != (name == "broken") {
			t.Errorf("%s: error %v", name, err)
		}
		if want, ok := readings[name]; !ok || *r.Host != want {
			t.Errorf("%s: have %+v, want %+v", name, *r.Host, want)
		}
		if len(r.Notices) > 0 {
			t.Errorf("%s: notices %v", name, r.Notices)
		}
	}
}

func TestReadFollowsTheFiles(t *testing.T) {
	root := kernelfiletest.Machine(t, "vm")
	s := newSource(t, root)
	for _, want := range []poll.HostReading{reading(12, 0), reading(13, 1250)} {
		r, err := s.Read(context.Background())
		if err != nil || *r.Host != want {
			t.Errorf("have %+v, %v; want %+v", *r.Host, err, want)
		}
		kernelfiletest.Write(t, root, "proc/uptime", "13.99 30.00\n")
		kernelfiletest.Write(t, root, "proc/loadavg", "1.25 0.00 0.00 1/90 1\n")
	}
}

func TestClockThatNobodyKeeps(t *testing.T) {
	s := newSource(t, kernelfiletest.Machine(t, "vm"))
	for _, c := range []struct {
		name    string
		state   int
		status  int32
		err     error
		known   bool
		notices int
	}{
		{"kept", unix.TIME_OK, unix.STA_PLL, nil, true, 0},
		{"leap second ahead", unix.TIME_INS, unix.STA_INS, nil, true, 0},
		{"unsynchronised", unix.TIME_ERROR, unix.STA_UNSYNC, nil, false, 1},
		{"still so: said once", unix.TIME_ERROR, unix.STA_UNSYNC, nil, false, 0},
		{"by the flag alone", unix.TIME_OK, unix.STA_UNSYNC, nil, false, 0},
		{"forbidden by a sandbox", 0, 0, unix.EPERM, false, 1},
		{"still forbidden: said once", 0, 0, unix.EPERM, false, 0},
		{"kept again", unix.TIME_OK, 0, nil, true, 0},
	} {
		s.adjtimex = func(x *unix.Timex) (int, error) {
			x.Status, x.Maxerror = c.status, 16_000_000
			return c.state, c.err
		}
		r, err := s.Read(context.Background())
		if err != nil || r.Host.ClockError.OK != c.known || len(r.Notices) != c.notices {
			t.Errorf("%s: have %+v, notices %v, error %v", c.name, r.Host.ClockError, r.Notices, err)
		}
		if c.known && r.Host.ClockError.Value != 16_000 {
			t.Errorf("%s: %d ms", c.name, r.Host.ClockError.Value)
		}
		if !r.Host.Uptime.OK {
			t.Errorf("%s: the clock disturbed the uptime", c.name)
		}
	}
}

func TestVirtual(t *testing.T) {
	const dmi = "sys/class/dmi/id/"
	for _, c := range []struct {
		name, machine string
		files         map[string]string
		want          telemetry.Opt[bool]
	}{
		{"arm64 guest by DMI", "kunpeng", map[string]string{dmi + "sys_vendor": "QEMU\n"}, yes},
		{"cloud by DMI", "kunpeng", map[string]string{dmi + "sys_vendor": "Alibaba Cloud\n", dmi + "product_name": "Alibaba Cloud ECS\n"}, yes},
		{"whole server of a cloud, arm64", "grace", map[string]string{dmi + "sys_vendor": "Amazon EC2\n", dmi + "product_name": "c7g.metal\n"}, no},
		{"whole server of a cloud, x86", "epyc", map[string]string{dmi + "sys_vendor": "Amazon EC2\n"}, no},
		{"arm64 guest by device tree", "loongson", map[string]string{"sys/firmware/devicetree/base/hypervisor/compatible": "linux,kvm\n"}, yes},
		{"Xen guest", "loongson", map[string]string{"sys/hypervisor/type": "xen\n"}, yes},
		{"Xen's control domain", "vm", map[string]string{"proc/xen/capabilities": "control_d\n", "sys/hypervisor/type": "xen\n"}, no},
	} {
		root := kernelfiletest.Machine(t, c.machine)
		for name, content := range c.files {
			kernelfiletest.Write(t, root, name, content)
		}
		if got := virtual(rootsOf(root), readDMI(rootsOf(root).Sys)); got != c.want {
			t.Errorf("%s: have %v, want %v", c.name, got, c.want)
		}
	}
}

func TestProductOfADeviceTree(t *testing.T) {
	root := kernelfiletest.Machine(t, "phytium")
	kernelfiletest.Write(t, root, "sys/firmware/devicetree/base/model", "FT-2000plus board\x00")
	if got := product(rootsOf(root), readDMI(rootsOf(root).Sys)); got != "FT-2000plus board" {
		t.Errorf("have %q", got)
	}
}

func TestArchOfAnOldKernel(t *testing.T) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	if got, want := arch(t.TempDir()), unix.ByteSliceToString(u.Machine[:]); got != want || want == "" {
		t.Errorf("have %q, want %q", got, want)
	}
}

func TestThisMachine(t *testing.T) {
	s := New(rootsOf("/"))
	defer func() { _ = s.Close() }()
	r, err := s.Read(context.Background())
	if err != nil {
		t.Error(err)
	}
	if h := r.Host; h.Uptime.Value < 1 || !h.LoadMilli.OK || h.LoadMilli.Value < 0 || h.ClockError.OK != (len(r.Notices) == 0) {
		t.Errorf("have %+v, notices %v", h, r.Notices)
	}
	i := Info(rootsOf("/"), "test")
	if i.Name == "" || i.Kernel == "" || i.Arch == "" || !i.Memory.OK {
		t.Errorf("have %+v", i)
	}
	if boot, err := BootID("/proc"); err != nil || len(boot) != 36 {
		t.Errorf("boot id %q, %v", boot, err)
	}
	t.Logf("%+v %+v", i, *r.Host)
}

func TestOSRelease(t *testing.T) {
	for in, want := range map[string]string{
		"":                                         "",
		`PRETTY_NAME="A \"B\" \$C \\ \n"`:          `A "B" $C \ \n`,
		"PRETTY_NAME='A B'":                        "A B",
		"PRETTY_NAME=Plain":                        "Plain",
		"PRETTY_NAME=\"\"\nNAME=X":                 "X",
		"NAME=X\nVERSION=\"1 (Y)\"":                "X 1 (Y)",
		"PRETTY_NAME=\"\"\"\n":                     `"`,
		"#PRETTY_NAME=No\nXPRETTY_NAME=No\n":       "",
		"PRETTY_NAME=" + strings.Repeat("国", 1000): strings.Repeat("国", 85),
	} {
		if got := parseOSRelease(strings.NewReader(in)); got != want {
			t.Errorf("%.40q: have %q, want %q", in, got, want)
		}
	}
}

func TestParseMilli(t *testing.T) {
	for in, want := range map[string]int64{
		"0.00 x": 0, "0.52 ": 520, "12.3456 ": 12345, "7 ": 7000, "1.9999 ": 1999, "17592186044415.999 ": 17592186044415999,
	} {
		if got, err := parseMilli([]byte(in)); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "1.5", "NaN 1", "-1.00 ", "1.-5 ", "1e3 ", ".5 ", "99999999999999999 ", " 1 "} {
		if got, err := parseMilli([]byte(in)); err == nil {
			t.Errorf("%q: %d, want an error", in, got)
		}
	}
}

func TestLoadThatCannotBe(t *testing.T) {
	root := t.TempDir()
	for _, in := range []string{"", "0.52\n", "NaN 0 0\n", "+Inf 0 0\n", "-0.01 0 0\n", "1e300 0 0\n", "x 0 0\n"} {
		kernelfiletest.Write(t, root, "loadavg", in)
		if got, err := loadMilli(root); err == nil {
			t.Errorf("%q: %d, want an error", in, got)
		}
	}
}

func FuzzParseMilli(f *testing.F) {
	f.Add([]byte("0.52 0.40"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := parseMilli(b); err == nil && v < 0 {
			t.Errorf("%q: %d", b, v)
		}
	})
}

func FuzzOSRelease(f *testing.F) {
	f.Add("PRETTY_NAME=\"A \\\"B\"\nNAME=x\nVERSION='1'\n")
	f.Fuzz(func(t *testing.T, s string) {
		if got := parseOSRelease(strings.NewReader(s)); len(got) > telemetry.MaxName || strings.ContainsAny(got, "\x00\n\x1b") {
			t.Errorf("have %q", got)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	for name, root := range map[string]string{"fixture": kernelfiletest.Machine(b, "xeon"), "proc": "/"} {
		b.Run(name, func(b *testing.B) {
			s := New(rootsOf(root))
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

func TestMissingFilesLeaveOut(t *testing.T) {
	empty := t.TempDir()
	r, err := newSource(t, empty).Read(context.Background())
	if !errors.Is(err, os.ErrNotExist) || *r.Host != (poll.HostReading{ClockError: telemetry.Known(telemetry.Milliseconds(2))}) {
		t.Errorf("have %+v, %v", *r.Host, err)
	}
	i := Info(rootsOf(empty), "")
	i.Arch = "" // it comes from the kernel
	if i != (telemetry.HostInfo{}) {
		t.Errorf("have %+v", i)
	}
}
