package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/exameter/exameter/collector/capacity"
)

// TestHostWithoutDriver wants a host without an NVIDIA driver as it is: its processors, and no accelerator.
func TestHostWithoutDriver(t *testing.T) {
	w := newWorld(t, shared, "bare", brisk)
	w.write("agent.yaml", w.agentConfig("not-there"))
	w.startCollector()
	w.startAgent()
	w.eventually(soon, func() error {
		doc, err := w.capacity("?kind=all&by=kind")
		if err != nil {
			return err
		}
		d := doc.Total.Devices
		if d.Rated != d.Online || d.Rated < 1 || len(doc.Groups) != 1 || doc.Groups[0].Kind != "cpu" {
			return fmt.Errorf("want processors and nothing else, have %+v in %+v", d, doc.Groups)
		}
		return nil
	})
	w.wantDevices(soon, capacity.Devices{})
	out, _, _ := execute(t, nil, "exameter-agent", "check", "--config", w.path("agent.yaml"))
	if !strings.Contains(out, "libnvidia-ml-not-there.so") {
		t.Errorf("check does not say which driver library is missing:\n%s", out)
	}
}

// TestCheck asks a real Kafka, while agent and collector are at work, for what kfake answers as it likes: topics, what may be done with them,
// the group, the time.
func TestCheck(t *testing.T) {
	w := newWorld(t, shared, "checked", brisk)
	w.write("cards", cards(nil))
	w.startCollector()
	w.startAgent()
	w.wantDevices(soon, capacity.Devices{Rated: 8, Online: 8, Healthy: 8, Free: 8})
	for program, want := range map[string][]string{
		"exameter-agent": {
			"ok    topic             exameter.v1.inventory.checked: ", "ok    topic             exameter.v1.telemetry.checked: ", "may be written to",
			"ok    clock             agrees with the brokers' to within 15s",
		},
		"exameter-collector": {
			"ok    centre checked    ", "ok    topic             exameter.v1.partials: 1 partitions", "ok    group ", " collectors in it",
			"ok    clock             agrees with the brokers' to within 15s",
		},
	} {
		file := strings.TrimPrefix(program, "exameter-") + ".yaml"
		out, errs, code := execute(t, []string{"LC_ALL=C"}, program, "check", "--config", w.path(file), "--only", "configuration,kafka")
		for _, line := range want {
			if code != 0 || !strings.Contains(out, line) {
				t.Errorf("%s: exit code %d, %s no %q in\n%s", program, code, errs, line, out)
			}
		}
	}
}

// TestSample reads what `exameter-agent sample` prints with a decoder that knows nothing of Exameter.
func TestSample(t *testing.T) {
	w := newWorld(t, shared, "sample", brisk)
	w.write("cards", cards(map[int]string{1: fatal, 3: busy}))
	out, errs, code := execute(t, []string{"EXAMETER_NVMLSIM=" + w.path("cards")}, "exameter-agent", "sample", "--config", w.path("agent.yaml"))
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	lines, devices, err := count([]byte(out))
	if err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if lines < 10 || len(devices) != 8 {
		t.Errorf("%d lines of %d devices, want all 8 devices:\n%s", lines, len(devices), out)
	}
}

// count decodes line protocol, and returns the number of lines and the values of the tag "device".
func count(text []byte) (lines int, devices map[string]bool, err error) {
	devices = map[string]bool{}
	d := lineprotocol.NewDecoder(bytes.NewReader(text))
	for d.Next() {
		lines++
		_, err := d.Measurement()
		for err == nil {
			var key, value []byte
			if key, value, err = d.NextTag(); key == nil {
				break
			}
			if string(key) == "device" {
				devices[string(value)] = true
			}
		}
		fields := 0
		for err == nil {
			var key []byte
			if key, _, err = d.NextField(); key == nil {
				break
			}
			fields++
		}
		if err == nil && fields == 0 {
			err = errors.New("a line without fields")
		}
		if err == nil {
			_, err = d.TimeBytes()
		}
		if err != nil {
			return lines, devices, fmt.Errorf("line %d: %w", lines, err)
		}
	}
	return lines, devices, d.Err()
}

// TestConfigurationRefused wants exit code 2 and the place of the mistake.
func TestConfigurationRefused(t *testing.T) {
	dir := t.TempDir()
	f := func(program, text string, want ...string) {
		t.Helper()
		w := &world{T: t, dir: dir}
		w.write("config.yaml", text)
		out, errs, code := execute(t, nil, program, "run", "--config", filepath.Join(dir, "config.yaml"))
		if code != 2 {
			t.Errorf("%s with %q: exit code %d, want 2: %s", program, text, code, errs)
		}
		for _, s := range want {
			if !strings.Contains(errs, s) {
				t.Errorf("%s with %q does not say %q: %s%s", program, text, s, errs, out)
			}
		}
	}
	const kafka = "kafka:\n  brokers: [127.0.0.1:9]\n"
	f("exameter-agent", "centre: a\n"+kafka+"intervalls:\n  sample: 1s\n", "config.yaml:4:", "intervalls")
	f("exameter-agent", "centre: a\n"+kafka+"intervals:\n  sample: 5\n", "config.yaml:5:", `"5"`)
	f("exameter-agent", "centre: a\n"+kafka+"intervals:\n  sample: 20s\n  report: 10s\n", "config.yaml:6:", "intervals.report")
	f("exameter-agent", "centre: Guian SC\n"+kafka, "config.yaml:1:", "Guian SC")
	f("exameter-agent", kafka, "config.yaml", "centre")
	f("exameter-agent", "centre: a\nkafka:\n  brokers: [nowhere]\n", "config.yaml:3:", "nowhere")
	f("exameter-agent", "centre: a\ncentre: b\n"+kafka, "config.yaml:2:", "centre")
	f("exameter-collector", kafka+"stale_after: 30\n", "config.yaml:3:", `"30"`)
	f("exameter-collector", kafka+"http:\n  lisen: 127.0.0.1:1\n", "config.yaml:4:", "lisen")
	f("exameter-collector", kafka+"stale_after: 1s\nfold_interval: 5s\n", "config.yaml:4:", "fold_interval")
	f("exameter-collector", kafka+"discover: false\n", "config.yaml:3:", "registry")
}

// TestVersion wants the version that the build stamped, of all three.
func TestVersion(t *testing.T) {
	for _, program := range []string{"exameter", "exameter-agent", "exameter-collector"} {
		out, errs, code := execute(t, nil, program, "version")
		if code != 0 || !strings.HasPrefix(out, program+" e2e") {
			t.Errorf("%s version: exit code %d, %q%s; want e2e", program, code, out, errs)
		}
		if _, errs, code := execute(t, nil, program, "--no-such-flag"); code != 2 {
			t.Errorf("%s --no-such-flag: exit code %d, want 2: %s", program, code, errs)
		}
	}
}
