package report

import (
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/telemetry"
)

// device gathers the samples of one accelerator.
type device struct {
	use, sm, tensor, memory mean[telemetry.Permille]
	power                   power
	temperature             mean[telemetry.Celsius]
	throttle                telemetry.Opt[int64]
	source                  string                 // that the last sample is from
	last                    telemetry.DeviceStatus // values of which the last counts

	// Since the agent started, not since the report before.
	xid      telemetry.Opt[int64]
	xidCount int64
}

func (d *device) add(s state.Sample) {
	d.use.add(s.Utilization)
	d.sm.add(s.SMActivity)
	d.tensor.add(s.TensorActivity)
	d.memory.add(s.MemoryUtilization)
	if d.source != s.Info.Source {
		// Two sources count energy from different beginnings.
		d.source, d.power = s.Info.Source, power{samples: d.power.samples}
	}
	d.power.add(s.Time, s.Power, s.Energy)
	d.temperature.add(s.Temperature)
	if v, ok := s.Throttle.Get(); ok {
		d.throttle = telemetry.Known(d.throttle.Value | v)
	}
	l := &d.last
	last(&l.MemoryUsed, s.MemoryUsed)
	last(&l.SMClock, s.SMClock)
	last(&l.MemoryClock, s.MemoryClock)
	last(&l.ECCCorrected, s.ECCCorrected)
	last(&l.ECCUncorrected, s.ECCUncorrected)
	last(&l.RemapPending, s.RemapPending)
	last(&l.RemapFailed, s.RemapFailed)
	last(&l.Processes, s.Processes)
	for _, x := range s.XIDs {
		d.xid = telemetry.Known(x)
		d.xidCount++
	}
}

// reasons is how much of a record the reasons of all devices may take together: without a bound, those of the most devices that a host can have
// would not fit, and the host would be unheard.
const reasons = 64 << 10

// status tells what the device, one of so many, is doing, with the state that the rules gave it.
func (d *device) status(v *state.DeviceView, of int) telemetry.DeviceStatus {
	if d == nil {
		d = &device{}
	}
	s := d.last
	s.ID, s.State, s.Reason = v.Info.ID, v.Verdict.State, Clean(v.Verdict.Reason, min(reasons/of, telemetry.MaxText))
	s.Slices, s.SlicesBusy = v.Slices, within(v.Busy, v.Slices)
	s.UtilizationMean, s.UtilizationMax = d.use.mean(), d.use.highest()
	s.SMActivity, s.TensorActivity, s.MemoryUtilization = d.sm.mean(), d.tensor.mean(), d.memory.mean()
	s.PowerMean, s.PowerMax = d.power.mean(), d.power.samples.highest()
	s.Energy = d.power.counter()
	s.Temperature, s.Throttle, s.XID = d.temperature.highest(), d.throttle, d.xid
	if d.xid.OK {
		s.XIDCount = telemetry.Known(d.xidCount)
	}
	return s
}

func (d *device) renew() {
	p := d.power
	p.renew()
	*d = device{power: p, source: d.source, xid: d.xid, xidCount: d.xidCount}
}
