package capacity

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// TestWide adds and divides as math/big does, to the last digit.
func TestWide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got [2]wide
		var want [2]big.Int
		for i := range got {
			for range rapid.IntRange(1, 5).Draw(t, "products") {
				term := big.NewInt(1)
				var f [3]int64
				for k := range f {
					f[k] = rapid.OneOf(rapid.Int64Range(0, 10_000), rapid.Int64Range(0, 1<<60)).Draw(t, "factor")
					term.Mul(term, big.NewInt(f[k]))
				}
				got[i].add(f[0], f[1], f[2])
				want[i].Add(&want[i], term)
			}
		}
		if got[1].isZero() != (want[1].Sign() == 0) {
			t.Fatalf("%+v is zero: %t", got[1], got[1].isZero())
		}
		if got[1].isZero() {
			return
		}
		exact, _ := new(big.Rat).SetFrac(&want[0], &want[1]).Float64()
		if q := got[0].over(&got[1]); q != exact {
			t.Fatalf("%v ÷ %v is %v, want %v", &want[0], &want[1], q, exact)
		}
	})
}
