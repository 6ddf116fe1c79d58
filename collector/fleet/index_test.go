package fleet

import (
	"testing"

	"pgregory.net/rapid"
)

// TestIndex holds an index to a list, with hashes that meet often.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x index
		var list []entry
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			e := entry{
				hash: rapid.SampledFrom([]uint32{0, 1, 2, 15, 16, 17, 31, 1<<32 - 1, 1<<32 - 2}).Draw(t, "hash"),
				ref:  rapid.Uint32Range(1, 6).Draw(t, "slot"),
			}
			at := -1
			for i := range list {
				if list[i] == e {
					at = i
				}
			}
			switch op := rapid.IntRange(0, 3).Draw(t, "op"); {
			case op < 2:
				x.add(e.hash, e.ref-1)
				list = append(list, e)
			case op == 2:
				x.remove(e.hash, e.ref-1)
				if at >= 0 {
					list = append(list[:at], list[at+1:]...)
				}
			default:
				x.change(e.hash, e.ref-1, 9)
				if at >= 0 {
					list[at].ref = 10
				}
			}
			sum := uint64(0)
			want := map[entry]int{}
			for _, e := range list {
				sum += mix(e.hash, e.ref-1)
				want[e]++
			}
			if x.used != len(list) || checksum(&x) != sum {
				t.Fatalf("holds %d with sum %x, want %d with %x", x.used, checksum(&x), len(list), sum)
			}
			for e, n := range want {
				for i := x.seek(e.hash, e.hash); i >= 0; i = x.seek(e.hash, uint32(i)+1) {
					if x.slot(i) == e.ref-1 {
						n--
					}
				}
				if n != 0 {
					t.Fatalf("entry %v is not found as often as it stands", e)
				}
			}
		}
	})
}

func checksum(x *index) (sum uint64) {
	for _, e := range x.entries {
		if e.ref != 0 {
			sum += mix(e.hash, e.ref-1)
		}
	}
	return sum
}
