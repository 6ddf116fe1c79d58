package fleet

// claims says which host each device of one kind counts on. Nearly every device is claimed by one host alone and costs
// one map entry; the devices that several hosts claim stand in rivals too.
//
// The host that counts is the one that reported the device present most recently, by record time. Among hosts that never
// did, or whose last report misses it, the one with the newest inventory counts; ties go by centre and host id.
type claims struct {
	sets   bool // of processor sets
	owner  map[string]uint32
	rivals map[string][]uint32
}

func (c *claims) init(sets bool) {
	*c = claims{sets: sets, owner: map[string]uint32{}, rivals: map[string][]uint32{}}
}

// of returns the claims that a device's stands in; nil where its id cannot be contested.
func (f *Fleet) of(d *device) *claims {
	switch {
	case d.claim&isLocal != 0:
		return nil
	case d.claim&isSet != 0:
		return &f.sets
	default:
		return &f.devices
	}
}

// reclaim settles the claims of a host whose device list was old and is another now, and its shape. The host must not be
// counted at the time; other hosts that gain or lose a device are recounted.
func (f *Fleet) reclaim(slot uint32, old []device) {
	h := f.hosts[slot]
	before := make(map[string]claim, len(old))
	for i := range old {
		before[old[i].key()] = old[i].claim
	}
	kept := make(map[string]bool, len(h.devices))
	for i := range h.devices {
		d := &h.devices[i]
		was, ok := before[d.key()]
		if ok && was&(isLocal|isSet) == d.claim&(isLocal|isSet) {
			d.claim, kept[d.key()] = was, true
		}
	}
	for i := range old {
		if d := &old[i]; !kept[d.key()] {
			if c := f.of(d); c != nil {
				f.release(c, d.id, slot)
			}
		}
	}
	for i := range h.devices {
		d := &h.devices[i]
		if kept[d.key()] {
			continue
		}
		if c := f.of(d); c != nil {
			f.acquire(c, d, slot)
		} else {
			d.claim |= isOwned
		}
	}
	for i := range old {
		f.pools.drop(old[i].lot)
	}
	f.reshape(slot)
}

// acquire enters a claim of the host at cur.
func (f *Fleet) acquire(c *claims, d *device, cur uint32) {
	owner, taken := c.owner[d.id]
	if !taken {
		c.owner[d.id] = cur
		d.claim |= isOwned
		return
	}
	if len(c.rivals[d.id]) == 0 {
		c.rivals[d.id] = []uint32{owner}
		f.claimed(c, owner, d.id).claim |= isContested
	}
	c.rivals[d.id] = append(c.rivals[d.id], cur)
	d.claim |= isContested
	if f.better(c, d.id, cur, owner) {
		f.move(c, d.id, owner, cur, cur)
	}
}

// release takes a claim of the host at cur back.
func (f *Fleet) release(c *claims, id string, cur uint32) {
	rivals := c.rivals[id]
	if len(rivals) == 0 {
		delete(c.owner, id)
		return
	}
	for i, s := range rivals {
		if s == cur {
			rivals[i] = rivals[len(rivals)-1]
			rivals = rivals[:len(rivals)-1]
			break
		}
	}
	c.rivals[id] = rivals
	if c.owner[id] == cur {
		f.move(c, id, cur, f.best(c, id), cur)
	}
	if len(rivals) == 1 {
		f.claimed(c, rivals[0], id).claim &^= isContested
		delete(c.rivals, id)
	}
}

// reconsider settles the contested claims of a host whose report or inventory changed. The host must not be counted at
// the time.
func (f *Fleet) reconsider(slot uint32) {
	h := f.hosts[slot]
	for i := range h.devices {
		d := &h.devices[i]
		if d.claim&isContested == 0 {
			continue
		}
		c := f.of(d)
		owner := c.owner[d.id]
		switch {
		case owner == slot:
			if best := f.best(c, d.id); best != slot {
				f.move(c, d.id, slot, best, slot)
			}
		case f.better(c, d.id, slot, owner):
			f.move(c, d.id, owner, slot, slot)
		}
	}
}

// move makes a device count on another host. The host at cur is not counted at the time and must be reshaped.
func (f *Fleet) move(c *claims, id string, from, to, cur uint32) {
	c.owner[id] = to
	for _, slot := range [...]uint32{from, to} {
		if slot != cur {
			f.count(slot, -1)
		}
		if d := f.claimed(c, slot, id); d != nil {
			if slot == to {
				d.claim |= isOwned
			} else {
				d.claim &^= isOwned
			}
		}
		f.reshape(slot)
		if slot != cur {
			f.count(slot, 1)
		}
	}
}

// best returns the rival whose claim to a device is the best.
func (f *Fleet) best(c *claims, id string) uint32 {
	rivals := c.rivals[id]
	best := rivals[0]
	for _, s := range rivals[1:] {
		if f.better(c, id, s, best) {
			best = s
		}
	}
	return best
}

// better reports whether the claim of the host at a is better than that of the host at b.
func (f *Fleet) better(c *claims, id string, a, b uint32) bool {
	if p, q := f.presentAt(c, id, a), f.presentAt(c, id, b); p != q {
		return p > q
	}
	g, h := f.hosts[a], f.hosts[b]
	if g.inventory.at != h.inventory.at {
		return g.inventory.at > h.inventory.at
	}
	if g.centre != h.centre {
		return g.centre < h.centre
	}
	return g.id < h.id
}

// presentAt returns the record time of a host's last report if the device is present in it, else 0. Processors are
// present in every report.
func (f *Fleet) presentAt(c *claims, id string, slot uint32) int64 {
	h := f.hosts[slot]
	if c.sets {
		return h.report.at
	}
	if d := f.claimed(c, slot, id); d != nil && d.status.seen&isPresent != 0 {
		return h.report.at
	}
	return 0
}

// claimed returns the device of a host that a claim is for; nil where the host has just lost it.
func (f *Fleet) claimed(c *claims, slot uint32, id string) *device {
	h := f.hosts[slot]
	if !c.sets {
		return h.find(id, 0)
	}
	if n := len(h.devices); n > 0 && h.devices[n-1].claim&isSet != 0 {
		return &h.devices[n-1]
	}
	return nil
}
