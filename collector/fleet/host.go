package fleet

import (
	"strings"
	"unsafe"

	"github.com/exameter/exameter/telemetry"
)

// flags of a host.
type flags uint8

const (
	isUsed flags = 1 << iota // the slot holds a host
	hasInventory
	hasReport
	isStale
	isSkewed
	isFailing   // a source of its agent fails
	isContender // hosts of other parts contest a device with it, so that it stands in no cell
)

// host is the last state of one host. It fills three cache lines, of which a recount reads the first, and a report that
// brings no surprise the first two.
type host struct {
	devices []device // as the inventory lists them, the processor set last
	ids     string   // the host's id, its name and the ids of its accelerators, one behind the other
	centre  string
	idSize  uint8
	flags   flags
	named   uint8 // bytes of its name

	report    order
	extra     []extra // what the last report says of devices that the inventory does not list
	inventory order
	said      said
}

// A host fills cache lines whole.
var _ [0]struct{} = [unsafe.Sizeof(host{}) % 64]struct{}{}

// chunk is as many hosts as are made at a time. They stay where they are, so that a fleet grows without being copied.
type chunk [chunkSize]host

const chunkSize = 128

// at returns the host of a slot.
func (f *Fleet) at(slot uint32) *host { return &f.chunks[slot/chunkSize][slot%chunkSize] }

func (h *host) is(f flags) bool { return h.flags&f != 0 }

func (h *host) set(f flags, on bool) {
	if on {
		h.flags |= f
	} else {
		h.flags &^= f
	}
}

// online reports whether the host's devices count by what the last report says.
func (h *host) online() bool { return h.flags&(hasReport|isStale) == hasReport }

// id is the host's own.
func (h *host) id() string { return h.ids[:h.idSize] }

// name is what the host's inventory calls it.
func (h *host) name() string { return h.ids[h.idSize:][:h.named] }

// device is one device of a host: 28 bytes, next to those of the others.
type device struct {
	status status
	lot    uint32
	units  int32 // how many it is worth: UnitsPerDevice, or cores
	hash   uint32
	idAt   uint16 // where its id stands in its host's ids; a processor set has its host's
	idSize uint8
	claim  claim
}

// idOf is the id of a device of the host.
func (h *host) idOf(d *device) string { return h.ids[d.idAt:][:d.idSize] }

// claim says how a host's claim to a device stands.
type claim uint8

const (
	isOwned     claim = 1 << iota // it counts here
	isContested                   // other hosts claim it too
	isLocal                       // its id is one within its host, and cannot be contested
	isSet                         // it is the host's processor set
	isUnsettled                   // other parts may not know of it yet, so that it counts nowhere
	isShared                      // hosts of other parts claim it too
)

// counts reports whether a device counts in its part: another host may have it, or other parts not know of it yet.
func (d *device) counts() bool { return d.claim&(isOwned|isUnsettled) == isOwned }

// extra is what a report says of a device that no inventory lists. The processor set's id is empty.
type extra struct {
	id     string
	status status
}

// processors returns the host's processor set, nil where it has none.
func (h *host) processors() *device {
	if n := len(h.devices); n > 0 && h.devices[n-1].claim&isSet != 0 {
		return &h.devices[n-1]
	}
	return nil
}

// find returns the number of the accelerator with an id, looking first where it is likely to stand; -1 if there is none.
func (h *host) find(id string, guess int) int {
	if guess < len(h.devices) {
		if d := &h.devices[guess]; d.claim&isSet == 0 && h.idOf(d) == id {
			return guess
		}
	}
	for i := range h.devices {
		if d := &h.devices[i]; d.claim&isSet == 0 && h.idOf(d) == id {
			return i
		}
	}
	return -1
}

// reading is what a report says, in the order of its host's devices. It is used again for every report.
type reading struct {
	statuses []status
	extra    []extra
}

// read fills a reading with what a report says of the host's devices.
func (g *reading) read(h *host, r *telemetry.Report) {
	g.statuses = append(g.statuses[:0], make([]status, len(h.devices))...)
	g.extra = g.extra[:0]
	for i := range r.Devices {
		st := &r.Devices[i]
		// The report lists devices in the inventory's order, so the first guess is nearly always right.
		if n := h.find(st.ID, i); n >= 0 {
			g.statuses[n] = deviceStatus(st)
		} else if st.ID != "" && len(g.extra) < telemetry.MaxDevices {
			g.extra = append(g.extra, extra{id: st.ID, status: deviceStatus(st)})
		}
	}
	// The set's status is kept among the extras, under no id, until an inventory lists the set.
	if r.CPU.OK {
		st := cpuStatus(&r.CPU.Value, r.Power)
		if h.processors() != nil {
			g.statuses[len(g.statuses)-1] = st
		} else {
			g.extra = append(g.extra, extra{status: st})
		}
	}
}

// isLike reports whether the reading differs from what the host's devices do in nothing but amounts.
func (g *reading) isLike(h *host) bool {
	if len(g.extra)+len(h.extra) > 0 {
		return false
	}
	for i := range g.statuses {
		d := &h.devices[i]
		if d.claim&(isContested|isUnsettled|isShared) != 0 || !d.status.isLike(&g.statuses[i]) {
			return false
		}
	}
	return true
}

// take makes a reading what the host's devices do.
func (h *host) take(g *reading) {
	for i := range g.statuses {
		h.devices[i].status = g.statuses[i]
	}
	if h.extra = append(h.extra[:0], g.extra...); len(h.extra) == 0 {
		h.extra = nil
	}
	clear(g.extra) // it must not keep their ids
}

// replace makes devices the host's, whose ids stand in ids, giving each what the last report says of it.
func (h *host) replace(devices []device, ids string) {
	old := *h
	h.devices, h.ids, h.extra = devices, ids, nil
	for i := range old.devices {
		was := &old.devices[i]
		if was.status.seen == 0 {
			continue
		}
		if d := h.same(&old, was, i); d != nil {
			d.status = was.status
		} else {
			e := extra{status: was.status}
			if was.claim&isSet == 0 {
				e.id = strings.Clone(old.idOf(was))
			}
			h.extra = append(h.extra, e)
		}
	}
	for _, e := range old.extra {
		var d *device
		if e.id == "" {
			d = h.processors()
		} else if n := h.find(e.id, 0); n >= 0 {
			d = &h.devices[n]
		}
		if d != nil {
			d.status = e.status
		} else {
			h.extra = append(h.extra, e)
		}
	}
}

// same returns the device of the host that is d of another list, nil where there is none; guess is where it may stand.
func (h *host) same(other *host, d *device, guess int) *device {
	if d.claim&isSet != 0 {
		return h.processors()
	}
	id := other.idOf(d)
	if guess < len(h.devices) && h.devices[guess].is(h, d.hash, id) {
		return &h.devices[guess]
	}
	for i := range h.devices {
		if h.devices[i].is(h, d.hash, id) {
			return &h.devices[i]
		}
	}
	return nil
}

// is reports whether an accelerator of a host is the one with an id.
func (d *device) is(h *host, hash uint32, id string) bool {
	return d.hash == hash && d.claim&isSet == 0 && h.idOf(d) == id
}
