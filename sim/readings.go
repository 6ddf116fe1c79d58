package sim

import (
	"fmt"
	"math/bits"

	"github.com/exameter/exameter/telemetry"
)

// pci are the addresses of devices within their hosts.
var pci = func() (out [32]string) {
	for i := range out {
		out[i] = fmt.Sprintf("0000:%02x:00.0", 0x11+i*6)
	}
	return out
}()

// scatter spreads numbers over 0 to n-1, so that readings look as little alike as real ones, to a compressor as well.
func scatter(i, n int64) int64 {
	hi, _ := bits.Mul64(uint64(i+1)*0x9E3779B97F4A7C15, uint64(n))
	return int64(hi)
}

// warm is how hard a host's work drives its devices, in thousandths.
func warm(level int8) int64 { return 700 + 31*int64(level) }

// working is the load of a host's processors and memory, by their mean utilisation in thousandths.
func (s *server) working(mean, dust int64, drained bool) (telemetry.CPUStatus, telemetry.MemoryStatus) {
	mean = min(mean, 1000)
	cores := s.cpu.Cores.Value
	cpu := telemetry.CPUStatus{
		State: telemetry.Free, Cores: known(cores), CoresBusy: known((cores*mean + 999) / 1000),
		UtilizationMean: telemetry.Known(telemetry.Permille(mean)), UtilizationMax: telemetry.Known(telemetry.Permille(min(mean*2, 1000))),
	}
	if mean > 0 {
		cpu.State, cpu.Reason = telemetry.Busy, "cores"
	}
	if drained {
		cpu.State, cpu.Reason = telemetry.Drained, "drained: maintenance"
	}
	used := s.hostMemory / 1000 * telemetry.Bytes(mean)
	return cpu, telemetry.MemoryStatus{
		Total: telemetry.Known(s.hostMemory), Available: telemetry.Known(s.hostMemory - used - telemetry.Bytes(scatter(dust, 1<<20)<<12)),
	}
}

// status is what a device in a condition shows, all but its id.
func (s *server) status(c condition) telemetry.DeviceStatus {
	d := telemetry.DeviceStatus{State: c.state}
	if f := c.fault; f != nil {
		d.Reason = f.reason
		if f.xid != 0 {
			d.XID, d.XIDCount = known(f.xid), known(1)
		}
		if f.absent {
			return d
		}
	} else if c.state == telemetry.Drained {
		d.Reason = "drained: maintenance"
	}
	work := int64(0)
	if c.busy {
		work = 1
	}
	if s.slices > 0 {
		d.Slices, d.SlicesBusy = known(s.slices), known(int64(c.slices))
		work = min(int64(c.slices), 1)
	}
	if d.State == telemetry.Busy && s.slices > 0 {
		d.Reason = "slices"
	} else if d.State == telemetry.Busy {
		d.Reason = "processes"
	}
	dust := int64(c.dust) + dusts*int64(c.warmth)
	activity := work * min(warm(c.warmth)+scatter(dust, 57), 1000)
	d.UtilizationMean = telemetry.Known(telemetry.Permille(activity))
	d.UtilizationMax = telemetry.Known(telemetry.Permille(min(activity+30*work, 1000)))
	d.MemoryUsed = telemetry.Known(s.memory/64 + telemetry.Bytes(work)*(s.memory/10*8+telemetry.Bytes(scatter(dust+1, 1<<18)<<12)))
	d.PowerMean = telemetry.Known(s.tdp/5 + s.tdp*telemetry.Milliwatts(activity)/1400 + telemetry.Milliwatts(scatter(dust+2, 7919)))
	d.PowerMax = telemetry.Known(d.PowerMean.Value + telemetry.Milliwatts(work)*(s.tdp/20+telemetry.Milliwatts(scatter(dust+3, 9973))))
	d.Temperature = telemetry.Known(telemetry.Celsius(36 + activity/28 + scatter(dust+4, 4)))
	d.ECCUncorrected = known(0)
	if c.fault == &faults[uncorrected] {
		d.ECCUncorrected = known(2)
	}
	if s.vendor == "nvidia" {
		s.nvml(&d, activity, work)
	}
	return d
}

// nvml adds what NVIDIA's library tells beside.
func (s *server) nvml(d *telemetry.DeviceStatus, activity, work int64) {
	if s.sm {
		d.SMActivity = telemetry.Known(telemetry.Permille(activity * 4 / 5))
		d.TensorActivity = telemetry.Known(telemetry.Permille(activity / 2))
	}
	d.MemoryUtilization = telemetry.Known(telemetry.Permille(activity * 2 / 5))
	d.SMClock = telemetry.Known(telemetry.Megahertz(345 + work*(1410-345)))
	d.MemoryClock = telemetry.Known(telemetry.Megahertz(1593))
	d.Throttle = known(1 - work) // idle
	d.ECCCorrected = known(0)
	d.Processes = known(work)
}
