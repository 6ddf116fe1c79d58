//go:build linux && cgo

package nvml

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/agent/poll"
)

// neighbour is a source that always answers at once.
type neighbour struct{}

func (neighbour) Name() string { return "neighbour" }
func (neighbour) Close() error { return nil }
func (neighbour) Read(context.Context) (poll.Reading, error) {
	return poll.Reading{}, nil
}

// aside are the calls whose hang no reading waits for: those about events are made by a goroutine of their own.
var aside = []symbol{fnEventCreate, fnEventRegister, fnEventWait}

// another are the calls that are only made where a newer one is not there.
var another = []symbol{fnMemory, fnTemperatureV, fnComputeV1, fnMPSV1}

// TestEveryCallMayHang lets one function of the driver after the other hang, in the middle of a session and at the beginning of the next. The
// tick keeps its time, other sources are read, the source is said to hang, and it is well again once the call returns. Where no reading waits
// for the call, the cards are read all the same, and no session follows this one before it returns.
func TestEveryCallMayHang(t *testing.T) {
	const interval = 250 * time.Millisecond
	w := simulate(t, "")
	const world = "cards = 2\n[gpu 1]\nmig = on\ninstance = 7 slices=1 pids=9\n"
	w.show(world)
	s := New(Config{Library: w.library, ProcRoot: w.proc, SysRoot: w.sys, RetryEvery: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	p := poll.New(poll.Config{
		Sources: []poll.Member{{Source: s, Deadline: 150 * time.Millisecond}, {Source: neighbour{}, Deadline: 150 * time.Millisecond}}, Interval: interval, Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(func() {
		if err := p.Stop(10 * time.Second); err != nil {
			t.Error(err)
		}
	})
	// tick takes a sample, and returns what it says of the driver. A tick may last four fifths of the interval; the rest is for a busy machine.
	tick := func() poll.Result {
		t.Helper()
		began := time.Now()
		r := p.Sample(t.Context()).Results
		if took := time.Since(began); took > interval*4/5+time.Second {
			t.Errorf("a tick took %v", took)
		}
		if n := r[1]; !n.Health.OK && n.Health.Error != "" || n.Health.Missed > 3 {
			t.Errorf("the neighbour: %+v", n.Health)
		}
		return r[0]
	}
	until := func(what string, holds func(poll.Result) bool) (ok bool) {
		t.Helper()
		var last poll.Result
		for end := time.Now().Add(6 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if last = tick(); holds(last) {
				return true
			}
		}
		t.Errorf("not within 6 s: %s: %+v", what, last.Health)
		return false
	}
	well := func(r poll.Result) bool {
		return r.Health.OK && len(r.Answers) > 0 && r.Answers[len(r.Answers)-1].Reading.Devices != nil && len(r.Answers[len(r.Answers)-1].Reading.Devices.Devices) == 2
	}
	ill := func(r poll.Result) bool { return !r.Health.OK && r.Health.Error != "" }
	until("well at first", well)
	for call := range symbols {
		name, _, _ := strings.Cut(strings.TrimPrefix(symbolNames[call][0], "nvml"), "_v")
		if slices.Contains(another, call) {
			continue
		}
		w.show(fmt.Sprintf("hang = %s 60\n%s", name, world))
		if slices.Contains(aside, call) {
			until(name+" hangs, and nothing else", well)
			until(name+" hangs, and holds up the next session", func(r poll.Result) bool {
				w.load()
				return strings.Contains(r.Health.Error, "not yet let go")
			})
		} else {
			w.load() // what is asked at the beginning of a session alone is asked now
			until(name+" hangs", ill)
		}
		w.show(world)
		until(name+" has returned", well)
	}
}
