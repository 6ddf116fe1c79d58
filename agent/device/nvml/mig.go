//go:build linux && cgo

package nvml

import (
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// maxMIGDevices bounds the MIG devices of a card, whatever the driver says.
const maxMIGDevices = 32

// partition is how a card is cut by MIG (Multi-Instance GPU). A partitioned card stays one device: it counts by its
// compute slices.
type partition struct {
	on      bool
	checked time.Time
	total   telemetry.Opt[int64] // compute slices of the whole card
	devices uint32               // MIG devices that it can have
	known   map[uintptr]instance // by handle of the MIG device, forgotten at every check
	busy    map[uint32]int64     // slices of busy GPU instances, by instance
}

// instance is the GPU instance in which a MIG device lies.
type instance struct {
	id     uint32
	slices int64
}

// readPartition finds out every slowEvery whether the card is partitioned.
func (c *card) readPartition(now time.Time) {
	m := &c.mig
	if !c.ask(callMIGMode) || now.Sub(m.checked) < slowEvery && !now.Before(m.checked) {
		return
	}
	mode, ret := c.dev.migMode()
	if !c.took(callMIGMode, ret) {
		return
	}
	m.checked = now
	clear(m.known)
	if on := mode == nvml.DEVICE_MIG_ENABLE; on != m.on {
		// What a partitioned card cannot answer, a whole one can, and the reverse.
		c.off = [calls]bool{}
		*m = partition{on: on, checked: now, known: map[uintptr]instance{}, busy: map[uint32]int64{}}
		if on {
			m.measure(c)
		}
	}
	c.info.Slices = telemetry.Opt[int64]{}
	if m.on {
		c.info.Slices = m.total
	}
}

// measure learns the size of a card in slices: the largest profile is the whole card.
func (m *partition) measure(c *card) {
	if n, ret := c.dev.maxMIGDevices(); ret == nvml.SUCCESS {
		m.devices = min(n, maxMIGDevices)
	}
	var most uint32
	for p := range uint32(nvml.GPU_INSTANCE_PROFILE_COUNT) {
		if n, ret := c.dev.profileSlices(p); ret == nvml.SUCCESS && n <= maxMIGDevices {
			most = max(most, n)
		}
	}
	if most == 0 {
		most = m.devices // every MIG device takes a slice at least, so the card has as many
	}
	if most > 0 {
		m.total = telemetry.Known(int64(most))
	}
}

// read counts the slices at work: those of every GPU instance with a process on one of its MIG devices, or with more
// memory in use than the floor. Slices that are cut into no instance are free. One device of which nothing can be read
// makes the sum unknown.
func (m *partition) read(c *card, r *poll.DeviceReading, now time.Time, floor telemetry.Bytes) {
	r.Slices = m.total
	clear(m.busy)
	c.pids = c.pids[:0]
	whole, counted := true, true
	for i := range m.devices {
		if !c.ask(callMIGDevices) {
			return
		}
		d, ret := c.dev.migDevice(i)
		if ret == nvml.ERROR_NOT_FOUND || ret == nvml.ERROR_INVALID_ARGUMENT {
			continue // no device under this number
		}
		if !c.took(callMIGDevices, ret) {
			whole, counted = false, false
			continue
		}
		used, listed := m.inUse(c, d, floor)
		counted = counted && listed
		if v, ok := used.Get(); !ok {
			whole = false
		} else if v {
			in, ok := m.instance(c, d)
			whole = whole && ok
			if ok {
				m.busy[in.id] = in.slices
			}
		}
	}
	if c.outcome.fatal != nvml.SUCCESS {
		return
	}
	if counted {
		r.Processes = telemetry.Known(distinct(c.pids))
	}
	if whole && m.total.OK {
		var busy int64
		for _, n := range m.busy {
			busy += n
		}
		r.SlicesBusy = telemetry.Known(min(busy, m.total.Value))
	}
}

// inUse reports whether a MIG device is at work, and whether its processes could be listed.
func (m *partition) inUse(c *card, d device, floor telemetry.Bytes) (used telemetry.Opt[bool], listed bool) {
	if c.ask(callMIGProcesses) {
		before := len(c.pids)
		var ret nvml.Return
		c.pids, ret = d.processes(computeProcesses, c.pids)
		if c.took(callMIGProcesses, ret) {
			listed = true
			used = telemetry.Known(len(c.pids) > before)
		}
	}
	if used.Value || !c.ask(callMIGMemory) {
		return used, listed
	}
	if mem, ret := d.memory(); c.took(callMIGMemory, ret) {
		if b, ok := mem.usedBytes().Get(); ok {
			used = telemetry.Known(b > floor)
		}
	}
	return used, listed
}

// instance finds the GPU instance of a MIG device, remembered until the next check of the partition.
func (m *partition) instance(c *card, d device) (instance, bool) {
	if in, ok := m.known[d.key()]; ok {
		return in, true
	}
	if !c.ask(callMIGInstance) || !c.ask(callMIGSlices) {
		return instance{}, false
	}
	id, ret := d.gpuInstance()
	if !c.took(callMIGInstance, ret) {
		return instance{}, false
	}
	n, ret := d.instanceSlices()
	if !c.took(callMIGSlices, ret) || n == 0 || n > maxMIGDevices {
		return instance{}, false
	}
	in := instance{id: id, slices: int64(n)}
	m.known[d.key()] = in
	return in, true
}
