package capacity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/exameter/exameter/telemetry"
)

// Class is what a device's capacity counts as. One device, one class.
type Class string

// The classes, each with the precision that it is counted by unless a registry says otherwise.
const (
	Intelligent Class = "intelligent" // accelerators, dense FP16
	General     Class = "general"     // processors, FP32
	Super       Class = "super"       // every device of a cluster declared super, FP64
)

// Basis is the precision by which "class" counts the devices of a class.
func (c Class) Basis() Precision {
	switch c {
	case Super:
		return FP64
	case General:
		return FP32
	default:
		return FP16
	}
}

// Precision names a number format that a peak is given for.
type Precision string

// The precisions a question may name. ByClass counts each device by its class's precision.
const (
	ByClass Precision = "class"
	FP64    Precision = "fp64"
	FP32    Precision = "fp32"
	TF32    Precision = "tf32"
	FP16    Precision = "fp16"
	BF16    Precision = "bf16"
	FP8     Precision = "fp8"
	INT8    Precision = "int8"
)

// Precisions lists the precisions that a peak may be known for, widest first.
var Precisions = [...]Precision{FP64, FP32, TF32, FP16, BF16, FP8, INT8}

// ParsePrecision reads the name of a precision, or "class".
func ParsePrecision(s string) (Precision, error) {
	if p := Precision(s); p == ByClass || slices.Contains(Precisions[:], p) {
		return p, nil
	}
	names := []string{string(ByClass)}
	for _, p := range Precisions {
		names = append(names, string(p))
	}
	return "", fmt.Errorf("%q is not a precision: want one of %s", s, strings.Join(names, ", "))
}

// Peaks holds what one device (an accelerator) or one core (of a processor) can do at most, in Mflop/s by precision.
// Zero is unknown: no device is rated at nothing. Peaks can be compared, which makes them part of a pool's identity.
type Peaks [len(Precisions)]int64

// Get returns the peak at p in Mflop/s, and whether it is known.
func (k *Peaks) Get(p Precision) (int64, bool) {
	i := slices.Index(Precisions[:], p)
	if i < 0 || k[i] <= 0 {
		return 0, false
	}
	return k[i], true
}

// Set states the peak at p in Mflop/s. A value of zero or less, or above MaxPeak, leaves it unknown.
func (k *Peaks) Set(p Precision, mflops int64) {
	if i := slices.Index(Precisions[:], p); i >= 0 && mflops > 0 && mflops <= MaxPeak {
		k[i] = mflops
	}
}

// MaxPeak bounds the peak of one device, in Mflop/s: 100 Pflop/s. It keeps every product within 128 bits and every sum of
// ten million devices within 64.
const MaxPeak = int64(Eflop / 10)

// UnitsPerDevice is how finely an accelerator is counted: in parts of 1/10080, which every number of slices from 1 to
// 10, and 12, 14, 15, 16, 18, 20, 21, 24, 28, 30 and 32 divides. Processors are counted in cores.
const UnitsPerDevice = 10080

// Pool is the smallest homogeneous thing that work is sent to, with its price. It can be compared: two pools that differ
// in anything are two pools.
type Pool struct {
	Centre  string
	Cluster string
	Kind    telemetry.Kind
	Vendor  string
	Model   string // the catalogue's id; what the vendor's tool prints where the catalogue does not know it
	Class   Class
	Basis   Precision // the precision that "class" counts this pool by
	Peaks   Peaks     // a device's, or a core's; all unknown where the catalogue does not know the model
}

// units is how many units of the pool's cells make one of what Peaks is given for.
func (p *Pool) units() int64 {
	if p.Kind == telemetry.CPU {
		return 1
	}
	return UnitsPerDevice
}

// peak returns what the pool is priced at under the precision asked for.
func (p *Pool) peak(asked Precision) (int64, bool) {
	if asked == ByClass {
		asked = p.Basis
	}
	return p.Peaks.Get(asked)
}

// compare orders pools, for answers that do not depend on the order in which hosts arrived.
func (p *Pool) compare(q *Pool) int {
	for i := range dimensions {
		if c := strings.Compare(dimensions[i].of(p), dimensions[i].of(q)); c != 0 {
			return c
		}
	}
	if c := strings.Compare(string(p.Basis), string(q.Basis)); c != 0 {
		return c
	}
	return slices.Compare(p.Peaks[:], q.Peaks[:])
}
