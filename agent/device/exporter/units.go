package exporter

import (
	"math"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// quantity is what a reading measures.
type quantity int

const (
	shares quantity = iota
	memories
	powers
	temperatures
	clocks
	counts
)

// readings are the readings that a profile can name. Energy counters are none: exporters renew them more slowly than they
// are asked, and power taken from their difference would be zero, and then too much.
var readings = map[string]quantity{
	"utilisation": shares, "sm_activity": shares, "tensor_activity": shares, "memory_utilisation": shares,
	"memory_used": memories, "memory_total": memories,
	"power": powers, "temperature": temperatures,
	"sm_clock": clocks, "memory_clock": clocks,
	"ecc_corrected": counts, "ecc_uncorrected": counts, "processes": counts, "xid": counts,
}

// units are the units of each quantity, with what one of them is in the unit of the wire.
var units = map[quantity]map[string]float64{
	shares:       {"%": 10, "ratio": 1000},
	memories:     {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "KB": 1e3, "MB": 1e6, "GB": 1e9},
	powers:       {"W": 1000, "mW": 1, "uW": 1e-3, "dW": 100, wattsOrMilliwatts: 1000},
	temperatures: {"C": 1, "mC": 1e-3},
	clocks:       {"MHz": 1, "kHz": 1e-3, "Hz": 1e-6},
	counts:       {"": 1},
}

// wattsOrMilliwatts is the unit of an exporter of which some versions print watts and some milliwatts. No device draws
// more than wattsAtMost, and none so few milliwatts.
const (
	wattsOrMilliwatts = "W or mW"
	wattsAtMost       = 2000
)

// bounds are what a device can show, in the unit of the wire; what lies outside is a sentinel, or another unit than
// the profile says, and says nothing of the device.
var bounds = map[quantity][2]float64{
	shares:       {0, 1000},
	memories:     {0, 8 << 40},
	powers:       {0, 20e6},
	temperatures: {-60, 250},
	clocks:       {0, 20e3},
	counts:       {0, 1 << 40},
}

// convert brings a served value into the unit of the wire, rounded to the nearest. What is no value is not converted.
func convert(q quantity, unit string, v float64) (int64, bool) {
	if math.IsNaN(v) || math.IsInf(v, 0) || sentinel(v) {
		return 0, false
	}
	f := units[q][unit]
	if unit == wattsOrMilliwatts && v > wattsAtMost {
		f = 1
	}
	n := math.Round(v * f)
	if b := bounds[q]; n < b[0] || n > b[1] || v < 0 && q != temperatures {
		return 0, false
	}
	return int64(n), true
}

// sentinel says whether a value stands for "not known" in the libraries below the exporters: the largest signed and
// unsigned numbers of 32 and 64 bits and those just below them (DCGM's blanks are 2147483632 and above, and
// 9223372036854775792 and above), and DCGM's blank float, 2^47.
func sentinel(v float64) bool {
	switch {
	case v >= 1<<63-1<<10, v == 1<<47:
		return true
	case v >= 1<<31-16 && v < 1<<31, v >= 1<<32-16 && v < 1<<32:
		return v == math.Trunc(v)
	}
	return false
}

// set puts a converted value where it belongs.
func set(r *poll.DeviceReading, name string, v int64) {
	switch name {
	case "utilisation":
		r.Utilization = telemetry.Known(telemetry.Permille(v))
	case "sm_activity":
		r.SMActivity = telemetry.Known(telemetry.Permille(v))
	case "tensor_activity":
		r.TensorActivity = telemetry.Known(telemetry.Permille(v))
	case "memory_utilisation":
		r.MemoryUtilization = telemetry.Known(telemetry.Permille(v))
	case "memory_used":
		r.MemoryUsed = telemetry.Known(telemetry.Bytes(v))
	case "memory_total":
		if v > 0 {
			r.Info.Memory = telemetry.Known(telemetry.Bytes(v))
		}
	case "power":
		r.Power = telemetry.Known(telemetry.Milliwatts(v))
	case "temperature":
		r.Temperature = telemetry.Known(telemetry.Celsius(v))
	case "sm_clock":
		r.SMClock = telemetry.Known(telemetry.Megahertz(v))
	case "memory_clock":
		r.MemoryClock = telemetry.Known(telemetry.Megahertz(v))
	case "ecc_corrected":
		r.ECCCorrected = telemetry.Known(v)
	case "ecc_uncorrected":
		r.ECCUncorrected = telemetry.Known(v)
	case "processes":
		r.Processes = telemetry.Known(v)
	}
}
