package fleet

import (
	"math"
	"strings"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// flags of a host.
type flags uint8

const (
	hasInventory flags = 1 << iota
	hasReport
	isStale
	isSkewed
)

// host is the last state of one host.
type host struct {
	centre    string
	id        string
	report    order
	inventory order
	devices   []device // as the inventory lists them, the processor set last
	extra     []extra  // what the last report says of devices that the inventory does not list
	flags     flags
}

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

// device is one device of a host.
type device struct {
	id     string // of a processor set: the host's
	lot    uint32
	units  int32 // how many it is worth: UnitsPerDevice, or cores
	status status
	claim  claim
}

// claim says how a host's claim to a device stands.
type claim uint8

const (
	isOwned     claim = 1 << iota // it counts here
	isContested                   // other hosts claim it too
	isLocal                       // its id is one within its host, and cannot be contested
	isSet                         // it is the host's processor set
)

// status is what the last report says of a device, in what the cells need.
type status struct {
	power    int32 // milliwatts; -1 unknown
	busy     int32 // of 10,080 parts, or cores, while healthy; -1: all or nothing, as the state says
	activity int16 // in thousandths; -1 unknown
	state    capacity.State
	seen     seen
}

// seen says what is known of a status.
type seen uint8

const (
	isReported seen = 1 << iota // the last report speaks of the device
	isPresent                   // and says that it is there
	isSM                        // activity is that of the multiprocessors
)

// extra is what a report says of a device that no inventory lists.
type extra struct {
	id     string
	status status
}

// take replaces what the host's devices are doing by what a report says.
func (h *host) take(r *telemetry.Report) {
	for i := range h.devices {
		h.devices[i].status = status{}
	}
	h.extra = h.extra[:0]
	for i := range r.Devices {
		st := &r.Devices[i]
		// The report lists devices in the inventory's order, so the first guess is nearly always right.
		if d := h.find(st.ID, i); d != nil {
			d.status = deviceStatus(st)
		} else if st.ID != "" && len(h.extra) < telemetry.MaxDevices {
			h.extra = append(h.extra, extra{id: st.ID, status: deviceStatus(st)})
		}
	}
	if len(h.extra) == 0 {
		h.extra = nil
	}
	// The set's status is kept among the extras under the host's id until an inventory lists the set: no accelerator's
	// status can be mistaken for it, for find tells the two apart.
	if cpu, ok := r.CPU.Get(); ok {
		st := cpuStatus(&cpu, r.Power)
		if n := len(h.devices); n > 0 && h.devices[n-1].claim&isSet != 0 {
			h.devices[n-1].status = st
		} else {
			h.extra = append(h.extra, extra{status: st})
		}
	}
}

// find returns the accelerator with an id, looking first where it is likely to stand.
func (h *host) find(id string, guess int) *device {
	if guess < len(h.devices) && h.devices[guess].id == id && h.devices[guess].claim&isSet == 0 {
		return &h.devices[guess]
	}
	for i := range h.devices {
		if h.devices[i].id == id && h.devices[i].claim&isSet == 0 {
			return &h.devices[i]
		}
	}
	return nil
}

// replace makes devices the host's, giving each what the last report says of it and the standing of the claim it had.
func (h *host) replace(devices []device) {
	old, known := h.devices, make(map[string]status, len(h.devices)+len(h.extra))
	for i := range old {
		if d := &old[i]; d.status.seen != 0 {
			known[d.key()] = d.status
		}
	}
	for _, e := range h.extra {
		known[e.id] = e.status
	}
	h.devices = devices
	for i := range devices {
		d := &devices[i]
		d.status = known[d.key()]
		delete(known, d.key())
	}
	h.extra = nil
	for id, st := range known {
		h.extra = append(h.extra, extra{id: id, status: st})
	}
}

// key tells the devices of one host apart: the id, and for the processor set nothing.
func (d *device) key() string {
	if d.claim&isSet != 0 {
		return ""
	}
	return d.id
}

// deviceStatus keeps what the cells need of an accelerator's status.
//
// A partitioned card that is busy counts by its slices at work, rounded up; one whose slices are not known, or that is
// busy with no slice at work (held by memory or within its hold time), counts as busy whole: what is free is what a
// dispatcher may hand out.
func deviceStatus(d *telemetry.DeviceStatus) status {
	st := status{state: stateOf(d.State), power: power(d.PowerMean), busy: -1, activity: -1, seen: isReported}
	if !absent(d.Reason) {
		st.seen |= isPresent
	}
	slices, known := d.Slices.Get()
	busy, busyKnown := d.SlicesBusy.Get()
	if known && busyKnown && slices > 0 && slices <= capacity.UnitsPerDevice && busy > 0 && busy <= slices {
		st.busy = int32((capacity.UnitsPerDevice*busy + slices - 1) / slices)
	}
	if a, ok := d.SMActivity.Get(); ok {
		st.activity = permille(a)
		st.seen |= isSM
	} else if a, ok := d.UtilizationMean.Get(); ok {
		st.activity = permille(a)
	}
	return st
}

// cpuStatus keeps what the cells need of a processor set's status. Its power is that of its packages, where all of them
// are known.
func cpuStatus(c *telemetry.CPUStatus, domains []telemetry.PowerStatus) status {
	st := status{state: stateOf(c.State), power: packages(domains), busy: -1, activity: -1, seen: isReported | isPresent}
	if n, ok := c.CoresBusy.Get(); ok && n >= 0 {
		st.busy = int32(min(n, math.MaxInt32))
	}
	if a, ok := c.UtilizationMean.Get(); ok {
		st.activity = permille(a)
	}
	return st
}

// stateOf translates a state of the wire. The decoder lets no other through; if one came, silence is the safe reading.
func stateOf(s telemetry.State) capacity.State {
	switch s {
	case telemetry.Busy:
		return capacity.Busy
	case telemetry.Free:
		return capacity.Free
	case telemetry.Drained:
		return capacity.Drained
	case telemetry.Faulty:
		return capacity.Faulty
	default:
		return capacity.Stale
	}
}

// absent reports whether a reason says that the device is not where it was.
func absent(reason string) bool {
	code, _, _ := strings.Cut(reason, ":")
	return code == "missing" || code == "lost"
}

func power(p telemetry.Opt[telemetry.Milliwatts]) int32 {
	if v, ok := p.Get(); ok && v >= 0 && v <= math.MaxInt32 {
		return int32(v)
	}
	return -1
}

func packages(domains []telemetry.PowerStatus) int32 {
	sum := int64(-1)
	for i := range domains {
		if !strings.HasPrefix(domains[i].Domain, "package") {
			continue
		}
		p := power(domains[i].Mean)
		if p < 0 {
			return -1
		}
		sum = max(sum, 0) + int64(p)
	}
	if sum > math.MaxInt32 {
		return -1
	}
	return int32(sum)
}

func permille(p telemetry.Permille) int16 { return int16(min(max(p, 0), 1000)) }
