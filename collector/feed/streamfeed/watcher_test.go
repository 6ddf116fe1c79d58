package streamfeed

import (
	"strconv"
	"testing"
)

// FuzzPoint reads any id: one that is read is written the same.
func FuzzPoint(f *testing.F) {
	for _, s := range []string{"0", "812345", "812345-cut", "-1", "01", "9223372036854775808", "x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePoint(s)
		if err != nil {
			return
		}
		id := strconv.FormatInt(p.Revision, 10)
		if p.Cut {
			id += cutSuffix
		}
		if id != s || p.Revision < 0 {
			t.Errorf("%q was read as %+v", s, p)
		}
	})
}
