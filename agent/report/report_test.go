package report

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/telemetry"
)

var t0 = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func known[T any](v T) telemetry.Opt[T] { return telemetry.Known(v) }

// bench is a gatherer with a clock, fed second by second.
type bench struct {
	Gatherer
	now time.Time
}

func newBench() *bench {
	return &bench{Gatherer{Origin: telemetry.Origin{Centre: "lab", Cluster: "default", Host: "h"}, Boot: "boot"}, t0}
}

// card takes one reading of the device "g"; nil: it was not read.
func (b *bench) card(r *poll.DeviceReading) {
	b.now = b.now.Add(time.Second)
	d := state.DeviceView{Info: telemetry.DeviceInfo{ID: "g", Name: "H200"}, Verdict: state.Verdict{State: telemetry.Free}}
	if r != nil {
		d.Samples = []state.Sample{{Time: b.now, DeviceReading: r}}
	}
	b.Add(poll.Tick{Time: b.now}, state.View{Time: b.now, Devices: []state.DeviceView{d}})
}

// reading takes one reading that is not of devices.
func (b *bench) reading(r poll.Reading) {
	b.now = b.now.Add(time.Second)
	b.Add(poll.Tick{Time: b.now, Results: []poll.Result{{Source: "cpu", Health: poll.Health{OK: true, Took: time.Millisecond}, Answers: []poll.Answer{{Time: b.now, Reading: r}}}}}, state.View{Time: b.now})
}

func (b *bench) report() *telemetry.Report {
	return b.Report(b.now, 7, state.DefaultRules(), Backlog{Queued: 3, Dropped: 4})
}

func (b *bench) device() telemetry.DeviceStatus { return b.report().Devices[0] }

func TestDeviceAggregates(t *testing.T) {
	b := newBench()
	b.card(&poll.DeviceReading{
		Utilization: known[telemetry.Permille](100), SMActivity: known[telemetry.Permille](10), TensorActivity: known[telemetry.Permille](5), MemoryUtilization: known[telemetry.Permille](1),
		MemoryUsed: known[telemetry.Bytes](5), Power: known[telemetry.Milliwatts](70_000), Temperature: known[telemetry.Celsius](50), SMClock: known[telemetry.Megahertz](1000),
		Throttle: known[int64](4), ECCCorrected: known[int64](1), ECCUncorrected: known[int64](0), RemapPending: known(true), RemapFailed: known(false), Processes: known[int64](1), XIDs: []int64{13},
	})
	b.card(&poll.DeviceReading{
		Utilization: known[telemetry.Permille](301), SMActivity: known[telemetry.Permille](30), TensorActivity: known[telemetry.Permille](6), MemoryUtilization: known[telemetry.Permille](2),
		MemoryUsed: known[telemetry.Bytes](3), Power: known[telemetry.Milliwatts](90_000), Temperature: known[telemetry.Celsius](48), SMClock: known[telemetry.Megahertz](900), MemoryClock: known[telemetry.Megahertz](3000),
		Throttle: known[int64](1), ECCCorrected: known[int64](2), RemapPending: known(false), Processes: known[int64](0), XIDs: []int64{31, 43},
	})
	want := telemetry.DeviceStatus{
		ID: "g", State: telemetry.Free, UtilizationMean: known[telemetry.Permille](201), UtilizationMax: known[telemetry.Permille](301),
		SMActivity: known[telemetry.Permille](20), TensorActivity: known[telemetry.Permille](6), MemoryUtilization: known[telemetry.Permille](2),
		MemoryUsed: known[telemetry.Bytes](3), PowerMean: known[telemetry.Milliwatts](80_000), PowerMax: known[telemetry.Milliwatts](90_000),
		Temperature: known[telemetry.Celsius](50), SMClock: known[telemetry.Megahertz](900), MemoryClock: known[telemetry.Megahertz](3000), Throttle: known[int64](5),
		ECCCorrected: known[int64](2), ECCUncorrected: known[int64](0), RemapPending: known(false), RemapFailed: known(false), Processes: known[int64](0),
		XID: known[int64](43), XIDCount: known[int64](3),
	}
	if d := cmp.Diff(want, b.device()); d != "" {
		t.Error(d)
	}
	// Nothing was read since: only what counts from the agent's start is told again.
	b.card(nil)
	want = telemetry.DeviceStatus{ID: "g", State: telemetry.Free, XID: known[int64](43), XIDCount: known[int64](3)}
	if d := cmp.Diff(want, b.device()); d != "" {
		t.Errorf("an old reading was told again: %s", d)
	}
}

func energy(mj telemetry.Millijoules) *poll.DeviceReading {
	return &poll.DeviceReading{Power: known[telemetry.Milliwatts](1_000), Energy: known(mj)}
}

func TestPowerFromEnergy(t *testing.T) {
	b := newBench()
	want := func(mean telemetry.Milliwatts, what string) {
		t.Helper()
		if got := b.device().PowerMean; got != known(mean) {
			t.Errorf("%s: mean %v, want %d mW", what, got, mean)
		}
	}
	b.card(energy(5_000_000))
	want(1_000, "one reading of the counter says nothing")
	for i := range telemetry.Millijoules(10) {
		b.card(energy(5_000_000 + 300_000*(i+1)))
	}
	want(300_000, "ten seconds, the first from the reading before")
	b.card(energy(8_000_000 + 500_000))
	want(500_000, "one second")
	b.card(energy(100_000)) // the driver was loaded anew
	want(1_000, "a counter that went back")
	b.card(energy(300_000))
	want(200_000, "and on from there")
	b.card(energy(500_000))
	b.card(energy(10)) // reset in the middle: what was counted before it is lost, and the rest tells
	b.card(energy(400_010))
	want(400_000, "a counter that went back within an interval")
	b.card(nil)
	b.report()
	b.card(energy(900_000))
	want(1_000, "a counter that was not read in the interval before")
}

// TestEnergyThatJumps wants no power that nothing draws, with which the whole report would be refused.
func TestEnergyThatJumps(t *testing.T) {
	b := newBench()
	for _, e := range []telemetry.Millijoules{1, 1e14, 1e14 + 300_000} {
		b.card(energy(e))
		r := b.report()
		var enc telemetry.Encoder
		if _, err := enc.AppendReport(nil, r); err != nil {
			t.Error(err)
		}
		want := telemetry.Milliwatts(1_000)
		if e == 1e14+300_000 {
			want = 300_000
		}
		if got := r.Devices[0].PowerMean; got != known(want) {
			t.Errorf("a counter at %d: mean %v, want %d mW", e, got, want)
		}
	}
}

func TestLeftOutDevicesAreTold(t *testing.T) {
	b := newBench()
	b.Add(poll.Tick{Time: b.now, Results: []poll.Result{
		{Source: "nvml", Health: poll.Health{OK: true}},
		{Source: "sysfs", Health: poll.Health{OK: true}},
	}}, state.View{Time: b.now, Left: map[string]string{"sysfs": "device 0 is left out"}})
	s := b.report().Sources
	if len(s) != 2 || !s[0].OK || s[1].OK || s[1].Error != "device 0 is left out" {
		t.Errorf("sources %+v", s)
	}
}

// TestEnergyOfAnotherSource wants no power from the difference of two sources' counters.
func TestEnergyOfAnotherSource(t *testing.T) {
	b := newBench()
	told := func(source string, energy telemetry.Millijoules, power telemetry.Milliwatts) {
		b.card(&poll.DeviceReading{Info: telemetry.DeviceInfo{Source: source}, Energy: known(energy), Power: known(power)})
	}
	told("nvml", 1_000_000, 70_000)
	told("nvml", 1_070_000, 70_000)
	told("other", 9_000_000_000, 72_000)
	told("other", 9_000_074_000, 72_000)
	if p := b.device().PowerMean; p != known[telemetry.Milliwatts](74_000) {
		t.Errorf("mean power %v, want what the other counter counted", p)
	}
}

func TestPowerDomains(t *testing.T) {
	b := newBench()
	read := func(r ...poll.PowerReading) { b.reading(poll.Reading{Power: r}) }
	read(poll.PowerReading{Domain: "package-0", Method: "rapl", Energy: known[telemetry.Millijoules](0)}, poll.PowerReading{Domain: "node", Method: "acpi", Power: known[telemetry.Milliwatts](400_000)})
	if got := b.report().Power; len(got) != 1 || got[0].Domain != "node" {
		t.Errorf("before a second reading of the counter: %+v", got)
	}
	read(poll.PowerReading{Domain: "package-0", Method: "rapl", Power: known[telemetry.Milliwatts](110_000), Energy: known[telemetry.Millijoules](100_000)}, poll.PowerReading{Domain: "node", Method: "acpi", Power: known[telemetry.Milliwatts](500_000)})
	read(poll.PowerReading{Domain: "package-0", Method: "rapl", Power: known[telemetry.Milliwatts](90_000), Energy: known[telemetry.Millijoules](220_000)}, poll.PowerReading{Domain: "node", Method: "acpi", Power: known[telemetry.Milliwatts](300_000)})
	want := []telemetry.PowerStatus{
		{Domain: "package-0", Method: "rapl", Mean: known[telemetry.Milliwatts](110_000), Max: known[telemetry.Milliwatts](110_000), Energy: known[telemetry.Millijoules](220_000)},
		{Domain: "node", Method: "acpi", Mean: known[telemetry.Milliwatts](400_000), Max: known[telemetry.Milliwatts](500_000)},
	}
	if d := cmp.Diff(want, b.report().Power); d != "" {
		t.Error(d)
	}
	read()
	if got := b.report().Power; len(got) != 0 {
		t.Errorf("an old reading was told again: %+v", got)
	}
}

func TestHostReport(t *testing.T) {
	b := newBench()
	info := telemetry.CPUInfo{Vendor: "GenuineIntel", Cores: known[int64](64)}
	cpu := func(u telemetry.Opt[telemetry.Permille]) poll.Reading {
		return poll.Reading{
			CPU:    &poll.CPUReading{Info: info, Utilization: u},
			Memory: &telemetry.MemoryStatus{Total: known[telemetry.Bytes](100), Available: known[telemetry.Bytes](40)},
			Host:   &poll.HostReading{Uptime: known[telemetry.Seconds](9), LoadMilli: known[int64](1500), ClockError: known[telemetry.Milliseconds](2)},
		}
	}
	b.reading(cpu(telemetry.Opt[telemetry.Permille]{}))
	b.reading(cpu(known[telemetry.Permille](100)))
	b.reading(cpu(known[telemetry.Permille](201)))
	want := &telemetry.Report{
		Header: telemetry.Header{Origin: b.Origin, Time: b.now, Boot: "boot", Seq: 7},
		HostStatus: telemetry.HostStatus{
			Interval: known[telemetry.Milliseconds](2000), Uptime: known[telemetry.Seconds](9), LoadMilli: known[int64](1500),
			Queued: known[int64](3), Dropped: known[int64](4), ClockError: known[telemetry.Milliseconds](2),
		},
		CPU: known(telemetry.CPUStatus{
			State: telemetry.Busy, Reason: "cores", Cores: known[int64](64), CoresBusy: known[int64](10),
			UtilizationMean: known[telemetry.Permille](151), UtilizationMax: known[telemetry.Permille](201),
		}),
		Memory:  known(telemetry.MemoryStatus{Total: known[telemetry.Bytes](100), Available: known[telemetry.Bytes](40)}),
		Sources: []telemetry.SourceStatus{{Source: "cpu", OK: true, Took: known[telemetry.Milliseconds](1), Missed: known[int64](0)}},
	}
	if d := cmp.Diff(want, b.report()); d != "" {
		t.Error(d)
	}
	if !b.Renewed() {
		t.Error("processors were seen and no inventory is due")
	}
	b.Inventory(b.now, 1, telemetry.HostInfo{})
	if b.Renewed() {
		t.Error("an inventory is due again")
	}

	// The source falls silent: the verdict stands for a while, without a utilisation, and then no longer.
	silent := func(n int) *telemetry.Report {
		for range n {
			b.now = b.now.Add(time.Second)
			b.Add(poll.Tick{Time: b.now, Results: []poll.Result{{Source: "cpu", Health: poll.Health{Error: "no answer", Missed: int64(n)}}}}, state.View{Time: b.now})
		}
		return b.report()
	}
	r := silent(3)
	if c := r.CPU.Value; c.State != telemetry.Busy || c.CoresBusy != known[int64](10) || c.UtilizationMean.OK || r.Memory.OK || r.Uptime.OK {
		t.Errorf("after 3 s of silence: %+v, memory %v", c, r.Memory)
	}
	if s := r.Sources[0]; s.OK || s.Error != "no answer" || s.Missed != known[int64](3) || s.Took.OK {
		t.Errorf("source %+v", s)
	}
	if c := silent(3).CPU.Value; c.State != telemetry.Faulty || c.Reason != "source-silent: source cpu: no answer" || c.CoresBusy.OK {
		t.Errorf("after 6 s of silence: %+v", c)
	}
}

func TestDrainedHost(t *testing.T) {
	b := newBench()
	b.reading(poll.Reading{CPU: &poll.CPUReading{Info: telemetry.CPUInfo{Cores: known[int64](4)}, Utilization: known[telemetry.Permille](500)}})
	b.Revise(state.View{Time: b.now, Host: &state.Drain{Reason: "move"}})
	if c := b.report().CPU.Value; c.State != telemetry.Drained || c.Reason != "drained: move" || c.CoresBusy != known[int64](2) {
		t.Errorf("processors %+v", c)
	}
}

func TestAbsentSourcesAreLeftOut(t *testing.T) {
	b := newBench()
	b.Add(poll.Tick{Time: b.now, Results: []poll.Result{{Source: "nvml", Health: poll.Health{OK: true, Absent: true, Error: "no driver"}}}}, state.View{})
	if s := b.report().Sources; len(s) != 0 {
		t.Errorf("sources %+v", s)
	}
}

// TestWhatWasReadCanBeSent encodes what odd hardware says of itself.
func TestWhatWasReadCanBeSent(t *testing.T) {
	b := newBench()
	odd := "H\x00200\n\xff" + strings.Repeat("x", 2*telemetry.MaxName)
	v := state.View{Devices: []state.DeviceView{{
		Info: telemetry.DeviceInfo{ID: "g", Name: odd, Serial: odd, Driver: odd}, Verdict: state.Verdict{State: telemetry.Faulty, Reason: "lost: " + odd + strings.Repeat("y", telemetry.MaxText)},
	}}}
	b.Add(poll.Tick{Time: b.now, Results: []poll.Result{{Source: "nvml", Health: poll.Health{Error: odd + strings.Repeat("z", telemetry.MaxText)}}}}, v)
	var e telemetry.Encoder
	if _, err := e.AppendInventory(nil, b.Inventory(b.now, 1, telemetry.HostInfo{Name: "n"})); err != nil {
		t.Error(err)
	}
	if _, err := e.AppendReport(nil, b.report()); err != nil {
		t.Error(err)
	}
}

// TestWhateverWasReadCanBeSent gives a gatherer whatever a source could say: a report and an inventory can be made of it, though not all of it be told.
func TestWhateverWasReadCanBeSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench()
		for range 3 {
			b.now = b.now.Add(time.Second)
			r := poll.Reading{Host: &poll.HostReading{}, CPU: &poll.CPUReading{}, Memory: &telemetry.MemoryStatus{}, Power: []poll.PowerReading{{Domain: "psys", Method: "rapl"}}}
			d := poll.DeviceReading{XIDs: []int64{rapid.Int64Min(0).Draw(t, "XID")}}
			v := state.DeviceView{Verdict: state.Verdict{State: telemetry.Busy, Reason: rapid.String().Draw(t, "reason")}}
			for _, one := range []any{r.Host, r.CPU, r.Memory, &r.Power[0], &d, &v.Info, &v.Slices, &v.Busy} {
				anything(t, reflect.ValueOf(one).Elem())
			}
			v.Info.ID, v.Info.Source = "g", "nvml"
			v.Samples = []state.Sample{{Time: b.now, DeviceReading: &d}}
			b.Add(poll.Tick{Time: b.now, Results: []poll.Result{{
				Source: "all", Health: poll.Health{Took: time.Duration(rapid.Int64().Draw(t, "took")), Missed: rapid.Int64Min(0).Draw(t, "missed")},
				Answers: []poll.Answer{{Time: b.now, Reading: r}},
			}}}, state.View{Time: b.now, Devices: []state.DeviceView{v}})
		}
		var host telemetry.HostInfo
		anything(t, reflect.ValueOf(&host).Elem())
		e := telemetry.Encoder{LeaveOut: true}
		if _, err := e.AppendInventory(nil, b.Inventory(b.now, 1, host)); err != nil {
			t.Error(err)
		}
		if _, err := e.AppendReport(nil, b.report()); err != nil {
			t.Error(err)
		}
	})
}

// TestAllDevicesFail wants a report of as many devices as a host can have, all of which fail with many words.
func TestAllDevicesFail(t *testing.T) {
	b := newBench()
	var v state.View
	for i := range telemetry.MaxDevices {
		v.Devices = append(v.Devices, state.DeviceView{
			Info:    telemetry.DeviceInfo{ID: fmt.Sprintf("GPU-5e1d7c2b-9a40-4c1b-8f6e-%012d", i), Source: "nvml"},
			Verdict: state.Verdict{State: telemetry.Faulty, Reason: "lost: " + strings.Repeat("word ", telemetry.MaxText)},
			Samples: []state.Sample{{Time: b.now, DeviceReading: &poll.DeviceReading{
				Utilization: known[telemetry.Permille](1000), SMActivity: known[telemetry.Permille](1000), TensorActivity: known[telemetry.Permille](1000), MemoryUtilization: known[telemetry.Permille](1000),
				MemoryUsed: known[telemetry.Bytes](150 << 30), Power: known[telemetry.Milliwatts](700_000), Energy: known[telemetry.Millijoules](1e12), Temperature: known[telemetry.Celsius](100),
				SMClock: known[telemetry.Megahertz](1980), MemoryClock: known[telemetry.Megahertz](3201), Throttle: known[int64](1 << 40), ECCCorrected: known[int64](1 << 30), ECCUncorrected: known[int64](1 << 30),
				RemapPending: known(true), RemapFailed: known(true), Processes: known[int64](100), XIDs: []int64{79},
			}}},
		})
	}
	b.Add(poll.Tick{Time: b.now}, v)
	var e telemetry.Encoder
	if _, err := e.AppendReport(nil, b.report()); err != nil {
		t.Error(err)
	}
}

// anything sets what can be unknown, and texts, to anything.
func anything(t *rapid.T, v reflect.Value) {
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		switch f, name := v.Field(i), v.Type().Field(i).Name; f.Kind() {
		case reflect.Struct:
			anything(t, f)
		case reflect.Bool:
			f.SetBool(rapid.Bool().Draw(t, name))
		case reflect.Int64:
			f.SetInt(rapid.Int64().Draw(t, name))
		case reflect.String:
			if name != "Domain" && name != "Method" { // which are the agent's own
				f.SetString(rapid.String().Draw(t, name))
			}
		}
	}
}

func TestForgottenDevicesAreDropped(t *testing.T) {
	b := newBench()
	b.card(energy(1))
	b.Revise(state.View{})
	if len(b.devices) != 0 || len(b.report().Devices) != 0 {
		t.Errorf("%d devices are kept", len(b.devices))
	}
}

func TestMeanLiesWithin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 1000), 1, 60).Draw(t, "values")
		var m mean[telemetry.Permille]
		lowest, highest := values[0], values[0]
		for _, v := range values {
			m.add(known(telemetry.Permille(v)))
			m.add(telemetry.Opt[telemetry.Permille]{Value: 5000}) // unknown, whatever stands in it
			m.add(known(telemetry.Permille(1 << 62)))             // of which the sum would overflow
			lowest, highest = min(lowest, v), max(highest, v)
		}
		got, ok := m.mean().Get()
		if !ok || int64(got) < lowest || int64(got) > highest || int64(m.highest().Value) != highest {
			t.Fatalf("mean %d, highest %d of %v", got, m.highest().Value, values)
		}
	})
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		" a\nb\x00c ": "a b c", "\xff": "", "功率": "功率", "功率计abc": "功率", strings.Repeat("x", 20): "xxxxxxxx",
	} {
		if got := Clean(in, 8); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}
