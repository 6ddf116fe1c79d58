package fleet

import (
	"math"
	"strings"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
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

	reasonShift = iota // the bits above hold the number of the code that opens the reason
	isFact      = isReported | isPresent | isSM
)

// isLike reports whether another status differs in nothing but amounts, of units at work, power and activity, and why.
func (s *status) isLike(o *status) bool {
	return s.state == o.state && (s.seen^o.seen)&isFact == 0 && s.busy^o.busy >= 0 && s.power^o.power >= 0 && s.activity^o.activity >= 0
}

// deviceStatus keeps what the cells need of an accelerator's status.
//
// A partitioned card that is busy counts by its slices at work, rounded up; one whose slices are not known, or that is
// busy with no slice at work (held by memory or within its hold time), counts as busy whole: what is free is what a
// dispatcher may hand out.
func deviceStatus(d *telemetry.DeviceStatus) status {
	st := status{state: stateOf(d.State), power: power(d.PowerMean), busy: -1, activity: -1, seen: isReported}
	reason := reasonOf(d.Reason)
	st.seen |= seen(reason) << reasonShift
	if !reason.absent() {
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
	st := status{state: stateOf(c.State), power: packages(domains), busy: -1, activity: -1, seen: isReported | isPresent | seen(reasonOf(c.Reason))<<reasonShift}
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
