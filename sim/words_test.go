package sim

import (
	"bytes"
	"testing"
	"time"

	"github.com/exameter/exameter/telemetry"
)

// What hosts say is joined from pieces. It must be, byte for byte, what the encoder writes of what it reads as: the
// collector's quick reader takes nothing less.
func TestWordsAreTheEncoders(t *testing.T) {
	p := province(t, Spec{Seed: 9, Hosts: 600, Speed: 900})
	var dec telemetry.Decoder
	var enc telemetry.Encoder
	reasons, kinds := map[string]int{}, map[int]int{}
	play(t, p, start, 40*time.Second, func(r record) {
		var again []byte
		var err error
		if _, inventory, _ := telemetry.CentreOfTopic(r.topic); inventory {
			var inv telemetry.Inventory
			if err = dec.Inventory(r.value, &inv); err == nil {
				again, err = enc.AppendInventory(nil, &inv)
			}
		} else {
			var rep telemetry.Report
			if err = dec.Report(r.value, &rep); err == nil {
				again, err = enc.AppendReport(nil, &rep)
			}
			for _, d := range rep.Devices {
				reasons[d.Reason]++
			}
			kinds[len(rep.Devices)]++
		}
		if err != nil || !bytes.Equal(again, r.value) {
			t.Fatalf("%v\nsaid    %s\nencoded %s", err, r.value, again)
		}
	})
	for _, reason := range []string{"", "processes", "slices", "drained: maintenance", faults[lost].reason, faults[missing].reason, faults[uncorrected].reason, faults[dbe].reason, faults[fallen].reason} {
		if reasons[reason] == 0 {
			t.Errorf("no device said %q: the history shows too little", reason)
		}
	}
	if kinds[0] == 0 || kinds[8] == 0 || kinds[16] == 0 {
		t.Errorf("records by devices: %v", kinds)
	}
}

func TestKeyIsTheHost(t *testing.T) {
	c := province(t, Spec{Hosts: 50, Calm: true}).centres[0]
	var b batch
	if err := c.collect(&b, start.Add(time.Minute), 100); err != nil || len(b.messages) != 2*len(c.hosts) {
		t.Fatalf("%d messages, %v", len(b.messages), err)
	}
	for i := range b.messages {
		if m := &b.messages[i]; string(b.key(m)) != m.host.origin.Host {
			t.Fatalf("key %q of host %q", b.key(m), m.host.origin.Host)
		}
	}
}

// A centre that falls dark says nothing more, and its hosts come back with new boots.
func TestDarkCentre(t *testing.T) {
	p := province(t, Spec{Seed: 4, Hosts: 60, Speed: 60})
	id := p.centres[0].ID
	boots := map[string]string{}
	heard := 0
	var dec telemetry.Decoder
	hear := func(r record) {
		var rep telemetry.Report
		if r.topic != telemetry.TelemetryTopic(id) {
			return
		}
		if err := dec.Report(r.value, &rep); err != nil {
			t.Fatal(err)
		}
		if rep.Boot == boots[r.host] && heard < 0 {
			t.Errorf("host %s came back with the boot it had", r.host)
		}
		if heard >= 0 {
			boots[r.host] = rep.Boot
			heard++
		}
	}
	now := play(t, p, start, 20*time.Second, hear)
	if heard == 0 || !p.Darken(id, true) || p.Darken("nowhere", true) {
		t.Fatalf("heard %d", heard)
	}
	heard = 0
	now = play(t, p, now.Add(tick), 20*time.Second, hear)
	books := p.Books(now, 15*time.Second)
	for _, q := range books.Pools {
		if q.Centre == id && (q.Stale == 0 || q.Busy+q.Free+q.Drained+q.Faulty != 0) {
			t.Errorf("in the dark: %+v", q)
		}
	}
	if heard != 0 {
		t.Errorf("heard %d records of a dark centre", heard)
	}
	p.Darken(id, false)
	heard = -1
	now = play(t, p, now.Add(tick), 9*time.Second, hear)
	for _, q := range p.Books(now, 15*time.Second).Pools {
		if q.Centre == id && q.Stale != 0 {
			t.Errorf("after the dark: %+v", q)
		}
	}
}
