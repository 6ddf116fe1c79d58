package nvml

import "math"

// The structures of NVML's binary interface, as nvml.h lays them out on 64-bit machines; the gaps are the compiler's.
// A test compares each of them with go-nvml's.

type abiMemory struct{ total, free, used uint64 }

type abiMemoryV2 struct {
	version                     uint32
	total, reserved, free, used uint64
}

// The upper byte of a structure's version is its number, the rest its size.
const memoryV2Version = 2<<24 | 40

type abiUtilization struct{ gpu, memory uint32 }

type abiPCI struct {
	busIDLegacy           [16]byte
	domain, bus, device   uint32
	deviceID, subsystemID uint32
	busID                 [32]byte
}

type abiTemperature struct {
	version     uint32
	sensor      uint32
	temperature int32
}

const temperatureVersion = 1<<24 | 12

type abiProcessV1 struct {
	pid uint32
	_   uint64 // memory
}

type abiProcess struct {
	pid  uint32
	_    uint64 // memory
	_, _ uint32 // GPU instance, compute instance
}

type abiProfile struct {
	id, isP2P, slices, instances, multiprocessors, copyEngines, decoders, encoders, jpegs, ofas uint32
	memoryMB                                                                                    uint64
}

type abiAttributes struct {
	multiprocessors, copyEngines, decoders, encoders, jpegs, ofas uint32
	gpuInstanceSlices, computeInstanceSlices                      uint32
	memoryMB                                                      uint64
}

type abiEvent struct {
	device                       uintptr
	kind, data                   uint64
	gpuInstance, computeInstance uint32
}

const eventXID = 8

type abiGPMSupport struct{ version, supported uint32 }

const gpmSupportVersion = 1

type abiGPMMetric struct {
	id, ret                    uint32
	value                      float64
	shortName, longName, units uintptr
}

// gpmMetrics is the length of the array in the newest header. A driver writes the first count entries alone.
const gpmMetrics = 477

type abiGPM struct {
	version, count   uint32
	sample1, sample2 uintptr
	metrics          [gpmMetrics]abiGPMMetric
}

const (
	gpmVersion   = 1
	gpmSMUtil    = 2
	gpmAnyTensor = 5
)

// result is the value of a metric, or not a number where the driver has none.
func (m *abiGPMMetric) result() float64 {
	if m.ret != 0 {
		return math.NaN()
	}
	return m.value
}
