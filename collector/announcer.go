package collector

import (
	"slices"
	"time"

	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/partial"
	"github.com/exameter/exameter/collector/view"
)

// A bucket of claims is written anew after one to two times refreshEvery, each after another time, so that whatever happens to the log, it
// heals; and when a record of it was not read back within lostAfter.
const (
	refreshEvery = 20 * time.Second
	lostAfter    = 3 * time.Second
)

// announcer announces to other parts which devices the hosts of a part claim.
//
// What makes a device count once among parts is an order that all sides keep. A part announces a device, reads its announcement back
// from the log of partials, and only then counts it; if another part announces it too, the later of the two has read the earlier one's
// announcement by then, and contends instead of counting. A part takes an announcement back only after it has read back
// sums of its own that the device is not in.
//
// A record of claims tells what is announced by it (asked) from what was announced before (held): a device that was asked for counts in
// no sums that rest on less of the log. So a bucket is not written again before sums that rest on its last record were read back.
type announcer struct {
	instance  string
	buckets   [partial.Buckets]bucket
	leaving   map[uint64]int64 // claims that are no more, by the sequence of the first sums without them; 0 where there are none yet
	contested map[uint64]bool
	kept      map[uint64]bool // what an owner before counts or contends for, see view.Standing; nil after the first sums
	version   int64
	revision  int64 // of the log, when it was read last
}

// bucket is one record of claims in the making. A claim goes from fresh to sent to read to held.
type bucket struct {
	fresh    map[uint64]bool
	sent     partial.Hashes // asked for by the record that is under way
	read     partial.Hashes // asked for by the record that was read back last
	readAt   int64          // the revision then
	held     partial.Hashes
	dirty    bool
	sequence int64 // of the record that is under way; 0 where none is
	written  time.Time
}

// begin takes over what the log says of the part, where it may have had another owner: claims is what its hosts came to claim, in order.
func (a *announcer) begin(instance string, s *view.Standing, claims []fleet.Change) {
	*a = announcer{instance: instance, leaving: map[uint64]int64{}, contested: s.Contested, kept: s.Kept, version: s.Version, revision: s.Revision}
	claimed := make(map[uint64]bool, len(claims))
	for _, c := range claims {
		if c.Gone {
			delete(claimed, c.Claim)
		} else {
			claimed[c.Claim] = true
		}
	}
	for i := range a.buckets {
		b, have := &a.buckets[i], &s.Buckets[i]
		if b.held = have.Held; s.Seen > have.Offset {
			b.held = b.held.With(have.Asked)
		} else {
			b.dirty = len(have.Asked) > 0 // nobody counts them yet: those that are still claimed are asked for anew
		}
		for _, claim := range b.held {
			if claimed[claim] {
				delete(claimed, claim)
			} else {
				a.leaving[claim] = 0
			}
		}
	}
	for claim := range claimed {
		a.ask(claim)
	}
}

// ask notes that a claim is to be announced.
func (a *announcer) ask(claim uint64) {
	b := &a.buckets[partial.BucketOf(claim)]
	if b.fresh == nil {
		b.fresh = map[uint64]bool{}
	}
	b.fresh[claim] = true
}

// change takes what has changed in what the hosts of the part claim.
func (a *announcer) change(changes []fleet.Change) {
	for _, c := range changes {
		b := &a.buckets[partial.BucketOf(c.Claim)]
		_, leaves := a.leaving[c.Claim]
		switch {
		case c.Gone && b.fresh[c.Claim]:
			delete(b.fresh, c.Claim)
		case c.Gone:
			a.leaving[c.Claim] = 0
		case leaves:
			delete(a.leaving, c.Claim)
		default:
			a.ask(c.Claim)
		}
	}
}

// read takes what the log says of the part by now, and reports whether it says anything else of what other parts claim.
func (a *announcer) read(s *view.Standing, now time.Time) (changed bool) {
	a.revision, a.kept = s.Revision, s.Kept
	if changed = s.Contested != nil; changed {
		a.contested, a.version = s.Contested, s.Version
	}
	for i := range a.buckets {
		b, have := &a.buckets[i], &s.Buckets[i]
		switch {
		case b.sequence == 0:
		case have.Instance == a.instance && have.Sequence == b.sequence:
			b.read, b.readAt, b.sent, b.sequence = b.sent, s.Revision, nil, 0
		case now.Sub(b.written) > lostAfter:
			b.dirty, b.sequence = true, 0
		}
		if len(b.read) > 0 && s.Instance == a.instance && s.Seen >= b.readAt {
			b.held, b.read = b.held.With(b.read), nil
		}
	}
	a.leave(s)
	return changed
}

// leave takes announcements back once sums without their devices were read back.
func (a *announcer) leave(s *view.Standing) {
	if s.Instance != a.instance {
		return
	}
	left := map[uint64]bool{}
	for claim, after := range a.leaving {
		b := &a.buckets[partial.BucketOf(claim)]
		if after > 0 && s.Sequence >= after && b.held.Has(claim) {
			delete(a.leaving, claim)
			left[claim], b.dirty = true, true
		}
	}
	if len(left) > 0 {
		for i := range a.buckets {
			a.buckets[i].held = a.buckets[i].held.Without(func(c uint64) bool { return left[c] })
		}
	}
}

// standing says how a device stands towards other parts.
func (a *announcer) standing(claim uint64) fleet.Standing {
	contending, kept := a.kept[claim]
	b := &a.buckets[partial.BucketOf(claim)]
	switch {
	case !b.held.Has(claim) && !b.read.Has(claim):
		return fleet.Unannounced
	case kept && contending:
		return fleet.Contending
	case kept:
		return fleet.Kept
	case a.contested[claim]:
		return fleet.Contested
	default:
		return fleet.Alone
	}
}

// waiting reports whether announcements are to be written or read back.
func (a *announcer) waiting() bool {
	return slices.ContainsFunc(a.buckets[:], func(b bucket) bool { return len(b.sent)+len(b.fresh) > 0 })
}

// releasing reports whether sums without devices that are claimed no more are yet to be published.
func (a *announcer) releasing() bool {
	for _, after := range a.leaving {
		if after == 0 {
			return true
		}
	}
	return false
}

// summed notes that sums are published that hold none of the devices which are claimed no more. It returns what the part announces and
// neither counts nor contends for although other parts claim it: those devices, and what the fleet has waived.
func (a *announcer) summed(sequence int64, waived []uint64) (released partial.Hashes) {
	released = append(released, waived...)
	for claim, after := range a.leaving {
		if after == 0 {
			a.leaving[claim] = sequence
		}
		if a.contested[claim] {
			released = append(released, claim)
		}
	}
	slices.Sort(released)
	return slices.Compact(released)
}

// records returns the buckets that are to be written, each with a sequence from next, by bucket. Before the first sums, nothing that was
// asked for counts yet, and it may be asked for again.
func (a *announcer) records(generation int32, first bool, now time.Time, next func() int64) map[int]*partial.Claims {
	out := map[int]*partial.Claims{}
	for i := range a.buckets {
		b := &a.buckets[i]
		if b.sequence != 0 || len(b.read) > 0 && !first {
			continue
		}
		apart := refreshEvery * time.Duration(i) / time.Duration(len(a.buckets))
		refresh := now.Sub(b.written) > refreshEvery+apart && len(b.held) > 0
		if len(b.fresh) == 0 && !b.dirty && !refresh {
			continue
		}
		fresh := make(partial.Hashes, 0, len(b.fresh))
		for claim := range b.fresh {
			fresh = append(fresh, claim)
		}
		slices.Sort(fresh)
		b.sent, b.read, b.fresh, b.dirty = b.sent.With(b.read).With(fresh), nil, nil, false
		b.sequence, b.written = next(), now
		out[i] = &partial.Claims{Instance: a.instance, Generation: generation, Sequence: b.sequence, Held: b.held, Asked: b.sent}
	}
	return out
}
