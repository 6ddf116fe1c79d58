package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/test/kafka"
	"github.com/exameter/exameter/test/process"
)

// soon bounds what should happen at once, on a slow and busy machine.
const soon = 30 * time.Second

// pace is how often a world's agent samples and reports, and after what silence its collector calls a host stale.
type pace struct{ sample, report, staleAfter time.Duration }

var (
	// asShipped are the agent's defaults, with a shorter patience than the collector's, which is 30 s.
	asShipped = pace{time.Second, 10 * time.Second, 12 * time.Second}
	brisk     = pace{200 * time.Millisecond, time.Second, 4 * time.Second}
)

// world is one centre with one host: an agent on simulated hardware, and a collector that follows that centre alone.
type world struct {
	*testing.T
	dir       string
	kafka     *kafka.Cluster
	centre    string
	pace      pace
	api       string // host:port of the collector
	exporters string // that the agent asks, in YAML
	state     string // the agent's state directory
	more      string // of the agent's configuration, in YAML
	agent     *process.Process
	collector *process.Process
}

// newWorld makes a centre and its topics, and prepares both configurations. Nothing runs yet.
func newWorld(t *testing.T, cluster *kafka.Cluster, centre string, p pace) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), kafka: cluster, centre: centre, pace: p, api: process.FreeAddr(t)}
	w.state = w.dir
	t.Cleanup(func() {
		for _, p := range []*process.Process{w.agent, w.collector} {
			if p == nil {
				continue
			}
			if err := p.Kill(); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("log of the collector:\n%s\nlog of the agent:\n%s", w.log("collector"), w.log("agent"))
		}
	})
	w.exec("exameter", "topics", "create", "--brokers", strings.Join(cluster.Addrs(), ","), "--centre", centre, "--partitions", "2", "--replicas", "1")
	w.write("registry.yaml", "centres:\n  - id: "+centre+"\n")
	w.write("collector.yaml", fmt.Sprintf(`kafka:
  brokers: [%s]
http:
  listen: %s
registry: %s
discover: false
stale_after: %v
log:
  level: debug
`, w.brokers(), w.api, w.path("registry.yaml"), p.staleAfter))
	w.write("agent.yaml", w.agentConfig("sim"))
	w.write("cards", "cards = 0\n")
	return w
}

// agentConfig is an agent's configuration with the simulated driver library, or with one at a path where there is none.
func (w *world) agentConfig(library string) string {
	path, err := filepath.Abs("../nvmlsim/libnvidia-ml-" + library + ".so")
	if err != nil {
		w.Fatal(err)
	}
	return fmt.Sprintf(`centre: %s
host:
  id: host-of-%[1]s
kafka:
  brokers: [%s]
intervals:
  sample: %v
  report: %v
sources:
  nvml:
    library: %q
  exporters: [%s]
paths:
  state: %s
spool:
  pace: 10
log:
  level: debug
%s`, w.centre, w.brokers(), w.pace.sample, w.pace.report, path, w.exporters, w.state, w.more)
}

func (w *world) brokers() string { return strings.Join(w.kafka.Addrs(), ", ") }

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.Helper()
	// Whoever reads it meanwhile sees the old one or the new one.
	if err := os.WriteFile(w.path(name+".new"), []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
	if err := os.Rename(w.path(name+".new"), w.path(name)); err != nil {
		w.Fatal(err)
	}
}

func (w *world) startAgent() {
	w.Helper()
	w.agent = w.start("agent", []string{"EXAMETER_NVMLSIM=" + w.path("cards")}, "exameter-agent", "run", "--config", w.path("agent.yaml"))
}

func (w *world) startCollector() {
	w.Helper()
	w.collector = w.start("collector", nil, "exameter-collector", "run", "--config", w.path("collector.yaml"))
}

func (w *world) start(name string, env []string, program string, args ...string) *process.Process {
	w.Helper()
	p, err := process.Start(w.path(name+".log"), env, filepath.Join(programs, program), args...)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// stop ends a program in order; the agent promises two seconds.
func (w *world) stop(p *process.Process) {
	w.Helper()
	if err := p.Stop(10 * time.Second); err != nil {
		w.Errorf("stop: %v", err)
	}
}

func (w *world) log(name string) string {
	text, err := os.ReadFile(w.path(name + ".log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-24<<10):])
}

// exec runs a program to its end, wants exit code 0 and returns its standard output.
func (w *world) exec(program string, args ...string) string {
	w.Helper()
	out, errs, code := execute(w.T, nil, program, args...)
	if code != 0 {
		w.Fatalf("%s %s: exit code %d\n%s%s", program, strings.Join(args, " "), code, out, errs)
	}
	return out
}

// execute runs a program to its end, which must come within a minute.
func execute(t *testing.T, env []string, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := process.Command(ctx, filepath.Join(programs, program), args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s: %v", program, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%s %s did not end:\n%s%s", program, strings.Join(args, " "), out.String(), errs.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// get reads the collector's API.
func (w *world) get(path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.api+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, resp.Status, body)
	}
	return body, err
}

func (w *world) capacity(query string) (capacity.Document, error) {
	var doc capacity.Document
	body, err := w.get("/v1/capacity" + query)
	if err == nil {
		err = json.Unmarshal(body, &doc)
	}
	return doc, err
}

// wantDevices waits until the accelerators of the centre stand as wanted, and returns how long that took.
func (w *world) wantDevices(within time.Duration, want capacity.Devices) time.Duration {
	w.Helper()
	return w.eventually(within, func() error {
		doc, err := w.capacity("")
		if err == nil && doc.Total.Devices != want {
			err = fmt.Errorf("have %+v, want %+v", doc.Total.Devices, want)
		}
		return err
	})
}

// keeps asserts that something stays as it is for a while.
func (w *world) keeps(span time.Duration, check func() error) {
	w.Helper()
	for began := time.Now(); time.Since(began) < span; time.Sleep(50 * time.Millisecond) {
		if err := check(); err != nil {
			w.Fatalf("after %v: %v", time.Since(began).Round(time.Millisecond), err)
		}
	}
}

// eventually waits until check finds nothing wrong, and returns how long that took.
func (w *world) eventually(within time.Duration, check func() error) time.Duration {
	w.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := check()
		took := time.Since(began)
		if took > within {
			w.Fatalf("not within %v: %v", within, err)
		}
		if err == nil {
			return took
		}
	}
}

// logged waits until a program's log has all the words on one line.
func (w *world) logged(name string, words ...string) {
	w.Helper()
	w.eventually(soon, func() error {
		for line := range strings.Lines(w.log(name)) {
			found := true
			for _, word := range words {
				found = found && strings.Contains(strings.ToLower(line), word)
			}
			if found {
				return nil
			}
		}
		return fmt.Errorf("the log of the %s has no line with %q", name, words)
	})
}
