package client

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Flops is a throughput in whole Mflop/s (1e6 floating-point operations a second; for integer precisions, operations). A
// collector's Eflops have at most 12 decimals, which Flops hold exactly: they add up to totals to the last digit.
type Flops int64

// Eflop is 1e18 flop/s.
const Eflop Flops = 1e12

// Float is the value in Eflops, rounded to what a float64 holds.
func (f Flops) Float() float64 { return float64(f) / float64(Eflop) }

// String is the exact value in Eflops, without trailing zeros.
func (f Flops) String() string {
	sign, u := "", uint64(f)
	if f < 0 {
		sign, u = "-", -u
	}
	fraction := strings.TrimRight(fmt.Sprintf("%012d", u%uint64(Eflop)), "0")
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + strconv.FormatUint(u/uint64(Eflop), 10) + fraction
}

// MarshalJSON prints the exact value in Eflops.
func (f Flops) MarshalJSON() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalJSON reads a decimal number of Eflops exactly, and refuses what is between two Mflop/s.
func (f *Flops) UnmarshalJSON(b []byte) error {
	s := string(b)
	if len(s) > 40 {
		return fmt.Errorf("%.40q… is not a number of Eflops", s)
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || strings.ContainsAny(s, "/xXoObBpP_") {
		return fmt.Errorf("%q is not a number of Eflops", s)
	}
	r.Mul(r, new(big.Rat).SetInt64(int64(Eflop)))
	if !r.IsInt() || !r.Num().IsInt64() {
		return fmt.Errorf("%q Eflops is not a whole number of Mflop/s", s)
	}
	*f = Flops(r.Num().Int64())
	return nil
}
