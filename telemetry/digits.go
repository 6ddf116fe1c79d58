package telemetry

import (
	"encoding/binary"
	"math/bits"
)

// leadingInt reads the decimal integer that b begins with, and returns it and how many bytes it takes: none where there is
// no integer, or one of more than eighteen digits.
func leadingInt(b []byte) (v int64, n int) {
	if len(b) >= 16 && b[0] != '-' {
		v, n = eight(b)
		if n < 8 {
			return v, n
		}
		more, m := eight(b[8:])
		if m < 8 {
			return v*powers[m] + more, n + m
		}
	}
	return slowInt(b)
}

// slowInt is leadingInt for what is negative, long, or at the end of a record.
func slowInt(b []byte) (v int64, n int) {
	first := 0
	if len(b) > 0 && b[0] == '-' {
		first = 1
	}
	for n = first; n < len(b) && b[n]-'0' <= 9; n++ {
		if n-first == 18 {
			return 0, 0
		}
		v = v*10 + int64(b[n]-'0')
	}
	if n == first {
		return 0, 0
	}
	if first > 0 {
		v = -v
	}
	return v, n
}

// powers are the powers of ten.
var powers = [8]int64{1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000}

// eight reads up to eight digits that b begins with, all at once: a loop over digits is mispredicted at the end of
// every number whose length is a new one. See Lemire, "Quickly parsing eight digits" (2018).
func eight(b []byte) (v int64, n int) {
	x := binary.LittleEndian.Uint64(b) ^ 0x3030303030303030 // digits become 0 to 9
	// The lowest of the high bits that are set belongs to the first byte that is no digit; n is 8 if there is none.
	n = bits.TrailingZeros64((x+0x7676767676767676|x)&0x8080808080808080) / 8
	x <<= uint(64 - 8*n) // zeros before the digits, and nothing behind them
	x = x * (10<<8 + 1) >> 8 & 0x00FF00FF00FF00FF
	x = x * (100<<16 + 1) >> 16 & 0x0000FFFF0000FFFF
	x = x * (10_000<<32 + 1) >> 32
	return int64(x), n
}
