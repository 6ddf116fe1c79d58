//go:build linux && cgo

package nvml

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// slowEvery is how often what hardly changes is asked: error counters, remapped rows, whether the card is partitioned.
const slowEvery = 5 * time.Second

// call names a question to a card, so that one which the card cannot answer is not asked again.
type call uint8

const (
	callMemory call = iota
	callUtilization
	callProcesses
	callMPS
	callPower
	callEnergy
	callTemperature
	callSMClock
	callMemoryClock
	callThrottle
	callCorrected
	callUncorrected
	callRemap
	callMIGMode
	callGPM
	callMIGDevices
	callMIGProcesses
	callMIGMemory
	callMIGInstance
	callMIGSlices
	calls
)

var callNames = [calls]string{
	"memory", "utilisation", "processes", "MPS processes", "power", "energy", "temperature", "SM clock", "memory clock",
	"throttle reasons", "corrected ECC errors", "uncorrected ECC errors", "remapped rows", "MIG mode", "GPM activity",
	"MIG devices", "MIG processes", "MIG memory", "MIG instance", "MIG slices",
}

// card is one accelerator of a session. All of it but lost belongs to the goroutine that reads.
type card struct {
	dev    device // nil when the driver gave no handle
	info   telemetry.DeviceInfo
	refuse nvml.Return // why there is no handle
	lost   atomic.Bool // fell off the bus; read by the watcher
	past   *history

	off     [calls]bool // the card, the driver or the user's rights have no such call
	denied  []call      // of those, the ones refused for lack of rights, not yet told
	pids    []uint32
	mig     partition
	gpm     gpm
	slow    slowReading
	slowAt  time.Time
	outcome outcome
}

// slowReading is what is asked every slowEvery.
type slowReading struct {
	corrected, uncorrected telemetry.Opt[int64]
	pending, failed        telemetry.Opt[bool]
}

// history is what is known of a device beyond one initialisation of the driver.
type history struct {
	energy telemetry.Opt[telemetry.Millijoules]
	resets int64
}

// outcome sums up the calls of one reading.
type outcome struct {
	fatal    nvml.Return // ends the reading of this card: lost, reset required, or the driver's own end
	answered int
	failed   nvml.Return // the first failure that cannot be explained away
	at       call        // and the question it answered
	failures int
}

// ask reports whether a call is worth making.
func (c *card) ask(k call) bool { return !c.off[k] && c.outcome.fatal == nvml.SUCCESS }

// took judges what a call returned and reports whether its values may be used.
func (c *card) took(k call, ret nvml.Return) bool {
	o := &c.outcome
	switch ret {
	case nvml.SUCCESS:
		o.answered++
		return true
	case nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_FUNCTION_NOT_FOUND, nvml.ERROR_DEPRECATED,
		nvml.ERROR_ARGUMENT_VERSION_MISMATCH:
		c.off[k] = true
	case nvml.ERROR_NO_PERMISSION:
		c.off[k] = true
		c.denied = append(c.denied, k)
	case nvml.ERROR_GPU_IS_LOST, nvml.ERROR_RESET_REQUIRED, nvml.ERROR_UNINITIALIZED,
		nvml.ERROR_DRIVER_NOT_LOADED, nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		o.fatal = ret
	case nvml.ERROR_NOT_FOUND, nvml.ERROR_NO_DATA, nvml.ERROR_NOT_READY, nvml.ERROR_TIMEOUT,
		nvml.ERROR_IN_USE, nvml.ERROR_INSUFFICIENT_SIZE:
		// It may answer the next time; until then the value is unknown.
	default:
		if o.failures == 0 {
			o.failed, o.at = ret, k
		}
		o.failures++
	}
	return false
}

// read takes one sample. The error names calls that failed without making the card unusable.
func (c *card) read(now time.Time, xids *xidLog, loads int64, floor telemetry.Bytes) (poll.DeviceReading, error) {
	c.outcome = outcome{}
	r := poll.DeviceReading{}
	if c.dev == nil {
		c.outcome.fatal = c.refuse
	} else {
		c.readUse(&r, now, floor)
		c.readSensors(&r)
		c.readSlow(&r, now)
	}
	c.lost.Store(c.outcome.fatal == nvml.ERROR_GPU_IS_LOST)
	c.watchEnergy(r.Energy)
	r.Info, r.Generation = c.info, loads+c.past.resets
	r.XIDs = xids.take(c.info.ID)
	var err error
	r.Fault, err = c.verdict()
	return r, err
}

// verdict turns the outcome of the calls into the card's fault, or into an error beside a good reading.
func (c *card) verdict() (string, error) {
	o := c.outcome
	switch {
	case o.fatal == nvml.ERROR_GPU_IS_LOST:
		return "lost", nil
	case o.fatal == nvml.ERROR_RESET_REQUIRED:
		return "reset-required", nil
	case o.fatal == nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return "driver-mismatch: " + failure(o.fatal).Error(), nil
	case o.fatal != nvml.SUCCESS:
		return "nvml-error: " + failure(o.fatal).Error(), nil
	case o.failures == 0:
		return "", nil
	case o.answered == 0:
		return fmt.Sprintf("nvml-error: %s: %v", callNames[o.at], failure(o.failed)), nil
	}
	err := fmt.Errorf("device %s: read %s: %w", c.info.ID, callNames[o.at], failure(o.failed))
	if o.failures > 1 {
		err = fmt.Errorf("%w, and %d more", err, o.failures-1)
	}
	return "", err
}

// readUse reads what says whether the card is at work. It comes first: a lost card ends here, after one call.
func (c *card) readUse(r *poll.DeviceReading, now time.Time, floor telemetry.Bytes) {
	if c.ask(callMemory) {
		if m, ret := c.dev.memory(); c.took(callMemory, ret) {
			r.MemoryUsed = m.usedBytes()
		}
	}
	c.readPartition(now)
	if c.mig.on {
		c.mig.read(c, r, now, floor)
		return
	}
	if c.ask(callUtilization) {
		if gpu, mem, ret := c.dev.utilization(); c.took(callUtilization, ret) {
			r.Utilization, r.MemoryUtilization = percent(gpu), percent(mem)
		}
	}
	r.Processes = c.processes()
}

// processes counts compute processes. Clients of MPS are among the driver's compute processes; its list of them alone
// is asked only where the first list is empty, so that a driver which keeps them apart does not hide them.
func (c *card) processes() telemetry.Opt[int64] {
	if !c.ask(callProcesses) {
		return telemetry.Opt[int64]{}
	}
	var ret nvml.Return
	c.pids, ret = c.dev.processes(computeProcesses, c.pids[:0])
	if !c.took(callProcesses, ret) {
		return telemetry.Opt[int64]{}
	}
	if len(c.pids) == 0 && c.ask(callMPS) {
		c.pids, ret = c.dev.processes(mpsProcesses, c.pids[:0])
		c.took(callMPS, ret)
	}
	return telemetry.Known(distinct(c.pids))
}

func distinct(pids []uint32) int64 {
	slices.Sort(pids)
	return int64(len(slices.Compact(pids)))
}

func (c *card) readSensors(r *poll.DeviceReading) {
	d := c.dev
	if c.ask(callPower) {
		if v, ret := d.power(); c.took(callPower, ret) {
			r.Power = upTo[telemetry.Milliwatts](uint64(v), maxPower)
		}
	}
	if c.ask(callEnergy) {
		if v, ret := d.energy(); c.took(callEnergy, ret) {
			r.Energy = counter[telemetry.Millijoules](v)
		}
	}
	if c.ask(callTemperature) {
		if v, ret := d.temperature(); c.took(callTemperature, ret) {
			r.Temperature = upTo[telemetry.Celsius](uint64(v), maxTemperature)
		}
	}
	if c.ask(callSMClock) {
		if v, ret := d.clock(nvml.CLOCK_SM); c.took(callSMClock, ret) {
			r.SMClock = upTo[telemetry.Megahertz](uint64(v), maxClock)
		}
	}
	if c.ask(callMemoryClock) {
		if v, ret := d.clock(nvml.CLOCK_MEM); c.took(callMemoryClock, ret) {
			r.MemoryClock = upTo[telemetry.Megahertz](uint64(v), maxClock)
		}
	}
	if c.ask(callThrottle) {
		if v, ret := d.throttle(); c.took(callThrottle, ret) {
			r.Throttle = upTo[int64](v, maxCounter)
		}
	}
	c.readGPM(r)
}

// readGPM reads activity, which only Hopper and later have. The first sample has none before it.
func (c *card) readGPM(r *poll.DeviceReading) {
	if !c.ask(callGPM) {
		return
	}
	if c.gpm == nil {
		g, ret := c.dev.gpm()
		if !c.took(callGPM, ret) {
			return
		}
		c.gpm = g
	}
	sm, tensor, ret := c.gpm.next()
	if c.took(callGPM, ret) {
		r.SMActivity, r.TensorActivity = activity(sm), activity(tensor)
	}
}

func (c *card) readSlow(r *poll.DeviceReading, now time.Time) {
	if now.Sub(c.slowAt) >= slowEvery || now.Before(c.slowAt) {
		c.slowAt, c.slow = now, slowReading{}
		if c.ask(callCorrected) {
			if v, ret := c.dev.ecc(nvml.MEMORY_ERROR_TYPE_CORRECTED); c.took(callCorrected, ret) {
				c.slow.corrected = counter[int64](v)
			}
		}
		if c.ask(callUncorrected) {
			if v, ret := c.dev.ecc(nvml.MEMORY_ERROR_TYPE_UNCORRECTED); c.took(callUncorrected, ret) {
				c.slow.uncorrected = counter[int64](v)
			}
		}
		if c.ask(callRemap) {
			if pending, failed, ret := c.dev.remapped(); c.took(callRemap, ret) {
				c.slow.pending, c.slow.failed = flag(pending), flag(failed)
			}
		}
	}
	if c.outcome.fatal != nvml.SUCCESS {
		c.slowAt = time.Time{}
		return
	}
	r.ECCCorrected, r.ECCUncorrected = c.slow.corrected, c.slow.uncorrected
	r.RemapPending, r.RemapFailed = c.slow.pending, c.slow.failed
}

// watchEnergy recognises a reset of the card: its energy counter runs from the load of the driver and falls only when
// the card starts anew.
func (c *card) watchEnergy(now telemetry.Opt[telemetry.Millijoules]) {
	if !now.OK {
		return
	}
	if c.past.energy.OK && now.Value < c.past.energy.Value {
		c.past.resets++
	}
	c.past.energy = now
}

// free gives back what the card holds in the driver.
func (c *card) free() {
	if c.gpm != nil {
		c.gpm.free()
		c.gpm = nil
	}
}

// notices tells once what this user may not read.
func (c *card) notices(into []poll.Notice, maker string) []poll.Notice {
	for _, k := range c.denied {
		into = append(into, poll.Notice{
			Key:    "nvml-permission-" + callNames[k],
			Text:   "NVML does not let this user read " + callNames[k] + "; it is left out",
			Remedy: "run the agent as a user with access to the device files of " + maker + ", or go without",
		})
	}
	c.denied = c.denied[:0]
	return into
}

// ends reports whether the outcome is about the driver rather than about the card.
func (o outcome) ends() bool {
	return o.fatal == nvml.ERROR_UNINITIALIZED || o.fatal == nvml.ERROR_DRIVER_NOT_LOADED || o.fatal == nvml.ERROR_LIB_RM_VERSION_MISMATCH
}
