package collector

import (
	"slices"

	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/partial"
)

// maxMarks bounds what is remembered of how counts grew while a part was rebuilt. Beyond it every other mark goes, and later ones stand for twice as many records.
const maxMarks = 1024

// tally is what agents of a part said they dropped and saw, as far as it is for this collector to count. A part that is rebuilt hears again what the
// owner before has counted: all records that its last sums rest on.
type tally struct {
	marks   []mark // of growth while the part is rebuilt
	every   int    // how many records with growth one of them stands for
	last    int    // how many the last one does
	counted fleet.Heard
}

// mark is what was heard up to the record at an offset, that record included.
type mark struct {
	offset int64
	heard  fleet.Heard
}

// note remembers what was heard up to a record, where that is more than before.
func (t *tally) note(offset int64, heard fleet.Heard) {
	if n := len(t.marks); n > 0 && t.marks[n-1].heard == heard || n == 0 && heard == (fleet.Heard{}) {
		return
	}
	if t.last++; len(t.marks) > 0 && t.last <= t.every {
		t.marks[len(t.marks)-1] = mark{offset, heard}
		return
	}
	if len(t.marks) == maxMarks {
		for i := range maxMarks / 2 {
			t.marks[i] = t.marks[2*i+1]
		}
		t.marks, t.every = t.marks[:maxMarks/2], 2*t.every
	}
	t.marks, t.every, t.last = append(t.marks, mark{offset, heard}), max(t.every, 1), 1
}

// begin takes as counted what the last sums of the owner before rest on; nil where there are none.
func (t *tally) begin(last *partial.Partial) {
	if last != nil {
		n, _ := slices.BinarySearchFunc(t.marks, last.Offsets.Telemetry, func(m mark, next int64) int { return int(min(max(m.offset-next, -1), 1)) })
		if n > 0 {
			t.counted = t.marks[n-1].heard
		}
	}
	t.marks = nil
}

// grown returns by how much what was heard has grown since it was asked for last.
func (t *tally) grown(heard fleet.Heard) fleet.Heard {
	was := t.counted
	t.counted = heard
	return fleet.Heard{DroppedRecords: heard.DroppedRecords - was.DroppedRecords, XIDErrors: heard.XIDErrors - was.XIDErrors}
}
