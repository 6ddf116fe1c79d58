package fleet

import (
	"hash/maphash"
	"math/bits"
)

// index finds slots by the hash of an id. It holds hashes and slots alone, 8 bytes an entry: whether a slot found is the
// right one is seen by comparing its id. Entries of one hash may be many, and even equal to each other.
//
// It probes linearly, and moves entries back where one is removed, so that it needs no marks of what was.
type index struct {
	entries []entry // as many as a power of two; at least a quarter is empty
	used    int
}

type entry struct {
	hash uint32
	ref  uint32 // the slot plus one; 0 where the entry is empty
}

// minEntries is the size that an index begins with.
const minEntries = 16

// idSeed is drawn anew by every process, so that nobody can choose ids that meet.
var idSeed = maphash.MakeSeed()

func hashOf[T string | []byte](id T) uint32 {
	if s, ok := any(id).(string); ok {
		return uint32(maphash.String(idSeed, s))
	}
	return uint32(maphash.Bytes(idSeed, []byte(id)))
}

// seek returns the first place from i on that holds a hash, -1 where there is none. To begin with, i is the hash itself.
func (x *index) seek(hash, i uint32) int64 {
	if len(x.entries) == 0 {
		return -1
	}
	mask := uint32(len(x.entries) - 1)
	for i &= mask; x.entries[i].ref != 0; i = (i + 1) & mask {
		if x.entries[i].hash == hash {
			return int64(i)
		}
	}
	return -1
}

// slot returns the slot that stands at a place which seek returned.
func (x *index) slot(i int64) uint32 { return x.entries[i].ref - 1 }

// add enters a slot under a hash.
func (x *index) add(hash, slot uint32) {
	if 4*(x.used+1) > 3*len(x.entries) {
		x.grow()
	}
	x.put(entry{hash, slot + 1})
	x.used++
}

func (x *index) put(e entry) {
	mask := uint32(len(x.entries) - 1)
	i := e.hash & mask
	for x.entries[i].ref != 0 {
		i = (i + 1) & mask
	}
	x.entries[i] = e
}

func (x *index) grow() {
	old := x.entries
	x.entries = make([]entry, max(2*len(old), minEntries))
	for _, e := range old {
		if e.ref != 0 {
			x.put(e)
		}
	}
}

// locate returns the place of a slot under a hash, -1 where there is none.
func (x *index) locate(hash, slot uint32) int64 {
	i := x.seek(hash, hash)
	for i >= 0 && x.slot(i) != slot {
		i = x.seek(hash, uint32(i)+1)
	}
	return i
}

// change puts another slot in a slot's place.
func (x *index) change(hash, from, to uint32) {
	if i := x.locate(hash, from); i >= 0 {
		x.entries[i].ref = to + 1
	}
}

// remove takes one entry of a slot under a hash out.
func (x *index) remove(hash, slot uint32) {
	at := x.locate(hash, slot)
	if at < 0 {
		return
	}
	x.used--
	mask := uint32(len(x.entries) - 1)
	hole := uint32(at)
	for i := (hole + 1) & mask; x.entries[i].ref != 0; i = (i + 1) & mask {
		// An entry may move back to the hole if its home is not between the two.
		if home := x.entries[i].hash & mask; (i-home)&mask >= (i-hole)&mask {
			x.entries[hole] = x.entries[i]
			hole = i
		}
	}
	x.entries[hole] = entry{}
}

// mix makes one figure of a hash and a slot, such that sums of figures are the same of the same entries alone.
func mix(hash, slot uint32) uint64 {
	hi, lo := bits.Mul64(uint64(hash)<<32|uint64(slot)^0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93)
	return hi ^ lo
}
