package exporter

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds of what an exporter may serve. An exposition beyond them is refused whole: what of it would be true cannot be
// told. A host with sixteen cards and every metric switched on serves some 500 KiB.
const (
	maxBody   = 8 << 20  // bytes
	maxLine   = 16 << 10 // bytes
	maxSeries = 20000    // of the metrics that a profile reads
	maxLabels = 64       // of one series
	maxPairs  = 100000   // labels of all series together
	maxValue  = 512      // bytes of one label's value
)

// series is one sample as served.
type series struct {
	name   string
	labels []label // as served
	value  float64

	stamp   int64 // ms since 1970, where stamped
	stamped bool
}

type label struct{ name, value string }

func (s *series) get(name string) string {
	for i := range s.labels {
		if s.labels[i].name == name {
			return s.labels[i].value
		}
	}
	return ""
}

// passes says whether the labels match a filter.
func (s *series) passes(where []Match) bool {
	for i := range where {
		if !where[i].re.MatchString(s.get(where[i].Label)) {
			return false
		}
	}
	return true
}

// errCut says that an exposition does not end with a line feed: its last value may be half of one.
var errCut = errors.New("the answer ends in the middle of a line")

// parse reads an exposition and returns the series of the metrics that are wanted. The other lines must have the name of
// a metric at least, which no page of HTML has. Comments are left out: units stand in the profile.
func parse(r io.Reader, wanted func(name []byte) bool) (out []series, err error) {
	lines := bufio.NewReaderSize(r, maxLine)
	pairs := 0
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			if len(line) > 0 {
				return nil, errCut
			}
			return out, nil
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("line %d is longer than %d bytes", n, maxLine)
		case err != nil:
			return nil, err
		}
		name := metricName(line)
		if name == nil {
			continue
		}
		if len(name) == 0 {
			return nil, fmt.Errorf("line %d is not of a Prometheus exposition: %q", n, excerpt(line))
		}
		if !wanted(name) {
			continue
		}
		if len(out) == maxSeries {
			return nil, fmt.Errorf("more than %d series", maxSeries)
		}
		s, err := scan(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %q: %w", n, excerpt(line), err)
		}
		if pairs += len(s.labels); pairs > maxPairs {
			return nil, fmt.Errorf("more than %d labels", maxPairs)
		}
		out = append(out, s)
	}
}

// metricName returns the name that opens a line: nil where the line is blank or a comment, empty where it opens with
// none.
func metricName(line []byte) []byte {
	line = bytes.TrimLeft(line, " \t")
	if len(line) == 0 || line[0] == '\n' || line[0] == '\r' || line[0] == '#' {
		return nil
	}
	n := 0
	for n < len(line) && inName(line[n], n == 0, true) {
		n++
	}
	if n < len(line) && strings.IndexByte("{ \t", line[n]) < 0 {
		return line[:0]
	}
	return line[:n]
}

// excerpt returns the beginning of a line, for an error.
func excerpt(line []byte) string {
	line = bytes.TrimSpace(line)
	const most = 80
	if len(line) <= most {
		return string(line)
	}
	n := most
	for n > 0 && !utf8.RuneStart(line[n]) {
		n--
	}
	return string(line[:n]) + "…"
}
