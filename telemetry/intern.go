package telemetry

import "hash/maphash"

// Slots of the decoder's tables of strings. Identities are as many as hosts and devices; names are a few hundred.
const (
	idSlots   = 1 << 14
	nameSlots = 1 << 10
)

// ways is the number of slots that a string can stand in.
const ways = 4

// interner turns bytes into strings, and the bytes that it saw before into the string that it made of them, so that
// what returns in every record is made once. It is a cache of fixed size: of the strings that share their slots the
// last few stay. Its hash has a seed of its own, so that no sender can aim at a slot.
type interner struct {
	seed maphash.Seed
	sets [][ways]string
}

// newInterner returns a table of size slots; size is a power of two, and at least ways.
func newInterner(size int) interner {
	return interner{seed: maphash.MakeSeed(), sets: make([][ways]string, size/ways)}
}

// string returns b as a string that shares no memory with b.
func (t *interner) string(b []byte) string {
	if len(b) > MaxName {
		return string(b)
	}
	set := &t.sets[maphash.Bytes(t.seed, b)&uint64(len(t.sets)-1)]
	for i := range set {
		if set[i] == string(b) {
			return set[i]
		}
	}
	copy(set[1:], set[:ways-1])
	set[0] = string(b)
	return set[0]
}
