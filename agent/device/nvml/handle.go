//go:build linux && cgo

package nvml

// #include "call.h"
import "C"

import (
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// maxProcesses bounds the list of processes of one device. Beyond it the list is cut.
const maxProcesses = 4096

// handle is a card, or a MIG device, within its library.
type handle struct {
	lib *library
	h   C.word
}

func (d *handle) key() uintptr { return uintptr(d.h) }

// number asks a function that fills one unsigned int.
func (d *handle) number(f symbol) (uint32, nvml.Return) {
	l := d.lib
	if l.fn[f] == 0 {
		return 0, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.u[0] = allOnes32
	c := C.exm_wp(l.fn[f], d.h, unsafe.Pointer(&l.u[0]))
	return l.u[0], nvml.Return(c)
}

// long asks a function that fills one unsigned long long.
func (d *handle) long(f symbol) (uint64, nvml.Return) {
	l := d.lib
	if l.fn[f] == 0 {
		return 0, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.q = ^uint64(0)
	c := C.exm_wp(l.fn[f], d.h, unsafe.Pointer(&l.q))
	return l.q, nvml.Return(c)
}

// words asks a function that fills a text.
func (d *handle) words(f symbol) (string, nvml.Return) {
	l := d.lib
	if l.fn[f] == 0 {
		return "", nvml.ERROR_FUNCTION_NOT_FOUND
	}
	clear(l.text[:])
	c := nvml.Return(C.exm_wpu(l.fn[f], d.h, unsafe.Pointer(&l.text[0]), C.u32(len(l.text)-1)))
	if c != nvml.SUCCESS {
		return "", c
	}
	return l.string(), c
}

func (d *handle) uuid() (string, nvml.Return)   { return d.words(fnUUID) }
func (d *handle) serial() (string, nvml.Return) { return d.words(fnSerial) }
func (d *handle) name() (string, nvml.Return)   { return d.words(fnName) }
func (d *handle) vbios() (string, nvml.Return)  { return d.words(fnVBIOS) }

func (d *handle) pci() (pciAddress, nvml.Return) {
	l := d.lib
	if l.fn[fnPCI] == 0 {
		return pciAddress{}, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.scratch.pci = nvml.PciInfo{}
	c := C.exm_wp(l.fn[fnPCI], d.h, unsafe.Pointer(&l.scratch.pci))
	return pciAddress{l.scratch.pci.Domain, l.scratch.pci.Bus, l.scratch.pci.Device}, nvml.Return(c)
}

// memory prefers the call that keeps the driver's own share apart. A driver from between the two knows its name and
// yet refuses the structure.
func (d *handle) memory() (memory, nvml.Return) {
	l := d.lib
	if l.fn[fnMemoryV2] != 0 {
		l.memoryV2 = nvml.Memory_v2{Version: memoryV2Version}
		c := nvml.Return(C.exm_wp(l.fn[fnMemoryV2], d.h, unsafe.Pointer(&l.memoryV2)))
		if c != nvml.ERROR_ARGUMENT_VERSION_MISMATCH && c != nvml.ERROR_NOT_SUPPORTED && c != nvml.ERROR_FUNCTION_NOT_FOUND {
			return memory{l.memoryV2.Total, l.memoryV2.Used}, c
		}
	}
	if l.fn[fnMemory] == 0 {
		return memory{}, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.scratch.memory = nvml.Memory{}
	c := C.exm_wp(l.fn[fnMemory], d.h, unsafe.Pointer(&l.scratch.memory))
	return memory{l.scratch.memory.Total, l.scratch.memory.Used}, nvml.Return(c)
}

func (d *handle) utilization() (gpu, mem uint32, c nvml.Return) {
	l := d.lib
	if l.fn[fnUtilization] == 0 {
		return 0, 0, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.scratch.utilization = nvml.Utilization{Gpu: allOnes32, Memory: allOnes32}
	c = nvml.Return(C.exm_wp(l.fn[fnUtilization], d.h, unsafe.Pointer(&l.scratch.utilization)))
	return l.scratch.utilization.Gpu, l.scratch.utilization.Memory, c
}

func (d *handle) power() (uint32, nvml.Return)    { return d.number(fnPower) }
func (d *handle) energy() (uint64, nvml.Return)   { return d.long(fnEnergy) }
func (d *handle) throttle() (uint64, nvml.Return) { return d.long(fnThrottle) }

// temperature asks the older call first: every driver of today has it, and the newer one is newer than most.
func (d *handle) temperature() (uint32, nvml.Return) {
	l := d.lib
	if l.fn[fnTemperature] != 0 {
		return d.chosen(fnTemperature, uint32(nvml.TEMPERATURE_GPU))
	}
	if l.fn[fnTemperatureV] == 0 {
		return 0, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.scratch.temperature = nvml.Temperature{Version: temperatureVersion, SensorType: uint32(nvml.TEMPERATURE_GPU)}
	c := C.exm_wp(l.fn[fnTemperatureV], d.h, unsafe.Pointer(&l.scratch.temperature))
	return uint32(l.scratch.temperature.Temperature), nvml.Return(c)
}

// chosen asks a function that fills one unsigned int for one choice of several.
func (d *handle) chosen(f symbol, which uint32) (uint32, nvml.Return) {
	l := d.lib
	if l.fn[f] == 0 {
		return 0, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.u[0] = allOnes32
	c := C.exm_wup(l.fn[f], d.h, C.u32(which), unsafe.Pointer(&l.u[0]))
	return l.u[0], nvml.Return(c)
}

func (d *handle) clock(which nvml.ClockType) (uint32, nvml.Return) {
	return d.chosen(fnClock, uint32(which))
}

// ecc reads the volatile counter, which runs from the load of the driver.
func (d *handle) ecc(which nvml.MemoryErrorType) (uint64, nvml.Return) {
	l := d.lib
	if l.fn[fnECC] == 0 {
		return 0, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.q = ^uint64(0)
	c := C.exm_wuup(l.fn[fnECC], d.h, C.u32(which), C.u32(nvml.VOLATILE_ECC), unsafe.Pointer(&l.q))
	return l.q, nvml.Return(c)
}

func (d *handle) remapped() (pending, failed uint32, c nvml.Return) {
	l := d.lib
	if l.fn[fnRemapped] == 0 {
		return 0, 0, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.u = [4]uint32{allOnes32, allOnes32, allOnes32, allOnes32}
	c = nvml.Return(C.exm_wpppp(l.fn[fnRemapped], d.h, (*C.u32)(unsafe.Pointer(&l.u[0]))))
	return l.u[2], l.u[3], c
}

func (d *handle) processes(list processList, pids []uint32) ([]uint32, nvml.Return) {
	newer, older := fnCompute, fnComputeV1
	if list == mpsProcesses {
		newer, older = fnMPS, fnMPSV1
	}
	l := d.lib
	// The newer list has had two layouts under one name, and other vendors' libraries keep to either. Their own tools ask
	// the older one, which has one.
	if l.fn[newer] != 0 && (l.vendor == defaultVendor || l.fn[older] == 0) {
		return listed(d, newer, &l.processes, pids, func(p *nvml.ProcessInfo) uint32 { return p.Pid })
	}
	return listed(d, older, &l.processesV1, pids, func(p *nvml.ProcessInfo_v1) uint32 { return p.Pid })
}

// listed calls a function that fills an array of T, with an array that grows as the function asks.
func listed[T any](d *handle, f symbol, array *[]T, pids []uint32, pid func(*T) uint32) ([]uint32, nvml.Return) {
	l := d.lib
	if l.fn[f] == 0 {
		return pids, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	if len(*array) == 0 {
		*array = make([]T, 64)
	}
	for range 4 {
		a := *array
		l.u[0] = uint32(len(a))
		c := nvml.Return(C.exm_wpp(l.fn[f], d.h, unsafe.Pointer(&l.u[0]), unsafe.Pointer(&a[0])))
		n := int(l.u[0])
		if c == nvml.SUCCESS && n > len(a) {
			return pids, nvml.ERROR_NO_DATA // a count that stands for "not available"
		}
		if c == nvml.SUCCESS {
			for i := range n {
				pids = append(pids, pid(&a[i]))
			}
			return pids, c
		}
		if c != nvml.ERROR_INSUFFICIENT_SIZE || len(a) >= maxProcesses {
			return pids, c
		}
		*array = make([]T, min(max(n+n/2, 2*len(a)), maxProcesses))
	}
	return pids, nvml.ERROR_INSUFFICIENT_SIZE
}

func (d *handle) migMode() (uint32, nvml.Return) {
	l := d.lib
	if l.fn[fnMIGMode] == 0 {
		return 0, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.u = [4]uint32{}
	c := C.exm_wpp(l.fn[fnMIGMode], d.h, unsafe.Pointer(&l.u[0]), unsafe.Pointer(&l.u[1]))
	return l.u[0], nvml.Return(c)
}

func (d *handle) maxMIGDevices() (uint32, nvml.Return) {
	n, c := d.number(fnMaxMIG)
	if n == allOnes32 && c == nvml.SUCCESS {
		return 0, nvml.ERROR_NOT_SUPPORTED
	}
	return n, c
}

func (d *handle) profileSlices(profile uint32) (uint32, nvml.Return) {
	l := d.lib
	if l.fn[fnProfile] == 0 {
		return 0, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.profile = nvml.GpuInstanceProfileInfo{}
	c := C.exm_wup(l.fn[fnProfile], d.h, C.u32(profile), unsafe.Pointer(&l.profile))
	return l.profile.SliceCount, nvml.Return(c)
}

func (d *handle) migDevice(i uint32) (device, nvml.Return) {
	l := d.lib
	if l.fn[fnMIGDevice] == 0 {
		return nil, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.scratch.handle = 0
	c := nvml.Return(C.exm_wup(l.fn[fnMIGDevice], d.h, C.u32(i), unsafe.Pointer(&l.scratch.handle)))
	if c != nvml.SUCCESS {
		return nil, c
	}
	if l.scratch.handle == 0 {
		return nil, nvml.ERROR_NOT_FOUND
	}
	return &handle{l, C.word(l.scratch.handle)}, c
}

func (d *handle) gpuInstance() (uint32, nvml.Return) { return d.number(fnGPUInstance) }

func (d *handle) instanceSlices() (uint32, nvml.Return) {
	l := d.lib
	if l.fn[fnAttributes] == 0 {
		return 0, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.attributes = nvml.DeviceAttributes{}
	c := C.exm_wp(l.fn[fnAttributes], d.h, unsafe.Pointer(&l.attributes))
	return l.attributes.GpuInstanceSliceCount, nvml.Return(c)
}

// gpmReader keeps two samples of a card's counters: the one before, and the one that is taken next.
type gpmReader struct {
	d      *handle
	sample [2]C.word
	newer  int
	primed bool
}

func (d *handle) gpm() (gpm, nvml.Return) {
	l := d.lib
	for _, f := range []symbol{fnGPMSupport, fnGPMAlloc, fnGPMFree, fnGPMSample, fnGPMMetrics} {
		if l.fn[f] == 0 {
			return nil, nvml.ERROR_FUNCTION_NOT_FOUND
		}
	}
	l.support = nvml.GpmSupport{Version: nvml.GPM_SUPPORT_VERSION}
	if c := nvml.Return(C.exm_wp(l.fn[fnGPMSupport], d.h, unsafe.Pointer(&l.support))); c != nvml.SUCCESS {
		return nil, c
	}
	if l.support.IsSupportedDevice == 0 {
		return nil, nvml.ERROR_NOT_SUPPORTED
	}
	if l.scratch.gpm == nil {
		l.scratch.gpm = (*gpmMetrics)(C.calloc(1, C.size_t(unsafe.Sizeof(gpmMetrics{}))))
	}
	if l.scratch.gpm == nil {
		return nil, nvml.ERROR_MEMORY
	}
	g := &gpmReader{d: d}
	for i := range g.sample {
		l.scratch.handle = 0
		if c := nvml.Return(C.exm_p(l.fn[fnGPMAlloc], unsafe.Pointer(&l.scratch.handle))); c != nvml.SUCCESS {
			g.free()
			return nil, c
		}
		g.sample[i] = C.word(l.scratch.handle)
	}
	return g, nvml.SUCCESS
}

func (g *gpmReader) next() (sm, tensor float64, c nvml.Return) {
	l := g.d.lib
	g.newer = 1 - g.newer
	if c = nvml.Return(C.exm_ww(l.fn[fnGPMSample], g.d.h, g.sample[g.newer])); c != nvml.SUCCESS {
		g.primed = false
		return 0, 0, c
	}
	if !g.primed {
		g.primed = true
		return 0, 0, nvml.ERROR_NO_DATA
	}
	m := l.scratch.gpm
	m.version, m.count = nvml.GPM_METRICS_GET_VERSION, 2
	m.sample1, m.sample2 = uintptr(g.sample[1-g.newer]), uintptr(g.sample[g.newer])
	m.metrics[0] = nvml.GpmMetric{MetricId: uint32(nvml.GPM_METRIC_SM_UTIL)}
	m.metrics[1] = nvml.GpmMetric{MetricId: uint32(nvml.GPM_METRIC_ANY_TENSOR_UTIL)}
	if c = nvml.Return(C.exm_p(l.fn[fnGPMMetrics], unsafe.Pointer(m))); c != nvml.SUCCESS {
		return 0, 0, c
	}
	return result(&m.metrics[0]), result(&m.metrics[1]), nvml.SUCCESS
}

func (g *gpmReader) free() {
	for i, s := range g.sample {
		if s != 0 {
			C.exm_w(g.d.lib.fn[fnGPMFree], s)
			g.sample[i] = 0
		}
	}
}

// eventSet has memory of its own: its wait runs beside the reading.
type eventSet struct {
	lib  *library
	set  C.word
	data eventData
}

func (l *library) events() (events, nvml.Return) {
	for _, f := range []symbol{fnEventCreate, fnEventRegister, fnEventWait, fnEventFree} {
		if l.fn[f] == 0 {
			return nil, nvml.ERROR_FUNCTION_NOT_FOUND
		}
	}
	var set uintptr
	if c := nvml.Return(C.exm_p(l.fn[fnEventCreate], unsafe.Pointer(&set))); c != nvml.SUCCESS {
		return nil, c
	}
	return &eventSet{lib: l, set: C.word(set)}, nvml.SUCCESS
}

func (s *eventSet) register(d device) nvml.Return {
	return nvml.Return(C.exm_register(s.lib.fn[fnEventRegister], C.word(d.key()), nvml.EventTypeXidCriticalError, s.set))
}

func (s *eventSet) wait(ms uint32) (key uintptr, xid uint64, c nvml.Return) {
	s.data = eventData{}
	c = nvml.Return(C.exm_wpu(s.lib.fn[fnEventWait], s.set, unsafe.Pointer(&s.data), C.u32(ms)))
	return s.data.device, s.data.data, c
}

func (s *eventSet) free() { C.exm_w(s.lib.fn[fnEventFree], s.set) }
