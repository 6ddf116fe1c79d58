package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

// newBroker starts an in-process broker with the topics of some centres and the quarantine.
func newBroker(t *testing.T, partitions int32, centres []string, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, centre := range centres {
		addCentre(t, c, centre, partitions)
	}
	for _, topic := range []string{telemetry.QuarantineTopic, telemetry.PartialsTopic, telemetry.CapacityTopic} {
		if c.TopicInfo(topic) != nil {
			continue
		}
		if err := c.CreateTopic(topic, 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func addCentre(t *testing.T, c *kfake.Cluster, centre string, partitions int32) {
	t.Helper()
	for _, topic := range []string{telemetry.InventoryTopic(centre), telemetry.TelemetryTopic(centre)} {
		if c.TopicInfo(topic) != nil {
			continue
		}
		if err := c.CreateTopic(topic, partitions, map[string]string{"message.timestamp.type": "LogAppendTime"}); err != nil {
			t.Fatal(err)
		}
	}
}

// producer writes records as agents do.
type producer struct {
	t *testing.T
	w *kafka.Writer
	e telemetry.Encoder
}

func newProducer(t *testing.T, c *kfake.Cluster) *producer {
	t.Helper()
	tr := &kafka.Transport{}
	w := &kafka.Writer{
		Addr: kafka.TCP(c.ListenAddrs()...), Transport: tr, RequiredAcks: kafka.RequireAll, BatchSize: 1, Balancer: &kafka.Hash{}, Compression: kafka.Lz4,
	}
	t.Cleanup(func() {
		_ = w.Close()
		tr.CloseIdleConnections()
	})
	return &producer{t: t, w: w}
}

func (p *producer) raw(topic, key string, value []byte) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	for {
		err := p.w.WriteMessages(ctx, kafka.Message{Topic: topic, Key: []byte(key), Value: value})
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			p.t.Fatalf("write to %s: %v", topic, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (p *producer) inventory(topicCentre string, inv *telemetry.Inventory) {
	p.t.Helper()
	b, err := p.e.AppendInventory(nil, inv)
	if err != nil {
		p.t.Fatal(err)
	}
	p.raw(telemetry.InventoryTopic(topicCentre), inv.Host, b)
}

func (p *producer) report(topicCentre string, r *telemetry.Report) {
	p.t.Helper()
	b, err := p.e.AppendReport(nil, r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.raw(telemetry.TelemetryTopic(topicCentre), r.Host, b)
}

// server is a host with accelerators of one model.
type server struct {
	centre, id string
	seq        int64
	states     []telemetry.State
	name       string
}

func (s *server) header() telemetry.Header {
	s.seq++
	return telemetry.Header{
		Origin: telemetry.Origin{Centre: s.centre, Cluster: "default", Host: s.id}, Time: time.Now(), Boot: "b0b0b0b0-0000-4000-8000-000000000000", Seq: s.seq,
	}
}

func (s *server) device(i int) string { return fmt.Sprintf("GPU-%s-%d", s.id, i) }

func (s *server) inventory() *telemetry.Inventory {
	inv := &telemetry.Inventory{Header: s.header()}
	inv.Name = s.id
	for i := range s.states {
		inv.Devices = append(inv.Devices, telemetry.DeviceInfo{
			ID: s.device(i), Index: telemetry.Known(int64(i)), Vendor: "nvidia", Name: s.name, Memory: telemetry.Known(telemetry.Bytes(141 << 30)),
		})
	}
	return inv
}

func (s *server) report() *telemetry.Report {
	r := &telemetry.Report{Header: s.header()}
	for i, st := range s.states {
		d := telemetry.DeviceStatus{ID: s.device(i), State: st, PowerMean: telemetry.Known(telemetry.Milliwatts(100_000 * (i + 1)))}
		if st == telemetry.Busy {
			d.SMActivity = telemetry.Known(telemetry.Permille(800))
		} else if st == telemetry.Free {
			d.SMActivity = telemetry.Known(telemetry.Permille(0))
		} else if st == telemetry.Faulty {
			d.Reason = "xid: 79 GPU has fallen off the bus"
		}
		r.Devices = append(r.Devices, d)
	}
	return r
}

// running is a collector under test.
type running struct {
	t    *testing.T
	url  string
	logs *lockedBuffer
	stop func()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, brokers []string, change func(*Config, *Options)) *running {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Kafka.Brokers = brokers
	cfg.HTTP.Listen = "127.0.0.1:0"
	cfg.FoldInterval = config.Duration(50 * time.Millisecond)
	r := &running{t: t, logs: &lockedBuffer{}}
	addr := make(chan string, 1)
	opts := Options{
		Log:   slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Ready: func(a string) { addr <- a }, Version: "test", Registry: &registry.Registry{},
	}
	if change != nil {
		change(&cfg, &opts)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, cfg, opts) }()
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run: %v", err)
				}
			case <-time.After(5 * time.Second):
				t.Error("the collector did not stop within 5 s")
			}
			if t.Failed() {
				t.Log(r.logs.String())
			}
		})
	}
	t.Cleanup(r.stop)
	select {
	case a := <-addr:
		r.url = "http://" + a
	case err := <-done:
		done <- nil
		t.Fatalf("Run: %v", err)
	}
	return r
}

func (r *running) get(path string) (int, string) {
	r.t.Helper()
	resp, err := http.Get(r.url + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// document waits until the collector is ready and its document is as wanted.
func (r *running) document(query string, want func(*capacity.Document) bool) *capacity.Document {
	r.t.Helper()
	var code int
	var body string
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if code, body = r.get("/v1/capacity" + query); code == http.StatusOK {
			doc := &capacity.Document{}
			if err := json.Unmarshal([]byte(body), doc); err != nil {
				r.t.Fatal(err)
			}
			if want(doc) {
				return doc
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Fatalf("the document never became as wanted; last answer %d: %s\n%s", code, body, r.logs)
	return nil
}

// metric returns the value of a series as /metrics prints it; empty where it is missing.
func (r *running) metric(series string) string {
	r.t.Helper()
	_, body := r.get("/metrics")
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func (r *running) waitMetric(series, want string) {
	r.t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for r.metric(series) != want {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s is %q, want %q", series, r.metric(series), want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
