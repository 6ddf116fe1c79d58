package telemetry

import (
	"fmt"
	"strings"
)

// Reason is the code of what is wrong with a record. It travels in the header of a quarantined record.
type Reason string

// The reasons for which a record is refused.
const (
	ReasonEmpty       Reason = "empty"        // the record has no bytes
	ReasonOversized   Reason = "oversized"    // the record, or its number of lines of one kind, is beyond its limit
	ReasonNotUTF8     Reason = "not-utf8"     // the record is not valid UTF-8
	ReasonSyntax      Reason = "syntax"       // a line is not line protocol, is blank, or is a comment
	ReasonTruncated   Reason = "truncated"    // the last line is not ended, or the number of lines is not the one stated
	ReasonSchema      Reason = "schema"       // the schema version is absent, or one that the reader does not speak
	ReasonMeasurement Reason = "measurement"  // a measurement is foreign or of another kind of record, or the host line is not the first
	ReasonMixedOrigin Reason = "mixed-origin" // the lines do not share centre, cluster, host and timestamp
	ReasonTag         Reason = "tag"          // a line has a tag that its measurement does not have
	ReasonDuplicate   Reason = "duplicate"    // a tag, a field or a line stands twice
	ReasonFieldType   Reason = "field-type"   // a field has another type than the schema gives it
	ReasonRange       Reason = "range"        // a value is outside what its tag or field can be
	ReasonMissing     Reason = "missing"      // a tag, a field or a timestamp that must be there is not
)

// Error says why a record was refused.
type Error struct {
	Reason Reason
	Line   int    // number of the line, from 1; 0 when the whole record is meant
	Field  string // tag or field, or "time"; empty when the whole line is meant
	Err    error  // what was found, in words
}

// Error returns one line of text of at most MaxText bytes, whatever the record held.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "record refused: %s", e.Reason)
	if e.Line > 0 {
		fmt.Fprintf(&b, ", line %d", e.Line)
	}
	if e.Field != "" {
		fmt.Fprintf(&b, ", %s", e.Field)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %s", e.Err)
	}
	return string(appendText(nil, b.String()))
}

// Unwrap returns what was found.
func (e *Error) Unwrap() error { return e.Err }
