//go:build linux && cgo

package nvml

import (
	"math"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// NVML's structures are go-nvml's, generated from nvml.h. The two below stand in for those that hold handles: go-nvml
// exports them with Go interfaces in the place of the handles, which C cannot fill.

// eventData is nvmlEventData_t.
type eventData struct {
	device                       uintptr
	kind, data                   uint64
	gpuInstance, computeInstance uint32
}

// gpmMetrics is nvmlGpmMetricsGet_t. A driver reads and writes the first count metrics alone, however many its own
// header has. It lies in C's memory: the metrics point to texts of the driver's, and cgo would look at every pointer
// of a structure in Go's memory at every call, which takes longer than all else that is read of a card.
type gpmMetrics struct {
	version, count   uint32
	sample1, sample2 uintptr
	metrics          [nvml.GPM_METRIC_MAX]nvml.GpmMetric
}

// The upper byte of a structure's version is its number, the rest its size: NVML_STRUCT_VERSION in nvml.h.
const (
	memoryV2Version    = 2<<24 | uint32(unsafe.Sizeof(nvml.Memory_v2{}))
	temperatureVersion = 1<<24 | uint32(unsafe.Sizeof(nvml.Temperature{}))
)

// result is the value of a metric, or not a number where the driver has none.
func result(m *nvml.GpmMetric) float64 {
	if nvml.Return(m.NvmlReturn) != nvml.SUCCESS {
		return math.NaN()
	}
	return m.Value
}
