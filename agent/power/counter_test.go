package power

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/exameter/exameter/telemetry"
)

func TestCounter(t *testing.T) {
	const (
		top = 65_532_610_987 // 65.5 kJ, which a package uses up in 65 s at 1 kW
		j   = 1_000_000
	)
	type value struct {
		after time.Duration
		at    uint64
		mw    telemetry.Milliwatts // -1: unknown
		total uint64
	}
	for _, c := range []struct {
		name   string
		top    uint64
		values []value
	}{
		{"a second at 200 W", top, []value{{0, 5 * j, -1, 0}, {time.Second, 205 * j, 200_000, 200 * j}}},
		{"half a second", top, []value{{0, 0, -1, 0}, {time.Second / 2, 100 * j, 200_000, 100 * j}}},
		{"nothing used", top, []value{{0, 5 * j, -1, 0}, {time.Second, 5 * j, 0, 0}}},
		{"wrap", top, []value{{0, top - 50*j, -1, 0}, {time.Second, 150 * j, 200_000, 200 * j}, {time.Second, 250 * j, 100_000, 300 * j}}},
		{"two values at once", top, []value{{0, 0, -1, 0}, {time.Millisecond, j, -1, 0}, {999 * time.Millisecond, 100 * j, 100_000, 100 * j}}},
		{"a clock that goes back", top, []value{{0, 0, -1, 0}, {-time.Second, j, -1, 0}, {2 * time.Second, 100 * j, 100_000, 100 * j}}},
		{"a gap without a second wrap", top, []value{{0, 0, -1, 0}, {time.Minute, 12_000 * j, 200_000, 12_000 * j}}},
		{
			"a gap in which it may have wrapped twice", top,
			[]value{{0, 0, -1, 0}, {time.Second, 200 * j, 200_000, 200 * j}, {10 * time.Minute, 300 * j, -1, 0}, {time.Second, 400 * j, 100_000, 100 * j}},
		},
		{
			"reset while suspended: no processor draws 65 kW", top,
			[]value{{0, 200 * j, -1, 0}, {time.Second, 10 * j, -1, 0}, {time.Second, 110 * j, 100_000, 100 * j}},
		},
		{"a jump that no processor makes", top, []value{{0, 0, -1, 0}, {time.Second, 30_000 * j, -1, 0}}},
		{"no highest value, forward", 0, []value{{0, 0, -1, 0}, {time.Minute, 6000 * j, 100_000, 6000 * j}}},
		{"no highest value, back", 0, []value{{0, 100 * j, -1, 0}, {time.Second, 50 * j, -1, 0}, {time.Second, 60 * j, 10_000, 10 * j}}},
		{"higher than the highest value", 10 * j, []value{{0, 50 * j, -1, 0}, {5 * time.Millisecond, 1, -1, 0}, {time.Millisecond, 1, -1, 0}}},
		{"hours", 0, []value{{0, 0, -1, 0}, {2 * time.Hour, 100 * j, -1, 0}}},
		{"the end of 64 bits", math.MaxUint64, []value{{0, math.MaxUint64 - 9*j, -1, 0}, {time.Second, 90 * j, 99_000, 99 * j}}},
	} {
		now := time.Unix(0, 0)
		counter := counter{top: c.top, maxWatts: maxPackageWatts}
		for i, v := range c.values {
			now = now.Add(v.after)
			mw, ok := counter.add(v.at, now)
			if ok != (v.mw >= 0) || ok && mw != v.mw || counter.total != v.total {
				t.Errorf("%s, value %d: %d mW, %t, total %d; want %d mW, total %d", c.name, i, mw, ok, counter.total, v.mw, v.total)
			}
		}
	}
}

// FuzzCounter feeds any values at any times: no power is negative or beyond the bound, and the total goes back to
// nothing but zero.
func FuzzCounter(f *testing.F) {
	step := func(v uint64, d time.Duration) []byte {
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, v), uint64(d))
	}
	f.Add(uint64(1000), append(step(5, 0), step(3, time.Second)...))
	f.Add(uint64(math.MaxUint64), append(step(math.MaxUint64, 0), step(0, math.MaxInt64)...))
	f.Fuzz(func(t *testing.T, top uint64, steps []byte) {
		c, now := counter{top: top, maxWatts: maxPackageWatts}, time.Unix(0, 0)
		for ; len(steps) >= 16; steps = steps[16:] {
			now = now.Add(time.Duration(binary.LittleEndian.Uint64(steps[8:])))
			before := c.total
			mw, ok := c.add(binary.LittleEndian.Uint64(steps), now)
			if mw < 0 || mw > maxPackageWatts*1000 || !ok && mw != 0 {
				t.Fatalf("%d mW, %t", mw, ok)
			}
			if c.total < before && c.total != 0 || telemetry.Millijoules(c.total/1000) < 0 {
				t.Fatalf("total %d after %d", c.total, before)
			}
		}
	})
}
