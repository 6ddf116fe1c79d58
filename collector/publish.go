package collector

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/quarantine"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/telemetry"
)

// publisher writes partials and claims, the latest of each key. What is put while it writes goes with the next write.
type publisher struct {
	w     quarantine.Writer
	log   *slog.Logger
	valid func(p consume.Part, epoch int64) bool // whether a part may be published still

	mu      sync.Mutex
	pending map[string]pending // by key
	wake    chan struct{}
	refused time.Time // when it was said last that a record is too large

	written, failed atomic.Int64
}

type pending struct {
	part  consume.Part
	epoch int64
	record
}

func newPublisher(w quarantine.Writer, log *slog.Logger, valid func(consume.Part, int64) bool) *publisher {
	return &publisher{w: w, log: log, valid: valid, pending: map[string]pending{}, wake: make(chan struct{}, 1)}
}

// newPartialWriter writes to the partials topic. One write is under way at a time, so records keep their order.
func newPartialWriter(c *kafka.Client) *kafka.Writer {
	return &kafka.Writer{
		Addr: c.Addr, Transport: c.Transport, Topic: telemetry.PartialsTopic, RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4,
		BatchSize: 100, BatchBytes: broker.MaxPartialBytes, BatchTimeout: time.Millisecond, MaxAttempts: 1, WriteTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
	}
}

// put takes records of a part, which take the place of those of the same keys that are not written yet.
func (p *publisher) put(id consume.Part, epoch int64, records []record) {
	if len(records) == 0 {
		return
	}
	p.mu.Lock()
	for _, r := range records {
		p.pending[r.key] = pending{id, epoch, r}
	}
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
			// They are not kept: sums are made anew within a second, claims when they were not read back.
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

// recordOverhead is what a record takes beside its key and its value, at most.
const recordOverhead = 64

// take returns what is to be written, in the order of its sequence numbers, without parts that have left meanwhile. Of several records one that is too
// large would keep all from being written: it is left out, and its part alone falls behind.
func (p *publisher) take() []kafka.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.SortedFunc(maps.Values(p.pending), func(a, b pending) int { return cmp.Compare(a.sequence, b.sequence) })
	clear(p.pending)
	msgs := make([]kafka.Message, 0, len(all))
	for _, one := range all {
		if !p.valid(one.part, one.epoch) {
			continue
		}
		if size := len(one.key) + len(one.value) + recordOverhead; size > broker.MaxPartialBytes {
			p.failed.Add(1)
			if time.Since(p.refused) > time.Minute {
				p.refused = time.Now()
				p.log.Error("a part cannot be published", "part", one.part.String(), "error",
					fmt.Errorf("its record %q is of %d bytes, want at most %d", one.key, size, broker.MaxPartialBytes))
			}
			continue
		}
		msgs = append(msgs, kafka.Message{Key: []byte(one.key), Value: one.value})
	}
	return msgs
}
