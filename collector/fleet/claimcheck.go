package fleet

import "fmt"

// claimCheck finds devices that count twice or nowhere. What the hosts say that they own, and what the indexes hold, are
// compared by sums over both, in one walk each: to look every device up would take ten times as long.
type claimCheck struct {
	owned [2]int // accelerators, processor sets
	sum   [2]uint64
	errs  []error
}

// add adds what a host says that it owns.
func (k *claimCheck) add(f *Fleet, slot uint32, h *host) {
	for i := range h.devices {
		d := &h.devices[i]
		if d.claim&isLocal != 0 {
			continue
		}
		own := d.claim&isOwned != 0
		if own {
			kind := d.claim & isSet / isSet
			k.owned[kind]++
			k.sum[kind] += mix(d.hash, slot)
			if d.claim&isContested == 0 {
				continue
			}
		}
		if t := f.of(d).rivals[h.idOf(d)]; t == nil || own != (t.owner == slot) {
			k.errs = append(k.errs, fmt.Errorf("device %q of host %q: claim is not the owner's", h.idOf(d), h.id()))
		}
	}
}

// compare compares with the indexes.
func (k *claimCheck) compare(f *Fleet) []error {
	for kind, c := range []*claims{&f.devices, &f.sets} {
		var sum uint64
		mask := uint32(len(c.owner.entries) - 1)
		for i, e := range c.owner.entries {
			if e.ref == 0 {
				continue
			}
			sum += mix(e.hash, e.ref-1)
			// Of two entries of one hash the later is not at its home, and the other stands between.
			for j := e.hash & mask; j != uint32(i); j = (j + 1) & mask {
				if other := c.owner.entries[j]; other.hash == e.hash {
					k.twice(f, c, e, other)
				}
			}
		}
		if k.owned[kind] != c.owner.used || k.sum[kind] != sum {
			k.errs = append(k.errs, fmt.Errorf("%d devices are owned, %d have an owner, and they are not the same", k.owned[kind], c.owner.used))
		}
	}
	return k.errs
}

// twice looks for a device that counts on the hosts of two entries of one hash.
func (k *claimCheck) twice(f *Fleet, c *claims, a, b entry) {
	if a.ref == b.ref {
		return // two devices of one host, which lists each of them once
	}
	h := f.at(a.ref - 1)
	for i := range h.devices {
		d := &h.devices[i]
		if d.hash != a.hash || d.claim&isOwned == 0 || f.of(d) != c {
			continue
		}
		if other := f.claimed(c, b.ref-1, h.idOf(d)); other != nil && other.claim&isOwned != 0 {
			k.errs = append(k.errs, fmt.Errorf("device %q has two owners", h.idOf(d)))
		}
	}
}
