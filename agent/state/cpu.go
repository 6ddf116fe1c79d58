package state

import (
	"time"

	"github.com/exameter/exameter/telemetry"
)

// CPUFacts are everything that the decision about a host's processors looks at.
type CPUFacts struct {
	Now      time.Time
	Cores    telemetry.Opt[int64]
	Mean     telemetry.Opt[telemetry.Permille] // over the interval that is reported
	Detail   string                            // why there is no mean, in words
	Drain    *Drain                            // of the host
	Answered time.Time                         // when utilisation could last be read; zero: not since the agent started
	Last     CPUVerdict                        // the last verdict, drain left aside
}

// CPUVerdict is the outcome of the decision about processors.
type CPUVerdict struct {
	Verdict
	CoresBusy telemetry.Opt[int64]
}

// DecideCPU counts busy cores: cores × mean utilisation, rounded up. Processors are busy when at least one core is.
func DecideCPU(r Rules, f CPUFacts) CPUVerdict {
	v := CPUCondition(r, f)
	if v.State != telemetry.Faulty && f.Drain != nil {
		v.Verdict = Verdict{telemetry.Drained, Ordered.with(f.Drain.Reason)}
	}
	return v
}

// CPUCondition is the verdict with drain orders left aside.
func CPUCondition(r Rules, f CPUFacts) CPUVerdict {
	mean, ok := f.Mean.Get()
	if !ok {
		if f.Last.State == "" || f.Now.Sub(f.Answered) > r.Silence {
			return CPUVerdict{Verdict: faulty(SourceSilent, f.Detail)}
		}
		return f.Last
	}
	v := CPUVerdict{Verdict: Verdict{State: telemetry.Free}}
	if mean > 0 {
		v.Verdict = busy(Cores)
	}
	if cores, ok := f.Cores.Get(); ok {
		v.CoresBusy = telemetry.Known((cores*int64(mean) + 999) / 1000)
	}
	return v
}
