package client

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// event is one server-sent event. A comment, or an event without data, is an event without a name.
type event struct {
	name  string
	data  string
	id    string // the last one the stream gave, also where this event has none
	retry time.Duration
}

// events reads server-sent events as https://html.spec.whatwg.org/multipage/server-sent-events.html has them. Each is
// bounded: one that is longer ends the stream.
type events struct {
	r     *bufio.Reader
	max   int64
	begun bool
	cr    bool // the last line ended with a carriage return: a line feed right after it belongs to it
	id    string
	retry time.Duration
}

var errEventTooLarge = errors.New("an event of the stream is too large")

func newEvents(r io.Reader, limit int64) *events {
	return &events{r: bufio.NewReaderSize(r, 64<<10), max: limit}
}

// next returns the next event, or a comment as soon as it has come, which shows that the stream is alive.
func (e *events) next() (event, error) {
	var name string
	var data strings.Builder
	has, size := false, int64(0)
	for {
		line, err := e.line(e.max - size)
		if err != nil {
			return event{}, err // what is not complete does not count
		}
		size += int64(len(line)) + 1
		if line == "" {
			ev := event{id: e.id, retry: e.retry}
			if has {
				ev.name, ev.data = orElse(name, "message"), data.String()
			}
			return ev, nil
		}
		if line[0] == ':' {
			if !has && name == "" {
				return event{id: e.id, retry: e.retry}, nil
			}
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			name = value
		case "data":
			if has {
				data.WriteByte('\n')
			}
			has = true
			data.WriteString(value)
		case "id":
			if !strings.ContainsRune(value, 0) {
				e.id = value
			}
		case "retry":
			if ms, err := strconv.ParseUint(value, 10, 31); err == nil {
				e.retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
}

// line reads a line of at most limit bytes, without its end: a line feed, a carriage return, or both.
func (e *events) line(limit int64) (string, error) {
	var b strings.Builder
	for {
		c, err := e.r.ReadByte()
		if err != nil {
			return "", fmt.Errorf("read the stream: %w", err)
		}
		after := e.cr
		e.cr = c == '\r'
		switch {
		case c == '\n' && after:
			continue
		case c == '\n' || c == '\r':
			line := b.String()
			if !e.begun {
				e.begun = true
				line = strings.TrimPrefix(line, "\ufeff")
			}
			return line, nil
		}
		if int64(b.Len()) >= limit {
			return "", errEventTooLarge
		}
		b.WriteByte(c)
	}
}
