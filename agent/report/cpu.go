package report

import (
	"time"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/telemetry"
)

// cpu gathers the load of the processors.
type cpu struct {
	info     *telemetry.CPUInfo // nil before the first reading
	renewed  bool               // info changed since the last inventory
	use      mean[telemetry.Permille]
	answered time.Time
	own      state.CPUVerdict // drain left aside
}

func (c *cpu) add(at time.Time, r *poll.CPUReading) {
	if c.info == nil || *c.info != r.Info {
		info := r.Info
		c.info, c.renewed = &info, true
	}
	c.use.add(r.Utilization)
	if r.Utilization.OK {
		c.answered = at
	}
}

// status decides what the processors are doing. Processors that were never seen have no status.
func (c *cpu) status(now time.Time, rules state.Rules, drain *state.Drain, sources []source) (s telemetry.Opt[telemetry.CPUStatus]) {
	if c.info == nil {
		return s
	}
	f := state.CPUFacts{
		Now: now, Cores: c.info.Cores, Mean: c.use.mean(), Detail: "utilisation was not read",
		Drain: drain, Answered: c.answered, Last: c.own,
	}
	for _, h := range sources {
		if h.name == "cpu" && h.health.Error != "" {
			f.Detail = "source cpu: " + h.health.Error
		}
	}
	v := state.DecideCPU(rules, f)
	c.own = state.CPUCondition(rules, f)
	return telemetry.Known(telemetry.CPUStatus{
		State: v.State, Reason: Clean(v.Reason, telemetry.MaxText), Cores: c.info.Cores, CoresBusy: within(v.CoresBusy, c.info.Cores),
		UtilizationMean: f.Mean, UtilizationMax: c.use.highest(),
	})
}

func (c *cpu) renew() { c.use = mean[telemetry.Permille]{} }
