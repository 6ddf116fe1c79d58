package cpu

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/exameter/exameter/telemetry"
)

// times are the counters of the aggregate line of /proc/stat, in clock ticks since boot, in the kernel's order. Those
// after steal, guest and guest_nice, are already contained in user and nice. See proc_stat(5).
type times [8]uint64

// The counters that are told apart. The others are user, nice, system, irq, softirq and steal.
const (
	idle   = 3
	iowait = 4
)

// maxTicks bounds a counter so that sums and products of eight of them stay within 64 bits. It is more than 300 years
// of 1024 CPUs.
const maxTicks = 1 << 50

// parseTimes reads the first line of /proc/stat. Counters that an old kernel does not have are zero.
func parseTimes(b []byte) (times, error) {
	var t times
	line, _, ended := bytes.Cut(b, []byte("\n"))
	rest, ok := bytes.CutPrefix(line, []byte("cpu "))
	if !ok || !ended {
		return t, fmt.Errorf("want a whole line of CPU times, have %.64q", line)
	}
	n := 0
	for n < len(t) {
		rest = bytes.TrimLeft(rest, " ")
		if len(rest) == 0 {
			break
		}
		field := rest
		if i := bytes.IndexByte(rest, ' '); i >= 0 {
			field = rest[:i]
		}
		rest = rest[len(field):]
		v, err := strconv.ParseUint(string(field), 10, 64)
		switch {
		case err != nil:
			return times{}, fmt.Errorf("CPU times: %w", err)
		case v > maxTicks:
			return times{}, fmt.Errorf("CPU times: %d ticks is out of range", v)
		}
		t[n] = v
		n++
	}
	if n <= idle {
		return times{}, errors.New("CPU times: no idle time in them")
	}
	return t, nil
}

// utilization returns the share of the time between two samples in which the hardware threads were not idle, and
// whether it is known.
//
// A thread that waits for a disk (iowait) can take work at once, so that time is idle. Time stolen by a hypervisor is
// time in which work was waiting and got nothing, so it is busy: what is left over as free is never more than what the
// host could really hand out.
//
// Both idle counters may go backwards: the kernel corrects them across CPUs (proc_stat(5) says so of iowait). They then
// stand still here. Any other counter that goes backwards began anew, and this sample says nothing.
func utilization(before, now times) (telemetry.Permille, bool) {
	var total, unused uint64
	for i := range now {
		if now[i] < before[i] {
			if i == idle || i == iowait {
				continue
			}
			return 0, false
		}
		d := now[i] - before[i]
		total += d
		if i == idle || i == iowait {
			unused += d
		}
	}
	if total == 0 {
		return 0, false
	}
	return telemetry.Permille(((total-unused)*1000 + total/2) / total), true
}
