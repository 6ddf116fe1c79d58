package telemetry

import "hash/maphash"

// Slots of the decoder's tables of strings. Identities are as many as hosts and devices; names are a few hundred.
const (
	idSlots   = 1 << 14
	nameSlots = 1 << 10
)

// interner turns bytes into strings, and the bytes that it saw before into the string that it made of them, so that
// what returns in every record is made once. It is a cache of fixed size: two strings that fall into one slot take
// turns. Its hash has a seed of its own, so that no sender can aim at a slot.
type interner struct {
	seed  maphash.Seed
	slots []string
}

// newInterner returns a table of size slots; size is a power of two.
func newInterner(size int) interner {
	return interner{seed: maphash.MakeSeed(), slots: make([]string, size)}
}

// string returns b as a string that shares no memory with b.
func (t *interner) string(b []byte) string {
	if len(b) > MaxName {
		return string(b)
	}
	slot := &t.slots[maphash.Bytes(t.seed, b)&uint64(len(t.slots)-1)]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}
