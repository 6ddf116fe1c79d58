package telemetry

import (
	"errors"
	"fmt"
	"math"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// line is where the fields of a part meet one line of the wire. A part lists its fields in canonical order, and each
// call writes one field, or takes it if it is the one that the reader stands at. A line that is in canonical order is
// read in one walk over the list.
//
// The first error stays, and ends reading.
type line struct {
	enc *Encoder // nil when reading
	dec *Decoder // nil when writing
	q   *quick   // set while a canonical record is read, instead of the reader of line protocol at large

	plan *[]step // set while the fields of a part are asked for

	number int   // from 1
	lines  int64 // number of lines of the record, as its host line says
	known  int   // fields of the schema that were written or read
	err    *Error

	// The field that the reader stands at. There is none, and key is empty, at the end of the line and after an error.
	key   []byte
	kind  lineprotocol.ValueKind
	value []byte

	hint string // the likeliest value of the line's string field, while q is set

	turn int    // number of the field in the list, while it is walked
	seen uint64 // the fields that were read, a bit each
}

// refuse keeps err as the reason for which the record is refused, if it is the first.
func (l *line) refuse(reason Reason, field string, err error) {
	if l.err == nil {
		l.err = &Error{Reason: reason, Line: l.number, Field: field, Err: err}
	}
	l.key = nil
}

// refuseSyntax refuses a line that the library could not read. The library's own number of the line is not the
// record's: its decoder has read another before.
func (l *line) refuseSyntax(field string, err error) {
	if at, ok := errors.AsType[*lineprotocol.DecodeError](err); ok {
		err = fmt.Errorf("column %d: %w", at.Column, at.Err)
	}
	l.refuse(ReasonSyntax, field, err)
}

// read takes the fields of p from the line.
func (l *line) read(p part) {
	l.known, l.seen = 0, 0
	if l.err != nil {
		return
	}
	l.advance()
	for len(l.key) > 0 {
		before := l.known
		l.turn = 0
		p.fields(l)
		if l.known == before && l.err == nil {
			l.skip()
		}
	}
}

// skip passes over a field that the schema does not have.
func (l *line) skip() {
	if _, err := lineprotocol.NewValueFromBytes(l.kind, l.value); err != nil {
		l.refuse(ReasonSyntax, quote(l.key), err)
		return
	}
	l.dec.Unknown++
	l.advance()
}

// advance goes on to the next field of the line.
func (l *line) advance() {
	var err error
	if l.key, l.kind, l.value, err = l.dec.scan.NextFieldBytes(); err != nil {
		l.refuseSyntax("", err)
	}
}

// at reports whether the reader stands at the field called key. Every field calls it once in a walk.
func (l *line) at(key string, kind lineprotocol.ValueKind) bool {
	bit := uint64(1) << l.turn
	l.turn++
	if string(l.key) != key {
		return false
	}
	if l.seen&bit != 0 {
		l.refuse(ReasonDuplicate, key, errors.New("stands twice"))
		return false
	}
	if l.kind != kind {
		l.refuse(ReasonFieldType, key, fmt.Errorf("is %v, want %v", l.kind, kind))
		return false
	}
	l.seen |= bit
	l.known++
	return true
}

// hasFirst reports whether the first field of the list was read.
func (l *line) hasFirst() bool { return l.seen&1 != 0 }

// version is the field schema. A reader that does not speak a record's version must not judge the rest of it.
func (l *line) version() {
	if l.enc != nil {
		l.enc.put(l, "schema", lineprotocol.IntValue(SchemaVersion))
		return
	}
	if l.q != nil {
		l.turn++
		return
	}
	if l.plan != nil {
		l.tell("schema", intStep, SchemaVersion, SchemaVersion)
		return
	}
	if !l.at("schema", lineprotocol.Int) {
		return
	}
	v, ok := parseInt(l.value)
	if !ok || v != SchemaVersion {
		l.refuse(ReasonSchema, "schema", fmt.Errorf("is %s, want %d", quote(l.value), SchemaVersion))
		return
	}
	l.advance()
}

// int writes v, or returns what was read. Bounds are included.
func (l *line) int(key string, v, lo, hi int64) (int64, bool) {
	if l.q != nil {
		return l.give()
	}
	if l.plan != nil {
		l.tell(key, intStep, lo, hi)
		return 0, false
	}
	if l.enc == nil {
		if !l.at(key, lineprotocol.Int) {
			return 0, false
		}
		var ok bool
		if v, ok = parseInt(l.value); !ok {
			l.refuse(ReasonRange, key, fmt.Errorf("%s is not an integer of 64 bits", quote(l.value)))
			return 0, false
		}
	}
	if err := checkInt(v, lo, hi); err != nil {
		l.refuse(ReasonRange, key, err)
		return 0, false
	}
	if l.enc != nil {
		l.enc.put(l, key, lineprotocol.IntValue(v))
		return 0, false
	}
	l.advance()
	return v, true
}

// checkInt reports what keeps v from being within bounds.
func checkInt(v, lo, hi int64) error {
	if v < lo || v > hi {
		return fmt.Errorf("%d is not within %d to %d", v, lo, hi)
	}
	return nil
}

// integer is a field that every record has. Bounds are lo and the largest integer.
func (l *line) integer(key string, v *int64, lo int64) {
	if got, ok := l.int(key, *v, lo, math.MaxInt64); ok {
		*v = got
	}
}

// optional is an integer that may be unknown.
func optional[T ~int64](l *line, key string, o *Opt[T], lo, hi int64) {
	if l.enc != nil && (!o.OK || l.enc.leaves(l, key, checkInt(int64(o.Value), lo, hi))) {
		return
	}
	if v, ok := l.int(key, int64(o.Value), lo, hi); ok {
		*o = Known(T(v))
	}
}

// quantity is an integer whose unit gives its bounds.
func quantity[T unit](l *line, key string, o *Opt[T]) {
	if l.q != nil {
		if v, ok := l.give(); ok {
			*o = Known(T(v))
		}
		return
	}
	lo, hi := T(0).limits()
	optional(l, key, o, lo, hi)
}

// count is an integer that is not negative.
func (l *line) count(key string, o *Opt[int64]) { optional(l, key, o, 0, math.MaxInt64) }

// atMost is an integer from 0 to hi.
func (l *line) atMost(key string, o *Opt[int64], hi int64) { optional(l, key, o, 0, hi) }

// truth is a boolean that is always known.
func (l *line) truth(key string, v *bool) {
	if l.enc != nil {
		l.enc.put(l, key, lineprotocol.BoolValue(*v))
		return
	}
	if l.q != nil {
		if got, ok := l.give(); ok {
			*v = got == 1
		}
		return
	}
	if l.plan != nil {
		l.tell(key, boolStep, 0, 0)
		return
	}
	if !l.at(key, lineprotocol.Bool) {
		return
	}
	var ok bool
	if *v, ok = parseBool(l.value); !ok {
		l.refuse(ReasonSyntax, key, fmt.Errorf("%s is not a boolean", quote(l.value)))
		return
	}
	l.advance()
}

// flag is a boolean that may be unknown.
func (l *line) flag(key string, o *Opt[bool]) {
	if l.enc != nil && !o.OK {
		return
	}
	if l.q != nil {
		if v, ok := l.give(); ok {
			*o = Known(v == 1)
		}
		return
	}
	before := l.known
	l.truth(key, &o.Value)
	if l.enc == nil {
		o.OK = o.OK || l.known > before
	}
}

// name is a string of at most MaxName bytes; an empty one is unknown.
func (l *line) name(key string, s *string) {
	if l.enc == nil {
		l.take(key, s, MaxName)
		return
	}
	if *s == "" {
		return
	}
	if err := checkName(*s); l.enc.leaves(l, key, err) {
		return
	} else if err != nil {
		l.refuse(ReasonRange, key, err)
		return
	}
	l.enc.text = append(l.enc.text[:0], *s...)
	l.enc.putText(l, key)
}

// text is a string of at most MaxText bytes, which is cut to them as it is written; an empty one is unknown.
func (l *line) text(key string, s *string) {
	if l.enc == nil {
		l.take(key, s, MaxText)
		return
	}
	if *s == "" {
		return
	}
	l.enc.text = appendText(l.enc.text[:0], *s)
	l.enc.putText(l, key)
}

// take reads a string of at most limit bytes.
func (l *line) take(key string, s *string, limit int) {
	if l.q != nil {
		l.giveText(s)
		return
	}
	if l.plan != nil {
		l.tell(key, textStep, 0, int64(limit))
		return
	}
	if !l.at(key, lineprotocol.String) {
		return
	}
	if err := checkString(l.value, limit); err != nil {
		l.refuse(ReasonRange, key, err)
		return
	}
	*s = l.dec.names.string(l.value)
	l.advance()
}

// state is the state of a device or of the processors.
func (l *line) state(key string, s *State) {
	if l.enc != nil {
		if *s == "" {
			return
		}
		if !s.Valid() {
			l.refuse(ReasonRange, key, fmt.Errorf("%s is not a state", quote(string(*s))))
			return
		}
		l.enc.text = append(l.enc.text[:0], *s...)
		l.enc.putText(l, key)
		return
	}
	if l.q != nil {
		if v, ok := l.give(); ok {
			*s = quickStates[v]
		}
		return
	}
	if l.plan != nil {
		l.tell(key, stateStep, 0, 0)
		return
	}
	if !l.at(key, lineprotocol.String) {
		return
	}
	for _, known := range [...]State{Free, Busy, Drained, Faulty} {
		if string(l.value) == string(known) {
			*s = known
			l.advance()
			return
		}
	}
	l.refuse(ReasonRange, key, fmt.Errorf("%s is not a state", quote(l.value)))
}

// parseInt reads a decimal integer and reports whether b is one that fits 64 bits.
func parseInt(b []byte) (int64, bool) {
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	// Nineteen digits fit an uint64 and twenty may not.
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var v uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	if len(digits) == len(b) {
		return int64(v), v <= math.MaxInt64
	}
	return -int64(v), v <= -math.MinInt64
}

// parseBool reads a boolean in any of the spellings of line protocol.
func parseBool(b []byte) (v, ok bool) {
	switch string(b) {
	case "true", "t", "T", "True", "TRUE":
		return true, true
	case "false", "f", "F", "False", "FALSE":
		return false, true
	}
	return false, false
}
