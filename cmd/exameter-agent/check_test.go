package main

import (
	"bytes"
	"testing"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/internal/check"
	"github.com/exameter/exameter/internal/language/languagetest"
	"github.com/exameter/exameter/telemetry"
)

func TestEverythingIsSaidInChinese(t *testing.T) {
	words := append([]string{"free", "busy", "drained", "faulty"}, sourcesSay...)
	languagetest.Complete(t, ".", chinese, words, languagetest.Report...)
}

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
	const mend = "                        → docs/states.md says what the reason means; exameter-agent undrain --device ID once it is mended\n"
	free := state.Verdict{State: telemetry.Free}
	for name, c := range map[string]struct {
		reading *poll.DeviceReading
		verdict state.Verdict
		want    string
		failed  bool
	}{
		"free":        {&whole, free, "ok    device 3          NVIDIA H200 GPU-a, 141.0 GiB: free\n", false},
		"partitioned": {&partitioned, free, "ok    device 3          NVIDIA H200 GPU-a, 141.0 GiB: free\n", false},
		"poor":        {&poor, free, "ok    device 3          NVIDIA H200 GPU-a, 141.0 GiB: free; not readable: processes, memory, power, temperature, memory errors\n", false},
		"lost":        {&lost, state.Verdict{State: telemetry.Faulty, Reason: "lost"}, "FAIL  device 3          NVIDIA H200 GPU-a, 141.0 GiB: faulty (lost)\n" + mend, true},
		"missing":     {nil, state.Verdict{State: telemetry.Faulty, Reason: "missing"}, "FAIL  device 3          NVIDIA H200 GPU-a, 141.0 GiB: faulty (missing)\n" + mend, true},
	} {
		t.Run(name, func(t *testing.T) {
			v := state.DeviceView{Info: info, Verdict: c.verdict}
			if c.reading != nil {
				v.Samples = []state.Sample{{DeviceReading: c.reading}}
			}
			var out bytes.Buffer
			r := &check.Report{Out: &out}
			checkDevice(r, v)
			if out.String() != c.want || r.Failed() != c.failed {
				t.Errorf("failed %v\ngot  %swant %s", r.Failed(), &out, c.want)
			}
		})
	}
}

// sourcesSay are texts of the sources that are said as they come.
var sourcesSay = []string{
	"power meters: not on this host", "no AMD or Hygon accelerator with a driver: not on this host",
	"no NVIDIA driver here, libnvidia-ml.so.1 cannot be found: not on this host", "the NVIDIA driver is not loaded: not on this host",
	"the NVIDIA driver finds no card: not on this host",
	"the kernel says that nothing keeps its clock right; nobody can tell how old this host's reports are",
	"run chrony with rtcsync in its configuration, systemd-timesyncd or ntpd; timedatectl shows the state",
	"the exporter does not name the model of its devices; they are counted, and worth nothing", "name it: sources.exporters, model",
}
