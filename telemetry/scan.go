package telemetry

import (
	"io"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// scanBuffer is the room of a line-protocol decoder's own buffer, and of the records that need no further memory.
const scanBuffer = 8 << 10

// scanner splits a record into lines, tags and fields. It is the one place that knows how line protocol is read.
//
// A lineprotocol.Decoder cannot be reset. The scanner therefore keeps one that stands between two lines, and begins
// every record with a copy of it, which shares its buffers.
type scanner struct {
	lineprotocol.Decoder
	fresh  lineprotocol.Decoder
	primed bool
	source *source
}

// open begins a record.
func (s *scanner) open(b []byte) {
	if !s.primed {
		s.prime()
	}
	if len(b) > scanBuffer-len(primer) {
		s.Decoder = *lineprotocol.NewDecoderWithBytes(b)
		return
	}
	s.source.rest = b
	s.Decoder = s.fresh
}

// primer is the line that a fresh decoder has read.
const primer = "x x=0i\n"

// prime makes the decoder that stands between two lines: it makes its buffers as it reads the first.
func (s *scanner) prime() {
	s.source = &source{rest: []byte(primer), open: true}
	d := lineprotocol.NewDecoder(s.source)
	d.Next()
	// The line is right, and reading its only field ends it, so that the decoder does not ask for more.
	if _, _, _, err := d.NextFieldBytes(); err != nil {
		panic("telemetry: line protocol decoder refused " + primer)
	}
	s.source.open = false
	s.fresh, s.primed = *d, true
}

// source hands a record to a line-protocol decoder, with the end of input unless it is open.
type source struct {
	rest []byte
	open bool
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	if len(s.rest) == 0 && !s.open {
		return n, io.EOF
	}
	return n, nil
}
