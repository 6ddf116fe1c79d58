package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/exameter/exameter/telemetry"
)

// words are what the hosts of one group say. All of it is written once by the agents' own encoder and cut where a host
// puts what is its own: ids, boot, sequence number and time. Readings that no ledger counts come from a small stock for
// each condition of a device. A record is then joined from pieces, at a fraction of what encoding it would cost.
type words struct {
	server  *server
	origin  telemetry.Origin // with a mark for the host
	every   time.Duration
	version string
	enc     telemetry.Encoder

	host    []string // pieces between host, boot, sequence number and time
	cpu     head
	memory  head
	device  head
	source  head
	devices map[uint32]string // fields, by condition
	loads   map[uint32]load   // by condition of the processors
	sources [6]string         // fields

	listing []string // pieces of an inventory between host, boot, sequence number, name and time
	set     [2]string
	listed  [][3]string // pieces of a device's line, before and after its id, up to the time
}

// head is what stands on a line before the fields: up to the device's id, where it has one, and up to the host's.
type head struct{ id, host string }

// load is the fields of a processor's line and of the memory's, and what they state.
type load struct {
	cpu, memory string
	state       telemetry.State
	cores       int32
}

// Stocks of readings: how hard a host's work drives its devices, and how they vary.
const (
	warmths = 8
	dusts   = 64
)

// Marks for what is a host's own.
const (
	markHost   = "MARK-HOST"
	markBoot   = "MARK-BOOT"
	markName   = "MARK-NAME"
	markDevice = "MARK-DEVICE"
	markSeq    = 7_654_321
	markTime   = 1_234_567_890_123_456_789
)

func newWords(of *Centre, g *Group, spec *Spec) (*words, error) {
	w := &words{
		server: servers[g.Server], every: spec.Interval, version: spec.Version,
		origin:  telemetry.Origin{Centre: of.ID, Cluster: g.Cluster, Host: markHost},
		devices: map[uint32]string{}, loads: map[uint32]load{},
	}
	if err := w.learnReport(); err != nil {
		return nil, fmt.Errorf("centre %q, server %q: %w", of.ID, g.Server, err)
	}
	if err := w.learnInventory(); err != nil {
		return nil, fmt.Errorf("centre %q, server %q: %w", of.ID, g.Server, err)
	}
	return w, nil
}

func (w *words) header() telemetry.Header {
	return telemetry.Header{Origin: w.origin, Time: time.Unix(0, markTime).UTC(), Boot: markBoot, Seq: markSeq}
}

// cut splits s at marks, which must stand in it in this order.
func cut(s string, marks ...string) ([]string, error) {
	pieces := make([]string, 0, len(marks)+1)
	for _, m := range marks {
		before, after, found := strings.Cut(s, m)
		if !found {
			return nil, fmt.Errorf("an encoded line lacks %q: %q", m, s)
		}
		pieces, s = append(pieces, before), after
	}
	return append(pieces, s), nil
}

const stamp = " 1234567890123456789\n"

// report encodes a report with parts for every line.
func (w *words) report(devices []telemetry.DeviceStatus, cpu telemetry.CPUStatus, memory telemetry.MemoryStatus, took int64) ([]string, error) {
	rep := telemetry.Report{
		Header:     w.header(),
		HostStatus: telemetry.HostStatus{Interval: telemetry.Known(telemetry.Milliseconds(w.every.Milliseconds())), Dropped: known(0)},
		CPU:        telemetry.Known(cpu), Memory: telemetry.Known(memory), Devices: devices,
	}
	if w.server.source != "" {
		rep.Sources = []telemetry.SourceStatus{{Source: w.server.source, OK: true, Took: telemetry.Known(telemetry.Milliseconds(took))}}
	}
	b, err := w.enc.AppendReport(nil, &rep)
	if err != nil {
		return nil, fmt.Errorf("encode a simulated report: %w", err)
	}
	return strings.SplitAfter(string(b), "\n"), nil
}

// learnReport learns everything of a report but the fields of its devices and processors.
func (w *words) learnReport() error {
	s := w.server
	cpu, memory := s.working(0, 0, false)
	devices := make([]telemetry.DeviceStatus, s.devices)
	for i := range devices {
		devices[i] = telemetry.DeviceStatus{ID: fmt.Sprint(markDevice, i), State: telemetry.Free}
	}
	for i := range w.sources {
		lines, err := w.report(devices, cpu, memory, int64(4+i))
		if err != nil {
			return err
		}
		if i == 0 {
			if w.host, err = cut(lines[0], markHost, markBoot, strconv.Itoa(markSeq), stamp); err != nil {
				return err
			}
			for j, h := range []*head{&w.cpu, &w.memory, &w.device, &w.source} {
				if j >= 2 && s.source == "" {
					break
				}
				n := j + 1
				if h == &w.source {
					n = 3 + s.devices
				}
				if err := h.learn(lines[n]); err != nil {
					return err
				}
			}
		}
		if s.source == "" {
			return nil
		}
		if w.sources[i], err = fieldsOf(lines[3+s.devices]); err != nil {
			return err
		}
	}
	return nil
}

// learn takes the tags of a line apart.
func (h *head) learn(line string) error {
	tags, _, _ := strings.Cut(line, " ")
	if before, after, found := strings.Cut(tags, markDevice+"0"); found {
		h.id, tags = before, after
	}
	pieces, err := cut(tags, markHost)
	if err != nil {
		return err
	}
	h.host = pieces[0]
	if pieces[1] != "" { // a tag of the line's own that sorts after the host's, and is always the same
		h.id, h.host = pieces[0], pieces[1]
	}
	return nil
}

// fieldsOf returns what stands on a line after the tags, up to the space before the time.
func fieldsOf(line string) (string, error) {
	_, fields, _ := strings.Cut(line, " ")
	pieces, err := cut(fields, stamp)
	if err != nil {
		return "", err
	}
	return pieces[0], nil
}

// condition is what a device's fields depend on.
type condition struct {
	state  telemetry.State
	fault  *fault // nil where there is none
	busy   bool
	slices int8 // at work, where the card is partitioned
	warmth int8
	dust   int8
}

// condition of a device of a host, with a key of its own.
func (h *host) condition(i int, dust uint64) (condition, uint32) {
	c := condition{state: h.state(i), busy: h.busy>>i&1 != 0, warmth: h.warmth, dust: int8(dust % dusts)}
	key := uint32(index(c.state)) | uint32(h.faults[i])<<4 | uint32(c.warmth)<<16 | uint32(c.dust)<<24
	if c.busy {
		key |= 1 << 3
	}
	if n := h.faults[i]; n > 0 {
		c.fault = &faults[n-1]
	}
	if h.slices != nil {
		c.slices = h.slices[i]
		key |= uint32(c.slices) << 8
	}
	return c, key
}

// deviceFields returns the fields of a device in a condition.
func (w *words) deviceFields(c condition, key uint32) (string, error) {
	if s, ok := w.devices[key]; ok {
		return s, nil
	}
	d := w.server.status(c)
	d.ID = markDevice
	cpu, memory := w.server.working(0, 0, false)
	lines, err := w.report([]telemetry.DeviceStatus{d}, cpu, memory, 4)
	if err != nil {
		return "", err
	}
	w.devices[key], err = fieldsOf(lines[3])
	return w.devices[key], err
}

// load returns the fields of processors and memory of a host with so many devices at work.
func (w *words) load(h *host, dust uint64) (load, error) {
	busy := popcount(h.busy)
	key := uint32(busy) | uint32(dust%dusts)<<8 | uint32(h.warmth)<<16
	if h.drained {
		key |= 1 << 24
	}
	if l, ok := w.loads[key]; ok {
		return l, nil
	}
	mean := 20 + int64(dust%dusts)/4 + 300*int64(busy)/max(int64(len(h.devices)), 1)
	if len(h.devices) == 0 {
		mean = warm(h.warmth) * int64(busy)
	}
	cpu, memory := w.server.working(mean, int64(dust%dusts), h.drained)
	lines, err := w.report(nil, cpu, memory, 4)
	if err != nil {
		return load{}, err
	}
	l := load{state: cpu.State, cores: int32(cpu.CoresBusy.Value)}
	if l.cpu, err = fieldsOf(lines[1]); err != nil {
		return load{}, err
	}
	if l.memory, err = fieldsOf(lines[2]); err != nil {
		return load{}, err
	}
	w.loads[key] = l
	return l, nil
}

// appendReport appends what a host says of itself at a time in ns, and returns what it thereby states. dust drives only
// readings that no ledger counts.
func (w *words) appendReport(dst []byte, h *host, ns int64, dust uint64) ([]byte, statement, error) {
	var buf [24]byte
	at := append(strconv.AppendInt(append(buf[:0], ' '), ns, 10), '\n')
	st := statement{at: ns}
	h.report++
	dst = append(append(dst, w.host[0]...), h.origin.Host...)
	dst = append(append(dst, w.host[1]...), h.boot...)
	dst = strconv.AppendInt(append(dst, w.host[2]...), h.report, 10)
	dst = append(append(dst, w.host[3]...), at...)
	l, err := w.load(h, dust>>58)
	if err != nil {
		return nil, st, err
	}
	st.cpu, st.cores = l.state, l.cores
	dst = w.cpu.append(dst, h, l.cpu, at)
	dst = w.memory.append(dst, h, l.memory, at)
	for i, id := range h.devices {
		dust = dust*6364136223846793005 + 1442695040888963407 // Knuth's step; its upper bits are the better ones
		c, key := h.condition(i, dust>>58)
		fields, err := w.deviceFields(c, key)
		if err != nil {
			return nil, st, err
		}
		dst = append(append(append(dst, w.device.id...), id...), w.device.host...)
		dst = append(append(dst, h.origin.Host...), ' ')
		dst = append(append(dst, fields...), at...)
		if c.fault != nil && c.fault.absent {
			st.count(c.state, 0, 0)
		} else {
			st.count(c.state, int64(c.slices), w.server.slices)
		}
	}
	if w.server.source != "" {
		dust >>= 32
		dst = append(append(append(dst, w.source.id...), h.origin.Host...), w.source.host...)
		dst = append(append(append(dst, ' '), w.sources[dust%uint64(len(w.sources))]...), at...)
	}
	return dst, st, nil
}

// append appends a line of one that a host has one of.
func (t *head) append(dst []byte, h *host, fields string, at []byte) []byte {
	dst = append(append(append(dst, t.host...), h.origin.Host...), ' ')
	return append(append(dst, fields...), at...)
}

// learnInventory learns everything of an inventory.
func (w *words) learnInventory() error {
	s := w.server
	inv := telemetry.Inventory{Header: w.header(), CPU: telemetry.Known(s.cpu)}
	inv.HostInfo = telemetry.HostInfo{
		Name: markName, Agent: w.version, OS: s.os, Kernel: s.kernel, Arch: s.arch, Product: s.product,
		Virtual: telemetry.Known(false), Memory: telemetry.Known(s.hostMemory),
		ReportEvery: telemetry.Known(telemetry.Milliseconds(w.every.Milliseconds())),
	}
	for i := range s.devices {
		d := telemetry.DeviceInfo{
			ID: markDevice, Index: known(int64(i)), Vendor: s.vendor, Name: s.device,
			PCI: pci[i], Memory: telemetry.Known(s.memory), Driver: s.driver, Firmware: s.firmware, Source: s.source,
		}
		d.ID += strconv.Itoa(10 + i)
		if s.slices > 0 {
			d.Slices = known(s.slices)
		}
		inv.Devices = append(inv.Devices, d)
	}
	b, err := w.enc.AppendInventory(nil, &inv)
	if err != nil {
		return fmt.Errorf("encode a simulated inventory: %w", err)
	}
	lines := strings.SplitAfter(string(b), "\n")
	if w.listing, err = cut(lines[0], markHost, markBoot, strconv.Itoa(markSeq), markName, stamp); err != nil {
		return err
	}
	pieces, err := cut(lines[1], markHost, stamp)
	if err != nil {
		return err
	}
	w.set = [2]string{pieces[0], pieces[1]}
	for i := range s.devices {
		if pieces, err = cut(lines[2+i], markDevice+strconv.Itoa(10+i), markHost, stamp); err != nil {
			return err
		}
		w.listed = append(w.listed, [3]string(pieces[:3]))
	}
	return nil
}

// appendInventory appends what a host is.
func (w *words) appendInventory(dst []byte, h *host, ns int64) []byte {
	var buf [24]byte
	at := append(strconv.AppendInt(append(buf[:0], ' '), ns, 10), '\n')
	h.inventory++
	dst = append(append(dst, w.listing[0]...), h.origin.Host...)
	dst = append(append(dst, w.listing[1]...), h.boot...)
	dst = strconv.AppendInt(append(dst, w.listing[2]...), h.inventory, 10)
	dst = append(append(append(dst, w.listing[3]...), h.name...), w.listing[4]...)
	dst = append(append(append(dst, at...), w.set[0]...), h.origin.Host...)
	dst = append(append(dst, w.set[1]...), at...)
	for i, id := range h.devices {
		p := &w.listed[i]
		dst = append(append(append(dst, p[0]...), id...), p[1]...)
		dst = append(append(append(dst, h.origin.Host...), p[2]...), at...)
	}
	return dst
}
