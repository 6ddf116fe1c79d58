package power

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/exameter/exameter/agent/kernelfile/kernelfiletest"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

const powercap = "sys/class/powercap/"

// clock is a clock that only the test moves.
type clock struct{ now time.Time }

func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

func newSource(t testing.TB, root string) (*Source, *clock) {
	c := &clock{time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	s := New(Config{SysRoot: filepath.Join(root, "sys"), Now: func() time.Time { return c.now }})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, c
}

// rapl is a reading of an energy counter.
func rapl(domain string, mw telemetry.Milliwatts, mj telemetry.Millijoules) poll.PowerReading {
	return poll.PowerReading{Domain: domain, Method: methodRAPL, Power: telemetry.Known(mw), Energy: telemetry.Known(mj)}
}

// begun is a first reading of an energy counter.
func begun(domain string) poll.PowerReading {
	return poll.PowerReading{Domain: domain, Method: methodRAPL, Energy: telemetry.Known(telemetry.Millijoules(0))}
}

// drawn is a reading of a meter that says its power itself.
func drawn(domain, method string, mw telemetry.Milliwatts) poll.PowerReading {
	return poll.PowerReading{Domain: domain, Method: method, Power: telemetry.Known(mw)}
}

// step is what a machine's first reading must give, what then changes, and what a reading a second later must give.
type step struct {
	first   []poll.PowerReading
	absent  bool
	notices []string // words of the notices of the first reading
	files   map[string]string
	second  []poll.PowerReading
}

var steps = map[string]step{
	"xeon": {
		first: []poll.PowerReading{
			begun("dram-0"), begun("dram-1"), drawn("node", methodACPI, 742_000), begun("package-0"), begun("package-1"),
		},
		files: map[string]string{
			powercap + "intel-rapl:0/energy_uj":            "200000000\n", // wrapped: its highest value was 328850 away
			powercap + "intel-rapl:0:0/energy_uj":          "21000000\n",
			powercap + "intel-rapl:1/energy_uj":            "180000500\n",
			powercap + "intel-rapl:1:0/energy_uj":          "2000000\n",
			"sys/class/hwmon/hwmon0/device/power1_average": "742000500\n",
		},
		second: []poll.PowerReading{
			rapl("dram-0", 20_000, 20_000), rapl("dram-1", 0, 0), drawn("node", methodACPI, 742_001),
			rapl("package-0", 200_329, 200_328), rapl("package-1", 175_001, 175_000),
		},
	},
	"epyc": {
		first:   []poll.PowerReading{begun("package-0")},
		notices: []string{"hwmon3 (ina2xx)"},
		files:   map[string]string{powercap + "intel-rapl:0/energy_uj": "340000000\n", powercap + "intel-rapl:0:0/energy_uj": "1\n"},
		second:  []poll.PowerReading{rapl("package-0", 300_000, 300_000)},
	},
	"hygon": {
		first:  []poll.PowerReading{begun("package-0"), begun("package-1")},
		files:  map[string]string{powercap + "intel-rapl:1/energy_uj": "1999999\n"}, // it began anew
		second: []poll.PowerReading{rapl("package-0", 0, 0), begun("package-1")},
	},
	"kunpeng": {
		first:  []poll.PowerReading{drawn("node", methodACPI, 310_500)},
		second: []poll.PowerReading{drawn("node", methodACPI, 310_500)},
	},
	"grace": {
		first:   []poll.PowerReading{drawn("package-0", methodACPI, 188_000)},
		notices: []string{"hwmon0/device (power_meter)", "hwmon2/device (power_meter)", "hwmon3/device (power_meter)"},
		second:  []poll.PowerReading{drawn("package-0", methodACPI, 188_000)},
	},
	"phytium": {absent: true}, "loongson": {absent: true}, "vm": {absent: true},
}

func TestRead(t *testing.T) {
	for _, name := range kernelfiletest.Machines(t) {
		if name == "broken" {
			continue // see TestBroken
		}
		t.Run(name, func(t *testing.T) {
			want, ok := steps[name]
			if !ok {
				t.Fatal("no result is given for this machine")
			}
			root := kernelfiletest.Machine(t, name)
			s, clock := newSource(t, root)
			r, err := s.Read(context.Background())
			if errors.Is(err, poll.ErrAbsent) != want.absent || err != nil && !want.absent {
				t.Fatal(err)
			}
			compare(t, want.first, r.Power)
			said := ""
			for _, n := range r.Notices {
				said += n.Text
			}
			if len(want.notices) == 0 && said != "" {
				t.Errorf("notice %q", said)
			}
			for _, w := range want.notices {
				if !strings.Contains(said, w) {
					t.Errorf("notice %q does not speak of %q", said, w)
				}
			}
			for file, content := range want.files {
				kernelfiletest.Write(t, root, file, content)
			}
			clock.advance(time.Second)
			r, _ = s.Read(context.Background())
			compare(t, want.second, r.Power)
			if len(r.Notices) > 0 {
				t.Errorf("said again: %v", r.Notices)
			}
		})
	}
}

func compare(t *testing.T, want, have []poll.PowerReading) {
	t.Helper()
	if d := cmp.Diff(want, have); d != "" && len(want)+len(have) > 0 {
		t.Errorf("want -, have +:\n%s", d)
	}
}

func TestBroken(t *testing.T) {
	root := kernelfiletest.Machine(t, "broken")
	s, clock := newSource(t, root)
	r, err := s.Read(context.Background())
	if len(r.Power) > 0 {
		t.Errorf("have %+v", r.Power)
	}
	for _, want := range []string{"package-0", "package-1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
	keys := map[string]string{}
	for _, n := range r.Notices {
		keys[n.Key] = n.Text
	}
	if !strings.Contains(keys["power-left-out"], "intel-rapl:2") || !strings.Contains(keys["power-left-out"], "intel-rapl:3") ||
		!strings.Contains(keys["power-implausible"], "0 µW") {
		t.Errorf("notices %v", keys)
	}
	// What is mended is read, while the rest stays broken.
	kernelfiletest.Write(t, root, powercap+"intel-rapl:0/energy_uj", "7000000\n")
	kernelfiletest.Write(t, root, "sys/class/hwmon/hwmon0/power1_average", "400000000\n")
	clock.advance(time.Second)
	r, err = s.Read(context.Background())
	compare(t, []poll.PowerReading{drawn("node", methodACPI, 400_000), begun("package-0")}, r.Power)
	if err == nil || len(r.Notices) > 0 {
		t.Errorf("error %v, notices %v", err, r.Notices)
	}
}

// asNobody runs f as a user who owns nothing, where the test runs as root.
func asNobody(t *testing.T, root string, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nobody = 65534
	if _, err := unix.SetfsuidRetUid(nobody); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := unix.SetfsuidRetUid(0); err != nil {
			t.Error(err)
		}
	}()
	if now, err := unix.SetfsuidRetUid(-1); err != nil || now != nobody {
		t.Fatalf("file access as user %d, %v", now, err)
	}
	f()
}

func TestCountersThatMayNotBeRead(t *testing.T) {
	root := kernelfiletest.Machine(t, "xeon")
	for _, zone := range []string{"intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl:1:0"} {
		if err := os.Chmod(filepath.Join(root, powercap, zone, "energy_uj"), 0o400); err != nil {
			t.Fatal(err)
		}
		if os.Getuid() != 0 {
			if err := os.Chmod(filepath.Join(root, powercap, zone, "energy_uj"), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, clock := newSource(t, root)
	asNobody(t, root, func() {
		for i := range 3 {
			r, err := s.Read(context.Background())
			if err != nil {
				t.Errorf("reading %d: %v", i, err)
			}
			compare(t, []poll.PowerReading{drawn("node", methodACPI, 742_000)}, r.Power)
			switch {
			case i > 0:
				if len(r.Notices) > 0 {
					t.Errorf("said again: %v", r.Notices)
				}
			case len(r.Notices) != 1, r.Notices[0].Key != "power-denied",
				!strings.Contains(r.Notices[0].Text, "dram-0, dram-1, package-0, package-1"), !strings.Contains(r.Notices[0].Remedy, "chgrp exameter "):
				t.Errorf("notices %v", r.Notices)
			}
			clock.advance(time.Second)
		}
	})
	// Access is granted while the agent runs.
	for _, zone := range []string{"intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl:1:0"} {
		if err := os.Chmod(filepath.Join(root, powercap, zone, "energy_uj"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	asNobody(t, root, func() {
		r, err := s.Read(context.Background())
		if err != nil || len(r.Power) != 5 {
			t.Errorf("have %+v, %v", r.Power, err)
		}
	})
}

func TestMetersThatComeLate(t *testing.T) {
	root := kernelfiletest.Machine(t, "vm")
	s, clock := newSource(t, root)
	read := func() (poll.Reading, error) { return s.Read(context.Background()) }
	if _, err := read(); !errors.Is(err, poll.ErrAbsent) {
		t.Fatal(err)
	}
	kernelfiletest.Write(t, root, powercap+"intel-rapl:0/name", "package-0\n")
	kernelfiletest.Write(t, root, powercap+"intel-rapl:0/energy_uj", "1000000\n")
	clock.advance(rescanAfter - time.Second)
	if _, err := read(); !errors.Is(err, poll.ErrAbsent) {
		t.Errorf("looked for too often: %v", err)
	}
	clock.advance(time.Second)
	r, err := read()
	if err != nil {
		t.Fatal(err)
	}
	compare(t, []poll.PowerReading{begun("package-0")}, r.Power)
}

// gone is a meter whose driver was unloaded.
type gone struct{ closed bool }

func (*gone) domain() string { return "dram-0" }
func (*gone) path() string   { return "gone" }
func (g *gone) close() error { g.closed = true; return nil }
func (*gone) read(time.Time) (poll.PowerReading, error) {
	return poll.PowerReading{}, &fs.PathError{Op: "read", Path: "gone", Err: unix.ENODEV}
}

func TestAMeterThatVanishes(t *testing.T) {
	root := kernelfiletest.Machine(t, "hygon")
	s, clock := newSource(t, root)
	read := func() (poll.Reading, error) { return s.Read(context.Background()) }
	if _, err := read(); err != nil {
		t.Fatal(err)
	}
	g := &gone{}
	s.meters = append(s.meters, g)
	kernelfiletest.Write(t, root, powercap+"intel-rapl:0/energy_uj", "101000000\n")
	clock.advance(time.Second)
	r, err := read()
	if !errors.Is(err, unix.ENODEV) {
		t.Errorf("error %v", err)
	}
	compare(t, []poll.PowerReading{rapl("package-0", 100_000, 100_000), rapl("package-1", 0, 0)}, r.Power)
	clock.advance(rescanAfter)
	kernelfiletest.Write(t, root, powercap+"intel-rapl:0/energy_uj", "161000000\n")
	r, err = read()
	if err != nil || !g.closed {
		t.Errorf("error %v, closed %t", err, g.closed)
	}
	// The meters that stayed go on counting. One that could have wrapped twice in a minute would not.
	compare(t, []poll.PowerReading{rapl("package-0", 1_000, 160_000), rapl("package-1", 0, 0)}, r.Power)
}

func TestNoWattTwiceUnderOneName(t *testing.T) {
	const zone = powercap + "intel-rapl:1"
	for _, c := range []struct {
		name, machine string
		files         map[string]string
		want          []poll.PowerReading
		leftOut       string
	}{
		{
			"the same package twice", "hygon",
			map[string]string{zone + "/name": "package-0\n"},
			[]poll.PowerReading{begun("package-0")},
			"package-0 has a meter already",
		},
		{
			"dies", "hygon",
			map[string]string{
				zone + "/name": "package-0-die-1\n", zone + ":0/name": "dram\n", zone + ":0/energy_uj": "1\n",
			},
			[]poll.PowerReading{begun("dram-0-die-1"), begun("package-0"), begun("package-0-die-1")},
			"",
		},
		{
			"psys beside its packages", "hygon",
			map[string]string{
				powercap + "intel-rapl:2/name": "psys\n", powercap + "intel-rapl:2/energy_uj": "1\n",
				powercap + "intel-rapl:3/name": "platform-1\n", powercap + "intel-rapl:3/energy_uj": "1\n",
			},
			[]poll.PowerReading{begun("package-0"), begun("package-1"), begun("psys")},
			`("platform-1")`,
		},
		{
			"two meters without a word", "kunpeng",
			map[string]string{
				"sys/class/hwmon/hwmon1/name": "power_meter\n", "sys/class/hwmon/hwmon1/power1_average": "300000000\n",
			},
			nil, "one of 2 alike",
		},
		{
			"a battery beside the meter", "kunpeng",
			map[string]string{
				"sys/class/hwmon/hwmon1/name": "power_meter\n", "sys/class/hwmon/hwmon1/power1_average": "300000000\n",
				"sys/class/hwmon/hwmon1/power1_is_battery": "1\n",
			},
			[]poll.PowerReading{drawn("node", methodACPI, 310_500)},
			"hwmon1",
		},
		{
			"a processor by hwmon", "vm",
			map[string]string{
				"sys/class/hwmon/hwmon0/name": "apm_xgene\n", "sys/class/hwmon/hwmon0/power1_input": "90000000\n",
				"sys/class/hwmon/hwmon0/power1_label": "CPU power\n", "sys/class/hwmon/hwmon0/power2_input": "20000000\n",
				"sys/class/hwmon/hwmon0/power2_label": "IO power\n",
			},
			[]poll.PowerReading{drawn("package-0", methodHwmon, 90_000)},
			"",
		},
		{
			"a processor by RAPL goes before hwmon", "epyc",
			map[string]string{
				"sys/class/hwmon/hwmon0/name": "apm_xgene\n", "sys/class/hwmon/hwmon0/power1_input": "90000000\n",
				"sys/class/hwmon/hwmon0/power1_label": "CPU power\n",
			},
			[]poll.PowerReading{begun("package-0")},
			"package-0 has a meter already",
		},
	} {
		root := kernelfiletest.Machine(t, c.machine)
		for name, content := range c.files {
			kernelfiletest.Write(t, root, name, content)
		}
		s, _ := newSource(t, root)
		r, err := s.Read(context.Background())
		if err != nil && !errors.Is(err, poll.ErrAbsent) {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := cmp.Diff(c.want, r.Power); d != "" && len(c.want)+len(r.Power) > 0 {
			t.Errorf("%s: want -, have +:\n%s", c.name, d)
		}
		said := ""
		for _, n := range r.Notices {
			said += n.Text
		}
		if c.leftOut == "" && said != "" || !strings.Contains(said, c.leftOut) {
			t.Errorf("%s: notice %q, want %q in it", c.name, said, c.leftOut)
		}
	}
}

func TestZonesAreTheSameOneByOne(t *testing.T) {
	type facts struct {
		Name string
		Top  uint64
	}
	list := func(root string) map[string]facts {
		found := map[string]facts{}
		for _, z := range listZones(filepath.Join(root, "sys")) {
			found[filepath.Base(z.Path)] = facts{kernelName(z), z.MaxMicrojoules}
		}
		return found
	}
	root := kernelfiletest.Machine(t, "xeon")
	together := list(root)
	if want := (facts{"package-1", 262_143_328_850}); together["intel-rapl:1"] != want || len(together) != 5 {
		t.Errorf("have %v, want %v in it", together, want)
	}
	// A zone of another driver states no range, so that the zones cannot be listed together.
	kernelfiletest.Write(t, root, powercap+"dtpm/name", "dtpm\n")
	together["dtpm"] = facts{"dtpm", 0}
	if d := cmp.Diff(together, list(root)); d != "" {
		t.Errorf("together -, one by one +:\n%s", d)
	}
}

func TestDeadline(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s, _ := newSource(t, kernelfiletest.Machine(t, "xeon"))
	if r, err := s.Read(ctx); !errors.Is(err, context.Canceled) || len(r.Power) > 0 {
		t.Errorf("have %+v, %v", r.Power, err)
	}
}

func TestThisMachine(t *testing.T) {
	s := New(Config{SysRoot: "/sys"})
	defer func() { _ = s.Close() }()
	first, err := s.Read(context.Background())
	if err != nil && !errors.Is(err, poll.ErrAbsent) {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	second, err := s.Read(context.Background())
	if err != nil && !errors.Is(err, poll.ErrAbsent) {
		t.Fatal(err)
	}
	t.Logf("%+v %+v: %v", second.Power, first.Notices, err)
	if len(first.Power) != len(second.Power) {
		t.Errorf("%d meters, then %d", len(first.Power), len(second.Power))
	}
	for _, p := range second.Power {
		if p.Power.OK && (p.Power.Value < 0 || p.Power.Value > maxNodeWatts*1000) || p.Energy.Value < 0 {
			t.Errorf("have %+v", p)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"xeon", "kunpeng"} {
		b.Run(name, func(b *testing.B) {
			s, clock := newSource(b, kernelfiletest.Machine(b, name))
			b.ReportAllocs()
			for b.Loop() {
				clock.advance(time.Second)
				if _, err := s.Read(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
