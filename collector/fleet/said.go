package fleet

import (
	"math"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// said is what an agent last said of itself and of its devices' errors. Numbers beyond what fits are held at the largest.
type said struct {
	dropped uint32 // records, since the agent started
	xids    uint16 // errors of all devices, since the agent started
	queued  uint16 // records
}

// hear notes what a report says of its agent. The first report of a host tells where its counts stand, and what they grow by later is
// counted. A count that fell began anew with its agent.
func (f *Fleet) hear(h *host, r *telemetry.Report) {
	was, known := h.said, h.is(hasReport)
	if n, ok := r.Queued.Get(); ok {
		h.said.queued = uint16(min(max(n, 0), math.MaxUint16))
	}
	if n, ok := r.Dropped.Get(); ok {
		h.said.dropped = uint32(min(max(n, 0), math.MaxUint32))
	}
	if n, ok := xids(r); ok {
		h.said.xids = uint16(min(n, math.MaxUint16))
	}
	f.stats.QueuedRecords += int64(h.said.queued) - int64(was.queued)
	if known {
		f.stats.DroppedRecords += growth(int64(was.dropped), int64(h.said.dropped))
		f.stats.XIDErrors += growth(int64(was.xids), int64(h.said.xids))
	}
	failing := false
	for i := range r.Sources {
		failing = failing || !r.Sources[i].OK
	}
	f.markFailing(h, failing)
}

// Heard is what agents said they dropped and saw, since the fleet heard of their hosts.
type Heard struct {
	DroppedRecords, XIDErrors int64
}

// Heard returns the part of Stats that reports make grow.
func (f *Fleet) Heard() Heard { return Heard{f.stats.DroppedRecords, f.stats.XIDErrors} }

// xids adds up the errors of all devices; ok is false where none of them tells, or where one tells a number that cannot be.
func xids(r *telemetry.Report) (sum int64, ok bool) {
	for i := range r.Devices {
		if n, known := r.Devices[i].XIDCount.Get(); known && n >= 0 {
			sum, ok = min(sum+min(n, math.MaxUint16), math.MaxUint16), true
		}
	}
	return sum, ok
}

// growth is by how much a count grew, which began anew where it fell.
func growth(was, is int64) int64 {
	if is < was {
		return is
	}
	return is - was
}

// markFailing notes whether a source of the host's agent fails.
func (f *Fleet) markFailing(h *host, failing bool) {
	if failing == h.is(isFailing) {
		return
	}
	h.set(isFailing, failing)
	if failing {
		f.stats.FailingHosts++
	} else {
		f.stats.FailingHosts--
	}
}

// unhear forgets what holds of a host only while it speaks.
func (f *Fleet) unhear(h *host) {
	f.stats.QueuedRecords -= int64(h.said.queued)
	h.said.queued = 0
	f.markFailing(h, false)
}

// faults counts devices that are faulty and count, by the number of the code of their reason.
type faults [len(reasons)]int64

// add counts n devices of a status as well.
func (t *faults) add(st *status, n int64) {
	r := st.seen.reason()
	if st.seen&isReported == 0 {
		r = missing
	}
	if int(r) >= len(t) {
		r = other
	}
	t[r] += n
}

// ByReason calls each for every reason for which devices are faulty. A fault without a reason has none.
func (t *faults) ByReason(each func(reason string, devices int64)) {
	for r, n := range t {
		if n > 0 {
			each(reason(r).String(), n)
		}
	}
}

// isFaulty reports whether a device of a host that reports counts as faulty.
func (d *device) isFaulty() bool { return d.state(true) == capacity.Faulty }
