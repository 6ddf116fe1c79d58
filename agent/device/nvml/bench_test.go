//go:build linux && cgo

package nvml

import (
	"context"
	"testing"
)

// BenchmarkRead takes a sample of eight simulated cards. It measures the agent's own work and the way into C and back,
// with the simulator's answers in it; what a real driver takes comes on top.
func BenchmarkRead(b *testing.B) {
	w := simulate(b, "h200-idle")
	s := New(Config{Library: w.library, ProcRoot: w.proc, SysRoot: w.sys})
	defer s.Close()
	if _, err := s.Read(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if r, err := s.Read(context.Background()); err != nil || len(r.Devices.Devices) != 8 {
			b.Fatal(err, len(r.Devices.Devices))
		}
	}
}
