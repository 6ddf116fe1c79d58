package exporter

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// measure takes the readings of a card. A series that is missing, a sentinel, a value that no device shows: unknown.
func (a *answer) measure(c *card) {
	r := &c.reading
	for _, name := range sortedKeys(a.Readings) {
		ways := a.Readings[name]
		for i := range ways {
			v, ok := a.value(c, &ways[i], readings[name])
			if !ok {
				continue
			}
			if name == "xid" {
				if v > 0 {
					r.XIDs = []int64{v}
				}
			} else {
				set(r, name, v)
			}
			break
		}
	}
	if total, ok := r.Info.Memory.Get(); ok && r.MemoryUsed.Value > total {
		r.MemoryUsed = telemetry.Opt[telemetry.Bytes]{} // one of them has another unit than the profile says
	}
	for i := range a.IdleMemory {
		if a.IdleMemory[i].re.MatchString(c.model(a)) {
			r.IdleMemory = telemetry.Bytes(a.IdleMemory[i].Size)
		}
	}
	a.health(c, r)
}

func (c *card) model(a *answer) string {
	if c.info.Name == "" {
		return a.around.model
	}
	return c.info.Name
}

// value reads one datum of a card in one way.
func (a *answer) value(c *card, d *Datum, q quantity) (int64, bool) {
	var total int64
	for _, metric := range d.metrics() {
		v, ok := a.combined(c, metric, d, q)
		if !ok {
			return 0, false
		}
		total += v
	}
	if b := bounds[q]; float64(total) > b[1] {
		return 0, false
	}
	return total, true
}

// combined makes one value of the series of a metric. Series that differ in their pods alone are one, of which the
// highest value counts. One that is served twice with two values is none, and said so.
func (a *answer) combined(c *card, metric string, d *Datum, q quantity) (n int64, ok bool) {
	type one struct {
		v     int64
		whole map[string]float64
		known bool
		bad   bool
	}
	found := map[string]*one{}
	for _, it := range c.series[metric] {
		if it.stale || !it.passes(d.where) {
			continue
		}
		o := found[it.bare]
		if o == nil {
			o = &one{whole: map[string]float64{}}
			found[it.bare] = o
		}
		if before, twice := o.whole[it.whole]; twice && before != it.value {
			o.bad = true
			a.repeated(metric, c)
		}
		o.whole[it.whole] = it.value
		if slices.Contains(d.Unknown, it.value) {
			continue
		}
		if v, good := convert(q, d.Unit, it.value); good && (!o.known || v > o.v) {
			o.v, o.known = v, true
		}
	}
	for _, o := range found {
		switch {
		case o.bad:
			return 0, false
		case !o.known:
			if d.Combine == "sum" {
				return 0, false // a sum without one of its parts is another sum
			}
		case d.Combine == "count":
			n, ok = n+1, true
		case d.Combine == "sum":
			n, ok = n+o.v, true
		case !ok || o.v > n:
			n, ok = o.v, true
		}
	}
	return n, ok
}

// repeated says, once for each metric, that a series was served twice with two values.
func (a *answer) repeated(metric string, c *card) {
	err := fmt.Errorf("%s is served twice for one series of %s, with two values: it says nothing", metric, c.key)
	if !slices.ContainsFunc(a.problem, func(e error) bool { return e.Error() == err.Error() }) && len(a.problem) < 8 {
		a.problem = append(a.problem, err)
	}
}

// health asks whether the exporter has a complaint about a card.
func (a *answer) health(c *card, r *poll.DeviceReading) {
	for i := range a.Health {
		h := &a.Health[i]
		for _, it := range c.series[h.Metric] {
			if it.stale || !it.passes(h.where) || h.fine(it.value) || r.Fault != "" {
				continue
			}
			r.Fault = h.Fault + ": " + h.Metric + " is " + strconv.FormatFloat(it.value, 'g', -1, 64)
			for _, l := range h.Detail {
				if v := it.get(l); told(v) {
					r.Fault += ", " + v
				}
			}
		}
	}
}

// fine says whether a value is no complaint.
func (h *Health) fine(v float64) bool {
	if v != v || sentinel(v) || slices.Contains(h.Unknown, v) {
		return true
	}
	if len(h.Bad) > 0 {
		return !slices.Contains(h.Bad, v)
	}
	return slices.Contains(h.OK, v)
}

// share divides the power of boards among their devices, so that their sum is at most what the boards draw.
func (a *answer) share() {
	boards := make([]*Board, len(a.cards))
	for i, c := range a.cards {
		for j := range a.Boards {
			if a.Boards[j].re.MatchString(c.model(a)) {
				boards[i] = &a.Boards[j]
				break
			}
		}
	}
	for i, c := range a.cards {
		b := boards[i]
		if b == nil || !c.reading.Power.OK {
			continue
		}
		n := max(b.Size, a.counted(b))
		if place := c.place(b); place != "" {
			together := 0
			for _, other := range a.cards {
				if other.place(b) == place {
					together++
				}
			}
			n = max(n, together)
		}
		if n == 0 {
			c.reading.Power = telemetry.Opt[telemetry.Milliwatts]{}
			continue
		}
		c.reading.Power.Value /= telemetry.Milliwatts(n)
	}
}

// counted returns how many devices a board has by two metrics of the host; zero where that cannot be told.
func (a *answer) counted(b *Board) int {
	devices, ok := a.announced(b.Devices)
	boards, also := a.announced(b.Boards)
	if !ok || !also || boards == 0 || devices%boards != 0 || devices/boards > telemetry.MaxDevices {
		return 0
	}
	return int(devices / boards)
}

// place returns what the devices of one board have in common; empty where it is not served.
func (c *card) place(b *Board) (out string) {
	for _, l := range b.By {
		v := c.first([]string{l}, nil)
		if v == "" {
			return ""
		}
		out += v + "\xff"
	}
	return out
}
