// Package group shares parts out among collectors: one Kafka consumer group, in which every part has one owner.
package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/telemetry"
)

// Timing of the group. Six seconds is the shortest session that Kafka allows by default.
const (
	sessionTimeout   = 6 * time.Second
	rebalanceTimeout = 4 * time.Second
	heartbeat        = 500 * time.Millisecond
	timeout          = 3 * time.Second
	retry            = 500 * time.Millisecond
	// limbo is how long an owner goes on publishing after its generation ended. While the next one is agreed on nobody else
	// owns its parts; if it was thrown out meanwhile, its successor's generation fences it.
	limbo = 10 * time.Second
	// tries is how often joining may fail before it is begun anew with a fresh dialer, which reads the password again.
	tries = 5
)

// Config says which group to join, and as whom.
type Config struct {
	ID       string
	Instance string // stays the same over restarts, so that parts come back to who had them
	Brokers  []string
	Dialer   func() (*kafka.Dialer, error)
	Log      *slog.Logger
	// Changed is called after every change of what is owned.
	Changed func()
}

// Member is this collector in its group.
type Member struct {
	cfg    Config
	offers chan struct{} // closed by the first offer
	again  chan struct{} // makes the current generation end, so that the member joins again

	mu         sync.Mutex
	parts      map[string]int
	offered    bool
	generation int32
	alive      bool      // the generation has not ended
	ended      time.Time // when it did
	suspect    bool      // the process stood still: nothing is published before the next generation
	ids        map[int32]bool
	stats      Stats
}

// Stats count what happened to the member.
type Stats struct {
	Generation int32
	Rebalances int64
	Failures   int64
}

// New makes a member that joins once Run runs and it was offered parts.
func New(cfg Config) *Member {
	return &Member{cfg: cfg, offers: make(chan struct{}), again: make(chan struct{}, 1)}
}

// Offer says which parts there are. When that changes, the member joins again and tells the others.
func (m *Member) Offer(parts []consume.Part) {
	counts := map[string]int{}
	for _, p := range parts {
		counts[p.Centre] = max(counts[p.Centre], p.Number+1)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.offered && maps.Equal(counts, m.parts) {
		return
	}
	m.parts = counts
	if !m.offered {
		m.offered = true
		close(m.offers)
		return
	}
	m.rejoin()
}

func (m *Member) rejoin() {
	select {
	case m.again <- struct{}{}:
	default:
	}
}

// Owns reports whether a part is this member's, by the last generation there was.
func (m *Member) Owns(p consume.Part) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ids[id(p)]
}

// Elected returns the generation under which this member is the one that writes the feed; ok is false while it is not, or may not publish.
func (m *Member) Elected() (generation int32, ok bool) {
	generation, ok = m.Lease()
	m.mu.Lock()
	defer m.mu.Unlock()
	return generation, ok && generation == m.generation && m.ids[office]
}

// Lease returns the generation to publish under; ok is false while nothing may be published.
func (m *Member) Lease() (generation int32, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.generation, m.generation > 0 && !m.suspect && (m.alive || time.Since(m.ended) < limbo)
}

// Suspect says that the process stood still for so long that its parts may be another's by now. It publishes nothing until
// the group has confirmed it.
func (m *Member) Suspect() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.generation > 0 && !m.suspect {
		m.suspect = true
		m.rejoin()
	}
}

// Joined reports whether there was a generation.
func (m *Member) Joined() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.generation > 0
}

// Stats returns the current counts.
func (m *Member) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Generation = m.generation
	return m.stats
}

// Run is a member until ctx ends, and then leaves the group.
func (m *Member) Run(ctx context.Context) {
	select {
	case <-m.offers:
	case <-ctx.Done():
		return
	}
	var said time.Time
	for ctx.Err() == nil {
		err := m.belong(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		m.mu.Lock()
		m.stats.Failures++
		m.mu.Unlock()
		if time.Since(said) > time.Minute {
			said = time.Now()
			m.cfg.Log.Warn("cannot join the group of collectors; retrying", "group", m.cfg.ID, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
}

// belong takes part until ctx ends or joining fails too often.
func (m *Member) belong(ctx context.Context) error {
	d, err := m.cfg.Dialer()
	if err != nil {
		return err
	}
	d.Timeout = timeout
	g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: m.cfg.ID, Brokers: m.cfg.Brokers, Dialer: d, Topics: []string{telemetry.PartialsTopic},
		GroupBalancers:    []kafka.GroupBalancer{balancer{m.introduce}},
		HeartbeatInterval: heartbeat, SessionTimeout: sessionTimeout, RebalanceTimeout: rebalanceTimeout,
		JoinGroupBackoff: retry, Timeout: timeout,
	})
	if err != nil {
		return fmt.Errorf("consumer group %q: %w", m.cfg.ID, err)
	}
	defer leave(g)
	failed := 0
	for {
		gen, err := g.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, kafka.RebalanceInProgress):
			continue
		case err != nil:
			if failed++; failed >= tries {
				return fmt.Errorf("join group %q: %w", m.cfg.ID, err)
			}
			m.cfg.Log.Debug("joining the group failed", "group", m.cfg.ID, "error", err)
			continue
		}
		failed = 0
		m.enter(gen)
		over := make(chan struct{})
		gen.Start(func(during context.Context) {
			defer close(over)
			select {
			case <-during.Done():
			case <-m.again:
			case <-ctx.Done():
			}
		})
		<-over
		m.exit()
	}
}

func (m *Member) introduce() introduction {
	m.mu.Lock()
	defer m.mu.Unlock()
	// An offer that came before now is in what is said here.
	select {
	case <-m.again:
	default:
	}
	return introduction{Instance: m.cfg.Instance, Parts: m.parts}
}

func (m *Member) enter(gen *kafka.Generation) {
	ids := map[int32]bool{}
	for _, a := range gen.Assignments[telemetry.PartialsTopic] {
		ids[int32(a.ID)] = true
	}
	m.mu.Lock()
	m.generation, m.alive, m.suspect, m.ids = gen.ID, true, false, ids
	m.stats.Rebalances++
	m.mu.Unlock()
	owned := len(ids)
	if ids[office] {
		owned--
	}
	m.cfg.Log.Info("the group of collectors agreed on who owns what", "group", m.cfg.ID, "generation", gen.ID, "parts", owned, "writes_feed", ids[office])
	m.cfg.Changed()
}

func (m *Member) exit() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alive, m.ended = false, time.Now()
}

// leave leaves the group, and goes without a farewell where a broker that does not answer keeps it waiting.
func leave(g *kafka.ConsumerGroup) {
	left := make(chan struct{})
	go func() {
		_ = g.Close() // it returns nil always
		close(left)
	}()
	select {
	case <-left:
	case <-time.After(time.Second):
	}
}
