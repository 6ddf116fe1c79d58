package kernelfile

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/exameter/exameter/telemetry"
)

// Line returns the first line of a file as a name of the wire: see Clean.
func Line(path string) (string, error) {
	b, err := Head(path, 4096)
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return Clean(string(line)), nil
}

// Clean makes a text of firmware or kernel fit for the wire: valid UTF-8 without control characters, without space
// around it, and at most telemetry.MaxName bytes. Firmware strings are known to hold anything.
func Clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return -1
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) <= telemetry.MaxName {
		return s
	}
	end := telemetry.MaxName
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimSpace(s[:end])
}

// Uint parses a file that holds one decimal number, as nearly all of sysfs does.
func Uint(b []byte) (uint64, error) {
	v, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("want one decimal number: %w", err)
	}
	return v, nil
}

// ReadUint reads a file that holds one decimal number.
func ReadUint(path string) (uint64, error) {
	b, err := Head(path, 64)
	if err != nil {
		return 0, err
	}
	v, err := Uint(b)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}
