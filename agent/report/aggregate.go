package report

import (
	"time"

	"github.com/exameter/exameter/telemetry"
)

// mean averages the samples of an interval and keeps the highest.
type mean[T ~int64] struct {
	sum, n int64
	max    T
}

// most is more than anything of which there is a mean, and so little that no sum of an interval overflows.
const most = 1 << 40

func (m *mean[T]) add(o telemetry.Opt[T]) {
	v, ok := o.Get()
	if !ok || v > most || v < -most {
		return
	}
	if m.n == 0 || v > m.max {
		m.max = v
	}
	m.sum += int64(v)
	m.n++
}

// mean returns the mean, rounded to the nearest.
func (m *mean[T]) mean() telemetry.Opt[T] {
	if m.n == 0 {
		return telemetry.Opt[T]{}
	}
	half := m.n / 2
	if m.sum < 0 {
		half = -half
	}
	return telemetry.Known(T((m.sum + half) / m.n))
}

func (m *mean[T]) highest() telemetry.Opt[T] {
	if m.n == 0 {
		return telemetry.Opt[T]{}
	}
	return telemetry.Known(m.max)
}

// within is a part, unless it is more than its whole: then it is unknown.
func within(part, whole telemetry.Opt[int64]) telemetry.Opt[int64] {
	if part.OK && whole.OK && part.Value > whole.Value {
		return telemetry.Opt[int64]{}
	}
	return part
}

// last replaces a value by a newer one that is known.
func last[T any](to *telemetry.Opt[T], from telemetry.Opt[T]) {
	if from.OK {
		*to = from
	}
}

// shortest is the shortest time over which an energy counter is divided: cards renew theirs about every 100 ms.
const shortest = 500 * time.Millisecond

// mostPower is more than a device or a host draws. A counter that says so has jumped, and one odd card must not make the host unheard: the wire
// refuses a report with such a power.
const mostPower telemetry.Milliwatts = 20_000_000

// power makes the mean power of an interval: from an energy counter where there is one, which no sample between two
// readings can escape, else from the samples.
type power struct {
	samples mean[telemetry.Milliwatts]
	energy  telemetry.Opt[telemetry.Millijoules] // the counter as last read

	base   telemetry.Millijoules // the counter where the interval began
	baseAt time.Time             // zero: no base
	at     time.Time             // when the counter was last read
	fresh  bool                  // it was read in this interval
}

func (p *power) add(at time.Time, w telemetry.Opt[telemetry.Milliwatts], e telemetry.Opt[telemetry.Millijoules]) {
	p.samples.add(w)
	v, ok := e.Get()
	if !ok {
		return
	}
	// A counter that went back was reset, with its driver or its device: what it counted since the base is lost.
	if p.baseAt.IsZero() || v < p.energy.Value {
		p.base, p.baseAt = v, at
	}
	p.energy, p.at, p.fresh = e, at, true
}

// mean returns the mean power over the interval. One millijoule a second is one milliwatt.
func (p *power) mean() telemetry.Opt[telemetry.Milliwatts] {
	if d := p.at.Sub(p.baseAt); p.fresh && d >= shortest {
		used := int64(p.energy.Value - p.base)
		if ms := d.Milliseconds(); used <= (1<<62)/1000 {
			if mw := telemetry.Milliwatts((used*1000 + ms/2) / ms); mw <= mostPower {
				return telemetry.Known(mw)
			}
		}
	}
	return p.samples.mean()
}

// counter returns the counter as read in this interval.
func (p *power) counter() (e telemetry.Opt[telemetry.Millijoules]) {
	if p.fresh {
		e = p.energy
	}
	return e
}

// renew begins an interval with the last reading of the one before. Without a reading in it there is none to begin
// with: the next mean would cover a time that no report speaks of.
func (p *power) renew() {
	next := power{}
	if p.fresh {
		next.energy, next.base, next.baseAt, next.at = p.energy, p.energy.Value, p.at, p.at
	}
	*p = next
}
