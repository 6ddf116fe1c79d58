package telemetry

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestLeadingInt holds the reader of eight digits at a time to the one of a digit at a time.
func TestLeadingInt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(rapid.StringMatching(`-?[0-9]{0,20}[i,/:;\x00-\xff]?[0-9i, ]{0,20}`).Draw(t, "bytes"))
		got, n := leadingInt(b)
		want, m := slowInt(b)
		if got != want || n != m {
			t.Fatalf("%q: read %d of %d bytes, want %d of %d", b, got, n, want, m)
		}
		if m > 0 {
			if v, ok := parseInt(b[:m]); !ok || v != want {
				t.Fatalf("%q: read %d, want %d", b, want, v)
			}
		}
	})
}

// TestStepStarts looks for every field of the schema, whole and with one byte or more of it wrong, near the end of a record
// and far from it.
func TestStepStarts(t *testing.T) {
	for _, steps := range [][]step{reportSteps, deviceStatusSteps, cpuInventorySteps, sourceStatusSteps} {
		for i := range steps {
			s := &steps[i]
			if len(s.key)+8 > nearEnd {
				t.Errorf("%s is longer than any key was thought to be", s.key)
			}
			for _, more := range []int{0, 1, 7, 8, nearEnd} {
				b := append([]byte(s.key), bytes.Repeat([]byte{'1'}, more)...)
				if !s.starts(b) || s.starts(b[:len(s.key)-1]) {
					t.Errorf("%q: the field is not seen, or half of it is", b)
				}
				for i := range s.key {
					other := bytes.Clone(b)
					other[i] ^= 0x80
					if s.starts(other) {
						t.Errorf("%q is taken for %q", other, s.key)
					}
				}
			}
		}
	}
}
