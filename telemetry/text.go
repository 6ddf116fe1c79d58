package telemetry

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// ellipsis ends a text that was cut.
const ellipsis = "…"

// appendText appends s as a text of the wire: at most MaxText bytes, cut between two characters and ended by an
// ellipsis if it was longer. Control characters become spaces, so that a text is one line wherever it is printed and
// cannot steer a terminal; bytes that are not UTF-8 become U+FFFD.
func appendText(dst []byte, s string) []byte {
	start := len(dst)
	cut := start // the longest end that leaves room for the ellipsis
	for _, r := range s {
		if unicode.IsControl(r) {
			r = ' '
		}
		dst = utf8.AppendRune(dst, r)
		if len(dst)-start > MaxText {
			return append(dst[:cut], ellipsis...)
		}
		if len(dst)-start <= MaxText-len(ellipsis) {
			cut = len(dst)
		}
	}
	return dst
}

// checkString reports what keeps s from being a string of the wire of at most limit bytes.
func checkString[T string | []byte](s T, limit int) error {
	if len(s) == 0 {
		return errors.New("is empty")
	}
	if len(s) > limit {
		return fmt.Errorf("has %d bytes, want at most %d", len(s), limit)
	}
	for i := range len(s) {
		c := s[i]
		// The controls U+0080 to U+009F are the bytes C2 80 to C2 9F.
		c1 := c == 0xC2 && i+1 < len(s) && s[i+1] < 0xA0
		if c < ' ' || c == 0x7F || c1 {
			return fmt.Errorf("has a control character at byte %d", i)
		}
	}
	return nil
}

// checkName reports what keeps s from being a name that this program may write.
func checkName(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s is not UTF-8", quote(s))
	}
	return checkString(s, MaxName)
}

// checkTag reports what keeps s from being the value of a tag that this program may write. Line protocol cannot carry
// a backslash at the end of one.
func checkTag(s string) error {
	if err := checkName(s); err != nil {
		return err
	}
	if s[len(s)-1] == '\\' {
		return fmt.Errorf("%s ends with a backslash", quote(s))
	}
	return nil
}

// quote returns the beginning of s in quotes, so that a message stays short whatever a record holds.
func quote[T string | []byte](s T) string {
	const limit = 64
	if len(s) <= limit {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q%s", s[:limit], ellipsis)
}
