package collector

import (
	"testing"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/partial"
	"github.com/exameter/exameter/telemetry"
)

// TestCountedOnceByOwners lets a part change hands: what agents said they dropped and saw is counted by one of its owners.
func TestCountedOnceByOwners(t *testing.T) {
	broker := newBroker(t, 1, []string{"a"})
	p := newProducer(t, broker)
	host := h200("a", "host", free)
	say := func(state telemetry.State, dropped, xids int64) {
		host.states[0] = state
		r := host.report()
		r.Dropped, r.Devices[0].XIDCount = telemetry.Known(dropped), telemetry.Known(xids)
		p.report("a", r)
	}
	p.inventory("a", host.inventory())
	say(free, 5, 1)
	say(free, 8, 2)
	const dropped, xids = `exameter_agent_dropped_records_total{centre="a"}`, `exameter_agent_xid_errors_total{centre="a"}`

	one := start(t, broker.ListenAddrs(), nil)
	one.waitMetric(dropped, "3") // of before it began: nobody else has counted them
	say(busy, 9, 4)
	one.waitMetric(dropped, "4")
	one.waitMetric(xids, "3")
	one.document("", func(d *capacity.Document) bool { return d.Total.Devices.Busy == 1 }) // its sums rest on that
	one.stop()

	say(free, 11, 4) // nobody owns the part
	two := start(t, broker.ListenAddrs(), nil)
	two.waitMetric(dropped, "2")
	say(busy, 12, 9)
	two.waitMetric(dropped, "3")
	two.waitMetric(xids, "5")
}

// TestTally goes on behind what was counted, whatever the number of marks.
func TestTally(t *testing.T) {
	for _, tc := range []struct {
		records, next int64
		want          int64 // what is counted of the records, each of which dropped one
	}{
		{records: 10, next: 0, want: 10},
		{records: 10, next: -1, want: 10},
		{records: 10, next: 4, want: 6},
		{records: 10, next: 10, want: 0},
		{records: 10, next: 99, want: 0},
		{records: 10_000, next: 10_000, want: 0},
		{records: 10_000, next: 5_000, want: 5_000},
	} {
		var heard tally
		for offset := range tc.records {
			heard.note(offset, fleet.Heard{DroppedRecords: offset + 1})
			heard.note(offset, fleet.Heard{DroppedRecords: offset + 1})
		}
		if len(heard.marks) > maxMarks {
			t.Errorf("%d records make %d marks", tc.records, len(heard.marks))
		}
		heard.begin(&partial.Partial{Offsets: partial.Offsets{Telemetry: tc.next}})
		got := heard.grown(fleet.Heard{DroppedRecords: tc.records}).DroppedRecords
		if got < tc.want || got > tc.want+tc.records/maxMarks*2 { // a mark that went makes for a little more
			t.Errorf("%+v: %d are counted", tc, got)
		}
	}
	var first tally
	first.note(3, fleet.Heard{XIDErrors: 1})
	first.begin(nil)
	if got := first.grown(fleet.Heard{XIDErrors: 1}).XIDErrors; got != 1 {
		t.Errorf("of a part that had no owner %d errors are counted", got)
	}
}
