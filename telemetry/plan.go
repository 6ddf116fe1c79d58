package telemetry

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// step is one field of a part as the quick reader looks for it. The steps are told by the list of fields itself, which is
// walked once for that, so that there is one list.
type step struct {
	key    string // with the equals sign
	first  uint64 // its first word, or all of it where it is shorter
	mask   uint64 // the bytes of first that count
	kind   stepKind
	lo, hi int64 // of an integer; of a string, hi is the limit of its length
}

type stepKind uint8

const (
	intStep stepKind = iota
	boolStep
	stateStep
	textStep
)

// maxSteps bounds the fields of a part.
const maxSteps = 32

// The steps of the parts.
var (
	reportSteps          = stepsOf(&Report{})
	cpuStatusSteps       = stepsOf(&CPUStatus{})
	memoryStatusSteps    = stepsOf(&MemoryStatus{})
	powerStatusSteps     = stepsOf(&PowerStatus{})
	deviceStatusSteps    = stepsOf(&DeviceStatus{})
	sourceStatusSteps    = stepsOf(&SourceStatus{})
	inventorySteps       = stepsOf(&Inventory{})
	cpuInventorySteps    = stepsOf(&CPUInfo{})
	deviceInventorySteps = stepsOf(&DeviceInfo{})
)

func stepsOf(p part) []step {
	var steps []step
	p.fields(&line{plan: &steps})
	return steps[:len(steps):min(len(steps), maxSteps)] // panics where there are too many
}

// tell adds a field to the list that is asked for.
func (l *line) tell(key string, kind stepKind, lo, hi int64) {
	s := step{key: key + "=", kind: kind, lo: lo, hi: hi, mask: math.MaxUint64}
	if n := len(s.key); n < 8 {
		s.mask >>= 64 - 8*n
	}
	s.first = word(s.key + "\x00\x00\x00\x00\x00\x00\x00") // what is more is not looked at
	*l.plan = append(*l.plan, s)
}

// nearEnd is longer than any key with an equals sign and a word behind it.
const nearEnd = 64

// starts reports whether b begins with the step's key and the equals sign.
func (s *step) starts(b []byte) bool {
	if len(b) < nearEnd {
		return len(b) >= len(s.key) && string(b[:len(s.key)]) == s.key
	}
	if binary.LittleEndian.Uint64(b)&s.mask != s.first&s.mask {
		return false
	}
	if len(s.key) <= 8 {
		return true
	}
	last := len(s.key) - 8
	for i := 8; i < last; i += 8 {
		if binary.LittleEndian.Uint64(b[i:]) != word(s.key[i:]) {
			return false
		}
	}
	return binary.LittleEndian.Uint64(b[last:]) == word(s.key[last:])
}

// word returns the first eight bytes of s as binary.LittleEndian.Uint64 does.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// walk takes the fields of p from the line: all of them, in canonical order, and none else. The values are read in one
// loop over the steps, and given to the fields afterwards.
func (l *line) walk(p part, steps []step) {
	l.known, l.seen, l.turn = 0, 0, 0
	if l.err != nil {
		return
	}
	if !l.scan(steps) {
		l.leave()
		return
	}
	l.known = bits.OnesCount64(l.seen)
	p.fields(l)
}

// scan reads the values of the fields of the line, and goes past the space behind them.
func (l *line) scan(steps []step) bool {
	q := l.q
	b := q.in[q.pos:]
	for i := range steps {
		s := &steps[i]
		if !s.starts(b) {
			continue
		}
		b = b[len(s.key):]
		var v int64
		var n int
		if s.kind == intStep {
			v, n = leadingInt(b)
			if n == 0 || n >= len(b) || b[n] != 'i' || v < s.lo || v > s.hi {
				return false
			}
			n++
		} else if v, n = s.value(b, len(q.in)-len(b)); n == 0 {
			return false
		}
		q.values[i&(maxSteps-1)] = v
		l.seen |= 1 << i
		if n >= len(b) {
			return false
		}
		end := b[n]
		b = b[n+1:]
		if end == ' ' {
			q.pos = len(q.in) - len(b)
			return true
		}
		if end != ',' {
			return false
		}
	}
	return false
}

// value reads what is no integer, and returns it and the bytes it takes, 0 where b begins with no such. A boolean is 1 or
// 0, a state its place in the list of states, a text its place in the record, where b stands at pos, and its length.
func (s *step) value(b []byte, pos int) (v int64, n int) {
	switch {
	case s.kind == boolStep && len(b) >= 4 && string(b[:4]) == "true":
		return 1, 4
	case s.kind == boolStep && len(b) >= 5 && string(b[:5]) == "false":
		return 0, 5
	case s.kind == boolStep || len(b) == 0 || b[0] != '"':
		return 0, 0
	}
	n = 1
	for plainText[b[n]] { // a line end is none
		n++
	}
	text := b[1:n]
	if len(text) == 0 || b[n] != '"' {
		return 0, 0
	}
	if s.kind == textStep {
		if int64(len(text)) > s.hi {
			return 0, 0
		}
		return int64(pos+1)<<32 | int64(len(text)), n + 1
	}
	for i := range quickStates {
		if string(text) == string(quickStates[i]) {
			return int64(i), n + 1
		}
	}
	return 0, 0
}

// quickStates are the states, the most frequent first.
var quickStates = [...]State{Busy, Free, Faulty, Drained}

// give returns the value that scan read of the next field of the list, if there was one.
func (l *line) give() (v int64, ok bool) {
	i := l.turn & (maxSteps - 1)
	l.turn++
	return l.q.values[i], l.seen>>i&1 != 0
}

// giveText makes a string of the text that scan read.
func (l *line) giveText(s *string) {
	v, ok := l.give()
	if !ok {
		return
	}
	at := int(v >> 32)
	text := l.q.in[at : at+int(v&math.MaxUint32)]
	if string(text) == l.hint {
		*s = l.hint
	} else {
		*s = l.dec.names.string(text)
	}
}
