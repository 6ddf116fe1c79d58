package house

import (
	"fmt"
	"testing"
	"time"

	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/hosts"
	"github.com/exameter/exameter/telemetry"
)

// TestReasons puts every reason that the agent gives through a collector's fleet: lists of hosts say the same code. Neither imports the
// other, and the fleet keeps a number.
func TestReasons(t *testing.T) {
	f := fleet.New(fleet.Options{StaleAfter: time.Minute, Pricing: fleet.Pricing{Pool: func(fleet.Source) capacity.Pool {
		return capacity.Pool{Kind: telemetry.Accelerator}
	}}})
	now := time.Now()
	h := telemetry.Header{Origin: telemetry.Origin{Centre: "a", Cluster: "default", Host: "h"}, Time: now, Boot: "b", Seq: 1}
	inv, r := &telemetry.Inventory{Header: h}, &telemetry.Report{Header: h}
	want := []string{}
	for i, c := range state.Codes {
		id := fmt.Sprint("GPU-", i)
		inv.Devices = append(inv.Devices, telemetry.DeviceInfo{ID: id, Vendor: "v", Name: "n"})
		detail := ""
		if i%2 == 1 {
			detail = ": and why, at length: 79"
		}
		r.Devices = append(r.Devices, telemetry.DeviceStatus{ID: id, State: c.State, Reason: string(c.Code) + detail})
		want = append(want, string(c.Code))
	}
	for i, odd := range []string{"of-another-source: 3", "", ":"} {
		id := fmt.Sprint("other-", i)
		inv.Devices = append(inv.Devices, telemetry.DeviceInfo{ID: id, Vendor: "v", Name: "n"})
		r.Devices = append(r.Devices, telemetry.DeviceStatus{ID: id, State: telemetry.Faulty, Reason: odd})
	}
	want = append(want, "other", "", "other")
	f.ApplyInventory("a", inv, now)
	f.ApplyReport("a", r, now)
	q, err := hosts.Query{}.Normal()
	if err != nil {
		t.Fatal(err)
	}
	listed := f.Hosts(&fleet.Search{Query: q, Now: now}, "a", []string{"h"})[0]
	if listed == nil || len(listed.Devices) != len(want) {
		t.Fatalf("listed %+v", listed)
	}
	for i, d := range listed.Devices {
		if d.Reason != want[i] || d.State != string(r.Devices[i].State) {
			t.Errorf("%s %q is listed as %s %q, want %q", r.Devices[i].State, r.Devices[i].Reason, d.State, d.Reason, want[i])
		}
	}
}
