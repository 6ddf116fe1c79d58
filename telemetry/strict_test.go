package telemetry

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// A strict reader of line protocol, made of regular expressions after the reference of InfluxDB 1.x and sharing no
// code with the codec: one space between the sections, sorted tags, signed integers, booleans and strings, and a
// timestamp. https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
var (
	strictName  = `(?:\\[,= ]|[^,= \\\n\x00-\x1f\x7f]|\\)+?`
	strictValue = `(?:-?[0-9]+i|true|false|"(?:\\["\\]|[^"\\\n])*")`
	strictLine  = regexp.MustCompile(`^([a-z_]+)((?:,[a-z]+=` + strictName + `)+) ((?:[a-z0-9_]+=` + strictValue +
		`,)*[a-z0-9_]+=` + strictValue + `) ([0-9]{18,19})$`)
	strictTag   = regexp.MustCompile(`,([a-z]+)=(` + strictName + `)(?:,|$)`)
	strictField = regexp.MustCompile(`([a-z0-9_]+)=(` + strictValue + `)(?:,|$)`)
)

var unescapeTag = strings.NewReplacer(`\,`, `,`, `\=`, `=`, `\ `, ` `)

// sameLines reports whether the strict reader and the library's loop see the same in b.
func sameLines(b []byte) error {
	d := lineprotocol.NewDecoderWithBytes(b)
	for i, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
		if !d.Next() {
			return fmt.Errorf("the library sees %d lines", i)
		}
		plain, err := plainLine(d)
		if err != nil {
			return fmt.Errorf("line %d: the library: %w", i+1, err)
		}
		strict, err := strictlyRead(line)
		if err != nil {
			return fmt.Errorf("line %d: the strict reader: %w", i+1, err)
		}
		if plain != strict {
			return fmt.Errorf("line %d:\nthe library       %s\nthe strict reader %s", i+1, plain, strict)
		}
	}
	if d.Next() {
		return fmt.Errorf("the library sees more lines")
	}
	return d.Err()
}

// strictlyRead returns the parts of a line, each quoted.
func strictlyRead(line string) (string, error) {
	m := strictLine.FindStringSubmatch(line)
	if m == nil {
		return "", fmt.Errorf("no line: %q", line)
	}
	out := fmt.Sprintf("%q", m[1])
	last := ""
	for tags := m[2]; tags != ""; {
		at := strictTag.FindStringSubmatchIndex(tags)
		if at == nil || at[0] != 0 {
			return "", fmt.Errorf("no tags: %q", tags)
		}
		key := tags[at[2]:at[3]]
		if key <= last {
			return "", fmt.Errorf("tag %s after %s", key, last)
		}
		last = key
		out += fmt.Sprintf(" %s=%q", key, unescapeTag.Replace(tags[at[4]:at[5]]))
		tags = tags[at[5]:]
	}
	for fields := m[3]; fields != ""; {
		at := strictField.FindStringSubmatchIndex(fields)
		if at == nil || at[0] != 0 {
			return "", fmt.Errorf("no fields: %q", fields)
		}
		out += fmt.Sprintf(" %s=%s", fields[at[2]:at[3]], fields[at[4]:at[5]])
		fields = fields[at[1]:]
	}
	return out + " " + m[4], nil
}

// plainLine returns the same of the line that d stands at.
func plainLine(d *lineprotocol.Decoder) (string, error) {
	m, err := d.Measurement()
	if err != nil {
		return "", err
	}
	out := fmt.Sprintf("%q", m)
	for {
		key, value, err := d.NextTag()
		if err != nil {
			return "", err
		}
		if key == nil {
			break
		}
		out += fmt.Sprintf(" %s=%q", key, value)
	}
	for {
		key, value, err := d.NextField()
		if err != nil {
			return "", err
		}
		if key == nil {
			break
		}
		out += fmt.Sprintf(" %s=%s", key, value)
	}
	stamp, err := d.TimeBytes()
	return out + " " + string(stamp), err
}

// TestAnyReader says that what the encoder writes is line protocol to others.
func TestAnyReader(t *testing.T) {
	awkward := exampleReport()
	awkward.Host = `a, b=c \d`
	awkward.Devices[0].ID = `back\,slash\=\ ` + strconv.Quote("x") + "贵"
	awkward.Devices[1].Reason = `\"\\`
	awkward.Power[0].Method = `ends with \`
	for _, r := range []*Report{serverReport(), exampleReport(), awkward} {
		b := encoded(t, r)
		if err := sameLines(b); err != nil {
			t.Errorf("%v\n%s", err, b)
		}
		if n, err := plainLoop(b); err != nil || n != bytes.Count(b, []byte("\n")) {
			t.Errorf("the library's loop reads %d lines: %v\n%s", n, err, b)
		}
	}
	// The strict reader would notice.
	for _, bad := range []string{
		"m,a=1 f=1u 1795420800123456789", "m,a=1 f=1.5 1795420800123456789", "m,b=1,a=1 f=1i 1795420800123456789",
		"m,a=1  f=1i 1795420800123456789", "m,a=1 f=1i", "m,a=1 f=\"\\n\" 1795420800123456789", "m f=1i 1795420800123456789",
	} {
		if got, err := strictlyRead(bad); err == nil {
			t.Errorf("the strict reader took %q for %s", bad, got)
		}
	}
}
