package exporter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scan reads one line of the text exposition format, version 0.0.4: a name, labels, a value, and perhaps a time.
//
// The well-kept parser of this format, github.com/prometheus/common/expfmt, brings the whole of protobuf into the
// agent: 1.8 MB of resident memory on every host, whether it has an exporter or not. So lines are read here, and a fuzz
// test holds this to that parser: what one takes the other takes, with the same name, labels, value and time.
//
// Source: https://prometheus.io/docs/instrumenting/exposition_formats/
func scan(line []byte) (s series, err error) {
	c := cursor{rest: strings.TrimSuffix(string(line), "\n")}
	c.blanks()
	if s.name = c.identifier(true); s.name == "" {
		return s, errors.New("no name of a metric")
	}
	spaced := c.blanks()
	if c.take('{') {
		if s.labels, err = c.labels(); err != nil {
			return s, err
		}
	} else if !spaced {
		return s, fmt.Errorf("unexpected end of the name %s", s.name)
	}
	c.blanks()
	if s.value, err = number(c.word()); err != nil {
		return s, err
	}
	c.blanks()
	if c.rest == "" {
		return s, nil
	}
	word := c.word()
	if s.stamp, err = strconv.ParseInt(word, 10, 64); err != nil {
		return s, fmt.Errorf("want a time in milliseconds behind the value, got %q", word)
	}
	s.stamped = true
	if c.blanks(); c.rest != "" {
		return s, fmt.Errorf("%q stands behind the time", c.rest)
	}
	return s, nil
}

// cursor is what is left of a line.
type cursor struct{ rest string }

// blanks skips blanks and tabs, and says whether there were any.
func (c *cursor) blanks() bool {
	before := len(c.rest)
	c.rest = strings.TrimLeft(c.rest, " \t")
	return len(c.rest) < before
}

// take skips one character, if it is next.
func (c *cursor) take(b byte) bool {
	if c.rest == "" || c.rest[0] != b {
		return false
	}
	c.rest = c.rest[1:]
	return true
}

// identifier reads the name of a label, or of a metric, which may have colons as well.
func (c *cursor) identifier(colons bool) string {
	n := 0
	for n < len(c.rest) && inName(c.rest[n], n == 0, colons) {
		n++
	}
	name := c.rest[:n]
	c.rest = c.rest[n:]
	return name
}

func inName(b byte, first, colons bool) bool {
	return b == '_' || b|0x20 >= 'a' && b|0x20 <= 'z' || !first && b >= '0' && b <= '9' || colons && b == ':'
}

// word reads up to the next blank or tab.
func (c *cursor) word() string {
	n := strings.IndexAny(c.rest, " \t")
	if n < 0 {
		n = len(c.rest)
	}
	word := c.rest[:n]
	c.rest = c.rest[n:]
	return word
}

// labels reads what stands between braces; the opening one was read.
func (c *cursor) labels() (out []label, err error) {
	for {
		if c.blanks(); c.take('}') {
			return out, nil
		}
		l := label{name: c.identifier(false)}
		switch {
		case l.name == "":
			return nil, fmt.Errorf("no name of a label at %q", excerpt([]byte(c.rest)))
		case l.name == "__name__":
			return nil, errors.New("a label is called __name__, which is reserved")
		case len(out) == maxLabels:
			return nil, fmt.Errorf("more than %d labels", maxLabels)
		}
		for i := range out {
			if out[i].name == l.name {
				return nil, fmt.Errorf("label %s stands twice", l.name)
			}
		}
		c.blanks()
		if !c.take('=') {
			return nil, fmt.Errorf("no = behind label %s at %q", l.name, excerpt([]byte(c.rest)))
		}
		c.blanks()
		if l.value, err = c.quoted(); err != nil {
			return nil, fmt.Errorf("the value of label %s %w", l.name, err)
		}
		out = append(out, l)
		if c.blanks(); !c.take(',') && !strings.HasPrefix(c.rest, "}") {
			return nil, fmt.Errorf("neither , nor } behind label %s", l.name)
		}
	}
}

// quoted reads the value of a label, in which \\, \" and \n are escaped.
func (c *cursor) quoted() (string, error) {
	if !c.take('"') {
		return "", errors.New("is not quoted")
	}
	var b strings.Builder
	for {
		n := strings.IndexAny(c.rest, `"\`)
		if n < 0 || n == len(c.rest)-1 && c.rest[n] == '\\' {
			return "", errors.New("has no end")
		}
		b.WriteString(c.rest[:n])
		at := c.rest[n:]
		if at[0] == '"' {
			c.rest = at[1:]
			break
		}
		switch at[1] {
		case '\\', '"':
			b.WriteByte(at[1])
		case 'n':
			b.WriteByte('\n')
		default:
			return "", fmt.Errorf("has \\%c, which is no escape", at[1])
		}
		c.rest = at[2:]
	}
	switch {
	case b.Len() > maxValue:
		return "", fmt.Errorf("has %d bytes, more than %d", b.Len(), maxValue)
	case !utf8.ValidString(b.String()):
		return "", errors.New("is not UTF-8")
	}
	return b.String(), nil
}

// number reads a value. Go's own extensions, hexadecimal floats and underscores, are none of the format.
func number(word string) (float64, error) {
	v, err := strconv.ParseFloat(word, 64)
	if err != nil || strings.ContainsAny(word, "pP_") {
		return 0, fmt.Errorf("want a number as value, got %q", excerpt([]byte(word)))
	}
	return v, nil
}
