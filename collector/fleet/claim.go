package fleet

import (
	"strings"

	"github.com/exameter/exameter/collector/capacity"
)

// claims says which host each device of one kind counts on. Nearly every device is claimed by one host alone and costs
// one entry of the index; the devices that several hosts claim stand in rivals too.
//
// The host that counts is the one that reported the device present most recently, by record time. Among hosts that never
// did, or whose last report misses it, the one with the newest inventory counts; ties go by centre and host id.
type claims struct {
	sets   bool  // of processor sets
	owner  index // by the hash of the device's id
	rivals map[string]*contest
}

// contest is a device that several hosts claim.
type contest struct {
	owner   uint32
	slots   []uint32 // of all that claim it
	outside claim    // how the device stands towards other parts, on whichever of the hosts it counts
}

// outside are the marks of a device that say how it stands towards other parts.
const outside = isUnsettled | isShared

func (c *claims) init(sets bool) { *c = claims{sets: sets, rivals: map[string]*contest{}} }

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

// reclaim settles the claims of the host at slot, whose devices were old's and are others now, and its shape. The host
// must not be counted at the time; other hosts that gain or lose a device are recounted.
func (f *Fleet) reclaim(slot uint32, old *host) {
	h := f.at(slot)
	const settled = isOwned | isContested
	kind := func(d *device) claim { return d.claim & (isLocal | isSet) }
	for i := range old.devices {
		was := &old.devices[i]
		if d := h.same(old, was, i); d != nil && kind(d) == kind(was) {
			d.claim = was.claim
		} else if c := f.of(was); c != nil {
			f.release(c, was.hash, old.idOf(was), slot)
		}
	}
	for i := range h.devices {
		d := &h.devices[i]
		if d.claim&settled != 0 {
			continue
		}
		if c := f.of(d); c != nil {
			f.acquire(c, d, slot)
		} else {
			d.claim |= isOwned
		}
	}
	for i := range old.devices {
		f.pools.drop(old.devices[i].lot)
	}
	f.reshape(slot)
}

// ownerOf returns the host other than cur that a device counts on.
func (f *Fleet) ownerOf(c *claims, hash uint32, id string, cur uint32) (uint32, bool) {
	for i := c.owner.seek(hash, hash); i >= 0; i = c.owner.seek(hash, uint32(i)+1) {
		// A host lists an id once, so an entry of its own is another id's.
		if slot := c.owner.slot(i); slot != cur && f.claimed(c, slot, id) != nil {
			return slot, true
		}
	}
	return 0, false
}

// acquire enters a claim of the host at cur.
func (f *Fleet) acquire(c *claims, d *device, cur uint32) {
	id := f.at(cur).idOf(d)
	owner, taken := f.ownerOf(c, d.hash, id, cur)
	if !taken {
		c.owner.add(d.hash, cur)
		d.claim |= isOwned
		f.announce(c, d, id, cur)
		return
	}
	t := c.rivals[id]
	if t == nil {
		have := f.claimed(c, owner, id)
		t = &contest{owner: owner, slots: []uint32{owner}, outside: have.claim & outside}
		c.rivals[strings.Clone(id)] = t
		have.claim |= isContested
	}
	t.slots = append(t.slots, cur)
	d.claim |= isContested
	if f.better(c, id, cur, owner) {
		f.move(c, t, id, cur, cur)
	}
}

// release takes a claim of the host at cur back.
func (f *Fleet) release(c *claims, hash uint32, id string, cur uint32) {
	t := c.rivals[id]
	if t == nil {
		c.owner.remove(hash, cur)
		f.renounce(c, id)
		return
	}
	for i, s := range t.slots {
		if s == cur {
			t.slots[i] = t.slots[len(t.slots)-1]
			t.slots = t.slots[:len(t.slots)-1]
			break
		}
	}
	if t.owner == cur {
		f.move(c, t, id, f.best(c, t, id), cur)
	}
	if len(t.slots) == 1 {
		f.claimed(c, t.slots[0], id).claim &^= isContested
		delete(c.rivals, id)
	}
}

// reconsider settles the contested claims of a host whose report or inventory changed. The host must not be counted at
// the time.
func (f *Fleet) reconsider(slot uint32) {
	h := f.at(slot)
	for i := range h.devices {
		d := &h.devices[i]
		if d.claim&isContested == 0 {
			continue
		}
		c, id := f.of(d), h.idOf(d)
		t := c.rivals[id]
		switch {
		case t.owner == slot:
			if best := f.best(c, t, id); best != slot {
				f.move(c, t, id, best, slot)
			}
		case f.better(c, id, slot, t.owner):
			f.move(c, t, id, slot, slot)
		}
	}
}

// move makes a device count on another host. The host at cur is not counted at the time and must be reshaped.
func (f *Fleet) move(c *claims, t *contest, id string, to, cur uint32) {
	from := t.owner
	t.owner = to
	c.owner.change(hashOf(id), from, to)
	if t.outside&isUnsettled != 0 {
		f.unsettled = append(f.unsettled, to)
	}
	for _, slot := range [...]uint32{from, to} {
		if slot != cur {
			f.count(slot, -1)
		}
		if d := f.claimed(c, slot, id); d != nil {
			if d.claim &^= isOwned | outside; slot == to {
				d.claim |= isOwned | t.outside
			}
		}
		f.reshape(slot)
		if slot != cur {
			f.count(slot, 1)
		}
	}
}

// best returns the rival whose claim to a device is the best.
func (f *Fleet) best(c *claims, t *contest, id string) uint32 {
	best := t.slots[0]
	for _, s := range t.slots[1:] {
		if f.better(c, id, s, best) {
			best = s
		}
	}
	return best
}

// better reports whether the claim of the host at a is better than that of the host at b.
func (f *Fleet) better(c *claims, id string, a, b uint32) bool {
	return f.claimOf(c, id, a).Better(f.claimOf(c, id, b))
}

// claimOf is what a host has to say for a device being its own.
func (f *Fleet) claimOf(c *claims, id string, slot uint32) capacity.Claim {
	h := f.at(slot)
	return capacity.Claim{PresentMS: f.presentAt(c, id, slot), InventoryMS: h.inventory.at, Centre: h.centre, Host: h.id()}
}

// presentAt returns the record time of a host's last report if the device is present in it, else 0. Processors are
// present in every report.
func (f *Fleet) presentAt(c *claims, id string, slot uint32) int64 {
	h := f.at(slot)
	if c.sets {
		return h.report.at
	}
	if d := f.claimed(c, slot, id); d != nil && d.status.seen&isPresent != 0 {
		return h.report.at
	}
	return 0
}

// claimed returns the device of a host that a claim is for; nil where the host has just lost it, or never had it.
func (f *Fleet) claimed(c *claims, slot uint32, id string) *device {
	h := f.at(slot)
	if !c.sets {
		if n := h.find(id, 0); n >= 0 {
			return &h.devices[n]
		}
		return nil
	}
	if h.id() == id {
		return h.processors()
	}
	return nil
}
