package telemetry

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// journey encodes a record whose line of shape s was made by set, and returns its lines and what the decoder made of
// them as a pointer to the same fields.
func (s *shape) journey(t *testing.T, set func(fields []field)) (wire string, sent, got any) {
	t.Helper()
	if s.report != nil {
		r := &Report{Header: header(1)}
		p := s.report(r)
		set(fieldsOf(p))
		b := reports.bytes(t, r)
		return string(b), r, reports.read(t, b)
	}
	inv := &Inventory{Header: header(1)}
	p := s.inventory(inv)
	set(fieldsOf(p))
	b := inventories.bytes(t, inv)
	return string(b), inv, inventories.read(t, b)
}

// setRequired makes known what a line cannot do without.
func setRequired(fields []field) {
	for i := range fields {
		if fields[i].required {
			fields[i].set(1)
		}
	}
}

// TestEveryField says that every tagged field is written, in the order of its struct, and read.
func TestEveryField(t *testing.T) {
	for _, s := range shapes {
		var want []string
		wire, sent, got := s.journey(t, func(fields []field) {
			for i := range fields {
				// Falling values keep the busy part below its whole.
				fields[i].set(int64(900 - i))
				want = append(want, fields[i].wire())
			}
			if len(fields)+len("boot schema seq lines") > 64 {
				t.Errorf("%s has more fields than the decoder has bits", s.measurement)
			}
		})
		if diff := cmp.Diff(sent, got); diff != "" {
			t.Errorf("%s: read record differs (-want +got):\n%s", s.measurement, diff)
		}
		end := fmt.Sprintf("%s %d\n", strings.Join(want, ","), header(1).Time.UnixNano())
		if !strings.HasSuffix(wire, end) {
			t.Errorf("%s: record does not end with\n%sbut is\n%s", s.measurement, end, wire)
		}
	}
}

// TestEachFieldAlone says that a field needs no other.
func TestEachFieldAlone(t *testing.T) {
	for _, s := range shapes {
		for i := range s.fields() {
			var name string
			_, sent, got := s.journey(t, func(fields []field) {
				setRequired(fields)
				fields[i].set(7)
				name = fields[i].name
			})
			if diff := cmp.Diff(sent, got); diff != "" {
				t.Errorf("%s %s: read record differs (-want +got):\n%s", s.measurement, name, diff)
			}
		}
	}
}

// fields returns the tagged fields.
func (s *shape) fields() []field {
	if s.report != nil {
		return fieldsOf(s.report(new(Report)))
	}
	return fieldsOf(s.inventory(new(Inventory)))
}

// TestBounds takes every integer to its bounds and one step beyond, in both directions.
func TestBounds(t *testing.T) {
	for _, s := range shapes {
		for i, f := range s.fields() {
			if f.kind == "integer" {
				s.bounds(t, i, f)
			}
		}
	}
}

func (s *shape) bounds(t *testing.T, i int, f field) {
	t.Helper()
	pick := func(n int64) func([]field) {
		return func(fields []field) {
			setRequired(fields)
			fields[i].set(n)
		}
	}
	for _, n := range []int64{f.lo, f.hi} {
		if _, sent, got := s.journey(t, pick(n)); !cmp.Equal(sent, got) {
			t.Errorf("%s %s: %d did not survive:\n%s", s.measurement, f.name, n, cmp.Diff(sent, got))
		}
	}
	wire, _, _ := s.journey(t, pick(7))
	for _, n := range []string{beyond(f.lo, -1), beyond(f.hi, 1), "99999999999999999999", "-"} {
		bad := strings.Replace(wire, f.name+"=7i", f.name+"="+n+"i", 1)
		reason, name := reasonOf(t, s.decode(bad))
		if reason != ReasonRange || name != f.name {
			t.Errorf("%s %s=%s: refused for %s %q, want range", s.measurement, f.name, n, reason, name)
		}
	}
	for _, n := range []int64{f.lo - 1, f.hi + 1} {
		if n > f.lo && n < f.hi {
			continue // beyond 64 bits
		}
		reason, name := reasonOf(t, s.encode(pick(n)))
		if reason != ReasonRange || name != f.name {
			t.Errorf("%s %s=%d: not written for %s %q, want range", s.measurement, f.name, n, reason, name)
		}
	}
}

// beyond returns n + step in digits, whether or not it fits 64 bits.
func beyond(n int64, step int64) string {
	if n == math.MaxInt64 && step > 0 {
		return "9223372036854775808"
	}
	return fmt.Sprint(n + step)
}

// decode returns the decoder's verdict on a record of the shape's kind.
func (s *shape) decode(b string) error {
	if s.report != nil {
		return new(Decoder).Report([]byte(b), new(Report))
	}
	return new(Decoder).Inventory([]byte(b), new(Inventory))
}

// encode returns the encoder's verdict on a record with a line of this shape.
func (s *shape) encode(set func([]field)) error {
	if s.report != nil {
		r := &Report{Header: header(1)}
		set(fieldsOf(s.report(r)))
		_, err := new(Encoder).AppendReport(nil, r)
		return err
	}
	inv := &Inventory{Header: header(1)}
	set(fieldsOf(s.inventory(inv)))
	_, err := new(Encoder).AppendInventory(nil, inv)
	return err
}

// TestStrings takes every string to its bound and beyond it.
func TestStrings(t *testing.T) {
	for _, s := range shapes {
		for i, f := range s.fields() {
			if f.value.Type() == reflect.TypeFor[string]() {
				s.stringBounds(t, i, f)
			}
		}
	}
}

func (s *shape) stringBounds(t *testing.T, i int, f field) {
	t.Helper()
	pick := func(v string) func([]field) {
		return func(fields []field) {
			setRequired(fields)
			fields[i].value.SetString(v)
		}
	}
	limit := MaxName
	if f.text {
		limit = MaxText
	}
	awkward := `a "b" \ c=d, e\` + "… 贵安 "
	longest := awkward + strings.Repeat("x", limit-len(awkward))
	wire, sent, got := s.journey(t, pick(longest))
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Errorf("%s %s: read record differs (-want +got):\n%s", s.measurement, f.name, diff)
	}
	at := func(v string) string { return strings.Replace(wire, f.name+`="a `, f.name+`="`+v, 1) }
	if s.decode(at("a ")) != nil {
		t.Fatalf("%s %s: cannot find the string in %s", s.measurement, f.name, wire)
	}
	for _, v := range []string{"aaa", "\x1b[", "\t", "\u0085", `\n`} {
		if reason, name := reasonOf(t, s.decode(at(v))); reason != ReasonRange || name != f.name {
			t.Errorf("%s %s with %q: refused for %s %q, want range", s.measurement, f.name, v, reason, name)
		}
	}
	for _, v := range []string{longest + "x", "a\nb", "a\x00", "a\xff", "\u009b"} {
		err := s.encode(pick(v))
		if f.text {
			if err != nil {
				t.Errorf("%s %s: text %q: %v", s.measurement, f.name, v, err)
			}
			continue
		}
		if reason, name := reasonOf(t, err); reason != ReasonRange || name != f.name {
			t.Errorf("%s %s=%q: not written for %s %q, want range", s.measurement, f.name, v, reason, name)
		}
	}
}
