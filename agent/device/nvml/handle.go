//go:build linux && cgo

package nvml

// #include "call.h"
import "C"

import (
	"unsafe"
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
func (d *handle) number(f symbol) (uint32, code) {
	l := d.lib
	if l.fn[f] == 0 {
		return 0, errFunctionNotFound
	}
	l.u[0] = allOnes32
	c := C.exm_wp(l.fn[f], d.h, unsafe.Pointer(&l.u[0]))
	return l.u[0], code(c)
}

// long asks a function that fills one unsigned long long.
func (d *handle) long(f symbol) (uint64, code) {
	l := d.lib
	if l.fn[f] == 0 {
		return 0, errFunctionNotFound
	}
	l.q = ^uint64(0)
	c := C.exm_wp(l.fn[f], d.h, unsafe.Pointer(&l.q))
	return l.q, code(c)
}

// words asks a function that fills a text.
func (d *handle) words(f symbol) (string, code) {
	l := d.lib
	if l.fn[f] == 0 {
		return "", errFunctionNotFound
	}
	clear(l.text[:])
	c := code(C.exm_wpu(l.fn[f], d.h, unsafe.Pointer(&l.text[0]), C.u32(len(l.text)-1)))
	if c != success {
		return "", c
	}
	return l.string(), c
}

func (d *handle) uuid() (string, code)   { return d.words(fnUUID) }
func (d *handle) serial() (string, code) { return d.words(fnSerial) }
func (d *handle) name() (string, code)   { return d.words(fnName) }
func (d *handle) vbios() (string, code)  { return d.words(fnVBIOS) }

func (d *handle) pci() (pciAddress, code) {
	l := d.lib
	if l.fn[fnPCI] == 0 {
		return pciAddress{}, errFunctionNotFound
	}
	l.scratch.pci = abiPCI{}
	c := C.exm_wp(l.fn[fnPCI], d.h, unsafe.Pointer(&l.scratch.pci))
	return pciAddress{l.scratch.pci.domain, l.scratch.pci.bus, l.scratch.pci.device}, code(c)
}

// memory prefers the call that keeps the driver's own share apart. A driver from between the two knows its name and
// yet refuses the structure.
func (d *handle) memory() (memory, code) {
	l := d.lib
	if l.fn[fnMemoryV2] != 0 {
		l.memoryV2 = abiMemoryV2{version: memoryV2Version}
		c := code(C.exm_wp(l.fn[fnMemoryV2], d.h, unsafe.Pointer(&l.memoryV2)))
		if c != errArgumentVersion && c != errNotSupported && c != errFunctionNotFound {
			return memory{l.memoryV2.total, l.memoryV2.used}, c
		}
	}
	if l.fn[fnMemory] == 0 {
		return memory{}, errFunctionNotFound
	}
	l.scratch.memory = abiMemory{}
	c := C.exm_wp(l.fn[fnMemory], d.h, unsafe.Pointer(&l.scratch.memory))
	return memory{l.scratch.memory.total, l.scratch.memory.used}, code(c)
}

func (d *handle) utilization() (gpu, mem uint32, c code) {
	l := d.lib
	if l.fn[fnUtilization] == 0 {
		return 0, 0, errFunctionNotFound
	}
	l.scratch.utilization = abiUtilization{allOnes32, allOnes32}
	c = code(C.exm_wp(l.fn[fnUtilization], d.h, unsafe.Pointer(&l.scratch.utilization)))
	return l.scratch.utilization.gpu, l.scratch.utilization.memory, c
}

func (d *handle) power() (uint32, code)    { return d.number(fnPower) }
func (d *handle) energy() (uint64, code)   { return d.long(fnEnergy) }
func (d *handle) throttle() (uint64, code) { return d.long(fnThrottle) }

// temperature asks the older call first: every driver of today has it, and the newer one is newer than most.
func (d *handle) temperature() (uint32, code) {
	l := d.lib
	if l.fn[fnTemperature] != 0 {
		return d.chosen(fnTemperature, 0)
	}
	if l.fn[fnTemperatureV] == 0 {
		return 0, errFunctionNotFound
	}
	l.scratch.temperature = abiTemperature{version: temperatureVersion}
	c := C.exm_wp(l.fn[fnTemperatureV], d.h, unsafe.Pointer(&l.scratch.temperature))
	return uint32(l.scratch.temperature.temperature), code(c)
}

// chosen asks a function that fills one unsigned int for one choice of several.
func (d *handle) chosen(f symbol, which uint32) (uint32, code) {
	l := d.lib
	if l.fn[f] == 0 {
		return 0, errFunctionNotFound
	}
	l.u[0] = allOnes32
	c := C.exm_wup(l.fn[f], d.h, C.u32(which), unsafe.Pointer(&l.u[0]))
	return l.u[0], code(c)
}

func (d *handle) clock(which uint32) (uint32, code) { return d.chosen(fnClock, which) }

// ecc reads the volatile counter, which runs from the load of the driver.
func (d *handle) ecc(which uint32) (uint64, code) {
	l := d.lib
	if l.fn[fnECC] == 0 {
		return 0, errFunctionNotFound
	}
	const volatileCounter = 0
	l.q = ^uint64(0)
	c := C.exm_wuup(l.fn[fnECC], d.h, C.u32(which), volatileCounter, unsafe.Pointer(&l.q))
	return l.q, code(c)
}

func (d *handle) remapped() (pending, failed uint32, c code) {
	l := d.lib
	if l.fn[fnRemapped] == 0 {
		return 0, 0, errFunctionNotFound
	}
	l.u = [4]uint32{allOnes32, allOnes32, allOnes32, allOnes32}
	c = code(C.exm_wpppp(l.fn[fnRemapped], d.h, (*C.u32)(unsafe.Pointer(&l.u[0]))))
	return l.u[2], l.u[3], c
}

func (d *handle) processes(list processList, pids []uint32) ([]uint32, code) {
	newer, older := fnCompute, fnComputeV1
	if list == mpsProcesses {
		newer, older = fnMPS, fnMPSV1
	}
	l := d.lib
	if l.fn[newer] != 0 {
		return listed(d, newer, &l.processes, pids, func(p *abiProcess) uint32 { return p.pid })
	}
	return listed(d, older, &l.processesV1, pids, func(p *abiProcessV1) uint32 { return p.pid })
}

// listed calls a function that fills an array of T, with an array that grows as the function asks.
func listed[T any](d *handle, f symbol, array *[]T, pids []uint32, pid func(*T) uint32) ([]uint32, code) {
	l := d.lib
	if l.fn[f] == 0 {
		return pids, errFunctionNotFound
	}
	if len(*array) == 0 {
		*array = make([]T, 64)
	}
	for range 4 {
		a := *array
		l.u[0] = uint32(len(a))
		c := code(C.exm_wpp(l.fn[f], d.h, unsafe.Pointer(&l.u[0]), unsafe.Pointer(&a[0])))
		n := int(l.u[0])
		if c == success && n > len(a) {
			return pids, errNoData // a count that stands for "not available"
		}
		if c == success {
			for i := range n {
				pids = append(pids, pid(&a[i]))
			}
			return pids, c
		}
		if c != errInsufficientSize || len(a) >= maxProcesses {
			return pids, c
		}
		*array = make([]T, min(max(n+n/2, 2*len(a)), maxProcesses))
	}
	return pids, errInsufficientSize
}

func (d *handle) migMode() (uint32, code) {
	l := d.lib
	if l.fn[fnMIGMode] == 0 {
		return 0, errFunctionNotFound
	}
	l.u = [4]uint32{}
	c := C.exm_wpp(l.fn[fnMIGMode], d.h, unsafe.Pointer(&l.u[0]), unsafe.Pointer(&l.u[1]))
	return l.u[0], code(c)
}

func (d *handle) maxMIGDevices() (uint32, code) {
	n, c := d.number(fnMaxMIG)
	if n == allOnes32 && c == success {
		return 0, errNotSupported
	}
	return n, c
}

func (d *handle) profileSlices(profile uint32) (uint32, code) {
	l := d.lib
	if l.fn[fnProfile] == 0 {
		return 0, errFunctionNotFound
	}
	l.profile = abiProfile{}
	c := C.exm_wup(l.fn[fnProfile], d.h, C.u32(profile), unsafe.Pointer(&l.profile))
	return l.profile.slices, code(c)
}

func (d *handle) migDevice(i uint32) (device, code) {
	l := d.lib
	if l.fn[fnMIGDevice] == 0 {
		return nil, errFunctionNotFound
	}
	l.scratch.handle = 0
	c := code(C.exm_wup(l.fn[fnMIGDevice], d.h, C.u32(i), unsafe.Pointer(&l.scratch.handle)))
	if c != success {
		return nil, c
	}
	if l.scratch.handle == 0 {
		return nil, errNotFound
	}
	return &handle{l, C.word(l.scratch.handle)}, c
}

func (d *handle) gpuInstance() (uint32, code) { return d.number(fnGPUInstance) }

func (d *handle) instanceSlices() (uint32, code) {
	l := d.lib
	if l.fn[fnAttributes] == 0 {
		return 0, errFunctionNotFound
	}
	l.attributes = abiAttributes{}
	c := C.exm_wp(l.fn[fnAttributes], d.h, unsafe.Pointer(&l.attributes))
	return l.attributes.gpuInstanceSlices, code(c)
}

// gpmReader keeps two samples of a card's counters: the one before, and the one that is taken next.
type gpmReader struct {
	d      *handle
	sample [2]C.word
	newer  int
	primed bool
}

func (d *handle) gpm() (gpm, code) {
	l := d.lib
	for _, f := range []symbol{fnGPMSupport, fnGPMAlloc, fnGPMFree, fnGPMSample, fnGPMMetrics} {
		if l.fn[f] == 0 {
			return nil, errFunctionNotFound
		}
	}
	l.support = abiGPMSupport{version: gpmSupportVersion}
	if c := code(C.exm_wp(l.fn[fnGPMSupport], d.h, unsafe.Pointer(&l.support))); c != success {
		return nil, c
	}
	if l.support.supported == 0 {
		return nil, errNotSupported
	}
	g := &gpmReader{d: d}
	for i := range g.sample {
		l.scratch.handle = 0
		if c := code(C.exm_p(l.fn[fnGPMAlloc], unsafe.Pointer(&l.scratch.handle))); c != success {
			g.free()
			return nil, c
		}
		g.sample[i] = C.word(l.scratch.handle)
	}
	return g, success
}

func (g *gpmReader) next() (sm, tensor float64, c code) {
	l := g.d.lib
	g.newer = 1 - g.newer
	if c = code(C.exm_ww(l.fn[fnGPMSample], g.d.h, g.sample[g.newer])); c != success {
		g.primed = false
		return 0, 0, c
	}
	if !g.primed {
		g.primed = true
		return 0, 0, errNoData
	}
	m := &l.scratch.gpm
	m.version, m.count = gpmVersion, 2
	m.sample1, m.sample2 = uintptr(g.sample[1-g.newer]), uintptr(g.sample[g.newer])
	m.metrics[0] = abiGPMMetric{id: gpmSMUtil}
	m.metrics[1] = abiGPMMetric{id: gpmAnyTensor}
	if c = code(C.exm_p(l.fn[fnGPMMetrics], unsafe.Pointer(&l.scratch.gpm))); c != success {
		return 0, 0, c
	}
	return m.metrics[0].result(), m.metrics[1].result(), success
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
	data abiEvent
}

func (l *library) events() (events, code) {
	for _, f := range []symbol{fnEventCreate, fnEventRegister, fnEventWait, fnEventFree} {
		if l.fn[f] == 0 {
			return nil, errFunctionNotFound
		}
	}
	var set uintptr
	if c := code(C.exm_p(l.fn[fnEventCreate], unsafe.Pointer(&set))); c != success {
		return nil, c
	}
	return &eventSet{lib: l, set: C.word(set)}, success
}

func (s *eventSet) register(d device) code {
	return code(C.exm_register(s.lib.fn[fnEventRegister], C.word(d.key()), eventXID, s.set))
}

func (s *eventSet) wait(ms uint32) (key uintptr, xid uint64, c code) {
	s.data = abiEvent{}
	c = code(C.exm_wpu(s.lib.fn[fnEventWait], s.set, unsafe.Pointer(&s.data), C.u32(ms)))
	return s.data.device, s.data.data, c
}

func (s *eventSet) free() { C.exm_w(s.lib.fn[fnEventFree], s.set) }
