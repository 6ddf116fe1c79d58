package telemetry

import (
	"errors"
	"fmt"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// Encoder writes records in the line protocol of docs/wire.md. The zero Encoder is ready. It keeps its buffers from
// record to record and is not safe for concurrent use.
type Encoder struct {
	// LeaveOut leaves out what may be unknown and cannot be as it is, a figure beyond its bounds or a name that is none, instead of refusing the
	// record: one odd figure must not make a host unheard.
	LeaveOut bool
	// Left is the first that was left out of the last record; nil where nothing was.
	Left error

	lp   lineprotocol.Encoder
	line line
	head *Header // of the record being written
	rest []byte  // the lines after the host line, which states their number
	text []byte  // the string field being written
}

// AppendReport appends r to dst and returns the longer slice. If r breaks a rule of the wire it returns dst as it was,
// and an *Error. A reason or an error text that is too long is cut.
func (e *Encoder) AppendReport(dst []byte, r *Report) ([]byte, error) {
	e.begin(&r.Header)
	l := &e.line
	if r.CPU.OK {
		e.add(reportCPU, "", "", &r.CPU.Value)
		r.CPU.Value.check(l)
	}
	if r.Memory.OK {
		e.add(reportMemory, "", "", &r.Memory.Value)
	}
	for i := range r.Power {
		e.add(reportPower, "domain", r.Power[i].Domain, &r.Power[i])
		checkNew(l, "domain", r.Power[:i+1], powerDomain, MaxParts)
	}
	for i := range r.Devices {
		e.add(reportDevice, "device", r.Devices[i].ID, &r.Devices[i])
		r.Devices[i].check(l)
		checkNew(l, "device", r.Devices[:i+1], deviceStatusID, MaxDevices)
	}
	for i := range r.Sources {
		e.add(reportSource, "source", r.Sources[i].Source, &r.Sources[i])
		checkNew(l, "source", r.Sources[:i+1], sourceName, MaxParts)
	}
	return e.finish(dst, reportHost, r)
}

// AppendInventory appends inv to dst, as AppendReport does for a report.
func (e *Encoder) AppendInventory(dst []byte, inv *Inventory) ([]byte, error) {
	e.begin(&inv.Header)
	l := &e.line
	if inv.CPU.OK {
		e.add(inventoryCPU, "", "", &inv.CPU.Value)
	}
	for i := range inv.Devices {
		e.add(inventoryDevice, "device", inv.Devices[i].ID, &inv.Devices[i])
		inv.Devices[i].check(l)
		checkNew(l, "device", inv.Devices[:i+1], deviceInfoID, MaxDevices)
	}
	return e.finish(dst, inventoryHost, inv)
}

// begin checks what is on every line and begins the lines after the host line.
func (e *Encoder) begin(h *Header) {
	e.head, e.Left = h, nil
	e.line = line{enc: e, number: 1, lines: 1}
	e.line.checkIDs(&h.Origin)
	if err := checkTag(h.Host); err != nil {
		e.line.refuse(ReasonRange, "host", err)
	}
	if h.Time.IsZero() {
		e.line.refuse(ReasonMissing, "time", errors.New("must be set"))
	}
	e.line.checkTime(h.Time)
	// Every key of the schema is a valid one, in order, and every value is checked before it comes here.
	e.lp.SetLax(true)
	e.lp.SetBuffer(e.rest[:0])
}

// add appends a line after the host line, unless nothing is known of its part.
func (e *Encoder) add(measurement, tag, id string, p part) {
	if e.line.err != nil {
		return
	}
	e.line.number = int(e.line.lines) + 1
	before := len(e.lp.Bytes())
	e.write(measurement, tag, id, p)
	if e.line.known == 0 {
		e.lp.SetBuffer(e.lp.Bytes()[:before])
		return
	}
	e.line.lines++
}

// write appends a line.
func (e *Encoder) write(measurement, tag, id string, p part) {
	l := &e.line
	if tag != "" {
		if err := checkTag(id); err != nil {
			l.refuse(ReasonRange, tag, err)
			return
		}
	}
	e.lp.StartLine(measurement)
	e.lp.AddTag("centre", e.head.Centre)
	e.lp.AddTag("cluster", e.head.Cluster)
	if tag != "" && tag < "host" {
		e.lp.AddTag(tag, id)
	}
	e.lp.AddTag("host", e.head.Host)
	if tag > "host" {
		e.lp.AddTag(tag, id)
	}
	l.known = 0
	p.fields(l)
	if l.known == 0 {
		return
	}
	e.lp.EndLine(e.head.Time)
	if err := e.lp.Err(); err != nil {
		l.refuse(ReasonSyntax, "", err)
	}
}

// finish appends the host line and the lines after it to dst.
func (e *Encoder) finish(dst []byte, measurement string, host part) ([]byte, error) {
	l := &e.line
	e.rest = e.lp.Bytes()
	l.number = 1
	e.head.check(l)
	e.lp.SetBuffer(dst)
	if l.err == nil {
		e.write(measurement, "", "", host)
	}
	out := append(e.lp.Bytes(), e.rest...)
	e.lp.SetBuffer(nil) // the caller's
	e.head = nil
	if size := len(out) - len(dst); size > MaxRecordBytes {
		l.number = 0
		l.refuse(ReasonOversized, "", fmt.Errorf("%d bytes, want at most %d", size, MaxRecordBytes))
	}
	if l.err != nil {
		return dst, l.err
	}
	return out, nil
}

// leaves reports whether a field is left out for what is wrong with it.
func (e *Encoder) leaves(l *line, key string, err error) bool {
	if !e.LeaveOut || err == nil {
		return false
	}
	if e.Left == nil {
		e.Left = fmt.Errorf("%s of line %d: %w", key, l.number, err)
	}
	return true
}

// put writes a field.
func (e *Encoder) put(l *line, key string, v lineprotocol.Value) {
	e.lp.AddField(key, v)
	l.known++
}

// putText writes the string in e.text as a field.
func (e *Encoder) putText(l *line, key string) {
	v, err := lineprotocol.NewValueFromBytes(lineprotocol.String, e.text)
	if err != nil {
		l.refuse(ReasonNotUTF8, key, err)
		return
	}
	e.put(l, key, v)
}
