package catalog

import (
	"fmt"
	"strings"

	"github.com/exameter/exameter/telemetry"
)

// maxPatterns bounds the names of one model.
const maxPatterns = 64

// peakColumns are the columns whose figures go into Peaks as they stand; fp64 is made from its two.
var peakColumns = [...]struct {
	precision Precision
	column    string
}{
	{FP32, "fp32_tflops"},
	{TF32, "tf32_tflops"},
	{FP16, "fp16_tflops"},
	{BF16, "bf16_tflops"},
	{FP8, "fp8_tflops"},
	{INT8, "int8_tops"},
}

// parseModel reads a row of the accelerator table over m, which is the row it replaces or an empty one.
func parseModel(r row, m *Model) {
	m.ID = r.get("id")
	vendor(r, &m.Vendor)
	text(r, "name", &m.Name)
	if m.Name == "" {
		m.Name = m.ID
	}
	text(r, "architecture", &m.Architecture)
	text(r, "source", &m.Source)
	text(r, "notes", &m.Notes)
	parsePatterns(r, m)
	parsePeaks(r, m)
	optional(r, "memory_gib", &m.Memory, parseGiB)
	optional(r, "bandwidth_gbs", &m.BandwidthGBs, parseGBs)
	optional(r, "tdp_w", &m.TDP, parseWatts)
	optional(r, "domestic", &m.Domestic, parseBool)
	parseDevicesPerBoard(r, m)
	confidence(r, &m.Confidence)
}

// parsePatterns reads the names. A star may stand at the end of a pattern only, with something before it.
func parsePatterns(r row, m *Model) {
	if !r.has("patterns") {
		return
	}
	m.Patterns = r.list("patterns")
	if len(m.Patterns) > maxPatterns {
		r.mistake("patterns", "%d patterns, want at most %d", len(m.Patterns), maxPatterns)
	}
	for _, p := range m.Patterns {
		if star := strings.IndexByte(p, '*'); star == 0 || star > 0 && star < len(p)-1 {
			r.mistake("patterns", "%.80q: a star stands for the end of a name, with something before it", p)
		}
	}
}

// parsePeaks reads all peaks.
func parsePeaks(r row, m *Model) {
	for _, c := range peakColumns {
		optional(r, c.column, &m.Peaks.mflops[c.precision.index()], parseTflops)
	}
	optional(r, "fp64_vector_tflops", &m.FP64Vector, parseTflops)
	optional(r, "fp64_tensor_tflops", &m.FP64Tensor, parseTflops)
	best := m.FP64Vector
	if t, ok := m.FP64Tensor.Get(); ok && t >= best.Value {
		best = m.FP64Tensor
	}
	m.Peaks.mflops[FP64.index()] = best
}

// parseDevicesPerBoard reads how many devices a board is; 1 where nothing is said.
func parseDevicesPerBoard(r row, m *Model) {
	n := telemetry.Known(int64(max(m.DevicesPerBoard, 1)))
	optional(r, "devices_per_board", &n, func(s string) (int64, error) { return decimal(s, 0, 64) })
	m.DevicesPerBoard = max(int(n.Value), 1)
}

// doubt is what looks wrong in a row without being impossible.
type doubt struct {
	column string
	text   string
}

// doubts says what looks like a figure in the wrong column, or like one that counts structured sparsity: dense peaks
// double, at most, with each halving of the operands' width.
func doubts(m *Model) []doubt {
	var out []doubt
	compare := func(narrow, wide Precision, least, most int64, why string) {
		n, ok := m.Peaks.Get(narrow)
		w, also := m.Peaks.Get(wide)
		// Published figures are rounded, so the limits have a margin of a twentieth.
		if ok && also && (n*20 < w*least*19 || n*20 > w*most*21) {
			out = append(out, doubt{Column(narrow), fmt.Sprintf("%s: %s is %.2f times %s: %s", m.ID, narrow, float64(n)/float64(w), wide, why)})
		}
	}
	const sparse = "is one of the two with sparsity, or in the wrong column?"
	compare(FP8, FP16, 1, 2, sparse)
	compare(FP8, BF16, 1, 2, sparse)
	compare(INT8, FP16, 1, 4, sparse)
	compare(FP16, TF32, 1, 2, sparse)
	compare(TF32, FP32, 1, 16, sparse)
	return out
}

// Column is the column of the accelerator table that a precision's peak stands in, empty for none. The peak of FP64 is the
// better of two columns, of which this is the one for vector units.
func Column(p Precision) string {
	if p == FP64 {
		return "fp64_vector_tflops"
	}
	for _, c := range peakColumns {
		if c.precision == p {
			return c.column
		}
	}
	return ""
}
