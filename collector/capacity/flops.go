package capacity

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Flops is a throughput in whole Mflop/s (1e6 floating-point operations a second; for integer precisions, operations).
// Sums of Flops are exact. 260 Eflops are 2.6e14 of them, far from the limit of 9.2e18.
type Flops int64

// Eflop is 1e18 flop/s.
const Eflop Flops = 1e12

// MarshalJSON prints Eflops as an exact decimal number: at most 12 decimals, nothing rounded, so that the parts of a
// document add up to its totals to the last digit.
func (f Flops) MarshalJSON() ([]byte, error) { return f.AppendEflops(make([]byte, 0, 24)), nil }

// Eflops prints the exact value in Eflops, without trailing zeros.
func (f Flops) Eflops() string { return string(f.AppendEflops(nil)) }

// AppendEflops appends what Eflops prints. A document of a province has thousands of these.
func (f Flops) AppendEflops(b []byte) []byte {
	u := uint64(f)
	if f < 0 {
		b, u = append(b, '-'), -u
	}
	b = strconv.AppendUint(b, u/uint64(Eflop), 10)
	rest := u % uint64(Eflop)
	if rest == 0 {
		return b
	}
	var digits [13]byte
	digits[0] = '.'
	last := 0
	for i := 12; i > 0; i-- {
		digits[i] = '0' + byte(rest%10)
		if rest /= 10; last == 0 && digits[i] != '0' {
			last = i
		}
	}
	return append(b, digits[:last+1]...)
}

// UnmarshalJSON reads what MarshalJSON prints, exponents included; a value between two Mflop/s is refused.
func (f *Flops) UnmarshalJSON(b []byte) error {
	v, err := ParseEflops(string(b))
	*f = v
	return err
}

// ParseEflops reads a decimal number of Eflops exactly.
func ParseEflops(s string) (Flops, error) {
	if len(s) > 40 {
		return 0, fmt.Errorf("%.40q… is not a number of Eflops", s)
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || strings.ContainsAny(s, "/xXoObBpP_") {
		return 0, fmt.Errorf("%q is not a number of Eflops", s)
	}
	r.Mul(r, new(big.Rat).SetInt64(int64(Eflop)))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, fmt.Errorf("%q Eflops is not a whole number of Mflop/s", s)
	}
	return Flops(r.Num().Int64()), nil
}
