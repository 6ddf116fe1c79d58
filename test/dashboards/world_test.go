package dashboards

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/dashboards"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/process"
)

// hosts are as many as it takes for every kind of server to be there.
const hosts = 2000

// world is a simulated province, collectors that answer for it, and a Prometheus that scrapes them.
type world struct {
	*testing.T
	collectors []string // URLs
	prometheus string   // URL
	halt       func()   // stops the collectors
}

func newWorld(t *testing.T) *world {
	w := &world{T: t}
	p, err := sim.New(sim.Spec{Seed: 1, Hosts: hosts, Interval: 5 * time.Second, Version: "simulated"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	b, err := localbroker.Start(localbroker.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	kafka := broker.Config{Brokers: []string{b.Addr()}}
	w.makeTopics(kafka, p.Centres())

	var running sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	collecting, halt := context.WithCancel(ctx)
	var halted sync.WaitGroup
	w.halt = func() { halt(); halted.Wait() }
	t.Cleanup(func() { w.halt(); stop(); running.Wait() })
	for i := range 2 {
		cfg := collector.DefaultConfig()
		cfg.Kafka, cfg.HTTP.Listen, cfg.Instance = kafka, "127.0.0.1:0", "collector-"+strconv.Itoa(i+1)
		ready := make(chan string, 1)
		halted.Go(func() {
			err := collector.Run(collecting, cfg, collector.Options{Log: quiet, Registry: plan(), Version: "test", Ready: func(addr string) { ready <- addr }})
			if err != nil {
				t.Errorf("collector: %v", err)
			}
		})
		select {
		case addr := <-ready:
			w.collectors = append(w.collectors, "http://"+addr)
		case <-time.After(30 * time.Second):
			t.Fatal("a collector does not answer")
		}
	}
	running.Go(func() {
		d := &sim.Driver{Province: p, Broker: kafka, Log: quiet}
		if err := d.Run(ctx); err != nil {
			t.Errorf("simulation: %v", err)
		}
	})
	running.Go(func() { w.oddHost(ctx, kafka, p.Centres()[0]) })
	w.startPrometheus()
	return w
}

// plan is a registry that says everything that one can say.
func plan() *registry.Registry {
	day := func(y int, m time.Month, d int) registry.Date {
		return registry.Date{Time: time.Date(y, m, d, 0, 0, 0, 0, time.UTC)}
	}
	eflops := func(n int) registry.Eflops { return registry.Eflops{Flops: capacity.Flops(n) * capacity.Eflop} }
	r := &registry.Registry{Revision: "test", Province: registry.Province{Target: &registry.Target{Date: day(2027, 12, 31), Eflops: eflops(260)}}}
	for _, c := range sim.DefaultCentres() {
		r.Centres = append(r.Centres, registry.Centre{
			ID: c.ID, Name: registry.Name{Zh: c.Names.ZH, En: c.Names.EN}, Status: registry.Operating,
			Declared: []registry.Declaration{{Date: day(2026, 1, 1), Eflops: eflops(c.Weight), Precision: capacity.ByClass}},
		})
	}
	r.Centres[0].Declared[0].Precision = catalog.FP16
	return r
}

// makeTopics makes all topics.
func (w *world) makeTopics(cfg broker.Config, centres []string) {
	w.Helper()
	client, transport, err := cfg.Client("test")
	if err != nil {
		w.Fatal(err)
	}
	defer transport.CloseIdleConnections()
	topics := broker.SharedTopics()
	for _, c := range centres {
		topics = append(topics, broker.CentreTopics(c, 2)...)
	}
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
	defer cancel()
	if _, err := broker.Create(ctx, client, topics, 1); err != nil {
		w.Fatal(err)
	}
}

// oddHost is one with what the simulation has not: a card without a price, errors that go on, a queue that overflows, a record that nobody can read.
func (w *world) oddHost(ctx context.Context, cfg broker.Config, centre string) {
	_, transport, err := cfg.Client("test")
	if err != nil {
		w.Errorf("odd host: %v", err)
		return
	}
	defer transport.CloseIdleConnections()
	out := &kafka.Writer{Addr: kafka.TCP(cfg.Brokers...), Transport: transport, Balancer: kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond}
	defer out.Close()
	const host = "0dd00dd00dd00dd00dd00dd00dd00dd0"
	var e telemetry.Encoder
	for n := int64(1); ctx.Err() == nil; n++ {
		header := telemetry.Header{Origin: telemetry.Origin{Centre: centre, Cluster: "odd", Host: host}, Time: time.Now(), Boot: "odd", Seq: n}
		inventory, ierr := e.AppendInventory(nil, &telemetry.Inventory{Header: header, Devices: []telemetry.DeviceInfo{{ID: "NEW-0", Vendor: "newcomer", Name: "Newcomer X1"}}})
		r := &telemetry.Report{Header: header, Sources: []telemetry.SourceStatus{{Source: "power", Error: "permission denied"}}}
		r.Queued, r.Dropped = telemetry.Known(n%5), telemetry.Known(n)
		r.Devices = []telemetry.DeviceStatus{{ID: "NEW-0", State: telemetry.Free, XID: telemetry.Known[int64](13), XIDCount: telemetry.Known(n)}}
		report, rerr := e.AppendReport(nil, r)
		if ierr != nil || rerr != nil {
			w.Errorf("odd host: %v, %v", ierr, rerr)
			return
		}
		messages := []kafka.Message{
			{Topic: telemetry.TelemetryTopic(centre), Key: []byte(host), Value: report},
			{Topic: telemetry.TelemetryTopic(centre), Key: []byte("unreadable"), Value: []byte("what is this\n")},
		}
		if n == 1 {
			messages = append(messages, kafka.Message{Topic: telemetry.InventoryTopic(centre), Key: []byte(host), Value: inventory})
		}
		if err := out.WriteMessages(ctx, messages...); err != nil && ctx.Err() == nil {
			w.Errorf("odd host: %v", err)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// startPrometheus starts one that scrapes the collectors and evaluates the rules once a second.
func (w *world) startPrometheus() {
	w.Helper()
	dir, addr := w.TempDir(), process.FreeAddr(w)
	file := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			w.Fatal(err)
		}
	}
	var targets []string
	for _, c := range w.collectors {
		targets = append(targets, strconv.Quote(strings.TrimPrefix(c, "http://")))
	}
	file("rules.yml", dashboards.Rules(time.Minute))
	file("prometheus.yml", `
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: exameter
    static_configs: [{targets: [`+strings.Join(targets, ", ")+`]}]
`)
	p, err := process.Start(filepath.Join(dir, "log"), nil, program(w.T, "prometheus"), "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if w.Failed() {
			w.Logf("Prometheus: %s", p.Log())
		}
		_ = p.Kill()
	})
	w.prometheus = "http://" + addr
}

// eventually tries until it works, or for as long as a loaded machine may need.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	began := time.Now()
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// series is one of an answer.
type series struct {
	Metric map[string]string `json:"metric"`
	Value  []any             `json:"value"`
	Values [][]any           `json:"values"`
}

// ask asks Prometheus' API, and gives its data.
func (w *world) ask(path string, form url.Values, into any) error {
	resp, err := http.Get(w.prometheus + path + "?" + form.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Status string          `json:"status"`
		Error  string          `json:"error"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "success" {
		return fmt.Errorf("%s: %s %s %v", path, resp.Status, answer.Error, err)
	}
	return json.Unmarshal(answer.Data, into)
}

// now is what a query finds at this moment.
func (w *world) now(query string) ([]series, error) {
	var data struct {
		Result     json.RawMessage `json:"result"`
		ResultType string          `json:"resultType"`
	}
	if err := w.ask("/api/v1/query", url.Values{"query": {query}}, &data); err != nil {
		return nil, err
	}
	if data.ResultType != "vector" {
		return nil, fmt.Errorf("%s gives a %s", query, data.ResultType)
	}
	var out []series
	return out, json.Unmarshal(data.Result, &out)
}

// lately is what a query finds of the last half minute.
func (w *world) lately(query string) ([]series, error) {
	var data struct {
		Result []series `json:"result"`
	}
	now := time.Now()
	at := func(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
	err := w.ask("/api/v1/query_range", url.Values{"query": {query}, "start": {at(now.Add(-30 * time.Second))}, "end": {at(now)}, "step": {"2"}}, &data)
	return data.Result, err
}
