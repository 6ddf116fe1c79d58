package state

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// A card that several sources see is one device. This file finds out which of their readings are of one card, and which
// of the sources speaks for it; docs/states.md tells operators the same.
//
// A reading is of a known device when its source has called the device so before, when it has the device's id, or when
// both have a PCI address, or a serial number, that neither shares with another device. The device keeps the id that it
// had first, whatever better one another source has for it, so that sources can come and go without it counting twice.

// sighting is one reading of a device by one source.
type sighting struct {
	source  string
	rank    int
	at      time.Time
	reading *poll.DeviceReading
}

// hear takes what one source said in a tick.
func (t *Tracker) hear(now time.Time, rank int, r poll.Result) {
	s := t.sources[r.Source]
	if s == nil {
		s = &seen{}
		t.sources[r.Source] = s
	}
	s.tick, s.rank, s.result, s.listed, s.now, s.left = now, rank, r, false, nil, ""
	for _, a := range r.Answers {
		s.ready = s.ready || a.Reading.CPU == nil || a.Reading.CPU.Utilization.OK
		if a.Reading.Devices != nil {
			s.listed, s.answered = true, now
			t.sight(r.Source, s, a)
		}
	}
	if r.Health.Absent && !s.listed {
		s.answered, s.listed = now, true
	}
}

// sight finds the devices of one answer. Names and ids come before addresses and serial numbers: a weaker likeness must
// not take a device that another reading of the same answer is of.
func (t *Tracker) sight(source string, s *seen, a poll.Answer) {
	s.now = map[*tracked]bool{}
	list := a.Reading.Devices.Devices
	var rest []*poll.DeviceReading
	for i := range list {
		r := &list[i]
		d := t.named(source, r.Info.ID)
		switch {
		case d == nil && usable(r.Info.ID):
			rest = append(rest, r)
		case d == nil || s.now[d]:
			t.once("duplicate "+r.Info.ID, "a device was named twice or without a usable id and is left out once", "source", source, "device", r.Info.ID)
		default:
			t.took(source, s, a.Time, d, r)
		}
	}
	var strangers []*poll.DeviceReading
	for _, r := range rest {
		if d := t.alike(source, s, list, r); d != nil {
			t.took(source, s, a.Time, d, r)
		} else {
			strangers = append(strangers, r)
		}
	}
	for _, r := range strangers {
		if other := t.maybe(source, s, r); other != nil {
			t.once("unmatched "+source+" "+r.Info.ID, "two sources see devices of one vendor and share nothing that tells which is which: those of one are left out",
				"source", source, "device", r.Info.ID, "other_source", other.by(), "other_device", other.Info.ID)
			s.left = "device " + r.Info.ID + " is left out: it may be " + other.Info.ID + " of source " + other.by() + ", and nothing tells"
			continue
		}
		if t.devices[r.Info.ID] != nil || len(t.devices) >= telemetry.MaxDevices {
			t.once("no room "+r.Info.ID, "a device is left out: its id is taken, or there are too many", "source", source, "device", r.Info.ID)
			s.left = "device " + r.Info.ID + " is left out: its id is taken, or there are too many"
			continue
		}
		// What was acknowledged before it came is none of its faults.
		d := &tracked{Device: Device{Info: r.Info, Seen: a.Time, Acked: t.orders.acknowledged(r.Info.ID), Missing: true}, presence: NoAnswer}
		t.devices[r.Info.ID] = d
		t.took(source, s, a.Time, d, r)
	}
}

// by names the source that speaks for a device, or that has just brought it.
func (d *tracked) by() string {
	if d.Source == "" && len(d.sightings) > 0 {
		return d.sightings[0].source
	}
	return d.Source
}

// took notes that a source sees a device, and what it calls it.
func (t *Tracker) took(source string, s *seen, at time.Time, d *tracked, r *poll.DeviceReading) {
	s.now[d] = true
	d.sightings = append(d.sightings, sighting{source, s.rank, at, r})
	if d.Names[source] != r.Info.ID {
		if d.Names == nil {
			d.Names = map[string]string{}
		}
		d.Names[source], t.dirty = r.Info.ID, true
	}
}

// named returns the device that a source calls so, else the one with that id which the source has no other name for.
func (t *Tracker) named(source, id string) *tracked {
	if d := t.devices[id]; d != nil && d.Names[source] == id {
		return d
	}
	for _, d := range t.devices {
		if d.Names[source] == id && id != "" {
			return d
		}
	}
	if d := t.devices[id]; d != nil && d.Names[source] == "" {
		return d
	}
	return nil
}

// alike returns the device whose PCI address or serial number a reading has, where neither side has it twice. A device
// that the source calls by another name is another: cards are replaced, and slots stay.
func (t *Tracker) alike(source string, s *seen, list []poll.DeviceReading, r *poll.DeviceReading) *tracked {
	for _, key := range []func(*telemetry.DeviceInfo) string{
		func(i *telemetry.DeviceInfo) string { return i.PCI },
		func(i *telemetry.DeviceInfo) string { return i.Serial },
	} {
		v := key(&r.Info)
		if v == "" {
			continue
		}
		n := 0
		for i := range list {
			if key(&list[i].Info) == v && list[i].Info.Vendor == r.Info.Vendor {
				n++
			}
		}
		var found []*tracked
		for _, d := range t.devices {
			if key(&d.Info) == v && d.Info.Vendor == r.Info.Vendor && !s.now[d] && d.Names[source] == "" {
				found = append(found, d)
			}
		}
		if n == 1 && len(found) == 1 {
			return found[0]
		}
	}
	return nil
}

// maybe returns a device of another source that a reading could be of, as far as anybody can tell. Counting both could
// count one card twice.
func (t *Tracker) maybe(source string, s *seen, r *poll.DeviceReading) *tracked {
	for _, d := range t.sorted() {
		if d.Names[source] == "" && !s.now[d] && d.Info.Vendor == r.Info.Vendor && !distinct(&d.Info, &r.Info) {
			return d
		}
	}
	return nil
}

// distinct says whether two devices are certainly not one: their PCI addresses differ, or their ids, which are of one
// make.
func distinct(a, b *telemetry.DeviceInfo) bool {
	if a.PCI != "" && b.PCI != "" {
		return a.PCI != b.PCI
	}
	return a.ID != b.ID && a.ID != a.PCI && b.ID != b.PCI && shape(a.ID) == shape(b.ID)
}

// shape is what the ids of one make have in common: their length, their hyphens, and what stands before the first.
func shape(id string) string {
	head, tail, _ := strings.Cut(id, "-")
	if strings.ContainsAny(head, "0123456789") {
		head, tail = "", id
	}
	return head + strings.Map(func(r rune) rune {
		if r == '-' {
			return r
		}
		return 'x'
	}, tail)
}

// settle decides which source speaks for a device, and takes its readings. What that one does not tell is taken from
// the others.
func (t *Tracker) settle(now time.Time, d *tracked) (renewed bool) {
	if who := t.speaker(now, d); who != d.Source {
		d.Source, d.placed = who, false
		renewed, t.dirty = true, true
	}
	own := slices.ContainsFunc(d.sightings, func(g sighting) bool { return g.source == d.Source })
	s := t.sources[d.Source]
	switch {
	case s == nil || !s.tick.Equal(now):
		d.presence, d.detail = Gone, "source "+d.Source+" is not in use"
	case own && s.now[d]:
		d.presence = Present
	default:
		d.presence, d.detail = absence(s.result, s.listed)
	}
	if !own {
		return renewed
	}
	var last *sighting
	for i := range d.sightings {
		if g := &d.sightings[i]; g.source == d.Source {
			last = g
			r := *g.reading
			for _, other := range d.sightings {
				if other.source != d.Source {
					supplement(&r, other.reading)
				}
			}
			renewed = t.read(d, g.at, &r) || renewed
		}
	}
	d.readAt = last.at
	return renewed
}

// speaker returns the source whose readings of a device count. The most preferred one that sees it does; a less
// preferred one only after the better one has been silent about it for longer than the silence limit, or is absent, so
// that a moment's silence changes nothing. A source that answers without a device has spoken: the device is missing.
func (t *Tracker) speaker(now time.Time, d *tracked) string {
	if len(d.sightings) == 0 {
		return d.Source
	}
	best := d.sightings[0]
	s := t.sources[d.Source]
	heard := d.readAt
	if t.started.After(heard) {
		heard = t.started
	}
	switch {
	case s == nil || !s.tick.Equal(now) || s.result.Health.Absent, best.rank <= s.rank:
		return best.source
	case s.listed || released(s.result) || now.Sub(heard) <= t.Rules.Silence:
		return d.Source
	}
	return best.source
}

// absence says why a device of a source was not seen in a tick.
func absence(r poll.Result, listed bool) (Presence, string) {
	switch {
	case r.Health.Absent:
		return Gone, r.Health.Error
	case listed:
		return Gone, "source " + r.Source + " no longer lists it"
	case released(r):
		return Released, r.Health.Error
	case r.Health.Error != "":
		return NoAnswer, "source " + r.Source + ": " + r.Health.Error
	}
	return NoAnswer, "source " + r.Source + " has not answered yet"
}

// read takes one reading of one device.
func (t *Tracker) read(d *tracked, at time.Time, r *poll.DeviceReading) (renewed bool) {
	info := known(r.Info, d.Info)
	if r.Fault != "" {
		info = complete(info, d.Info) // a broken device cannot tell all of what it is
	}
	if d.Missing {
		d.Seen = at
	}
	if d.Info != info || d.Missing {
		d.Info, d.Missing = info, false
		t.dirty, renewed = true, true
	}
	d.reading = *r
	d.samples = append(d.samples, Sample{Time: at, DeviceReading: r})
	if occupied(r) {
		d.occupied = at
	}
	if t.Rules.active(r, at, d.occupied) {
		d.active = at
	}
	if useKnown(r) {
		d.useKnown = at
	}
	t.faults(d, at, r)
	return renewed
}

// supplement adds what another source tells of a device to a reading. Counters, events and slices are left out: they
// mean something only beside their like of the same source. A fault counts whoever sees it.
func supplement(r, other *poll.DeviceReading) {
	r.Info = complete(r.Info, other.Info)
	if r.Fault == "" {
		r.Fault = other.Fault
	}
	r.IdleMemory = max(r.IdleMemory, other.IdleMemory)
	fill(&r.Utilization, other.Utilization)
	fill(&r.SMActivity, other.SMActivity)
	fill(&r.TensorActivity, other.TensorActivity)
	fill(&r.MemoryUtilization, other.MemoryUtilization)
	fill(&r.MemoryUsed, other.MemoryUsed)
	fill(&r.Power, other.Power)
	fill(&r.Temperature, other.Temperature)
	fill(&r.SMClock, other.SMClock)
	fill(&r.MemoryClock, other.MemoryClock)
	fill(&r.Processes, other.Processes)
	fill(&r.RemapPending, other.RemapPending)
	fill(&r.RemapFailed, other.RemapFailed)
}

func fill[T any](to *telemetry.Opt[T], from telemetry.Opt[T]) {
	if !to.OK {
		*to = from
	}
}

func fillText(to *string, from string) {
	if *to == "" {
		*to = from
	}
}

// known keeps what a device was called first, and what does not change by not being told: a source that tells it may
// have fallen silent.
func known(info, before telemetry.DeviceInfo) telemetry.DeviceInfo {
	info.ID = before.ID
	fillText(&info.Vendor, before.Vendor)
	fillText(&info.Name, before.Name)
	fillText(&info.Serial, before.Serial)
	fillText(&info.PCI, before.PCI)
	fill(&info.Index, before.Index)
	fill(&info.Memory, before.Memory)
	return info
}

// complete fills what a reading left out of an identity with what is known from elsewhere.
func complete(info, from telemetry.DeviceInfo) telemetry.DeviceInfo {
	fillText(&info.Vendor, from.Vendor)
	fillText(&info.Name, from.Name)
	fillText(&info.Serial, from.Serial)
	fillText(&info.PCI, from.PCI)
	fillText(&info.Driver, from.Driver)
	fillText(&info.Firmware, from.Firmware)
	fillText(&info.Source, from.Source)
	fill(&info.Index, from.Index)
	fill(&info.Memory, from.Memory)
	fill(&info.Slices, from.Slices)
	return info
}

// usable says whether an id can stand on the wire.
func usable(id string) bool {
	odd := func(r rune) bool { return r == utf8.RuneError || r == '\\' || !unicode.IsPrint(r) }
	return id != "" && len(id) <= telemetry.MaxName && !strings.ContainsFunc(id, odd)
}

func released(r poll.Result) bool {
	return slices.ContainsFunc(r.Answers, func(a poll.Answer) bool { return errors.Is(a.Err, poll.ErrReleased) })
}
