// Package probe measures how long a change of a card's state takes to be known: from when its agent would have sent it, through Kafka and a
// collector, to a watcher of the stream and to a reader of the feed.
package probe

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/telemetry"
)

// patience is how long a change is waited for. One that is not known by then counts as having taken so long.
const patience = 5 * time.Second

// Probes are hosts with one card each, in centres of their own, that change the card's state again and again.
type Probes struct {
	w     *kafka.Writer
	hosts []*host

	mu     sync.Mutex
	stream []time.Duration
	feed   []time.Duration
}

// host is one of them. Where it stands is guarded by the lock of all.
type host struct {
	telemetry.Header
	name string // of its centre and of itself
	free bool

	sent  time.Time     // when the report was made that is on its way; zero where none is
	heard [2]bool       // of it: by the watcher, by the reader
	known chan struct{} // by both
}

// New makes so many centres' topics and lets their hosts say what they have.
func New(ctx context.Context, addr string, n int) (*Probes, error) {
	client, transport, err := (&broker.Config{Brokers: []string{addr}}).Client("bench-probe")
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, transport.CloseIdleConnections)
	p := &Probes{w: &kafka.Writer{Addr: client.Addr, Transport: transport, Balancer: kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll, BatchSize: 1}}
	var topics []broker.Topic
	for i := range n {
		h := &host{name: fmt.Sprintf("probe-%d", i+1), known: make(chan struct{}, 1)}
		h.Header = telemetry.Header{Origin: telemetry.Origin{Centre: h.name, Cluster: "default", Host: h.name}, Boot: "boot"}
		topics = append(topics, broker.CentreTopics(h.name, 1)...)
		p.hosts = append(p.hosts, h)
	}
	if _, err := broker.Create(ctx, client, localbroker.Bounded(topics, time.Minute), 1); err != nil {
		return nil, err
	}
	for _, h := range p.hosts {
		inv := &telemetry.Inventory{Header: h.next(), Devices: []telemetry.DeviceInfo{{ID: "GPU-" + h.name, Vendor: "nvidia", Name: "NVIDIA H20"}}}
		inv.Name = h.name
		var e telemetry.Encoder
		b, err := e.AppendInventory(nil, inv)
		if err != nil {
			return nil, err
		}
		if err := p.w.WriteMessages(ctx, kafka.Message{Topic: telemetry.InventoryTopic(h.name), Key: []byte(h.name), Value: b}); err != nil {
			return nil, err
		}
		if err := p.report(ctx, h); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (h *host) next() telemetry.Header {
	h.Seq++
	h.Time = time.Now()
	return h.Header
}

// report says the state of a host's card.
func (p *Probes) report(ctx context.Context, h *host) error {
	r := &telemetry.Report{Header: h.next(), Devices: []telemetry.DeviceStatus{{ID: "GPU-" + h.name, State: telemetry.Busy}}}
	if h.free {
		r.Devices[0].State = telemetry.Free
	}
	var e telemetry.Encoder
	b, err := e.AppendReport(nil, r)
	if err != nil {
		return err
	}
	return p.w.WriteMessages(ctx, kafka.Message{Topic: telemetry.TelemetryTopic(h.name), Key: []byte(h.name), Value: b})
}

// Run lets every host change whenever its last change is known everywhere, until ctx ends: api is the host:port of a collector.
func (p *Probes) Run(ctx context.Context, api, brokers string) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { p.watch(ctx, api) })
	all.Go(func() { p.read(ctx, brokers) })
	for _, h := range p.hosts {
		all.Go(func() { p.change(ctx, h) })
	}
}

func (p *Probes) change(ctx context.Context, h *host) {
	for {
		select { // at no fixed time after the collectors' own ticks
		case <-ctx.Done():
			return
		case <-time.After(100*time.Millisecond + rand.N(500*time.Millisecond)):
		}
		p.mu.Lock()
		h.free, h.sent, h.heard = !h.free, time.Now(), [2]bool{}
		p.mu.Unlock()
		if p.report(ctx, h) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-h.known:
		case <-time.After(patience):
			p.give(h)
		}
	}
}

// give gives a change up.
func (p *Probes) give(h *host) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for who, into := range []*[]time.Duration{&p.stream, &p.feed} {
		if !h.heard[who] {
			*into = append(*into, patience)
		}
	}
	h.sent = time.Time{}
	select {
	case <-h.known: // just in time, and noted as such
	default:
	}
}

// hear notes that the watcher (0) or the reader (1) knows of so many free cards in a centre.
func (p *Probes) hear(who int, centre string, free int64, into *[]time.Duration) {
	i := slices.IndexFunc(p.hosts, func(h *host) bool { return h.name == centre })
	if i < 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[i]
	if h.sent.IsZero() || (free > 0) != h.free || h.heard[who] {
		return
	}
	h.heard[who] = true
	*into = append(*into, time.Since(h.sent))
	if h.heard == [2]bool{true, true} {
		h.sent = time.Time{}
		h.known <- struct{}{}
	}
}

// group is what of a centre is looked at.
type group struct {
	Centre  string
	Devices struct{ Free int64 }
}

func (p *Probes) watch(ctx context.Context, addr string) {
	names := make([]string, 0, len(p.hosts))
	for _, h := range p.hosts {
		names = append(names, h.name)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v1/stream?by=centre&centre="+strings.Join(names, ","), nil)
	if err != nil {
		return
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	in := bufio.NewScanner(resp.Body)
	for in.Buffer(nil, 1<<20); in.Scan(); {
		var doc struct{ Groups []group }
		if data, ok := strings.CutPrefix(in.Text(), "data: "); ok && json.Unmarshal([]byte(data), &doc) == nil {
			for _, g := range doc.Groups {
				p.hear(0, g.Centre, g.Devices.Free, &p.stream)
			}
		}
	}
}

func (p *Probes) read(ctx context.Context, addr string) {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: telemetry.CapacityTopic, MaxWait: 50 * time.Millisecond})
	defer r.Close()
	for {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			return
		}
		var g group
		if centre, ok := strings.CutPrefix(string(m.Key), "centre/"); ok && json.Unmarshal(m.Value, &g) == nil {
			p.hear(1, centre, g.Devices.Free, &p.feed)
		}
	}
}

// Spread is p50, p99 and the longest of some times, in ms.
type Spread [3]int

func (s Spread) String() string {
	return fmt.Sprintf("p50 %d ms, p99 %d ms, longest %d ms", s[0], s[1], s[2])
}

// Known says how long changes took to be known by a watcher of the stream and by a reader of the feed, and how many there were.
func (p *Probes) Known() (stream, feed Spread, changes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return spread(p.stream), spread(p.feed), len(p.stream)
}

func spread(d []time.Duration) (out Spread) {
	if len(d) == 0 {
		return out
	}
	d = slices.Sorted(slices.Values(d))
	for i, share := range []float64{0.5, 0.99, 1} {
		out[i] = int(d[min(int(float64(len(d))*share), len(d)-1)].Milliseconds())
	}
	return out
}
