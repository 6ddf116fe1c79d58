package state

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// bench is a tracker with a clock.
type bench struct {
	*testing.T
	*Tracker
	now time.Time
}

func newBench(t *testing.T, remembered []Device) *bench {
	return &bench{t, NewTracker(DefaultRules(), remembered, Orders{}, "boot-1", t0, slog.New(slog.DiscardHandler)), t0}
}

// card is an idle reading with an id and an index.
func card(i int64) poll.DeviceReading {
	r := idle()
	r.Info.ID, r.Info.Index = fmt.Sprintf("GPU-%d", i), telemetry.Known(i)
	return r
}

func cards(n int64) (out []poll.DeviceReading) {
	for i := range n {
		out = append(out, card(i))
	}
	return out
}

func answer(at time.Time, devices ...poll.DeviceReading) poll.Result {
	return poll.Result{Source: "nvml", Health: poll.Health{OK: true}, Answers: []poll.Answer{{
		Time: at, Reading: poll.Reading{Devices: &poll.DevicesReading{Devices: devices}},
	}}}
}

// tick moves the clock on by a second and applies results.
func (b *bench) tick(results ...poll.Result) View {
	b.now = b.now.Add(time.Second)
	for i := range results {
		for j := range results[i].Answers {
			results[i].Answers[j].Time = b.now
		}
	}
	return b.Apply(poll.Tick{Time: b.now, Results: results})
}

func (b *bench) want(v View, want string) {
	b.Helper()
	var out []string
	for _, d := range v.Devices {
		s := fmt.Sprintf("%s=%s", d.Info.ID, d.Verdict.State)
		if d.Verdict.Reason != "" {
			s += "(" + string(CodeOf(d.Verdict.Reason)) + ")"
		}
		out = append(out, s)
	}
	if got := strings.Join(out, " "); got != want {
		b.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTrackerReportsChanges(t *testing.T) {
	b := newBench(t, nil)
	v := b.tick(answer(b.now, cards(3)...))
	b.want(v, "GPU-0=free GPU-1=free GPU-2=free")
	if !v.Settled || !v.Changed || !v.Renewed {
		t.Errorf("first view %+v", v)
	}
	if v = b.tick(answer(b.now, cards(3)...)); v.Changed || v.Renewed {
		t.Error("a change where nothing changed")
	}
	c := cards(3)
	c[1].Processes = telemetry.Known[int64](1)
	if v = b.tick(answer(b.now, c...)); !v.Changed || v.Renewed {
		t.Errorf("changed %v, renewed %v; want a change of state alone", v.Changed, v.Renewed)
	}
	b.want(v, "GPU-0=free GPU-1=busy(processes) GPU-2=free")
	c[1].Processes, c[1].MemoryUsed = telemetry.Known[int64](0), telemetry.Known[telemetry.Bytes](1<<30)
	if v = b.tick(answer(b.now, c...)); v.Changed {
		t.Error("why a device is busy is no reason for a report at once")
	}
	c[1].Slices, c[1].SlicesBusy = telemetry.Known[int64](7), telemetry.Known[int64](2)
	if v = b.tick(answer(b.now, c...)); !v.Changed {
		t.Error("slices came and no change")
	}
	c[1].SlicesBusy = telemetry.Known[int64](3)
	if v = b.tick(answer(b.now, c...)); !v.Changed {
		t.Error("a slice was taken and no change")
	}
}

func TestTrackerFreesAtOnce(t *testing.T) {
	b := newBench(t, nil)
	c := card(0)
	c.Processes, c.Utilization, c.MemoryUsed = telemetry.Known[int64](1), telemetry.Known[telemetry.Permille](990), telemetry.Known[telemetry.Bytes](80<<30)
	for range 20 {
		b.want(b.tick(answer(b.now, c)), "GPU-0=busy(processes)")
	}
	// The process is gone; what the driver averages still tells of it.
	c = card(0)
	c.Utilization = telemetry.Known[telemetry.Permille](400)
	b.want(b.tick(answer(b.now, c)), "GPU-0=free")
	b.want(b.tick(answer(b.now, card(0))), "GPU-0=free")
	// Where processes cannot be seen, a pause is no end.
	c.Processes = telemetry.Opt[int64]{}
	b.want(b.tick(answer(b.now, c)), "GPU-0=busy(utilisation)")
	for range 9 {
		b.want(b.tick(answer(b.now, card(0))), "GPU-0=busy(utilisation)")
	}
	b.want(b.tick(answer(b.now, card(0))), "GPU-0=free")
}

func TestTrackerLogsFaultsOnce(t *testing.T) {
	b := newBench(t, nil)
	var log strings.Builder
	b.Log = slog.New(slog.NewTextHandler(&log, nil))
	b.tick(answer(b.now, cards(2)...))
	broken := card(0)
	broken.Fault = "lost"
	for range 3 {
		b.tick(answer(b.now, broken, card(1)))
	}
	b.tick(answer(b.now, cards(2)...))
	if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), `"device is faulty" device=GPU-0 reason=lost`) ||
		!strings.Contains(log.String(), `"device is in order again" device=GPU-0 state=free`) {
		t.Errorf("logged:\n%s", &log)
	}
}

func TestTrackerMissing(t *testing.T) {
	b := newBench(t, nil)
	b.tick(answer(b.now, cards(2)...))
	v := b.tick(answer(b.now, card(1)))
	b.want(v, "GPU-0=faulty(missing) GPU-1=free")
	if !v.Changed {
		t.Error("a card went missing and no change")
	}
	kept, dirty := b.Remember()
	if !dirty || !kept[0].Missing {
		t.Errorf("kept %+v", kept)
	}

	// After a restart of the agent it is still missed, and comes back as itself.
	b = newBench(t, kept)
	b.want(b.tick(answer(b.now, card(1))), "GPU-0=faulty(missing) GPU-1=free")
	b.want(b.tick(poll.Result{Source: "nvml", Health: poll.Health{OK: true, Absent: true}}), "GPU-0=faulty(missing) GPU-1=faulty(missing)")
	b.want(b.tick(answer(b.now, cards(2)...)), "GPU-0=free GPU-1=free")

	// Forgetting takes out only what is missing at the time.
	b.tick(answer(b.now, card(1)))
	b.SetOrders(Orders{Forgotten: map[string]time.Time{"GPU-0": b.now.Add(time.Second), "GPU-1": b.now.Add(time.Second)}})
	b.now = b.now.Add(2 * time.Second)
	v = b.Revise(b.now)
	b.want(v, "GPU-1=free")
	if !v.Renewed {
		t.Error("a card was forgotten and no inventory")
	}
	// Put back, and missing again: the old word does not count.
	b.tick(answer(b.now, cards(2)...))
	b.want(b.tick(answer(b.now, card(1))), "GPU-0=faulty(missing) GPU-1=free")
	b.want(b.tick(answer(b.now, card(1))), "GPU-0=faulty(missing) GPU-1=free")
}

func TestTrackerSilence(t *testing.T) {
	hung := poll.Result{Source: "nvml", Health: poll.Health{Error: "no answer since 08:00"}}
	b := newBench(t, nil)
	c := card(0)
	c.Processes = telemetry.Known[int64](2)
	b.tick(answer(b.now, c))
	for range 5 {
		v := b.tick(hung)
		b.want(v, "GPU-0=busy(processes)")
		if v.Changed || len(v.Devices[0].Samples) != 0 {
			t.Error("silence is no change, and no sample")
		}
	}
	v := b.tick(hung)
	b.want(v, "GPU-0=faulty(source-silent)")
	if want := "source-silent: source nvml: no answer since 08:00"; v.Devices[0].Verdict.Reason != want {
		t.Errorf("reason %q, want %q", v.Devices[0].Verdict.Reason, want)
	}
	b.want(b.tick(answer(b.now, card(0))), "GPU-0=free")

	// At the start nothing is known, and so nothing is free.
	kept, _ := b.Remember()
	b = newBench(t, kept)
	v = b.tick(poll.Result{Source: "nvml", Health: poll.Health{Pending: true}})
	b.want(v, "GPU-0=faulty(source-silent)")
	if v.Settled {
		t.Error("settled before the source had its time")
	}
	// A source that is no longer configured answers for nothing.
	b.want(b.tick(), "GPU-0=faulty(missing)")
}

// TestTrackerAfterTheClockWasSetBack has a clock that is eight hours ahead until it is set, as after a boot where the hardware's shows local
// time: what operators order afterwards holds at once.
func TestTrackerAfterTheClockWasSetBack(t *testing.T) {
	broken := card(0)
	broken.XIDs = []int64{79}
	for name, acknowledged := range map[string]bool{"nothing ordered before": false, "undrained before": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			var o Orders
			undrain := func() {
				t.Helper()
				b.now = b.now.Add(time.Second)
				o.Undrain("", b.now)
				b.SetOrders(o)
				b.want(b.tick(answer(b.now, card(0), card(1))), "GPU-0=free GPU-1=free")
			}
			b.now = t0.Add(8 * time.Hour)
			b.want(b.tick(answer(b.now, broken, card(1))), "GPU-0=faulty(xid) GPU-1=free")
			if acknowledged {
				undrain()
				b.want(b.tick(answer(b.now, broken, card(1))), "GPU-0=faulty(xid) GPU-1=free")
			}
			b.now = t0
			b.want(b.tick(answer(b.now, card(0), card(1))), "GPU-0=faulty(xid) GPU-1=free")
			undrain()
			b.want(b.tick(answer(b.now, broken, card(1))), "GPU-0=faulty(xid) GPU-1=free")
			b.want(b.tick(answer(b.now, card(0), card(1))), "GPU-0=faulty(xid) GPU-1=free")
			undrain()

			b.want(b.tick(answer(b.now, card(0))), "GPU-0=free GPU-1=faulty(missing)")
			b.now = b.now.Add(time.Second)
			o.Forget("GPU-1", b.now)
			b.SetOrders(o)
			b.want(b.tick(answer(b.now, card(0))), "GPU-0=free")
		})
	}
}

func TestTrackerXIDsStick(t *testing.T) {
	b := newBench(t, nil)
	c := card(0)
	c.XIDs = []int64{13, 31, 43, 45, 94}
	b.want(b.tick(answer(b.now, c)), "GPU-0=free")
	c.XIDs = []int64{79, 79, 79}
	b.want(b.tick(answer(b.now, c)), "GPU-0=faulty(xid)")
	b.want(b.tick(answer(b.now, card(0))), "GPU-0=faulty(xid)")
	kept, dirty := b.Remember()
	if !dirty || len(kept[0].Faults) != 1 {
		t.Fatalf("kept %+v", kept)
	}

	restart := newBench(t, kept)
	restart.now = b.now
	restart.want(restart.tick(answer(restart.now, card(0))), "GPU-0=faulty(xid)")
	restart.SetOrders(Orders{Acknowledged: map[string]time.Time{"GPU-0": restart.now}})
	restart.want(restart.Revise(restart.now), "GPU-0=free")
	if kept, dirty := restart.Remember(); !dirty || len(kept[0].Faults) != 0 {
		t.Errorf("kept %+v after undrain", kept)
	}

	reboot := &bench{t, NewTracker(DefaultRules(), kept, Orders{}, "boot-2", t0, slog.New(slog.DiscardHandler)), t0}
	reboot.want(reboot.tick(answer(reboot.now, card(0))), "GPU-0=free")

	reload := newBench(t, kept)
	c = card(0)
	c.Generation = 5 // it counts anew in every run of the agent, from wherever the source begins
	reload.want(reload.tick(answer(reload.now, c)), "GPU-0=faulty(xid)")
	c.Generation = 6
	reload.want(reload.tick(answer(reload.now, c)), "GPU-0=free")
	c.XIDs = []int64{62}
	reload.want(reload.tick(answer(reload.now, c)), "GPU-0=faulty(xid)")
}

func TestTrackerAcknowledgedErrorsDoNotComeBack(t *testing.T) {
	b := newBench(t, nil)
	c := card(0)
	c.ECCUncorrected = telemetry.Known[int64](2)
	b.want(b.tick(answer(b.now, c)), "GPU-0=faulty(ecc-uncorrected)")
	b.SetOrders(Orders{Acknowledged: map[string]time.Time{"": b.now.Add(time.Millisecond)}})
	b.want(b.Revise(b.now), "GPU-0=free")
	b.want(b.tick(answer(b.now, c)), "GPU-0=free")
	// A card that is put in later does not profit from what was said before it came.
	d := card(1)
	d.ECCUncorrected = telemetry.Known[int64](2)
	b.want(b.tick(answer(b.now, c, d)), "GPU-0=free GPU-1=faulty(ecc-uncorrected)")
	c.ECCUncorrected = telemetry.Known[int64](3)
	b.want(b.tick(answer(b.now, c)), "GPU-0=faulty(ecc-uncorrected) GPU-1=faulty(missing)")
	// The driver is loaded anew and counts from zero: the first error counts again.
	c.ECCUncorrected = telemetry.Known[int64](0)
	b.want(b.tick(answer(b.now, c)), "GPU-0=free GPU-1=faulty(missing)")
	c.ECCUncorrected = telemetry.Known[int64](1)
	b.want(b.tick(answer(b.now, c)), "GPU-0=faulty(ecc-uncorrected) GPU-1=faulty(missing)")
}

func TestTrackerOrders(t *testing.T) {
	b := newBench(t, nil)
	b.tick(answer(b.now, cards(2)...))
	var o Orders
	o.Drain("GPU-1", Drain{Reason: "noise"})
	b.SetOrders(o)
	v := b.Revise(b.now)
	b.want(v, "GPU-0=free GPU-1=drained(drained)")
	if !v.Changed {
		t.Error("drained and no change")
	}
	o.Drain("", Drain{Reason: "move", ReleaseDriver: true})
	b.SetOrders(o)
	released := poll.Result{Source: "nvml", Health: poll.Health{OK: true, Error: "released"}, Answers: []poll.Answer{{Err: fmt.Errorf("nvml: %w", poll.ErrReleased)}}}
	for range 10 {
		v = b.tick(released)
	}
	b.want(v, "GPU-0=drained(drained) GPU-1=drained(drained)")
	if v.Host == nil || v.Host.Reason != "move" {
		t.Errorf("order on the host = %+v", v.Host)
	}
	o.Undrain("", b.now)
	b.SetOrders(o)
	b.want(b.tick(answer(b.now, cards(2)...)), "GPU-0=free GPU-1=drained(drained)")
}

func TestTrackerLateAndFreshAnswersBothCount(t *testing.T) {
	b := newBench(t, nil)
	late, fresh := card(0), card(0)
	late.XIDs = []int64{79}
	r := answer(b.now, late)
	r.Answers = append(r.Answers, answer(b.now, fresh).Answers...)
	v := b.tick(r)
	b.want(v, "GPU-0=faulty(xid)")
	if len(v.Devices) != 1 || len(v.Devices[0].Samples) != 2 {
		t.Errorf("view %+v", v)
	}
}

func TestTrackerLeavesOutWhatHasNoIdentity(t *testing.T) {
	b := newBench(t, nil)
	anonymous, twice, odd := card(0), card(1), card(2)
	anonymous.Info.ID, odd.Info.ID = "", "GPU\n2"
	v := b.tick(answer(b.now, anonymous, card(1), twice, odd), poll.Result{Source: "drm", Answers: answer(b.now, card(1)).Answers})
	b.want(v, "GPU-1=free")
	if len(v.Devices[0].Samples) != 1 {
		t.Errorf("%d samples of a device that was named three times", len(v.Devices[0].Samples))
	}
}

func TestTrackerBrokenCardKeepsItsIdentity(t *testing.T) {
	b := newBench(t, nil)
	whole := card(0)
	whole.Info.Memory, whole.Info.Serial = telemetry.Known[telemetry.Bytes](141<<30), "1654"
	b.tick(answer(b.now, whole))
	broken := poll.DeviceReading{Info: telemetry.DeviceInfo{ID: "GPU-0"}, Fault: "lost"}
	v := b.tick(answer(b.now, broken))
	b.want(v, "GPU-0=faulty(lost)")
	if v.Renewed || v.Devices[0].Info != whole.Info {
		t.Errorf("identity %+v", v.Devices[0].Info)
	}
}

func TestTrackerSettlesWhenSourcesHadTheirTime(t *testing.T) {
	b := newBench(t, nil)
	cpu := func(known bool) poll.Result {
		return poll.Result{Source: "cpu", Answers: []poll.Answer{{Reading: poll.Reading{CPU: &poll.CPUReading{Utilization: telemetry.Opt[telemetry.Permille]{OK: known}}}}}}
	}
	if v := b.tick(cpu(false), answer(b.now)); v.Settled {
		t.Error("settled before utilisation is known")
	}
	if v := b.tick(cpu(true), answer(b.now)); !v.Settled {
		t.Error("not settled")
	}
	b = newBench(t, nil)
	fails := poll.Result{Source: "nvml", Health: poll.Health{Error: "hung"}}
	var settled []bool
	for range 7 {
		settled = append(settled, b.tick(cpu(true), fails).Settled)
	}
	if fmt.Sprint(settled) != "[false false false false false true true]" {
		t.Errorf("settled %v", settled)
	}
}

func TestTrackerIsBounded(t *testing.T) {
	b := newBench(t, nil)
	v := b.tick(answer(b.now, cards(telemetry.MaxDevices+10)...))
	if len(v.Devices) != telemetry.MaxDevices {
		t.Errorf("%d devices", len(v.Devices))
	}
}

func TestCodeOf(t *testing.T) {
	for reason, want := range map[string]Code{"xid: 79 GPU": "xid", "lost": "lost", "": ""} {
		if got := CodeOf(reason); got != want {
			t.Errorf("CodeOf(%q) = %q", reason, got)
		}
	}
}
