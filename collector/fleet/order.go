package fleet

import (
	"hash/maphash"

	"github.com/exameter/exameter/telemetry"
)

// order remembers which record of a kind was a host's last, so that replays and reorders are recognised.
type order struct {
	boot  string
	seq   int64
	event int64  // the record's own time, in ns
	at    int64  // its record time, in ms
	prev  uint64 // hash of the boot before; 0 where there was none
}

var bootSeed = maphash.MakeSeed()

// admit decides whether a record is newer than the last one, and if so makes it the last one.
//
// Within a boot the sequence number decides. A lower number with a later time of its own means that the agent lost
// count, which happens when it restarts without its state; a replay never has a later time than the original.
//
// Between boots the record's own time decides, since both were told by one host's clock. If the clock was set back across
// the reboot, the new boot is still believed as soon as the old one fell silent (staleMS by record time); the boot
// before the last one is not, for it can never come back and only its late records can.
func (o *order) admit(h *telemetry.Header, at, staleMS int64) Outcome {
	event := h.Time.UnixNano()
	outcome := Applied
	switch {
	case o.at == 0: // the first record
	case h.Boot == o.boot:
		if h.Seq <= o.seq {
			if event <= o.event {
				return Duplicate
			}
			outcome = Restarted
		}
	default:
		silent := at-o.at > staleMS && maphash.String(bootSeed, h.Boot) != o.prev
		if event <= o.event && !silent {
			return Outdated
		}
		if maphash.String(bootSeed, h.Boot) == o.prev {
			outcome = Returned
		}
		o.prev = maphash.String(bootSeed, o.boot)
	}
	if h.Boot != o.boot {
		o.boot = h.Boot
	}
	o.seq, o.event, o.at = h.Seq, event, max(at, 1)
	return outcome
}
