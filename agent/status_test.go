package agent

import (
	"testing"
	"time"

	"github.com/exameter/exameter/agent/report"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

func TestStatusText(t *testing.T) {
	device := func(s telemetry.State) state.DeviceView { return state.DeviceView{Verdict: state.Verdict{State: s}} }
	two := state.View{Devices: []state.DeviceView{device(telemetry.Free), device(telemetry.Faulty)}}
	for want, c := range map[string]struct {
		v state.View
		b report.Backlog
	}{
		"reports this host; no accelerator is known":                                                          {},
		"reports 2 accelerators: 1 free, 0 busy, 0 drained, 1 faulty":                                         {v: two, b: report.Backlog{Queued: 1}},
		"reports this host; no accelerator is known; the host is drained: fans":                               {v: state.View{Host: &state.Drain{Reason: "fans"}}},
		"reports 2 accelerators: 1 free, 0 busy, 0 drained, 1 faulty; Kafka does not take it: 7 records wait": {v: two, b: report.Backlog{Queued: 7}},
		"reports this host; no accelerator is known; Kafka does not take it: 9 records wait; 3 were dropped":  {b: report.Backlog{Queued: 9, Dropped: 3}},
	} {
		if got := statusText(c.v, c.b); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestTicking is what the watchdog hears: nothing once ticks no longer end.
func TestTicking(t *testing.T) {
	a := &agent{config: DefaultConfig()}
	for ago, want := range map[time.Duration]bool{0: true, 6 * time.Second: true, 8 * time.Second: false} {
		if a.ticked = time.Now().Add(-ago); a.ticking() != want {
			t.Errorf("a tick that ended %v ago: %v", ago, a.ticking())
		}
	}
	a.config.Intervals.Sample = config.Duration(time.Minute)
	if a.ticked = time.Now().Add(-time.Minute); !a.ticking() {
		t.Error("with a minute between samples, one a minute ago is not enough")
	}
}
