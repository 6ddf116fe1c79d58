package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

func TestCheckForMachines(t *testing.T) {
	path, _ := configFile(t, []string{"127.0.0.1:1"}, "")
	t.Setenv("LC_ALL", "zh_CN.UTF-8")
	code, out, _ := call(t, "check", "--config", path, "--only", "configuration,kafka", "-o", "json")
	var doc struct {
		Program, Result string
		Findings        []check.Finding
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if code != 1 || doc.Program != "exameter-agent" || doc.Result != "fail" || len(doc.Findings) != 2 ||
		doc.Findings[0].What != "configuration" || doc.Findings[1].What != "broker 127.0.0.1:1" || doc.Findings[1].Do == "" {
		t.Errorf("code %d, %+v", code, doc)
	}
	if code, _, errs := call(t, "check", "--only", "everything"); code != 2 || !strings.Contains(errs, "not one of configuration, identity") {
		t.Errorf("code %d, %s", code, errs)
	}
	if code, _, errs := call(t, "check", "-o", "xml"); code != 2 || !strings.Contains(errs, "text, json") {
		t.Errorf("code %d, %s", code, errs)
	}
}

func TestCheckInChinese(t *testing.T) {
	path, dir := configFile(t, []string{"127.0.0.1:1"}, "")
	t.Setenv("LC_ALL", "zh_CN.UTF-8")
	code, out, _ := call(t, "check", "--config", path, "--only", "configuration,state,kafka")
	for _, want := range []string{"正常  配置              " + path + "：中心 lab，集群 default", "正常  状态目录          " + dir + " 可写", "失败  Kafka 节点 127.0.0.1:1", "→ 该处没有监听", "须修复：1 项"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("code %d, no %q in\n%s", code, want, out)
		}
	}
}

func TestClockThatWasLost(t *testing.T) {
	for now, want := range map[time.Time]string{
		time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC): "",
		time.Unix(75, 0): "FAIL  clock             this host's clock shows 1970-01-01 00:01:15, at which no report can be made\n                        → set it",
	} {
		var out bytes.Buffer
		r := &check.Report{Out: &out}
		if checkClock(r, now); !strings.HasPrefix(out.String(), want) || r.Failed() != (want != "") {
			t.Errorf("%s: got\n%s", now, &out)
		}
	}
}

func TestClonedHost(t *testing.T) {
	install := time.Now().Add(-90 * 24 * time.Hour)
	for name, c := range map[string]struct {
		id   string
		keys time.Time // of the ssh daemon
		want string
	}{
		"installed":        {"1c9a3e5f7b2d4806a1c3e5f7b9d0a2c4", install.Add(10 * time.Minute), ""},
		"without ssh":      {"1c9a3e5f7b2d4806a1c3e5f7b9d0a2c4", time.Time{}, ""},
		"copied":           {"1c9a3e5f7b2d4806a1c3e5f7b9d0a2c4", install.Add(30 * 24 * time.Hour), "may be a copy of another"},
		"written by hand":  {"11111111111111111111111111111111", time.Time{}, "written by hand"},
		"from an example ": {"0123456789abcdef0123456789abcdef", time.Time{}, "written by hand"},
	} {
		t.Run(name, func(t *testing.T) {
			etc := t.TempDir()
			files := map[string]time.Time{"machine-id": install}
			if !c.keys.IsZero() {
				files["ssh/ssh_host_ed25519_key.pub"] = c.keys
			}
			for file, at := range files {
				path := filepath.Join(etc, file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(c.id+"\n"), 0o644), os.Chtimes(path, at, at)); err != nil {
					t.Fatal(err)
				}
			}
			if got := cloned(&check.Report{}, etc); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestCheckLeavesTheOrders looks at a state directory that nobody understands: the agent that starts afterwards is to find what check found.
func TestCheckLeavesTheOrders(t *testing.T) {
	path, dir := configFile(t, []string{"127.0.0.1:1"}, "")
	for _, name := range []string{"devices.json", "drain.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, _ := call(t, "check", "--config", path, "--only", "state")
	if code != 1 || strings.Count(out, "is not understood") != 2 || !strings.Contains(out, "until then the host is drained") {
		t.Errorf("code %d\n%s", code, out)
	}
	if code, _, errs := call(t, "drain", "--config", path, "--device", "0", "noise"); code != 1 || !strings.Contains(errs, "is not understood") {
		t.Errorf("code %d, %s", code, errs)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || left[0].Name() != "devices.json" || left[1].Name() != "drain.json" {
		t.Errorf("check leaves %v, %v", left, err)
	}
}

func TestCheckOfAnExporterThatIsAway(t *testing.T) {
	path, _ := configFile(t, []string{"127.0.0.1:1"}, "  exporters: [{url: 'http://127.0.0.1:1/metrics', profile: nvidia-dcgm-exporter}]\n")
	code, out, _ := call(t, "check", "--config", path, "--only", "sources")
	if code != 1 || !strings.Contains(out, "FAIL  source exporter-127.0.0.1:1") || !strings.Contains(out, "→ start the exporter") {
		t.Errorf("code %d\n%s", code, out)
	}
}
