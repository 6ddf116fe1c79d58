package catalog

import (
	"fmt"
	"strings"

	"github.com/exameter/exameter/telemetry"
)

// Precision names a number format whose peak throughput the catalogue knows.
type Precision string

// The precisions. Peaks are dense: figures that count structured sparsity are not in the catalogue.
const (
	FP64 Precision = "fp64" // the better of vector and matrix units, as a model's FP64Vector and FP64Tensor tell apart
	FP32 Precision = "fp32"
	TF32 Precision = "tf32"
	FP16 Precision = "fp16"
	BF16 Precision = "bf16"
	FP8  Precision = "fp8"
	INT8 Precision = "int8"
)

// precisions holds them in the order of Precisions, which is also the order inside Peaks.
var precisions = [...]Precision{FP64, FP32, TF32, FP16, BF16, FP8, INT8}

// Precisions returns all precisions, widest first.
func Precisions() []Precision { return append([]Precision(nil), precisions[:]...) }

// ParsePrecision reads a precision in any case.
func ParsePrecision(s string) (Precision, error) {
	p := Precision(strings.ToLower(s))
	if p.index() < 0 {
		return "", fmt.Errorf("precision %q: want one of fp64, fp32, tf32, fp16, bf16, fp8, int8", s)
	}
	return p, nil
}

// index returns the place of p inside Peaks, or -1.
func (p Precision) index() int {
	switch p {
	case FP64:
		return 0
	case FP32:
		return 1
	case TF32:
		return 2
	case FP16:
		return 3
	case BF16:
		return 4
	case FP8:
		return 5
	case INT8:
		return 6
	}
	return -1
}

// Peaks holds dense peak throughputs by precision, in whole Mflop/s (1e6 operations a second): 989.5 TFLOPS are
// 989_500_000. A precision without a published peak is unknown, never zero. Peaks compare with ==.
type Peaks struct {
	mflops [len(precisions)]telemetry.Opt[int64]
}

// Get returns the peak at p in Mflop/s, and whether it is known.
func (k Peaks) Get(p Precision) (mflops int64, ok bool) {
	i := p.index()
	if i < 0 {
		return 0, false
	}
	return k.mflops[i].Get()
}

// With returns a copy of k whose peak at p is mflops. A p that is no precision changes nothing.
func (k Peaks) With(p Precision, mflops int64) Peaks {
	if i := p.index(); i >= 0 {
		k.mflops[i] = telemetry.Known(mflops)
	}
	return k
}

// Empty reports whether no precision has a peak.
func (k Peaks) Empty() bool { return k == Peaks{} }
