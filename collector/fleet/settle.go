package fleet

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/exameter/exameter/collector/capacity"
)

// Standing is how a device stands towards other parts.
type Standing uint8

// The standings of a device.
const (
	Unannounced Standing = iota // other parts cannot know of it yet: it counts nowhere
	Alone                       // no other part claims it: it counts here
	Contested                   // other parts claim it as well: which of them counts is settled where parts are summed up
	Kept                        // contested, and the part counted it before this fleet held it
	Contending                  // contested, and the part contended for it before this fleet held it
)

// Change says that the fleet's part claims a device that it did not claim before, or no more.
type Change struct {
	Claim uint64
	Gone  bool
}

// ClaimOf is what a device is recognised by among parts: a hash of its id, of a processor set that of its host's id. It is
// the same in every process. Nobody can find an id whose hash is that of a given other one (SHA-256, of which it keeps half a word);
// should two be the same by chance, both are listed one by one and told apart by their ids.
func ClaimOf(set bool, id string) uint64 {
	var buf [256]byte
	b := append(buf[:0], 'd')
	if set {
		b[0] = 's'
	}
	sum := sha256.Sum256(append(b, id...))
	return binary.BigEndian.Uint64(sum[:])
}

// announce notes that the part claims a device it did not claim before.
func (f *Fleet) announce(c *claims, d *device, id string, slot uint32) {
	if f.opts.Shared {
		d.claim |= isUnsettled
		f.unsettled = append(f.unsettled, slot)
		f.changes = append(f.changes, Change{Claim: ClaimOf(c.sets, id)})
	}
}

// renounce notes that the part claims a device no more.
func (f *Fleet) renounce(c *claims, id string) {
	if f.opts.Shared {
		claim := ClaimOf(c.sets, id)
		f.changes = append(f.changes, Change{Claim: claim, Gone: true})
		delete(f.waived, claim)
	}
}

// Waived returns the contested devices that neither count here nor contend, because too many hosts do.
func (f *Fleet) Waived() []uint64 { return slices.Sorted(maps.Keys(f.waived)) }

// Changes returns what has changed in what the part claims since the call before, in order. The slice is good until
// the fleet is used again.
func (f *Fleet) Changes() []Change {
	c := f.changes
	f.changes = f.changes[:0]
	if cap(c) > 1<<12 {
		f.changes = nil // a rebuild's is not kept
	}
	return c
}

// Unsettled reports whether Settle may have something to do although nothing changed elsewhere.
func (f *Fleet) Unsettled() bool {
	return len(f.unsettled) > 0 || f.crowded && len(f.contenders) < f.opts.MaxContenders
}

// Settle asks how devices stand towards other parts: those that are not settled, or all where what stands elsewhere has changed.
//
// A host that contends stands in no cell from then on. Where as many hosts contend as may, a device that counts here goes on to,
// and one that does not is left unsettled: it counts nowhere until there is room, unless it counts elsewhere.
func (f *Fleet) Settle(all bool, standing func(claim uint64) Standing) {
	slots := f.unsettled
	f.unsettled = nil
	if all = all || f.crowded && len(f.contenders) < f.opts.MaxContenders; all {
		slots = make([]uint32, 0, len(f.shape))
		for slot := range uint32(len(f.shape)) {
			slots = append(slots, slot)
		}
		f.crowded = false
		clear(f.waived)
	}
	slices.Sort(slots)
	for _, slot := range slices.Compact(slots) {
		if h := f.at(slot); h.is(isUsed) && len(h.devices) > 0 {
			f.settle(slot, h, standing)
		}
	}
	f.unsettled = slices.Clip(f.unsettled)
}

func (f *Fleet) settle(slot uint32, h *host, standing func(uint64) Standing) {
	var buf [64]claim
	next, changed, waits := buf[:0], false, false
	for i := range h.devices {
		d := &h.devices[i]
		c := d.claim
		if c&isLocal == 0 && c&isOwned != 0 {
			c = f.outsideOf(h, d, standing)
			waits = waits || c&isUnsettled != 0
		}
		next = append(next, c)
		changed = changed || c != d.claim
	}
	if waits {
		f.unsettled = append(f.unsettled, slot)
	}
	if !changed {
		return
	}
	f.count(slot, -1)
	for i, c := range next {
		d := &h.devices[i]
		if d.claim = c; c&isContested != 0 && c&isOwned != 0 {
			f.of(d).rivals[h.idOf(d)].outside = c & outside
		}
	}
	f.reshape(slot)
	f.count(slot, 1)
	f.dirty = true
}

// outsideOf is how a device of a host stands towards other parts by now, put into its marks.
func (f *Fleet) outsideOf(h *host, d *device, standing func(uint64) Standing) claim {
	c, claim := d.claim, ClaimOf(d.claim&isSet != 0, h.idOf(d))
	stands := standing(claim)
	switch stands {
	case Alone:
		return c &^ outside
	case Unannounced:
		return c
	}
	if stands == Contending || h.is(isContender) || c&isShared != 0 || len(f.contenders) < f.opts.MaxContenders {
		delete(f.waived, claim)
		return c&^isUnsettled | isShared
	}
	f.crowded = true
	switch {
	case stands == Kept:
		return c &^ isUnsettled
	case c&isUnsettled != 0:
		f.waived[claim] = true
	}
	return c
}

// contend notes whether a host contends with other parts'. The host must not be counted at the time.
func (f *Fleet) contend(slot uint32, on bool) {
	if h := f.at(slot); on != h.is(isContender) {
		h.set(isContender, on)
		if on {
			f.contenders[slot] = struct{}{}
		} else {
			delete(f.contenders, slot)
		}
	}
}

// contending lists the hosts that contend, at a moment in ms, with pools as their indices in the fleet.
func (f *Fleet) contending(ms int64) []capacity.Contender {
	if len(f.contenders) == 0 {
		return nil
	}
	out := make([]capacity.Contender, 0, len(f.contenders))
	for slot := range f.contenders {
		h := f.at(slot)
		c := capacity.Contender{Host: strings.Clone(h.id()), Online: h.online(), InventoryMS: h.inventory.at}
		if c.Online {
			c.AgeMS = max(ms-h.report.at, 0)
		}
		for i := range h.devices {
			d := &h.devices[i]
			if !d.counts() {
				continue
			}
			one := capacity.Contest{Pool: int(f.pools.poolOf[d.lot]), Leaf: d.leaf(c.Online)}
			if d.claim&isShared != 0 {
				one.Set = d.claim&isSet != 0
				one.ID = strings.Clone(h.idOf(d))
				one.Claim, one.PresentMS = ClaimOf(one.Set, one.ID), f.presentAt(f.of(d), one.ID, slot)
			}
			c.Devices = append(c.Devices, one)
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b capacity.Contender) int { return strings.Compare(a.Host, b.Host) })
	return out
}
