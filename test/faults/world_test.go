// Package faults lets the real collector run short of what it needs, or feeds it what no agent would write, and holds its answers against the
// simulator's own ledger.
package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/process"
)

// soon bounds what should happen at once, on a slow and busy machine.
const soon = time.Minute

const staleAfter = 30 * time.Second

var program string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "exameter-faults-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := process.Build(ctx, dir, "faults", "exameter-collector"); err != nil {
		return 0, err
	}
	program = filepath.Join(dir, "exameter-collector")
	return m.Run(), nil
}

// world is a calm province, a broker and a collector in a process of its own.
type world struct {
	*testing.T
	province  *sim.Province
	brokers   []string
	addr      string
	collector *process.Process
}

// newWorld starts a province of so many hosts, and a collector that follows it. It returns once the figures are exact.
func newWorld(t *testing.T, hosts int) *world {
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
	p, err := sim.New(sim.Spec{Seed: 7, Hosts: hosts, Interval: 4 * time.Second, Calm: true, Version: "test"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, province: p, brokers: []string{b.Addr()}, addr: process.FreeAddr(t)}
	cfg := broker.Config{Brokers: w.brokers}
	client, transport, err := cfg.Client("test")
	if err != nil {
		t.Fatal(err)
	}
	defer transport.CloseIdleConnections()
	topics := broker.SharedTopics()
	for _, c := range p.Centres() {
		topics = append(topics, broker.CentreTopics(c, 2)...)
	}
	if _, err := broker.Create(t.Context(), client, localbroker.Bounded(topics, time.Minute), 1); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var driving sync.WaitGroup
	driving.Go(func() {
		if err := (&sim.Driver{Province: p, Broker: cfg, Log: slog.New(slog.DiscardHandler)}).Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); driving.Wait() })
	dir := t.TempDir()
	file := filepath.Join(dir, "collector.yaml")
	text := fmt.Sprintf("kafka:\n  brokers: [%s]\nhttp:\n  listen: %s\nstale_after: %s\n", b.Addr(), w.addr, staleAfter)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if w.collector, err = process.Start(filepath.Join(dir, "collector.log"), nil, program, "run", "--config", file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the collector:\n%s", w.collector.Log())
		}
		if err := w.collector.Kill(); err != nil {
			t.Error(err)
		}
	})
	w.eventually(soon, func() error { return w.exact(http.DefaultClient) })
	return w
}

// truth is what the ledger says of all accelerators.
func (w *world) truth() capacity.Devices {
	return w.province.Books(time.Now(), staleAfter).Price(catalog.Default(), func(q *sim.Pool) bool { return q.Kind == telemetry.Accelerator }).Devices
}

// exact asks the collector, and returns an error where it does not answer, or not with the truth.
func (w *world) exact(client *http.Client) error {
	body, err := w.get(client, "/v1/capacity")
	if err != nil {
		return err
	}
	var doc capacity.Document
	if err := json.Unmarshal(body, &doc); err != nil {
		return err
	}
	if want := w.truth(); doc.Total.Devices != want {
		return fmt.Errorf("the collector says %+v, the ledger %+v", doc.Total.Devices, want)
	}
	return nil
}

func (w *world) get(client *http.Client, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.addr+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
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

// metrics reads the collector's counters and gauges by name and labels.
func (w *world) metrics() map[string]float64 {
	w.Helper()
	body, err := w.get(http.DefaultClient, "/metrics")
	if err != nil {
		w.Fatal(err)
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			values[name] = v
		}
	}
	return values
}

// eventually waits until check finds nothing wrong.
func (w *world) eventually(within time.Duration, check func() error) time.Duration {
	w.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		err := check()
		if err == nil {
			return time.Since(began)
		}
		if time.Since(began) > within {
			w.Fatalf("not within %v: %v", within, err)
		}
	}
}
