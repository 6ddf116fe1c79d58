package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/telemetry"
)

// probe is a host with one card in a centre of its own, whose state it changes again and again. It notes how long after its agent would have
// sent the change a watcher and a reader of the feed know it.
type probe struct {
	w    *kafka.Writer
	host telemetry.Header
	free bool

	mu     sync.Mutex
	sent   time.Time // zero where nothing is on its way
	wanted int64     // free cards
	stream []int     // ms
	feed   []int
	heard  [2]bool // of the change on its way: by the watcher, by the reader
}

const probeCentre = "probe"

// newProbe makes the centre's topics and lets its host say what it has.
func newProbe(ctx context.Context, addr string) (*probe, error) {
	k := broker.Config{Brokers: []string{addr}}
	client, transport, err := k.Client("bench-probe")
	if err != nil {
		return nil, err
	}
	if _, err := broker.Create(ctx, client, localbroker.Bounded(broker.CentreTopics(probeCentre, 1), time.Minute), 1); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, transport.CloseIdleConnections)
	p := &probe{w: &kafka.Writer{Addr: client.Addr, Transport: transport, Balancer: kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll, BatchSize: 1}}
	p.host = telemetry.Header{Origin: telemetry.Origin{Centre: probeCentre, Cluster: "default", Host: "probe-1"}, Boot: "boot"}
	inv := &telemetry.Inventory{Devices: []telemetry.DeviceInfo{{ID: "GPU-probe", Vendor: "nvidia", Name: "NVIDIA H20"}}}
	inv.Header = p.next()
	inv.Name = "probe-1"
	var e telemetry.Encoder
	b, err := e.AppendInventory(nil, inv)
	if err != nil {
		return nil, err
	}
	if err := p.w.WriteMessages(ctx, kafka.Message{Topic: telemetry.InventoryTopic(probeCentre), Key: []byte("probe-1"), Value: b}); err != nil {
		return nil, err
	}
	return p, p.report(ctx)
}

func (p *probe) next() telemetry.Header {
	p.host.Seq++
	p.host.Time = time.Now()
	return p.host
}

// report says the state of the card.
func (p *probe) report(ctx context.Context) error {
	r := &telemetry.Report{Header: p.next(), Devices: []telemetry.DeviceStatus{{ID: "GPU-probe", State: telemetry.Busy}}}
	if p.free {
		r.Devices[0].State = telemetry.Free
	}
	var e telemetry.Encoder
	b, err := e.AppendReport(nil, r)
	if err != nil {
		return err
	}
	return p.w.WriteMessages(ctx, kafka.Message{Topic: telemetry.TelemetryTopic(probeCentre), Key: []byte("probe-1"), Value: b})
}

// run changes the state whenever the last change is known everywhere, until ctx ends.
func (p *probe) run(ctx context.Context, addr, kafkaAddr string) {
	var hearing sync.WaitGroup
	defer hearing.Wait()
	hearing.Go(func() { p.watch(ctx, addr) })
	hearing.Go(func() { p.read(ctx, kafkaAddr) })
	for n := 0; ctx.Err() == nil; n++ {
		p.mu.Lock()
		p.free = !p.free
		p.wanted = 0
		if p.free {
			p.wanted = 1
		}
		p.sent, p.heard = time.Now(), [2]bool{}
		p.mu.Unlock()
		if p.report(ctx) != nil {
			return
		}
		for begun := time.Now(); time.Since(begun) < 5*time.Second && ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			p.mu.Lock()
			done := p.heard == [2]bool{true, true}
			p.mu.Unlock()
			if done {
				break
			}
		}
		time.Sleep(time.Duration(100+n*37%400) * time.Millisecond) // at no fixed time after the collectors' own ticks
	}
}

// hear notes that the watcher (0) or the reader (1) knows of so many free cards.
func (p *probe) hear(who int, free int64, into *[]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.sent.IsZero() && free == p.wanted && !p.heard[who] {
		p.heard[who] = true
		*into = append(*into, int(time.Since(p.sent).Milliseconds()))
	}
}

// totals is what of an event and of a record is looked at.
type totals struct {
	Total   *struct{ Devices struct{ Free, Rated int64 } }
	Devices *struct{ Free, Rated int64 }
}

func (p *probe) watch(ctx context.Context, addr string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v1/stream?centre="+probeCentre, nil)
	if err != nil {
		return
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	for in := bufio.NewScanner(resp.Body); in.Scan(); {
		var t totals
		if data, ok := strings.CutPrefix(in.Text(), "data: "); ok && json.Unmarshal([]byte(data), &t) == nil && t.Total != nil && t.Total.Devices.Rated > 0 {
			p.hear(0, t.Total.Devices.Free, &p.stream)
		}
	}
}

func (p *probe) read(ctx context.Context, addr string) {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: telemetry.CapacityTopic, MaxWait: 50 * time.Millisecond})
	defer r.Close()
	for {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			return
		}
		var t totals
		if string(m.Key) == "centre/"+probeCentre && json.Unmarshal(m.Value, &t) == nil && t.Devices != nil {
			p.hear(1, t.Devices.Free, &p.feed)
		}
	}
}

// known says how long changes took: p50, p99, the longest.
func (p *probe) known() (stream, feed [3]int, changes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return spread(p.stream), spread(p.feed), len(p.stream)
}
