package fleet

import (
	"testing"
	"time"

	"github.com/exameter/exameter/telemetry"
)

// TestSaid follows what the agent of one host says of itself: counts by how much they grew, what waits and fails as it stands.
func TestSaid(t *testing.T) {
	fl := New(Options{StaleAfter: 30 * time.Second, Pricing: testPricing(1)})
	at, seq := start, int64(0)
	origin := telemetry.Origin{Centre: "x", Cluster: "default", Host: "h"}
	header := func() telemetry.Header {
		seq++
		at = at.Add(time.Second)
		return telemetry.Header{Origin: origin, Time: at, Boot: "boot", Seq: seq}
	}
	fl.ApplyInventory("x", &telemetry.Inventory{Header: header(), Devices: []telemetry.DeviceInfo{{ID: "GPU-0", Vendor: "v", Name: "m0"}}}, at)
	f := func(queued, dropped, xids int64, reason string, ok bool, want Stats) {
		t.Helper()
		r := telemetry.Report{Header: header(), Sources: []telemetry.SourceStatus{{Source: "nvml", OK: ok}}}
		r.Queued, r.Dropped = telemetry.Known(queued), telemetry.Known(dropped)
		d := telemetry.DeviceStatus{ID: "GPU-0", State: telemetry.Free, XIDCount: telemetry.Known(xids)}
		if reason != "" {
			d.State, d.Reason = telemetry.Faulty, reason
		}
		r.Devices = []telemetry.DeviceStatus{d}
		fl.ApplyReport("x", &r, at)
		want.Hosts = 1
		if got := fl.Stats(); got != want {
			t.Errorf("have %+v, want %+v", got, want)
		}
	}
	by := func(reason string) (out faults) {
		out[reasonOf(reason)] = 1
		return out
	}
	f(2, 40, 7, "", true, Stats{QueuedRecords: 2}) // where the counts stood before is nobody's news
	f(5, 43, 7, "", false, Stats{QueuedRecords: 5, DroppedRecords: 3, FailingHosts: 1})
	f(0, 43, 9, "xid: 79", false, Stats{DroppedRecords: 3, XIDErrors: 2, FailingHosts: 1, Faults: by("xid")})
	f(0, 43, 9, "lost", true, Stats{DroppedRecords: 3, XIDErrors: 2, Faults: by("lost")})
	f(1, 4, 9, "", true, Stats{QueuedRecords: 1, DroppedRecords: 7, XIDErrors: 2}) // the agent began anew
	f(90_000, 4, 1<<40, "unheard-of", false, Stats{QueuedRecords: 65535, DroppedRecords: 7, XIDErrors: 2 + 65535 - 9, FailingHosts: 1, Faults: by("unheard-of")})

	// What a silent host's agent holds is not known.
	fl.Fold(at.Add(time.Minute))
	if got, want := fl.Stats(), (Stats{Hosts: 1, DroppedRecords: 7, XIDErrors: 2 + 65535 - 9}); got != want {
		t.Errorf("once it is silent: have %+v, want %+v", got, want)
	}
}
