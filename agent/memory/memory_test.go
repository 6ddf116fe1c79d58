package memory

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/exameter/exameter/agent/kernelfile/kernelfiletest"
	"github.com/exameter/exameter/telemetry"
)

func known(kib int64) telemetry.Opt[telemetry.Bytes] {
	return telemetry.Known(telemetry.Bytes(kib << 10))
}

func TestRead(t *testing.T) {
	var unknown telemetry.Opt[telemetry.Bytes]
	want := map[string]telemetry.MemoryStatus{
		"xeon":     {Total: known(527956488), Available: known(401234567)},
		"epyc":     {Total: known(791234568), Available: known(700000000)},
		"hygon":    {Total: known(263873384), Available: known(100000000)},
		"kunpeng":  {Total: known(534000000), Available: known(500000000)},
		"phytium":  {Total: known(65000000), Available: unknown},
		"loongson": {Total: known(133000000), Available: known(120000000)},
		"vm":       {Total: known(8000000), Available: known(7000000)},
		"grace":    {Total: known(500000000), Available: known(400000000)},
		"broken":   {},
	}
	for _, name := range kernelfiletest.Machines(t) {
		t.Run(name, func(t *testing.T) {
			proc := filepath.Join(kernelfiletest.Machine(t, name), "proc")
			s := New(proc)
			r, err := s.Read(context.Background())
			if (err != nil) != (name == "broken") {
				t.Errorf("error %v", err)
			}
			w, ok := want[name]
			if !ok || r.Memory == nil || *r.Memory != w {
				t.Errorf("have %+v, want %+v", r.Memory, w)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			total, err := Total(proc)
			if (err == nil) != w.Total.OK || total != w.Total.Value {
				t.Errorf("total %d, %v; want %+v", total, err, w.Total)
			}
		})
	}
}

func TestContents(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     telemetry.MemoryStatus
		fails    bool
	}{
		{"empty", "", telemetry.MemoryStatus{}, true},
		{"nothing known", "MemFree: 1 kB\n", telemetry.MemoryStatus{}, true},
		{"any order", "MemAvailable: 1 kB\nX: 3\nMemTotal: 2 kB\n", telemetry.MemoryStatus{Total: known(2), Available: known(1)}, false},
		{"none available", "MemTotal: 2 kB\nMemAvailable: 0 kB\n", telemetry.MemoryStatus{Total: known(2), Available: known(0)}, false},
		{"cut short", "MemTotal: 20 kB\nMemAvailable: 1", telemetry.MemoryStatus{Total: known(20)}, false},
		{"more available than there is", "MemTotal: 2 kB\nMemAvailable: 3 kB\n", telemetry.MemoryStatus{Total: known(2)}, true},
		{"negative", "MemTotal: -2 kB\n", telemetry.MemoryStatus{}, true},
		{"more than the wire takes", "MemTotal: 68719476737 kB\n", telemetry.MemoryStatus{}, true},
		{"beyond 64 bits", "MemTotal: 9007199254740993 kB\n", telemetry.MemoryStatus{}, true},
		{"another unit", "MemTotal: 2 MB\n", telemetry.MemoryStatus{}, true},
		{"a product beyond 64 bits", "MemTotal: 18014398509481985 kB\n", telemetry.MemoryStatus{}, true},
		{"a line that is none", "MemTotal: 2 kB\nx\n", telemetry.MemoryStatus{}, true},
		{"no unit", "MemTotal: 2\n", telemetry.MemoryStatus{}, true},
	} {
		got, err := read(meminfo(t, []byte(c.in)))
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: have %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}

// meminfo returns a root whose meminfo has the content.
func meminfo(tb testing.TB, content []byte) string {
	tb.Helper()
	root := tb.TempDir()
	if err := os.WriteFile(filepath.Join(root, "meminfo"), content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return root
}

func TestMissing(t *testing.T) {
	if r, err := New(t.TempDir()).Read(context.Background()); err == nil || r.Memory != nil {
		t.Errorf("have %+v, %v", r, err)
	}
	if _, err := Total(t.TempDir()); err == nil {
		t.Error("a total of nothing")
	}
}

func TestThisMachine(t *testing.T) {
	r, err := New("/proc").Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if m := r.Memory; !m.Total.OK || m.Total.Value < 64<<20 || !m.Available.OK || m.Available.Value <= 0 {
		t.Errorf("have %+v", m)
	}
}

func FuzzContents(f *testing.F) {
	f.Add([]byte("MemTotal: 2 kB\nMemAvailable: 1 kB\n"))
	f.Add([]byte("MemTotal:\nMemTotal: 9223372036854775807 kB\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := read(meminfo(t, b))
		if s.Total.Value < 0 || s.Available.Value < 0 || s.Available.Value > s.Total.Value && s.Total.OK {
			t.Errorf("have %+v", s)
		}
		if err == nil && !s.Total.OK {
			t.Error("no total and no error")
		}
	})
}

func BenchmarkRead(b *testing.B) {
	for name, proc := range map[string]string{"fixture": filepath.Join(kernelfiletest.Machine(b, "xeon"), "proc"), "proc": "/proc"} {
		b.Run(name, func(b *testing.B) {
			s := New(proc)
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
