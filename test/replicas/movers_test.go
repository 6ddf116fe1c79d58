package replicas

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/telemetry"
)

const (
	moverCards = 16
	moverHosts = 8
)

var moverCentres = [...]string{"moved-a", "moved-b"}

// movers are two centres that share a few cards: each card is pulled out of a host of the one and put into a host of the other again
// and again. The host that had it last is dead from then on as often as not, and never says that the card is gone. They come
// when the collectors run already.
type movers struct {
	t      *testing.T
	writer *kafka.Writer
	hosts  []*mover

	mu    sync.Mutex
	holds []moverBook
}

// moverBook is how many cards each centre held at a moment.
type moverBook struct {
	at    time.Time
	cards [len(moverCentres)]int64
}

type mover struct {
	id     string
	centre int
	had    []string        // every card it ever had: it lists them all
	has    map[string]bool // those it has
	dead   bool
	seq    int64
}

// move starts the movers.
func move(t *testing.T, brokers []string) *movers {
	t.Helper()
	cfg := broker.Config{Brokers: brokers}
	client, transport, err := cfg.Client("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	m := &movers{t: t, writer: &kafka.Writer{
		Addr: client.Addr, Transport: client.Transport, Balancer: kafka.Murmur2Balancer{Consistent: true}, RequiredAcks: kafka.RequireAll, BatchSize: 1,
	}}
	ctx, stop := context.WithCancel(context.Background())
	var topics []broker.Topic
	for i, c := range moverCentres {
		topics = append(topics, broker.CentreTopics(c, partitions)...)
		for n := range moverHosts {
			m.hosts = append(m.hosts, &mover{id: fmt.Sprintf("%s-host-%d", c, n), centre: i, has: map[string]bool{}})
		}
	}
	if _, err := broker.Create(ctx, client, topics, 1); err != nil {
		t.Fatal(err)
	}
	for i := range moverCards {
		m.put(m.hosts[i%len(m.hosts)], fmt.Sprintf("GPU-moved-%d", i))
	}
	for _, h := range m.hosts {
		m.say(ctx, h, true)
	}
	m.enter()
	var running sync.WaitGroup
	running.Go(func() { m.run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		_ = m.writer.Close()
	})
	return m
}

func (m *movers) put(h *mover, card string) {
	if !h.has[card] {
		h.has[card] = true
		for _, had := range h.had {
			if had == card {
				return
			}
		}
		h.had = append(h.had, card)
	}
}

// run moves a card every half second, and lets the living report.
func (m *movers) run(ctx context.Context) {
	random := rand.New(rand.NewPCG(2, uint64(time.Now().UnixNano())))
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		from, to := m.hosts[random.IntN(len(m.hosts))], m.hosts[random.IntN(len(m.hosts))]
		if from.centre != to.centre {
			for card := range from.has {
				delete(from.has, card)
				from.dead, to.dead = random.IntN(2) == 0 && len(from.has) == 0, false
				m.put(to, card)
				m.say(ctx, to, true)
				m.enter()
				break
			}
		}
		for _, h := range m.hosts {
			if !h.dead {
				m.say(ctx, h, false)
			}
		}
	}
}

// say sends a host's report, and before it its inventory.
func (m *movers) say(ctx context.Context, h *mover, inventory bool) {
	h.seq += 2
	header := telemetry.Header{Origin: telemetry.Origin{Centre: moverCentres[h.centre], Cluster: "default", Host: h.id}, Time: time.Now(), Boot: "boot", Seq: h.seq}
	inv, rep := &telemetry.Inventory{Header: header}, &telemetry.Report{Header: header}
	for _, card := range h.had {
		inv.Devices = append(inv.Devices, telemetry.DeviceInfo{ID: card, Vendor: "nvidia", Name: "NVIDIA H20"})
		st := telemetry.DeviceStatus{ID: card, State: telemetry.Free}
		if !h.has[card] {
			st.State, st.Reason = telemetry.Faulty, "missing"
		}
		rep.Devices = append(rep.Devices, st)
	}
	var enc telemetry.Encoder
	var msgs []kafka.Message
	if inventory {
		b, err := enc.AppendInventory(nil, inv)
		if err != nil {
			m.t.Error(err)
			return
		}
		msgs = append(msgs, kafka.Message{Topic: telemetry.InventoryTopic(header.Centre), Key: []byte(h.id), Value: b})
	}
	b, err := enc.AppendReport(nil, rep)
	if err != nil {
		m.t.Error(err)
		return
	}
	msgs = append(msgs, kafka.Message{Topic: telemetry.TelemetryTopic(header.Centre), Key: []byte(h.id), Value: b})
	if err := m.writer.WriteMessages(ctx, msgs...); err != nil && ctx.Err() == nil {
		m.t.Error(err)
	}
}

// enter notes where the cards are now.
func (m *movers) enter() {
	b := moverBook{at: time.Now()}
	for _, h := range m.hosts {
		b.cards[h.centre] += int64(len(h.has))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holds = append(m.holds, b)
}

// check fails if a card counts twice or not at all. It reports whether each centre has the cards that it had lately.
func (m *movers) check(doc *capacity.Document) (exact bool, have [len(moverCentres)]int64) {
	m.t.Helper()
	sum := int64(0)
	for _, g := range doc.Groups {
		for i, c := range moverCentres {
			if g.Centre == c {
				have[i] = g.Devices.Rated
				sum += g.Devices.Rated
			}
		}
	}
	if sum != moverCards {
		m.t.Fatalf("of %d cards that move %v are counted, at revision %d", moverCards, have, doc.Revision)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := len(m.holds) - 1; i >= 0; i-- {
		if m.holds[i].cards == have {
			return true, have
		}
		if time.Since(m.holds[i].at) > lately {
			break // it stood until the next one, which was lately
		}
	}
	return false, have
}
