package main

import (
	"bytes"
	"testing"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/telemetry"
)

func TestCheckDevice(t *testing.T) {
	info := telemetry.DeviceInfo{ID: "GPU-a", Index: telemetry.Known[int64](3), Name: "NVIDIA H200", Memory: telemetry.Known[telemetry.Bytes](141 << 30)}
	whole := poll.DeviceReading{
		Utilization: telemetry.Known[telemetry.Permille](0), Processes: telemetry.Known[int64](0), MemoryUsed: telemetry.Known[telemetry.Bytes](0),
		Energy: telemetry.Known[telemetry.Millijoules](1), Temperature: telemetry.Known[telemetry.Celsius](30), ECCUncorrected: telemetry.Known[int64](0),
	}
	partitioned := whole
	partitioned.Utilization, partitioned.Slices = telemetry.Opt[telemetry.Permille]{}, telemetry.Known[int64](7)
	poor := poll.DeviceReading{Utilization: telemetry.Known[telemetry.Permille](0)}
	lost := poll.DeviceReading{Fault: "lost"}
	free := state.Verdict{State: telemetry.Free}
	for name, c := range map[string]struct {
		reading *poll.DeviceReading
		verdict state.Verdict
		want    string
		failed  bool
	}{
		"free":        {&whole, free, "ok    device 3          NVIDIA H200 GPU-a, 141.0 GiB: free\n", false},
		"partitioned": {&partitioned, free, "ok    device 3          NVIDIA H200 GPU-a, 141.0 GiB: free\n", false},
		"poor":        {&poor, free, "note  device 3          NVIDIA H200 GPU-a, 141.0 GiB: free; not readable: processes, memory, power, temperature, memory errors\n", false},
		"lost":        {&lost, state.Verdict{State: telemetry.Faulty, Reason: "lost"}, "FAIL  device 3          NVIDIA H200 GPU-a, 141.0 GiB: faulty (lost)\n", true},
		"missing":     {nil, state.Verdict{State: telemetry.Faulty, Reason: "missing"}, "FAIL  device 3          NVIDIA H200 GPU-a, 141.0 GiB: faulty (missing)\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			v := state.DeviceView{Info: info, Verdict: c.verdict}
			if c.reading != nil {
				v.Samples = []state.Sample{{DeviceReading: c.reading}}
			}
			var out bytes.Buffer
			f := &findings{w: &out}
			checkDevice(f, v)
			if out.String() != c.want || f.failed != c.failed {
				t.Errorf("failed %v\ngot  %swant %s", f.failed, &out, c.want)
			}
		})
	}
}
