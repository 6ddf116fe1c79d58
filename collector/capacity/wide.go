package capacity

import (
	"math/big"
	"math/bits"
)

// wide is a sum of products of three counts, exact up to 2^192: what utilisation is divided from. It holds no pointers, so that a sum
// costs no allocation.
type wide struct{ hi, mid, lo uint64 }

// add adds a × b × c, of which none is negative.
func (w *wide) add(a, b, c int64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	carry, p0 := bits.Mul64(lo, uint64(c))
	p2, p1 := bits.Mul64(hi, uint64(c))
	var over uint64
	p1, over = bits.Add64(p1, carry, 0)
	p2 += over
	w.lo, over = bits.Add64(w.lo, p0, 0)
	w.mid, over = bits.Add64(w.mid, p1, over)
	w.hi += p2 + over
}

func (w *wide) isZero() bool { return *w == wide{} }

// over returns w ÷ o, correctly rounded.
func (w *wide) over(o *wide) float64 {
	var a, b, q big.Float
	v, _ := q.SetPrec(53).Quo(w.float(&a), o.float(&b)).Float64()
	return v
}

func (w *wide) float(f *big.Float) *big.Float {
	var i big.Int
	var buf [24]byte
	for n, word := range [...]uint64{w.hi, w.mid, w.lo} {
		for k := range 8 {
			buf[8*n+k] = byte(word >> (56 - 8*k))
		}
	}
	return f.SetPrec(192).SetInt(i.SetBytes(buf[:]))
}
