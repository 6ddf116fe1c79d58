package capacity

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/exameter/exameter/catalog"
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
		return catalog.FP64
	case General:
		return catalog.FP32
	default:
		return catalog.FP16
	}
}

// Precision names a number format, as the catalogue does, or ByClass.
type Precision = catalog.Precision

// ByClass counts each device by its class's precision.
const ByClass Precision = "class"

// ParsePrecision reads the name of a precision, or "class".
func ParsePrecision(s string) (Precision, error) {
	names := []string{string(ByClass)}
	for _, p := range catalog.Precisions() {
		if string(p) == s {
			return p, nil
		}
		names = append(names, string(p))
	}
	if s == string(ByClass) {
		return ByClass, nil
	}
	return "", fmt.Errorf("%q is not a precision: want one of %s", s, strings.Join(names, ", "))
}

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
	Basis   Precision     // the precision that "class" counts this pool by
	Peaks   catalog.Peaks // a device's, or a core's; all unknown where the catalogue does not know the model

	Domestic telemetry.Opt[bool]            // designed in China, as the catalogue says; unknown where it does not
	Memory   telemetry.Opt[telemetry.Bytes] // of an accelerator, as the catalogue says; unknown where it does not
	Entry    string                         // the catalogue's row that Peaks are from; empty where it does not know the model

	// What the registry has for the cluster and for the centre: numbers that were assigned elsewhere, passed through.
	Identifier       string
	CentreIdentifier string
}

// domestic is the pool's value of the dimension ByDomestic.
func (p *Pool) domestic() string {
	switch v, known := p.Domestic.Get(); {
	case !known:
		return DomesticUnknown
	case v:
		return DomesticYes
	default:
		return DomesticNo
	}
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
	if c := cmp.Or(
		strings.Compare(string(p.Basis), string(q.Basis)), strings.Compare(p.Entry, q.Entry),
		strings.Compare(p.Identifier, q.Identifier), strings.Compare(p.CentreIdentifier, q.CentreIdentifier),
	); c != 0 {
		return c
	}
	for _, precision := range catalog.Precisions() {
		if c := compareOpt(p.Peaks.Get(precision))(q.Peaks.Get(precision)); c != 0 {
			return c
		}
	}
	return compareOpt(p.Memory.Get())(q.Memory.Get())
}

// compareOpt orders what may be unknown, the unknown first among equals.
func compareOpt[T cmp.Ordered](a T, aKnown bool) func(T, bool) int {
	return func(b T, bKnown bool) int { return cmp.Or(cmp.Compare(a, b), compareBool(aKnown, bKnown)) }
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
