package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/exameter/exameter/telemetry"
)

// host is one simulated host. Devices are bits of masks, so none of the kinds of server has more than 32.
type host struct {
	origin  telemetry.Origin
	name    string
	boot    string
	server  *server
	devices []string // ids

	busy    uint32 // devices with work
	faulty  uint32
	faults  [32]*fault // by device, where faulty
	drained bool
	silent  bool   // sends nothing
	slices  []int8 // slices at work of each card, where cards are partitioned
	warmth  int64  // how hard this host's work drives its devices, in thousandths

	due       int64 // when to report next, in ns
	listed    int64 // when this boot's inventory was acknowledged, in ns; 0 never
	inventory int64 // sequence numbers
	report    int64
	known     bool // some inventory was acknowledged

	said statement // what the broker acknowledged last
}

// fault is a way in which a device breaks.
type fault struct {
	reason string
	absent bool // nothing can be read of the device
	xid    int64
}

var (
	lost        = &fault{reason: "lost", absent: true}
	missing     = &fault{reason: "missing", absent: true}
	uncorrected = &fault{reason: "ecc-uncorrected: 2"}
	dbe         = &fault{reason: "xid: 48 double bit ECC error", xid: 48}
	fallen      = &fault{reason: "xid: 79 GPU has fallen off the bus", absent: true, xid: 79}
)

// faults that happen to a vendor's devices.
func (s *server) faults() []*fault {
	if s.vendor == "nvidia" {
		return []*fault{dbe, fallen, uncorrected}
	}
	return []*fault{lost, missing, uncorrected}
}

func newHost(r *rand.Rand, centre *Centre, g *Group, n int, start time.Time) *host {
	s := servers[g.Server]
	h := &host{
		origin: telemetry.Origin{Centre: centre.ID, Cluster: g.Cluster, Host: hex(r, 32)},
		name:   fmt.Sprintf("%s-%s-%05d", centre.ID, g.Server, n),
		server: s,
		warmth: 700 + r.Int64N(250),
	}
	h.restart(r, start)
	for range s.devices {
		h.devices = append(h.devices, s.id(r))
	}
	if s.slices > 0 {
		h.slices = make([]int8, s.devices)
	}
	return h
}

// restart gives the host a new boot: its sequence numbers begin anew.
func (h *host) restart(r *rand.Rand, at time.Time) {
	h.boot = fmt.Sprintf("%08x-%s", uint32(at.Unix()), hex(r, 16))
	h.inventory, h.report, h.listed = 0, 0, 0
}

// all is the mask of every device of the host.
func (h *host) all() uint32 { return 1<<len(h.devices) - 1 }

// fit reports whether whole jobs may be placed on the host.
func (h *host) fit() bool {
	return !h.drained && !h.silent && h.faulty == 0 && h.busy == 0 && h.slices == nil
}

// state is what a device is, by the agent's order: faulty before drained before busy.
func (h *host) state(i int) telemetry.State {
	switch {
	case h.faulty>>i&1 != 0:
		return telemetry.Faulty
	case h.drained:
		return telemetry.Drained
	case h.busy>>i&1 != 0:
		return telemetry.Busy
	default:
		return telemetry.Free
	}
}

// writeInventory fills a record with what the host is.
func (h *host) writeInventory(inv *telemetry.Inventory, now time.Time, every time.Duration, version string) {
	s := h.server
	h.inventory++
	inv.Header = telemetry.Header{Origin: h.origin, Time: now, Boot: h.boot, Seq: h.inventory}
	inv.HostInfo = telemetry.HostInfo{
		Name: h.name, Agent: version, OS: s.os, Kernel: s.kernel, Arch: s.arch, Product: s.product,
		Virtual: telemetry.Known(false), Memory: telemetry.Known(s.hostMemory),
		ReportEvery: telemetry.Known(telemetry.Milliseconds(every.Milliseconds())),
	}
	inv.CPU = telemetry.Known(s.cpu)
	inv.Devices = inv.Devices[:0]
	for i, id := range h.devices {
		d := telemetry.DeviceInfo{
			ID: id, Index: known(int64(i)), Vendor: s.vendor, Name: s.device,
			PCI: pci[i], Memory: telemetry.Known(s.memory), Driver: s.driver, Firmware: s.firmware, Source: s.source,
		}
		if s.slices > 0 {
			d.Slices = known(s.slices)
		}
		inv.Devices = append(inv.Devices, d)
	}
}

// pci are the addresses of devices within their hosts.
var pci = func() (out [32]string) {
	for i := range out {
		out[i] = fmt.Sprintf("0000:%02x:00.0", 0x11+i*6)
	}
	return out
}()

// writeReport fills a record with what the host is doing, and returns what it thereby states. r drives only readings
// that no ledger counts.
func (h *host) writeReport(rep *telemetry.Report, now time.Time, every time.Duration, r *rand.Rand) statement {
	s := h.server
	h.report++
	rep.Header = telemetry.Header{Origin: h.origin, Time: now, Boot: h.boot, Seq: h.report}
	rep.HostStatus = telemetry.HostStatus{Interval: telemetry.Known(telemetry.Milliseconds(every.Milliseconds())), Dropped: known(0)}
	st := statement{at: now.UnixNano()}
	cores := s.cpu.Cores.Value
	mean := min(20+r.Int64N(15)+300*int64(popcount(h.busy))/max(int64(len(h.devices)), 1), 1000)
	if len(h.devices) == 0 {
		mean = h.warmth * int64(h.busy&1)
	}
	cpu := telemetry.CPUStatus{
		State: telemetry.Free, Cores: known(cores), CoresBusy: known((cores*mean + 999) / 1000),
		UtilizationMean: telemetry.Known(telemetry.Permille(mean)), UtilizationMax: telemetry.Known(telemetry.Permille(min(mean*2, 1000))),
	}
	if mean > 0 {
		cpu.State, cpu.Reason = telemetry.Busy, "cores"
	}
	if h.drained {
		cpu.State, cpu.Reason = telemetry.Drained, "drained: maintenance"
	}
	st.cpu, st.cores = cpu.State, int32(cpu.CoresBusy.Value)
	rep.CPU = telemetry.Known(cpu)
	rep.Memory = telemetry.Known(telemetry.MemoryStatus{Total: telemetry.Known(s.hostMemory), Available: telemetry.Known(s.hostMemory - s.hostMemory/1000*telemetry.Bytes(mean))})
	rep.Devices = rep.Devices[:0]
	for i := range h.devices {
		rep.Devices = append(rep.Devices, h.writeDevice(i, &st, r))
	}
	if s.source != "" {
		rep.Sources = append(rep.Sources[:0], telemetry.SourceStatus{Source: s.source, OK: true, Took: telemetry.Known(telemetry.Milliseconds(4 + r.Int64N(6)))})
	}
	return st
}

// writeDevice is the status of one device, and adds it to a statement.
func (h *host) writeDevice(i int, st *statement, r *rand.Rand) telemetry.DeviceStatus {
	s := h.server
	d := telemetry.DeviceStatus{ID: h.devices[i], State: h.state(i)}
	if f := h.faults[i]; f != nil {
		d.Reason = f.reason
		if f.xid != 0 {
			d.XID, d.XIDCount = known(f.xid), known(1)
		}
		if f.absent {
			st.count(d.State, 0, 0)
			return d
		}
	} else if h.drained {
		d.Reason = "drained: maintenance"
	}
	work := int64(h.busy >> i & 1)
	slices := int64(0)
	if s.slices > 0 {
		slices = int64(h.slices[i])
		d.Slices, d.SlicesBusy = known(s.slices), known(slices)
		work = min(slices, 1)
	}
	if d.State == telemetry.Busy && s.slices > 0 {
		d.Reason = "slices"
	} else if d.State == telemetry.Busy {
		d.Reason = "processes"
	}
	st.count(d.State, slices, s.slices)
	activity := work * min(h.warmth+r.Int64N(50), 1000)
	d.UtilizationMean = telemetry.Known(telemetry.Permille(activity))
	d.UtilizationMax = telemetry.Known(telemetry.Permille(min(activity+30*work, 1000)))
	if s.sm {
		d.SMActivity = telemetry.Known(telemetry.Permille(activity * 4 / 5))
		d.TensorActivity = telemetry.Known(telemetry.Permille(activity / 2))
	}
	d.MemoryUsed = telemetry.Known(s.memory/64 + telemetry.Bytes(work)*s.memory/10*8)
	d.PowerMean = telemetry.Known(s.tdp/5 + s.tdp*telemetry.Milliwatts(activity)/1400)
	d.Temperature = telemetry.Known(telemetry.Celsius(36 + activity/28 + r.Int64N(4)))
	d.ECCUncorrected = known(0)
	if h.faults[i] == uncorrected {
		d.ECCUncorrected = known(2)
	}
	if s.vendor == "nvidia" {
		d.Processes = known(work)
	}
	return d
}
