// Package state decides what each device is doing: free, busy, drained or faulty, with a reason. The rules are pure
// functions, documented in docs/states.md; what they must remember is kept by a Tracker and, across restarts, by a
// Store.
package state

import (
	"fmt"
	"strconv"
	"time"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// Rules are the settings of the decision.
type Rules struct {
	MemoryFloor      telemetry.Bytes    // memory in use above it means busy
	UtilisationFloor telemetry.Permille // utilisation from it on means busy
	UtilisationHold  time.Duration      // for this long after it was last seen
	Silence          time.Duration      // how long the last verdict stands without a reading
}

// DefaultRules are the rules where nothing is configured.
//
// An idle NVIDIA card shows 0 to some 200 MiB in use (MIG instances reserve some each); a process with a CUDA context
// and its first tensors shows more than 512 MiB. The hold bridges the pauses of a training step that loads data.
func DefaultRules() Rules {
	return Rules{MemoryFloor: 512 << 20, UtilisationFloor: 50, UtilisationHold: 10 * time.Second, Silence: 5 * time.Second}
}

// Presence says what is known of a device at a tick.
type Presence int

// The presences of a device.
const (
	Present  Presence = iota // its source has just read it
	Gone                     // its source answers without it
	NoAnswer                 // its source did not answer
	Released                 // its source let go of the driver on the operator's word
)

// Facts are everything that a decision about one device looks at.
type Facts struct {
	Now      time.Time
	Presence Presence
	Detail   string             // of the presence, in words
	Reading  poll.DeviceReading // where Present
	XIDs     []int64            // fatal ones that still stand, oldest first
	ECCBase  int64              // uncorrected errors that an operator has acknowledged
	Drain    *Drain             // nil unless ordered
	Active   time.Time          // when utilisation without a process was last at the floor or above; zero: never
	Occupied time.Time          // when a process was last seen on it; zero: never
	Answered time.Time          // when its source last answered; zero: not since the agent started
	UseKnown time.Time          // when something about its use could last be read; zero: never
	Last     Verdict            // the last verdict, drain left aside; empty before the first
}

// Verdict is the outcome of a decision.
type Verdict struct {
	State  telemetry.State
	Reason string
}

// Decide applies the rules: faulty before drained before busy before free. A device is free only on evidence.
func Decide(r Rules, f Facts) Verdict {
	v := Condition(r, f)
	if v.State != telemetry.Faulty && f.Drain != nil {
		return Verdict{telemetry.Drained, Ordered.with(f.Drain.Reason)}
	}
	return v
}

// Condition is the verdict with drain orders left aside.
func Condition(r Rules, f Facts) Verdict {
	if v := fault(f); v.State != "" {
		return v
	}
	switch {
	case f.Presence == Present:
		return use(r, f)
	case f.Presence == Released && f.Drain != nil:
		return Verdict{} // its silence is on the operator's word, and nothing is known of it
	case f.Last.State == "" || f.Now.Sub(f.Answered) > r.Silence:
		return faulty(SourceSilent, f.Detail)
	}
	return f.Last
}

// fault looks for what is wrong with the device itself; the verdict is empty when nothing is.
func fault(f Facts) Verdict {
	seen := f.Presence == Present
	switch {
	case seen && f.Reading.Fault != "":
		return Verdict{telemetry.Faulty, f.Reading.Fault}
	case f.Presence == Gone:
		return faulty(Missing, f.Detail)
	}
	if len(f.XIDs) > 0 {
		last := f.XIDs[len(f.XIDs)-1]
		meaning, _ := fatal(last)
		return faulty(FatalXID, strconv.FormatInt(last, 10)+" "+meaning)
	}
	if !seen {
		return Verdict{}
	}
	if n, ok := f.Reading.ECCUncorrected.Get(); ok && n > f.ECCBase {
		return faulty(Uncorrected, fmt.Sprintf("%d since the driver was loaded", n))
	}
	if failed, ok := f.Reading.RemapFailed.Get(); ok && failed {
		return faulty(RemapFailed, "")
	}
	return Verdict{}
}

// use tells busy from free.
func use(r Rules, f Facts) Verdict {
	d := &f.Reading
	switch {
	case above(d.SlicesBusy, 0):
		return busy(Slices)
	case above(d.Processes, 0):
		return busy(Processes)
	case above(d.MemoryUsed, max(r.MemoryFloor, d.IdleMemory)):
		return busy(Memory)
	case r.active(d, f.Now, f.Occupied), !f.Active.IsZero() && f.Now.Sub(f.Active) < r.UtilisationHold:
		return busy(Utilisation)
	case useKnown(d):
		return Verdict{State: telemetry.Free}
	case (f.Last.State == telemetry.Free || f.Last.State == telemetry.Busy) && f.Now.Sub(f.UseKnown) <= r.Silence:
		return f.Last
	}
	return faulty(Unreadable, "neither processes nor memory nor utilisation can be read")
}

// residue is how long after the end of the last process utilisation still tells of it: drivers average over up to a
// second.
const residue = 1500 * time.Millisecond

// active says whether a reading shows the device at work by its utilisation alone, for somebody who cannot be seen. A
// process that was just seen explains it, and its end must free the device at once.
func (r Rules) active(d *poll.DeviceReading, at, occupied time.Time) bool {
	if !above(d.Utilization, r.UtilisationFloor-1) {
		return false
	}
	explained := d.Processes.OK && !occupied.IsZero() && at.Sub(occupied) <= residue
	return !explained
}

// occupied says whether a reading shows a process on the device.
func occupied(d *poll.DeviceReading) bool { return above(d.Processes, 0) || above(d.SlicesBusy, 0) }

// useKnown says whether a reading holds anything about the use of the device.
func useKnown(d *poll.DeviceReading) bool {
	return d.SlicesBusy.OK || d.Processes.OK || d.MemoryUsed.OK || d.Utilization.OK
}

func above[T ~int64](o telemetry.Opt[T], floor T) bool { return o.OK && o.Value > floor }

func faulty(c Code, detail string) Verdict { return Verdict{telemetry.Faulty, c.with(detail)} }

func busy(c Code) Verdict { return Verdict{telemetry.Busy, string(c)} }
