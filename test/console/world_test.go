package console

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/access"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/process"
)

// strange is a centre whose names, models and hosts try to be more than text.
const strange = "strange"

// registryHead opens the registry; centres of the province follow it.
const registryHead = `province:
  name: {zh: 模拟省, en: Simulated province}
  target: {date: 2027-12-31, eflops: 9}
centres:
  - id: strange
    name: {zh: '<img src=x onerror="window.hacked=1">中心', en: '<img src=x onerror="window.hacked=1">Centre'}
  - id: xingyi-new
    name: {zh: 兴义新区, en: Xingyi New Area}
    status: building
  - id: guian-lake
    name: {zh: 贵安湖, en: Guian Lake}
    status: planned
`

// world is a simulated province, the host of the strange centre, and a collector that can be ended and started again.
type world struct {
	t         *testing.T
	broker    *localbroker.Broker
	province  *sim.Province
	halt      context.CancelFunc // ends the province
	free      atomic.Bool        // whether the strange host's first card is
	silent    atomic.Bool        // whether the strange host is
	program   string
	conf      string
	log       string
	addr      string
	mu        sync.Mutex
	collector *process.Process
	waiting   string // address of a collector that finds no broker
	guarded   string // of one that answers those alone who show the token
	token     string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, addr: process.FreeAddr(t)}
	discard := slog.New(slog.DiscardHandler)
	b, err := localbroker.Start(localbroker.Options{Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	w.broker = b
	// Calm, so that nothing changes but what a test changes.
	if w.province, err = sim.New(sim.Spec{Seed: 3, Hosts: 1200, Interval: 2 * time.Second, Calm: true, Version: "test"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	cfg := broker.Config{Brokers: []string{b.Addr()}}
	client, transport, err := cfg.Client("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	topics := broker.SharedTopics()
	for _, c := range append(w.province.Centres(), strange) {
		topics = append(topics, broker.CentreTopics(c, 1)...)
	}
	if _, err := broker.Create(t.Context(), client, localbroker.Bounded(topics, time.Minute), 1); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	simulated, halt := context.WithCancel(ctx)
	w.halt = halt
	running.Go(func() {
		if err := (&sim.Driver{Province: w.province, Broker: cfg, Log: discard}).Run(simulated); err != nil {
			t.Error(err)
		}
	})
	running.Go(func() {
		if err := w.speak(ctx, &kafka.Writer{Addr: kafka.TCP(b.Addr()), Transport: transport, BatchSize: 1, RequiredAcks: kafka.RequireAll}); err != nil {
			t.Error(err)
		}
	})
	w.install(b.Addr())
	t.Cleanup(func() {
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
	w.start()
	w.wait()
	w.answers(w.addr, "/readyz")
	w.answers(w.waiting, "/healthz")
	w.answers(w.guarded, "/healthz")
	return w
}

// install builds the collector and writes its configuration.
func (w *world) install(kafka string) {
	dir := w.t.TempDir()
	w.program, w.conf, w.log = filepath.Join(dir, "exameter-collector"), filepath.Join(dir, "collector.yaml"), filepath.Join(dir, "log")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", w.program, "../../cmd/exameter-collector").CombinedOutput(); err != nil {
		w.t.Fatalf("build: %v\n%s", err, out)
	}
	var registry strings.Builder
	registry.WriteString(registryHead)
	for i, c := range sim.DefaultCentres() {
		fmt.Fprintf(&registry, "  - id: %s\n    name: {zh: %s, en: %s}\n", c.ID, c.Names.ZH, c.Names.EN)
		if i%2 == 0 {
			fmt.Fprintf(&registry, "    declared: [{date: 2026-06-30, eflops: 0.%d, precision: fp16}]\n", 9-i/2)
		}
	}
	path := filepath.Join(dir, "registry.yaml")
	conf := fmt.Sprintf("kafka:\n  brokers: [%s]\nhttp:\n  listen: %s\nregistry: %s\nstale_after: 6s\n", kafka, w.addr, path)
	for name, text := range map[string]string{path: registry.String(), w.conf: conf} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

// wait starts collectors that find no broker, and so have nothing to tell; one of them tells that to those alone who show a token.
func (w *world) wait() {
	w.waiting = w.alone("waiting", "")
	token, entry := access.NewToken("page", []access.Scope{access.Read}, "")
	list := filepath.Join(filepath.Dir(w.conf), "access.yaml")
	if err := os.WriteFile(list, fmt.Appendf(nil, "tokens:\n  - {name: page, sha256: %s, scopes: [read]}\n", entry.SHA256), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.token, w.guarded = token, w.alone("guarded", "  access: "+list+"\n")
}

// alone starts a collector without a broker, with more below the key http, and returns its address.
func (w *world) alone(name, more string) string {
	w.t.Helper()
	addr := process.FreeAddr(w.t)
	conf := filepath.Join(filepath.Dir(w.conf), name+".yaml")
	text := fmt.Sprintf("kafka:\n  brokers: [%s]\nhttp:\n  listen: %s\n%s", process.FreeAddr(w.t), addr, more)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	p, err := process.Start(filepath.Join(filepath.Dir(w.conf), name+".log"), nil, w.program, "run", "--config", conf)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := p.Stop(10 * time.Second); err != nil {
			w.t.Error(err)
		}
	})
	return addr
}

func (w *world) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, err := process.Start(w.log, nil, w.program, "run", "--config", w.conf)
	if err != nil {
		w.t.Error(err)
		return
	}
	w.collector = p
}

func (w *world) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.collector.Stop(10 * time.Second)
}

// speak is the strange host, which reports every half second, and says at once that its card is free or busy.
func (w *world) speak(ctx context.Context, to *kafka.Writer) error {
	defer to.Close()
	var e telemetry.Encoder
	seq := int64(0)
	header := func() telemetry.Header {
		seq++
		return telemetry.Header{Origin: telemetry.Origin{Centre: strange, Cluster: "default", Host: "strange-host"}, Time: time.Now(), Boot: "b0b0b0b0-0000-4000-8000-000000000000", Seq: seq}
	}
	inv := &telemetry.Inventory{Header: header()}
	inv.Name = `<b onmouseover="window.hacked=1">host</b>`
	names := []string{"NVIDIA H200", "NVIDIA H200", `<script>window.hacked=1</script>`, `"><svg onload=window.hacked=1>`}
	for i, name := range names {
		inv.Devices = append(inv.Devices, telemetry.DeviceInfo{ID: fmt.Sprintf("GPU-strange-%d", i), Index: telemetry.Known(int64(i)), Vendor: "nvidia", Name: name})
	}
	value, err := e.AppendInventory(nil, inv)
	if err != nil {
		return err
	}
	write := func(topic string, value []byte) error {
		return to.WriteMessages(ctx, kafka.Message{Topic: topic, Key: []byte("strange-host"), Value: value})
	}
	if err := write(telemetry.InventoryTopic(strange), value); err != nil {
		return err
	}
	for tick := time.NewTicker(500 * time.Millisecond); ; {
		if !w.silent.Load() {
			states := []telemetry.State{telemetry.Busy, telemetry.Free, telemetry.Faulty, telemetry.Drained}
			if w.free.Load() {
				states[0] = telemetry.Free
			}
			r := &telemetry.Report{Header: header()}
			for i, s := range states {
				d := telemetry.DeviceStatus{ID: fmt.Sprintf("GPU-strange-%d", i), State: s}
				if s == telemetry.Faulty {
					d.Reason = "xid: 79 <i>fell off</i>"
				}
				r.Devices = append(r.Devices, d)
			}
			if value, err = e.AppendReport(nil, r); err != nil {
				return err
			}
			if err := write(telemetry.TelemetryTopic(strange), value); err != nil && ctx.Err() == nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
		}
	}
}

// answers waits until a collector answers that it is well.
func (w *world) answers(addr, path string) {
	w.t.Helper()
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		r, err := http.Get("http://" + addr + path)
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Since(begun) > time.Minute {
			w.t.Fatalf("%s%s does not answer that it is well: %v\n%s", addr, path, err, w.collector.Log())
		}
	}
}

// orders is a server by which the browser's side changes the world.
func (w *world) orders() *httptest.Server {
	mux := http.NewServeMux()
	order := func(path string, do func(r *http.Request) error) {
		mux.HandleFunc("POST "+path, func(rw http.ResponseWriter, r *http.Request) {
			if err := do(r); err != nil {
				http.Error(rw, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	order("/collector/stop", func(*http.Request) error { return w.end() })
	order("/collector/start", func(*http.Request) error { w.start(); return nil })
	order("/card/free", func(*http.Request) error { w.free.Store(true); return nil })
	order("/card/busy", func(*http.Request) error { w.free.Store(false); return nil })
	order("/province/halt", func(*http.Request) error { w.silent.Store(true); w.halt(); return nil })
	order("/broker/stop", func(*http.Request) error { return w.broker.Close() })
	order("/centre/{id}/{power}", func(r *http.Request) error {
		if id := r.PathValue("id"); !w.province.Darken(id, r.PathValue("power") == "off") {
			return fmt.Errorf("there is no centre %q", id)
		}
		return nil
	})
	// A proxy that shows the collector below a path.
	mux.Handle("/exameter/", http.StripPrefix("/exameter", httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: w.addr})))
	return httptest.NewServer(mux)
}
