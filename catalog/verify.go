package catalog

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/exameter/exameter/telemetry"
)

// Report is what Verify finds out about override files.
type Report struct {
	Catalogue string    // the version that answers would carry; empty where the files would be refused
	Mistakes  []Finding // for each of these the files would be refused
	Warnings  []Finding // what looks wrong without being impossible
	Changes   []Change  // what the files would change; none where they would be refused
}

// Verify checks override files as Load would lay them over the embedded catalogue, and goes on after a mistake. The
// error says that the embedded catalogue itself cannot be read.
func Verify(overrides ...string) (*Report, error) {
	base, err := embedded()
	if err != nil {
		return nil, err
	}
	over, mistakes := base.with(overrides)
	r := &Report{Mistakes: mistakes}
	if len(mistakes) > 0 {
		return r, nil
	}
	r.Catalogue, r.Changes = over.version, changes(base, over)
	r.Warnings = slices.Concat(over.doubts, suspicions(base, over))
	slices.SortStableFunc(r.Warnings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(overrides, a.File), slices.Index(overrides, b.File)), cmp.Compare(a.Line, b.Line))
	})
	return r, nil
}

// suspicions are doubts that only the comparison with the embedded rows gives.
func suspicions(base, over *Catalog) []Finding {
	var out []Finding
	for _, m := range over.models {
		was, replaces := base.index.byID[m.ID]
		if was == m {
			continue
		}
		at := over.origin[m.ID]
		doubt := func(column, format string, args ...any) {
			out = append(out, Finding{at.file, at.line, column, m.ID + ": " + fmt.Sprintf(format, args...)})
		}
		if !replaces {
			newcomer(base, m, doubt)
			continue
		}
		repriced := false
		for _, c := range peakFields {
			from, known := c.of(was).Get()
			to, still := c.of(m).Get()
			repriced = repriced || still && (!known || from != to)
			switch {
			case known && !still && c.column != "fp64_tensor_tflops":
				doubt(c.column, "becomes unknown: at this precision the devices will be worth no Eflops")
			case known && still && (to >= 2*from || from >= 2*to):
				doubt(c.column, "goes from %s to %s: with sparsity, of a whole board, or in another unit?", decimalOf(from, 1e6), decimalOf(to, 1e6))
			}
		}
		if repriced && m.Source == was.Source {
			doubt("source", "has new figures with the source of the old ones")
		}
	}
	return out
}

// newcomer doubts what looks wrong in a model that the embedded catalogue does not have.
func newcomer(base *Catalog, m *Model, doubt func(column, format string, args ...any)) {
	if len(m.Patterns) == 0 {
		doubt("patterns", "is new and has no names, so no device will be found to be one: is the id misspelt?")
	}
	if base.index.vendors[m.Vendor] == nil {
		doubt("vendor", "%q is the vendor of no other model: agents must report the devices under this very name", m.Vendor)
	}
	if m.Peaks.Empty() {
		doubt("fp16_tflops", "has no peak at any precision: its devices stay unpriced")
	} else if m.Source == "" {
		doubt("source", "does not say where its figures are from")
	}
}

// peakFields are the figures of a model, by their columns.
var peakFields = []struct {
	column string
	of     func(*Model) telemetry.Opt[int64]
}{
	{"fp64_vector_tflops", func(m *Model) telemetry.Opt[int64] { return m.FP64Vector }},
	{"fp64_tensor_tflops", func(m *Model) telemetry.Opt[int64] { return m.FP64Tensor }},
	{"fp32_tflops", func(m *Model) telemetry.Opt[int64] { return m.Peaks.opt(FP32) }},
	{"tf32_tflops", func(m *Model) telemetry.Opt[int64] { return m.Peaks.opt(TF32) }},
	{"fp16_tflops", func(m *Model) telemetry.Opt[int64] { return m.Peaks.opt(FP16) }},
	{"bf16_tflops", func(m *Model) telemetry.Opt[int64] { return m.Peaks.opt(BF16) }},
	{"fp8_tflops", func(m *Model) telemetry.Opt[int64] { return m.Peaks.opt(FP8) }},
	{"int8_tops", func(m *Model) telemetry.Opt[int64] { return m.Peaks.opt(INT8) }},
}

// opt returns the peak at p.
func (k Peaks) opt(p Precision) telemetry.Opt[int64] { return k.mflops[p.index()] }

// Check returns what is wrong with the content of one override file, as Verify would for a file of that name.
func Check(name string, data []byte) ([]Finding, error) {
	base, err := embedded()
	if err != nil {
		return nil, err
	}
	over := base.clone()
	return append(over.override(name, data), over.finish()...), nil
}
