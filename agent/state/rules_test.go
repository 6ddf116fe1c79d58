package state

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

var t0 = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// idle is a reading of a device in order that nobody uses.
func idle() poll.DeviceReading {
	return poll.DeviceReading{
		Info:        telemetry.DeviceInfo{ID: "GPU-1", Index: telemetry.Known[int64](0), Name: "NVIDIA H200"},
		Utilization: telemetry.Known[telemetry.Permille](0), MemoryUsed: telemetry.Known[telemetry.Bytes](4 << 20),
		Processes: telemetry.Known[int64](0), ECCUncorrected: telemetry.Known[int64](0), RemapFailed: telemetry.Known(false),
	}
}

func TestDecide(t *testing.T) {
	order := &Drain{Reason: "change of fans"}
	free, busyProcesses := Verdict{State: telemetry.Free}, Verdict{telemetry.Busy, "processes"}
	type change func(*Facts)
	for name, c := range map[string]struct {
		change change
		want   Verdict
	}{
		"idle":                     {func(*Facts) {}, free},
		"a process":                {func(f *Facts) { f.Reading.Processes = telemetry.Known[int64](1) }, busyProcesses},
		"memory at the floor":      {func(f *Facts) { f.Reading.MemoryUsed = telemetry.Known[telemetry.Bytes](512 << 20) }, free},
		"memory above the floor":   {func(f *Facts) { f.Reading.MemoryUsed = telemetry.Known[telemetry.Bytes](512<<20 + 1) }, Verdict{telemetry.Busy, "memory"}},
		"utilisation below":        {func(f *Facts) { f.Reading.Utilization = telemetry.Known[telemetry.Permille](49) }, free},
		"utilisation at the floor": {func(f *Facts) { f.Reading.Utilization = telemetry.Known[telemetry.Permille](50) }, Verdict{telemetry.Busy, "utilisation"}},
		"utilisation within hold":  {func(f *Facts) { f.Active = t0.Add(-9 * time.Second) }, Verdict{telemetry.Busy, "utilisation"}},
		"utilisation past hold":    {func(f *Facts) { f.Active = t0.Add(-10 * time.Second) }, free},
		"utilisation of a process just gone": {func(f *Facts) {
			f.Reading.Utilization, f.Occupied = telemetry.Known[telemetry.Permille](900), t0.Add(-time.Second)
		}, free},
		"utilisation long after a process": {func(f *Facts) {
			f.Reading.Utilization, f.Occupied = telemetry.Known[telemetry.Permille](900), t0.Add(-2*time.Second)
		}, Verdict{telemetry.Busy, "utilisation"}},
		"utilisation where processes are hidden": {func(f *Facts) {
			f.Reading.Utilization, f.Reading.Processes, f.Occupied = telemetry.Known[telemetry.Permille](900), telemetry.Opt[int64]{}, t0
		}, Verdict{telemetry.Busy, "utilisation"}},
		"one slice of seven": {func(f *Facts) {
			f.Reading.Slices, f.Reading.SlicesBusy = telemetry.Known[int64](7), telemetry.Known[int64](1)
		}, Verdict{telemetry.Busy, "slices"}},
		"drained":             {func(f *Facts) { f.Drain = order }, Verdict{telemetry.Drained, "drained: change of fans"}},
		"drained and at work": {func(f *Facts) { f.Drain, f.Reading.Processes = order, telemetry.Known[int64](1) }, Verdict{telemetry.Drained, "drained: change of fans"}},
		"lost":                {func(f *Facts) { f.Reading.Fault = "lost: GPU is lost" }, Verdict{telemetry.Faulty, "lost: GPU is lost"}},
		"lost, drained":       {func(f *Facts) { f.Reading.Fault, f.Drain = "lost", order }, Verdict{telemetry.Faulty, "lost"}},
		"fatal XID":           {func(f *Facts) { f.XIDs = []int64{48, 79} }, Verdict{telemetry.Faulty, "xid: 79 GPU has fallen off the bus"}},
		"ECC":                 {func(f *Facts) { f.Reading.ECCUncorrected = telemetry.Known[int64](2) }, Verdict{telemetry.Faulty, "ecc-uncorrected: 2 since the driver was loaded"}},
		"ECC acknowledged":    {func(f *Facts) { f.Reading.ECCUncorrected, f.ECCBase = telemetry.Known[int64](2), 2 }, free},
		"ECC grown since":     {func(f *Facts) { f.Reading.ECCUncorrected, f.ECCBase = telemetry.Known[int64](3), 2 }, Verdict{telemetry.Faulty, "ecc-uncorrected: 3 since the driver was loaded"}},
		"remap failed":        {func(f *Facts) { f.Reading.RemapFailed = telemetry.Known(true) }, Verdict{telemetry.Faulty, "remap-failed"}},
		"remap pending":       {func(f *Facts) { f.Reading.RemapPending = telemetry.Known(true) }, free},
		"missing":             {func(f *Facts) { f.Presence, f.Detail = Gone, "source nvml no longer lists it" }, Verdict{telemetry.Faulty, "missing: source nvml no longer lists it"}},
		"missing, drained":    {func(f *Facts) { f.Presence, f.Drain = Gone, order }, Verdict{telemetry.Faulty, "missing"}},
		"no answer for 5 s":   {func(f *Facts) { f.Presence, f.Last = NoAnswer, busyProcesses; f.Answered = t0.Add(-5 * time.Second) }, busyProcesses},
		"no answer for longer": {func(f *Facts) {
			f.Presence, f.Last, f.Detail = NoAnswer, free, "hung"
			f.Answered = t0.Add(-5001 * time.Millisecond)
		}, Verdict{telemetry.Faulty, "source-silent: hung"}},
		"never an answer":           {func(f *Facts) { f.Presence, f.Detail = NoAnswer, "not yet" }, Verdict{telemetry.Faulty, "source-silent: not yet"}},
		"no answer, fatal XID":      {func(f *Facts) { f.Presence, f.Last, f.Answered, f.XIDs = NoAnswer, free, t0, []int64{119} }, Verdict{telemetry.Faulty, "xid: 119 GSP RPC timeout"}},
		"driver released":           {func(f *Facts) { f.Presence, f.Drain = Released, order }, Verdict{telemetry.Drained, "drained: change of fans"}},
		"driver released for long":  {func(f *Facts) { f.Presence, f.Drain, f.Last = Released, order, Verdict{telemetry.Faulty, "lost"} }, Verdict{telemetry.Drained, "drained: change of fans"}},
		"released without an order": {func(f *Facts) { f.Presence, f.Detail = Released, "released" }, Verdict{telemetry.Faulty, "source-silent: released"}},
		"use unreadable": {
			func(f *Facts) { f.Reading = poll.DeviceReading{Power: telemetry.Known[telemetry.Milliwatts](70000)} },
			Verdict{telemetry.Faulty, "unreadable: neither processes nor memory nor utilisation can be read"},
		},
		"use unreadable for a moment": {func(f *Facts) {
			f.Reading, f.Last, f.UseKnown = poll.DeviceReading{}, busyProcesses, t0.Add(-2*time.Second)
		}, busyProcesses},
		"only utilisation readable": {func(f *Facts) { f.Reading = poll.DeviceReading{Utilization: telemetry.Known[telemetry.Permille](0)} }, free},
	} {
		t.Run(name, func(t *testing.T) {
			f := Facts{Now: t0, Reading: idle()}
			c.change(&f)
			if got := Decide(DefaultRules(), f); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// facts draws any facts, sensible or not.
func facts(t *rapid.T) Facts {
	count := rapid.Custom(func(t *rapid.T) telemetry.Opt[int64] {
		return telemetry.Opt[int64]{Value: rapid.Int64Range(0, 3).Draw(t, "value"), OK: rapid.Bool().Draw(t, "known")}
	})
	ago := func(name string) time.Time {
		d := rapid.IntRange(0, 20).Draw(t, name)
		if d == 0 {
			return time.Time{}
		}
		return t0.Add(-time.Duration(d) * time.Second)
	}
	verdicts := []Verdict{{}, {State: telemetry.Free}, {telemetry.Busy, "memory"}, {telemetry.Faulty, "lost"}}
	f := Facts{
		Now: t0, Presence: Presence(rapid.IntRange(0, 3).Draw(t, "presence")), Detail: "detail",
		XIDs:    rapid.SliceOfN(rapid.SampledFrom([]int64{48, 79}), 0, 2).Draw(t, "xids"),
		ECCBase: rapid.Int64Range(0, 2).Draw(t, "base"),
		Active:  ago("active"), Occupied: ago("occupied"), Answered: ago("answered"), UseKnown: ago("use known"),
		Last: rapid.SampledFrom(verdicts).Draw(t, "last"),
	}
	if rapid.Bool().Draw(t, "drained") {
		f.Drain = &Drain{Reason: "why"}
	}
	r := &f.Reading
	r.Fault = rapid.SampledFrom([]string{"", "", "", "lost"}).Draw(t, "fault")
	r.Processes, r.Slices, r.SlicesBusy = count.Draw(t, "processes"), count.Draw(t, "slices"), count.Draw(t, "busy slices")
	r.ECCUncorrected = count.Draw(t, "ecc")
	r.RemapFailed = telemetry.Opt[bool]{Value: rapid.Bool().Draw(t, "remap failed"), OK: rapid.Bool().Draw(t, "remap known")}
	u, m := count.Draw(t, "utilisation"), count.Draw(t, "memory")
	r.Utilization = telemetry.Opt[telemetry.Permille]{Value: telemetry.Permille(u.Value * 30), OK: u.OK}
	r.MemoryUsed = telemetry.Opt[telemetry.Bytes]{Value: telemetry.Bytes(m.Value << 28), OK: m.OK}
	return f
}

func TestDecideHolds(t *testing.T) {
	rules := DefaultRules()
	rapid.Check(t, func(t *rapid.T) {
		f := facts(t)
		v := Decide(rules, f)
		if !v.State.Valid() {
			t.Fatalf("verdict %v", v)
		}
		if (v.State == telemetry.Free) != (v.Reason == "") {
			t.Fatalf("%v: every state but free has a reason", v)
		}
		wrong := f.Presence == Present && f.Reading.Fault != "" || f.Presence == Gone || len(f.XIDs) > 0 ||
			f.Presence == Present && (f.Reading.ECCUncorrected.OK && f.Reading.ECCUncorrected.Value > f.ECCBase || f.Reading.RemapFailed == telemetry.Known(true))
		if wrong && v.State != telemetry.Faulty {
			t.Fatalf("%v: what is wrong dominates", v)
		}
		if f.Drain != nil && (v.State == telemetry.Free || v.State == telemetry.Busy) {
			t.Fatalf("%v despite the order to drain", v)
		}
		if v.State == telemetry.Free && f.Presence == Present && !useKnown(&f.Reading) &&
			(f.Last.State != telemetry.Free || t0.Sub(f.UseKnown) > rules.Silence) {
			t.Fatal("free, and nothing is known of its use")
		}
		if v.State == telemetry.Free && f.Presence != Present && (f.Last.State != telemetry.Free || t0.Sub(f.Answered) > rules.Silence) {
			t.Fatal("free without a reading that says so")
		}
		if v.State == telemetry.Free && above(f.Reading.Processes, 0) && f.Presence == Present {
			t.Fatal("free with a process on it")
		}
	})
}

func TestDecideCPU(t *testing.T) {
	cores := telemetry.Known[int64](64)
	mean := func(p telemetry.Permille) telemetry.Opt[telemetry.Permille] { return telemetry.Known(p) }
	before := CPUVerdict{Verdict{telemetry.Busy, "cores"}, telemetry.Known[int64](12)}
	unknown := telemetry.Opt[int64]{}
	for name, c := range map[string]struct {
		f    CPUFacts
		want CPUVerdict
	}{
		"idle":           {CPUFacts{Cores: cores, Mean: mean(0)}, CPUVerdict{Verdict{State: telemetry.Free}, telemetry.Known[int64](0)}},
		"a little":       {CPUFacts{Cores: cores, Mean: mean(1)}, CPUVerdict{Verdict{telemetry.Busy, "cores"}, telemetry.Known[int64](1)}},
		"a quarter":      {CPUFacts{Cores: cores, Mean: mean(250)}, CPUVerdict{Verdict{telemetry.Busy, "cores"}, telemetry.Known[int64](16)}},
		"rounded up":     {CPUFacts{Cores: cores, Mean: mean(251)}, CPUVerdict{Verdict{telemetry.Busy, "cores"}, telemetry.Known[int64](17)}},
		"all":            {CPUFacts{Cores: cores, Mean: mean(1000)}, CPUVerdict{Verdict{telemetry.Busy, "cores"}, telemetry.Known[int64](64)}},
		"cores unknown":  {CPUFacts{Mean: mean(500)}, CPUVerdict{Verdict{telemetry.Busy, "cores"}, unknown}},
		"drained":        {CPUFacts{Cores: cores, Mean: mean(500), Drain: &Drain{Reason: "move"}}, CPUVerdict{Verdict{telemetry.Drained, "drained: move"}, telemetry.Known[int64](32)}},
		"no mean, short": {CPUFacts{Cores: cores, Answered: t0.Add(-4 * time.Second), Last: before}, before},
		"no mean, long":  {CPUFacts{Cores: cores, Answered: t0.Add(-6 * time.Second), Last: before, Detail: "hung"}, CPUVerdict{Verdict{telemetry.Faulty, "source-silent: hung"}, unknown}},
		"never a mean":   {CPUFacts{Cores: cores, Detail: "none"}, CPUVerdict{Verdict{telemetry.Faulty, "source-silent: none"}, unknown}},
	} {
		t.Run(name, func(t *testing.T) {
			c.f.Now = t0
			if got := DecideCPU(DefaultRules(), c.f); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
