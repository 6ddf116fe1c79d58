package vendors

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/process"
)

// soon bounds what should happen at once, on a slow and busy machine.
const soon = 60 * time.Second

// world is a centre with a broker and a collector.
type world struct {
	*testing.T
	dir, centre, broker, api string
}

func newWorld(t *testing.T, centre string) *world {
	t.Helper()
	b, err := localbroker.Start(localbroker.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{T: t, dir: t.TempDir(), centre: centre, broker: b.Addr(), api: process.FreeAddr(t)}
	if out, err := w.run("exameter", "topics", "create", "--brokers", w.broker, "--centre", centre, "--partitions", "1", "--replicas", "1"); err != nil {
		t.Fatalf("make the topics: %v\n%s", err, out)
	}
	w.write("registry.yaml", "centres:\n  - id: "+centre+"\n")
	w.start("collector", "exameter-collector", fmt.Sprintf("kafka:\n  brokers: [%s]\nhttp:\n  listen: %s\nregistry: %s\n", w.broker, w.api, filepath.Join(w.dir, "registry.yaml")))
	return w
}

// start runs a program with a configuration until the test ends.
func (w *world) start(name, program, config string) *process.Process {
	w.Helper()
	w.write(name+".yaml", config)
	log := filepath.Join(w.dir, name+".log")
	p, err := process.Start(log, nil, filepath.Join(programs, program), "run", "--config", filepath.Join(w.dir, name+".yaml"))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := p.Kill(); err != nil {
			w.Error(err)
		}
		if w.Failed() {
			w.Logf("log of %s:\n%s", name, p.Log())
		}
	})
	return p
}

// agent is the configuration of an agent that reads exporters alone.
func (w *world) agent(host, sys, exporters string) string {
	state := filepath.Join(w.dir, "state-"+host)
	if err := os.MkdirAll(state, 0o755); err != nil {
		w.Fatal(err)
	}
	return fmt.Sprintf(`centre: %s
host:
  id: %s
kafka:
  brokers: [%s]
intervals:
  sample: 200ms
  report: 1s
sources:
  nvml:
    enabled: false
  power:
    enabled: false
  exporters:
%spaths:
  sys: %s
  state: %s
`, w.centre, host, w.broker, exporters, sys, state)
}

func (w *world) run(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	out, err := process.Command(ctx, filepath.Join(programs, program), args...).CombinedOutput()
	return string(out), err
}

func (w *world) write(name, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
}

// devices of an answer, with Eflops as the digits that stand in it.
type figure struct {
	Vendor  string `json:"vendor"`
	Model   string `json:"model"`
	Devices struct {
		Rated, Online, Healthy, Busy, Free, Faulty, Unpriced int
	} `json:"devices"`
	Eflops map[string]json.RawMessage `json:"eflops"`
	PowerW float64                    `json:"power_w"`
}

type answer struct {
	Total  figure   `json:"total"`
	Groups []figure `json:"groups"`
}

// ask reads the collector's API.
func (w *world) ask(query string) (a answer, err error) {
	ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.api+"/v1/capacity"+query, nil)
	if err != nil {
		return a, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	if err == nil {
		err = json.Unmarshal(body, &a)
	}
	return a, err
}

// eventually waits until check finds nothing wrong.
func (w *world) eventually(what string, check func() error) {
	w.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Since(began) > soon {
			w.Fatalf("%s: not within %v: %v", what, soon, err)
		}
	}
}

// tap keeps what the hosts sent: the last inventory of each, and its first and last reports that tell of devices.
type tap struct {
	mu                     sync.Mutex
	inventory, first, last map[string]string
}

// listen reads both topics as any consumer could.
func (w *world) listen() *tap {
	t := &tap{inventory: map[string]string{}, first: map[string]string{}, last: map[string]string{}}
	take := func(topic string, keep func(host, record string)) {
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{w.broker}, Topic: topic, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 200 * time.Millisecond})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		w.Cleanup(func() {
			cancel()
			<-done
			if err := r.Close(); err != nil {
				w.Error(err)
			}
		})
		go func() {
			defer close(done)
			for {
				m, err := r.ReadMessage(ctx)
				if err != nil {
					return
				}
				t.mu.Lock()
				keep(string(m.Key), string(m.Value))
				t.mu.Unlock()
			}
		}()
	}
	take(telemetry.InventoryTopic(w.centre), func(host, record string) { t.inventory[host] = record })
	take(telemetry.TelemetryTopic(w.centre), func(host, record string) {
		if t.last[host] = record; t.first[host] == "" && strings.Contains(record, ",device=") {
			t.first[host] = record
		}
	})
	return t
}

func (t *tap) of(host string) (inventory, first, last string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.inventory[host], t.first[host], t.last[host]
}
