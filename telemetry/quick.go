package telemetry

import (
	"bytes"
	"time"
)

// quick reads a record that is written as the Encoder writes it: canonical order of lines and fields, nothing escaped,
// ASCII alone, no field that the schema does not have. Such a record is read in one walk over its bytes, several times
// as fast as by a reader of line protocol at large. Whatever else it meets it leaves to that reader, which alone says
// what is wrong with a record: what quick takes, the other takes too, and reads the same in it (FuzzQuick holds it to that).
type quick struct {
	in     []byte // ends with a line end
	pos    int    // of the next byte to read
	centre []byte // "centre=…,cluster=…," of the host line
	host   []byte // "host=…" of the host line
	stamp  []byte // timestamp and line end of the host line
	values [maxSteps]int64
}

// quickReport reads the report in b into r, and reports whether it could. Identities and texts that r held before, and
// that stand in the same place again, are kept rather than made anew.
func (d *Decoder) quickReport(b []byte, r *Report) bool {
	l, ok := d.beginQuick(b)
	if !ok {
		return false
	}
	r.HostStatus, r.CPU, r.Memory = HostStatus{}, Opt[CPUStatus]{}, Opt[MemoryStatus]{}
	power, devices, sources := 0, 0, 0
	for ok = l.open(reportHost, &r.Header, r, reportSteps); ok && l.q.pos < len(b); ok = l.close() {
		switch {
		case l.starts(reportDevice + ","):
			s := place(&r.Devices, devices)
			*s, l.hint = DeviceStatus{ID: s.ID}, s.Reason
			l.tags(reportDevice, "device", &s.ID)
			l.walk(s, deviceStatusSteps)
			s.check(l)
			devices++
			checkNew(l, "device", r.Devices[:devices], deviceStatusID, MaxDevices)
		case l.starts(reportCPU+",") && !r.CPU.OK:
			r.CPU.OK = true
			l.tags(reportCPU, "", nil)
			l.walk(&r.CPU.Value, cpuStatusSteps)
			r.CPU.Value.check(l)
		case l.starts(reportMemory+",") && !r.Memory.OK:
			r.Memory.OK = true
			l.tags(reportMemory, "", nil)
			l.walk(&r.Memory.Value, memoryStatusSteps)
		case l.starts(reportPower + ","):
			s := place(&r.Power, power)
			*s, l.hint = PowerStatus{Domain: s.Domain}, s.Method
			l.tags(reportPower, "domain", &s.Domain)
			l.walk(s, powerStatusSteps)
			power++
			checkNew(l, "domain", r.Power[:power], powerDomain, MaxParts)
		case l.starts(reportSource + ","):
			s := place(&r.Sources, sources)
			*s, l.hint = SourceStatus{Source: s.Source}, s.Error
			l.tags(reportSource, "source", &s.Source)
			l.walk(s, sourceStatusSteps)
			s.check(l)
			sources++
			checkNew(l, "source", r.Sources[:sources], sourceName, MaxParts)
		default:
			return false
		}
	}
	r.Power, r.Devices, r.Sources = r.Power[:power], r.Devices[:devices], r.Sources[:sources]
	return ok && int64(l.number) == l.lines
}

// quickInventory reads the inventory in b into inv, as quickReport does a report.
func (d *Decoder) quickInventory(b []byte, inv *Inventory) bool {
	l, ok := d.beginQuick(b)
	if !ok {
		return false
	}
	inv.HostInfo, inv.CPU = HostInfo{}, Opt[CPUInfo]{}
	devices := 0
	for ok = l.open(inventoryHost, &inv.Header, inv, inventorySteps); ok && l.q.pos < len(b); ok = l.close() {
		switch {
		case l.starts(inventoryDevice + ","):
			s := place(&inv.Devices, devices)
			*s = DeviceInfo{ID: s.ID}
			l.tags(inventoryDevice, "device", &s.ID)
			l.walk(s, deviceInventorySteps)
			s.check(l)
			devices++
			checkNew(l, "device", inv.Devices[:devices], deviceInfoID, MaxDevices)
		case l.starts(inventoryCPU+",") && !inv.CPU.OK:
			inv.CPU.OK = true
			l.tags(inventoryCPU, "", nil)
			l.walk(&inv.CPU.Value, cpuInventorySteps)
		default:
			return false
		}
	}
	inv.Devices = inv.Devices[:devices]
	return ok && int64(l.number) == l.lines
}

// place returns the part at i, with what it held before; parts is made longer if need be.
func place[T any](parts *[]T, i int) *T {
	if i < cap(*parts) {
		*parts = (*parts)[:max(i+1, len(*parts))]
	} else {
		var empty T
		*parts = append((*parts)[:i], empty)
	}
	return &(*parts)[i]
}

// beginQuick checks b as a whole.
func (d *Decoder) beginQuick(b []byte) (*line, bool) {
	if len(b) == 0 || len(b) > MaxRecordBytes || b[len(b)-1] != '\n' {
		return nil, false
	}
	if d.ids.sets == nil {
		d.ids, d.names = newInterner(idSlots), newInterner(nameSlots)
	}
	d.line = line{dec: d, q: &d.quick}
	d.quick.in, d.quick.pos = b, 0
	return &d.line, true
}

// starts reports whether the next bytes are s.
func (l *line) starts(s string) bool {
	q := l.q
	return len(q.in)-q.pos >= len(s) && string(q.in[q.pos:q.pos+len(s)]) == s
}

// pass goes past s, which must come next.
func (l *line) pass(s string) {
	if l.err != nil || !l.starts(s) {
		l.leave()
		return
	}
	l.q.pos += len(s)
}

// passBytes goes past s, which must come next.
func (l *line) passBytes(s []byte) {
	q := l.q
	if len(q.in)-q.pos < len(s) || !bytes.Equal(q.in[q.pos:q.pos+len(s)], s) {
		l.leave()
		return
	}
	q.pos += len(s)
}

// leave leaves the record to the reader of line protocol at large.
func (l *line) leave() {
	l.err = errLeave
}

// errLeave is never seen outside the package.
var errLeave = &Error{Reason: ReasonSyntax}

// open reads the host line, whose tags and timestamp the other lines repeat.
func (l *line) open(measurement string, h *Header, p part, steps []step) bool {
	q := l.q
	l.number = 1
	l.pass(measurement)
	l.pass(",")
	centre := q.pos
	l.tag("centre=", &h.Centre)
	l.pass(",")
	l.tag("cluster=", &h.Cluster)
	l.pass(",")
	q.centre = q.in[centre:q.pos]
	host := q.pos
	l.tag("host=", &h.Host)
	q.host = q.in[host:q.pos]
	l.pass(" ")
	*h, l.hint = Header{Origin: h.Origin}, h.Boot
	l.walk(p, steps)
	if l.err != nil || !l.hasFirst() {
		return false
	}
	n := bytes.IndexByte(q.in[q.pos:], '\n') + 1
	q.stamp = q.in[q.pos : q.pos+n]
	ns, ok := parseInt(q.stamp[:n-1])
	if !ok {
		return false
	}
	q.pos += n
	h.Time = time.Unix(0, ns).UTC()
	h.check(l)
	l.checkIDs(&h.Origin)
	l.checkTime(h.Time)
	return l.err == nil
}

// tags reads measurement and tags of a line after the host line; own is the name of its own tag, if it has one.
func (l *line) tags(measurement, own string, id *string) {
	l.number++
	l.q.pos += len(measurement) + 1
	l.passBytes(l.q.centre)
	if own != "" && own < "host" {
		l.pass(own)
		l.tag("=", id)
		l.pass(",")
	}
	l.passBytes(l.q.host)
	if own > "host" {
		l.pass(",")
		l.pass(own)
		l.tag("=", id)
	}
	l.pass(" ")
}

// close reads the timestamp and ends the line.
func (l *line) close() bool {
	l.passBytes(l.q.stamp)
	return l.err == nil
}

// tag reads what stands before a tag's value, and the value.
func (l *line) tag(before string, s *string) {
	l.pass(before)
	q := l.q
	start := q.pos
	for plainTag[q.in[q.pos]] { // a line end is none
		q.pos++
	}
	v := q.in[start:q.pos]
	switch {
	case string(v) == *s: // what stood here in the record before is the likeliest
	case len(v) > MaxName:
		l.leave()
		return
	default:
		*s = l.dec.ids.string(v)
	}
	if len(v) == 0 {
		l.leave()
	}
}

// plainTag are the bytes that stand for themselves in the value of a tag, and plainText those in a string field.
var plainTag, plainText = func() (tag, text [256]bool) {
	for c := byte(' ') + 1; c < 0x7F; c++ {
		tag[c] = c != ',' && c != '=' && c != '\\' && c != '"'
		text[c] = c != '"' && c != '\\'
	}
	text[' '] = true
	return tag, text
}()
