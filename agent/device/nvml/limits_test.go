//go:build linux && cgo

package nvml

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/exameter/exameter/telemetry"
)

func TestLimits(t *testing.T) {
	type opt = telemetry.Opt[int64]
	of := func(v int64, ok bool) opt { return opt{Value: v, OK: ok} }
	f := func(what string, got, want opt) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	p := func(o telemetry.Opt[telemetry.Permille]) opt { return of(int64(o.Value), o.OK) }
	b := func(o telemetry.Opt[telemetry.Bytes]) opt { return of(int64(o.Value), o.OK) }
	f("100 %", p(percent(100)), of(1000, true))
	f("101 %", p(percent(101)), opt{})
	f("all ones", p(percent(math.MaxUint32)), opt{})
	f("91.54 %", p(activity(91.54)), of(915, true))
	f("100.4 %", p(activity(100.4)), of(1000, true))
	f("-0.1 %", p(activity(-0.1)), opt{})
	f("NaN", p(activity(math.NaN())), opt{})
	f("infinite", p(activity(math.Inf(1))), opt{})
	f("counter", counter[int64](1<<40), of(1<<40, true))
	f("counter of 32 ones", counter[int64](math.MaxUint32), opt{})
	f("counter of 64 ones", counter[int64](math.MaxUint64), opt{})
	f("counter of 9.2e18", counter[int64](math.MaxInt64), opt{})
	f("power", upTo[int64](700_000, maxPower), of(700_000, true))
	f("power of 32 ones", upTo[int64](math.MaxUint32, maxPower), opt{})
	f("memory", b(memory{1 << 37, 5}.usedBytes()), of(5, true))
	f("memory of nothing", b(memory{0, 0}.usedBytes()), opt{})
	f("memory that the wire refuses", b(memory{1<<46 + 1, 5}.usedBytes()), opt{})
	f("memory over its total", b(memory{10, 11}.usedBytes()), opt{})
	f("memory of all ones", b(memory{math.MaxUint64, math.MaxUint64}.usedBytes()), opt{})
	if flag(2).OK || !flag(1).Value || !flag(0).OK {
		t.Error("flags")
	}
}

func TestTexts(t *testing.T) {
	for _, tt := range []struct {
		f        func(string) string
		in, want string
	}{
		{text, " NVIDIA H200 ", "NVIDIA H200"},
		{text, "NVIDIA\x01", ""},
		{text, "\xff\xfe", ""},
		{text, strings.Repeat("x", 256), ""},
		{text, "[N/A]", ""},
		{serialText, "1654823000001", "1654823000001"},
		{serialText, "0", ""},
		{serialText, "0000000000000", ""},
		{serialText, "N/A", ""},
		{uuidText, "GPU-5eed0000-0000-4000-8000-000000000000", "GPU-5eed0000-0000-4000-8000-000000000000"},
		{uuidText, "GPU-????????-????-????-????-????????????", ""},
		{uuidText, "GPU-", ""},
		{uuidText, "", ""},
		{uuidText, "0", ""},
	} {
		if got := tt.f(tt.in); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestKernelAccount(t *testing.T) {
	const file = "Model: \t\t NVIDIA H200\nIRQ:   \t\t 0\nGPU UUID: \t GPU-????????-????-????-????-????????????\n" +
		"Video BIOS: \t ??.??.??.??.??\nBus Type: \t PCIe\nDevice Minor: \t 0\nno colon\n"
	if diff := cmp.Diff(gpu{model: "NVIDIA H200"}, parseGPU(strings.NewReader(file)), cmp.AllowUnexported(gpu{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := parseGPU(strings.NewReader(strings.Repeat("x", 1<<20))); got != (gpu{}) {
		t.Errorf("junk gives %+v", got)
	}
}

// FuzzGPU reads any account of a card by the kernel driver. What is taken of it is a usable text.
func FuzzGPU(f *testing.F) {
	for _, text := range []string{
		"", "Model: \t\t NVIDIA H200\nGPU UUID: \t GPU-5eed0000-0000-4000-8000-000000000000\nVideo BIOS: 96.00\n", "GPU UUID: GPU-????????", "Model: \xff\n", "Model: [N/A]\nModel: A\n", ":\n:::\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		g := parseGPU(strings.NewReader(s))
		if g.uuid != uuidText(g.uuid) || g.model != text(g.model) || g.vbios != text(g.vbios) {
			t.Errorf("%q gives %+v", s, g)
		}
	})
}
