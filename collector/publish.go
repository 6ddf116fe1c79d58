package collector

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/partial"
	"github.com/exameter/exameter/collector/quarantine"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/telemetry"
)

// publisher writes partials, the latest of each part. What is put while it writes goes with the next write.
type publisher struct {
	w     quarantine.Writer
	log   *slog.Logger
	valid func(p consume.Part, epoch int64) bool // whether a part may be published still

	mu      sync.Mutex
	pending map[consume.Part]pending
	wake    chan struct{}

	written, failed atomic.Int64
}

type pending struct {
	epoch int64
	value []byte
}

func newPublisher(w quarantine.Writer, log *slog.Logger, valid func(consume.Part, int64) bool) *publisher {
	return &publisher{w: w, log: log, valid: valid, pending: map[consume.Part]pending{}, wake: make(chan struct{}, 1)}
}

// newPartialWriter writes to the partials topic. One write is under way at a time, so records keep their order.
func newPartialWriter(c *kafka.Client) *kafka.Writer {
	return &kafka.Writer{
		Addr: c.Addr, Transport: c.Transport, Topic: telemetry.PartialsTopic, RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4,
		BatchSize: 1000, BatchBytes: broker.MaxPartialBytes, BatchTimeout: time.Millisecond, MaxAttempts: 1, WriteTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
	}
}

func (p *publisher) put(id consume.Part, epoch int64, value []byte) {
	p.mu.Lock()
	p.pending[id] = pending{epoch, value}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run writes until ctx ends.
func (p *publisher) run(ctx context.Context) {
	var said time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		msgs := p.take()
		if len(msgs) == 0 {
			continue
		}
		if err := p.w.WriteMessages(ctx, msgs...); err != nil && ctx.Err() == nil {
			// They are not kept: each part is summed up anew within a second.
			p.failed.Add(int64(len(msgs)))
			if time.Since(said) > time.Minute {
				said = time.Now()
				p.log.Warn("cannot write partials: other collectors do not see this one's parts", "topic", telemetry.PartialsTopic, "error", err)
			}
			continue
		}
		p.written.Add(int64(len(msgs)))
	}
}

// take returns what is to be written, without parts that have left meanwhile.
func (p *publisher) take() []kafka.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	msgs := make([]kafka.Message, 0, len(p.pending))
	for id, one := range p.pending {
		if p.valid(id, one.epoch) {
			msgs = append(msgs, kafka.Message{Key: []byte(partial.Key(id.Centre, id.Number)), Value: one.value})
		}
	}
	clear(p.pending)
	return msgs
}
