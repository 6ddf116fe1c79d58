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

func TestHasPrefix(t *testing.T) {
	key := "memory_utilization_mean_permille"
	for n := range len(key) {
		for more := range 9 {
			b := append([]byte(key[:n]), bytes.Repeat([]byte{'='}, more+1)...)
			if !hasPrefix(b, key[:n]) {
				t.Errorf("%q does not begin with %q", b, key[:n])
			}
			for i := range n {
				other := bytes.Clone(b)
				other[i] ^= 0x80
				if hasPrefix(other, key[:n]) {
					t.Errorf("%q begins with %q", other, key[:n])
				}
			}
		}
	}
}
