package telemetry

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Decoder reads records in the line protocol of docs/wire.md. The zero Decoder is ready. It keeps its buffers and
// tables of strings from record to record and is not safe for concurrent use.
type Decoder struct {
	// Unknown counts the fields, and the lines of unknown measurements, that were skipped since the Decoder was made.
	// They are additions to the schema that this program is too old for.
	Unknown int64
	// General leaves every record to the reader of line protocol at large, also those that the quick one would take.
	General bool

	quick quick
	scan  scanner
	line  line
	input []byte  // the record being read
	head  *Header // of the record being read
	stamp int64   // timestamp of the record, nanoseconds since 1970
	ends  int     // line ends in the record
	ids   interner
	names interner
}

// Report reads the report in b into r. What r held is overwritten and its slices are used again; r shares no memory
// with b. If b breaks a rule of the wire Report returns an *Error, and what r then holds is not to be used.
func (d *Decoder) Report(b []byte, r *Report) error {
	if !d.General && d.quickReport(b, r) {
		return nil
	}
	return d.slowReport(b, r)
}

// slowReport reads a record in any order that the wire allows, and says what is wrong with one that breaks a rule.
func (d *Decoder) slowReport(b []byte, r *Report) error {
	*r = Report{Power: r.Power[:0], Devices: r.Devices[:0], Sources: r.Sources[:0]}
	d.begin(b, &r.Header)
	for d.next() {
		d.reportLine(r)
		d.end()
	}
	return d.finish()
}

// Inventory reads the inventory in b into inv, as Report does for a report.
func (d *Decoder) Inventory(b []byte, inv *Inventory) error {
	if !d.General && d.quickInventory(b, inv) {
		return nil
	}
	return d.slowInventory(b, inv)
}

func (d *Decoder) slowInventory(b []byte, inv *Inventory) error {
	*inv = Inventory{Devices: inv.Devices[:0]}
	d.begin(b, &inv.Header)
	for d.next() {
		d.inventoryLine(inv)
		d.end()
	}
	return d.finish()
}

// reportLine reads one line of a report, up to its timestamp.
func (d *Decoder) reportLine(r *Report) {
	l := &d.line
	switch m := d.measurement(reportHost); m {
	case reportHost:
		d.host(r)
	case reportCPU:
		d.single(m, r.CPU.OK)
		l.read(&r.CPU.Value)
		if r.CPU.OK = l.known > 0; r.CPU.OK {
			r.CPU.Value.check(l)
		}
	case reportMemory:
		d.single(m, r.Memory.OK)
		l.read(&r.Memory.Value)
		r.Memory.OK = l.known > 0
	case reportPower:
		p := grow(&r.Power)
		p.Domain = d.tags("domain")
		l.read(p)
		if l.known == 0 {
			r.Power = r.Power[:len(r.Power)-1]
			return
		}
		checkNew(l, "domain", r.Power, powerDomain, MaxParts)
	case reportDevice:
		s := grow(&r.Devices)
		s.ID = d.tags("device")
		l.read(s)
		s.check(l)
		checkNew(l, "device", r.Devices, deviceStatusID, MaxDevices)
	case reportSource:
		s := grow(&r.Sources)
		s.Source = d.tags("source")
		l.read(s)
		s.check(l)
		checkNew(l, "source", r.Sources, sourceName, MaxParts)
	default:
		d.other(m)
	}
}

// inventoryLine reads one line of an inventory, up to its timestamp.
func (d *Decoder) inventoryLine(inv *Inventory) {
	l := &d.line
	switch m := d.measurement(inventoryHost); m {
	case inventoryHost:
		d.host(inv)
	case inventoryCPU:
		d.single(m, inv.CPU.OK)
		l.read(&inv.CPU.Value)
		inv.CPU.OK = l.known > 0
	case inventoryDevice:
		s := grow(&inv.Devices)
		s.ID = d.tags("device")
		l.read(s)
		s.check(l)
		checkNew(l, "device", inv.Devices, deviceInfoID, MaxDevices)
	default:
		d.other(m)
	}
}

// grow adds an empty part to parts and returns it.
func grow[T any](parts *[]T) *T {
	var empty T
	*parts = append(*parts, empty)
	return &(*parts)[len(*parts)-1]
}

// begin checks b as a whole and begins to read it.
func (d *Decoder) begin(b []byte, head *Header) {
	if d.ids.sets == nil {
		d.ids, d.names = newInterner(idSlots), newInterner(nameSlots)
	}
	d.line = line{dec: d}
	d.input, d.head = b, head
	l := &d.line
	switch {
	case len(b) == 0:
		l.refuse(ReasonEmpty, "", errors.New("no bytes"))
		return
	case len(b) > MaxRecordBytes:
		l.refuse(ReasonOversized, "", fmt.Errorf("%d bytes, want at most %d", len(b), MaxRecordBytes))
		return
	case b[len(b)-1] != '\n':
		l.refuse(ReasonTruncated, "", errors.New("the last line is not ended"))
		return
	case bytes.IndexByte(b, '\r') >= 0:
		l.refuse(ReasonSyntax, "", errors.New("has a carriage return"))
		return
	}
	d.ends = bytes.Count(b, []byte{'\n'})
	d.scan.open(b)
}

// next goes on to the next line, and reports whether there is one to read.
func (d *Decoder) next() bool {
	if d.line.err != nil || !d.scan.Next() {
		return false
	}
	d.line.number++
	return true
}

// measurement returns the measurement of the line, or nothing if the schema has none such. The host line must be the
// first, and only it.
func (d *Decoder) measurement(host string) string {
	l := &d.line
	b, err := d.scan.Measurement()
	if err != nil {
		l.refuseSyntax("", err)
		return ""
	}
	m := measurementOf(b)
	switch first := l.number == 1; {
	case m == host && !first:
		l.refuse(ReasonDuplicate, "", errors.New("a second host line"))
	case m != host && first:
		l.refuse(ReasonMeasurement, "", fmt.Errorf("%s, want %s first", quote(b), host))
	case m == "" && !strings.HasPrefix(string(b), measurementPrefix):
		l.refuse(ReasonMeasurement, "", fmt.Errorf("%s is foreign", quote(b)))
	}
	return m
}

// host reads the host line.
func (d *Decoder) host(p part) {
	l := &d.line
	d.tags("")
	l.lines = 0
	l.read(p)
	if !l.hasFirst() {
		l.refuse(ReasonSchema, "schema", errors.New("is not stated"))
	}
	d.head.check(l)
	if l.lines == 0 {
		l.refuse(ReasonMissing, "lines", errors.New("is not stated"))
	}
	if l.lines != int64(d.ends) {
		l.refuse(ReasonTruncated, "lines", fmt.Errorf("%d lines, want %d", d.ends, l.lines))
	}
}

// single reads the tags of a line that stands once in a record.
func (d *Decoder) single(measurement string, before bool) {
	if before {
		d.line.refuse(ReasonDuplicate, "", fmt.Errorf("a second line of %s", measurement))
	}
	d.tags("")
}

// other skips a line of an unknown measurement, and refuses one that belongs to another kind of record.
func (d *Decoder) other(measurement string) {
	l := &d.line
	if measurement != "" {
		l.refuse(ReasonMeasurement, "", fmt.Errorf("%s belongs to another kind of record", measurement))
		return
	}
	d.Unknown++
	d.tags(anyTag)
	if l.err != nil {
		return
	}
	for l.advance(); len(l.key) > 0; {
		l.skip()
	}
}

// anyTag lets a line have any tag beside those of the origin.
const anyTag = "*"

// tags reads the tags of a line and returns the value of the one called own, if own is not empty. Those of the origin
// are kept on the host line, and must be the same on the others.
func (d *Decoder) tags(own string) (id string) {
	l := &d.line
	var centre, cluster, host, mine bool
	for l.err == nil {
		key, value, err := d.scan.NextTag()
		if err != nil {
			l.refuseSyntax("", err)
		}
		if key == nil {
			break
		}
		switch string(key) {
		case "centre":
			d.originTag("centre", &centre, &d.head.Centre, value)
		case "cluster":
			d.originTag("cluster", &cluster, &d.head.Cluster, value)
		case "host":
			d.originTag("host", &host, &d.head.Host, value)
		case own:
			d.once(own, &mine)
			id = d.tagValue(own, value)
		default:
			if own != anyTag {
				l.refuse(ReasonTag, quote(key), errors.New("is not a tag of this measurement"))
			}
		}
	}
	d.require("centre", centre)
	d.require("cluster", cluster)
	d.require("host", host)
	d.require(own, mine || own == "" || own == anyTag)
	if l.number == 1 {
		l.checkIDs(&d.head.Origin)
	}
	return id
}

// once refuses a tag that stands twice on a line.
func (d *Decoder) once(key string, seen *bool) {
	if *seen {
		d.line.refuse(ReasonDuplicate, key, errors.New("stands twice"))
	}
	*seen = true
}

// require refuses a line without the tag called key.
func (d *Decoder) require(key string, seen bool) {
	if !seen {
		d.line.refuse(ReasonMissing, key, errors.New("no such tag"))
	}
}

// tagValue returns the value of a tag, which can have no backslash at its end, as that would escape what follows it.
func (d *Decoder) tagValue(key string, value []byte) string {
	if err := checkString(value, MaxName); err != nil {
		d.line.refuse(ReasonRange, key, err)
		return ""
	}
	return d.ids.string(value)
}

// originTag takes a tag of the origin from the host line, or compares it with the host line's.
func (d *Decoder) originTag(key string, seen *bool, have *string, value []byte) {
	l := &d.line
	d.once(key, seen)
	if l.number > 1 {
		if string(value) != *have {
			l.refuse(ReasonMixedOrigin, key, fmt.Errorf("is %s, and %s on the host line", quote(value), quote(*have)))
		}
		return
	}
	*have = d.tagValue(key, value)
}

// end reads the timestamp and ends the line.
func (d *Decoder) end() {
	l := &d.line
	if l.err != nil {
		return
	}
	b, err := d.scan.TimeBytes()
	switch {
	case err != nil:
		l.refuseSyntax("time", err)
		return
	case b == nil:
		l.refuse(ReasonMissing, "time", errors.New("no timestamp"))
		return
	}
	stamp, ok := parseInt(b)
	switch {
	case !ok:
		l.refuse(ReasonRange, "time", fmt.Errorf("%s is not a number of nanoseconds", quote(b)))
	case l.number == 1:
		d.stamp = stamp
		d.head.Time = time.Unix(0, stamp).UTC()
		l.checkTime(d.head.Time)
	case stamp != d.stamp:
		l.refuse(ReasonMixedOrigin, "time", fmt.Errorf("is %d, and %d on the host line", stamp, d.stamp))
	}
}

// finish ends the record.
func (d *Decoder) finish() error {
	l := &d.line
	if l.number != d.ends {
		// Blank lines and comments are passed over by a reader of line protocol, and have no place in a record.
		l.number = 0
		l.refuse(ReasonSyntax, "", errors.New("has blank lines or comments, or a line end in a string"))
	}
	input := d.input
	d.input, d.head = nil, nil
	if l.err == nil {
		return nil
	}
	// Every token of a record that was read whole was found to be UTF-8, so that only a refused one need be asked.
	if len(input) <= MaxRecordBytes && !utf8.Valid(input) {
		l.err = &Error{Reason: ReasonNotUTF8, Err: errors.New("is not UTF-8")}
	}
	return l.err
}
