package fleet

import (
	"slices"

	"github.com/exameter/exameter/collector/capacity"
)

// tally is what the hosts contribute, summed: cells by pool, hosts by shape.
type tally struct {
	cells  []capacity.Cell
	rated  []int64
	online []int64
	faults faults
}

// grow makes room for so many pools and shapes.
func (t *tally) grow(pools, shapes int) {
	for len(t.cells) < pools {
		t.cells = append(t.cells, capacity.Cell{})
	}
	for len(t.rated) < shapes {
		t.rated, t.online = append(t.rated, 0), append(t.online, 0)
	}
}

// equal reports whether two tallies, grown alike, are the same.
func (t *tally) equal(o *tally) bool {
	return t.faults == o.faults && slices.Equal(t.cells, o.cells) && slices.Equal(t.rated, o.rated) && slices.Equal(t.online, o.online)
}

// count adds n times what a host contributes: 1 to count it, -1 to take it back.
func (f *Fleet) count(slot uint32, n int64) {
	f.stirred = true
	f.countInto(&f.tally, slot, n)
}

func (f *Fleet) countInto(t *tally, slot uint32, n int64) {
	h := f.at(slot)
	if h.flags&(hasInventory|isContender) != hasInventory {
		return
	}
	sh := f.shape[slot]
	t.rated[sh] += n
	online := h.online()
	if online {
		t.online[sh] += n
	}
	// Most hosts hold one or two pools, so a short list beats a map; and devices of one lot stand side by side.
	var buf [4]freeCount
	frees := buf[:0]
	devices := h.devices
	for len(devices) > 0 {
		lot := devices[0].lot
		pool := f.pools.poolOf[lot]
		c := &t.cells[pool]
		// Nearly all devices are plain, and what they contribute is summed in registers before it is added to a cell.
		var plain, plainFree, power, activity, sm int64
		owned, free, run := 0, 0, len(devices)
		for i := range devices {
			d := &devices[i]
			if d.lot != lot {
				run = i
				break
			}
			st := &d.status
			if online && d.isPlain() {
				plain++
				plainFree += int64(st.state) // Busy is 0 and Free is 1
				power += int64(st.power)
				activity += int64(st.activity)
				sm += int64(st.seen & isSM / isSM)
			} else if d.counts() {
				owned++
				free += d.count(c, online, n)
				if online && d.isFaulty() {
					t.faults.add(st, n)
				}
			}
		}
		devices = devices[run:]
		if plain > 0 {
			countPlain(c, plain, plainFree, power, activity, sm, n)
		}
		if owned += int(plain); owned > 0 && online {
			frees = addFree(frees, pool, free+int(plainFree))
		}
	}
	for i := range frees {
		t.cells[frees[i].pool].FreeHosts[min(frees[i].count, capacity.MaxFree)] += n
	}
}

// isPlain reports whether a device of an online host counts and is an accelerator in order, of which everything is known, and that
// is busy or free whole. It is one comparison, as most devices are and no processor can foresee which are not.
func (d *device) isPlain() bool {
	st := &d.status
	odd := uint32((d.claim^isOwned)&(isOwned|isUnsettled|isSet)) | uint32(st.seen&isReported^isReported) | uint32(st.state&^1) |
		uint32(st.power|int32(st.activity)|^st.busy)>>31
	return odd == 0
}

// freeCount is how many devices of a pool are free on a host.
type freeCount struct {
	pool  uint32
	count int
}

func addFree(list []freeCount, pool uint32, count int) []freeCount {
	for i := range list {
		if list[i].pool == pool {
			list[i].count += count
			return list
		}
	}
	return append(list, freeCount{pool, count})
}

// adjust makes statuses what a host's devices do, where they differ in nothing but amounts from what is counted.
func (f *Fleet) adjust(h *host, statuses []status) {
	for i := range h.devices {
		d, st := &h.devices[i], &statuses[i]
		was := d.status
		if was == *st {
			continue
		}
		before := d.busy(was.state)
		d.status = *st
		// A device that is not reported has no amounts.
		if d.claim&isOwned == 0 || st.seen&isReported == 0 || st.state == capacity.Stale {
			continue
		}
		if st.state == capacity.Faulty {
			f.tally.faults.add(&was, -1)
			f.tally.faults.add(st, 1)
		}
		c := &f.tally.cells[f.pools.poolOf[d.lot]]
		c.PowerMW += int64(st.power) - int64(was.power)
		if st.state == capacity.Busy || st.state == capacity.Free {
			more := d.busy(st.state) - before
			f.stirred = f.stirred || more != 0 && d.claim&isSet == 0
			c.Units[capacity.Busy] += more
			c.Units[capacity.Free] -= more
			c.ActiveUnits += int64(d.units) * (int64(st.activity) - int64(was.activity))
		}
	}
}

// countPlain adds n times so many plain devices, so many of which are free, with their sums of power, activity and known SM activity.
func countPlain(c *capacity.Cell, devices, free, power, activity, sm, n int64) {
	const whole = capacity.UnitsPerDevice
	busy := devices - free
	c.Devices[capacity.Busy] += n * busy
	c.Devices[capacity.Free] += n * free
	c.Units[capacity.Busy] += n * busy * whole
	c.Units[capacity.Free] += n * free * whole
	c.PowerMW += n * power
	c.PowerDevices += n * devices
	c.SM += n * sm
	c.Utilisation += n * (devices - sm)
	c.ActiveUnits += n * activity * whole
	c.KnownUnits += n * devices * whole
}

// count adds n times a device to a cell, and returns 1 if the device is free.
func (d *device) count(c *capacity.Cell, online bool, n int64) (free int) {
	st := &d.status
	if !online || st.seen&isReported == 0 || st.state > capacity.Free || st.power|int32(st.activity) < 0 {
		l := d.leaf(online)
		c.Count(l, n)
		if l.State == capacity.Free {
			return 1
		}
		return 0
	}
	// What Count does with a leaf of which everything is known, without making one.
	units, busy := int64(d.units), d.busy(st.state)
	c.Devices[st.state] += n
	c.Units[capacity.Busy] += n * busy
	c.Units[capacity.Free] += n * (units - busy)
	c.PowerMW += n * int64(st.power)
	c.PowerDevices += n
	sm := int64(st.seen & isSM / isSM)
	c.SM += n * sm
	c.Utilisation += n * (1 - sm)
	c.ActiveUnits += n * units * int64(st.activity)
	c.KnownUnits += n * units
	return int(st.state) // Busy is 0 and Free is 1
}

// leaf is what a device adds to a cell.
func (d *device) leaf(online bool) capacity.Leaf {
	st := &d.status
	l := capacity.Leaf{State: d.state(online), Units: int64(d.units), PowerMW: -1, Activity: int64(st.activity), SM: st.seen&isSM != 0}
	if st.seen&isReported != 0 {
		l.PowerMW = int64(st.power)
	}
	if l.State <= capacity.Free {
		l.Busy = d.busy(l.State)
	}
	return l
}

// state is where a device stands. An accelerator that its host's last report does not speak of is missing, which is a
// fault; processors that it does not speak of are plainly there, and their state is unknown.
func (d *device) state(online bool) capacity.State {
	switch {
	case !online:
		return capacity.Stale
	case d.status.seen&isReported != 0:
		return d.status.state
	case d.claim&isSet != 0:
		return capacity.Stale
	default:
		return capacity.Faulty
	}
}

// busy is how many of a healthy device's units are at work. Processors count by the cores at work whatever their state
// says, accelerators by their slices while they are busy. No processor can foresee which card is free, so that no branch
// is taken by it.
func (d *device) busy(state capacity.State) int64 {
	whole := int64(d.units) & (int64(state) - 1) // all while Busy, which is 0, and none while Free, which is 1
	if d.status.busy >= 0 && (d.claim&isSet != 0 || whole != 0) {
		return int64(min(d.status.busy, d.units))
	}
	return whole
}

// The arithmetic above holds by these.
var (
	_ [0]struct{} = [capacity.Busy]struct{}{}
	_ [1]struct{} = [capacity.Free]struct{}{}
)
