// Package publish sends the agent's records to Kafka: acknowledged by all replicas, in order, again and again until
// Kafka has them.
package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/agent/spool"
	"github.com/exameter/exameter/internal/broker"
)

// Bounds of one produce request and of the time between attempts.
const (
	maxBatchRecords = 200
	maxBatchBytes   = 512 << 10
	attemptTimeout  = 10 * time.Second
	minBackoff      = 100 * time.Millisecond
	maxBackoff      = 3 * time.Second // so that what is new is in Kafka within five seconds of its return
	complainEvery   = time.Minute
)

// Publisher empties lanes into Kafka. Each has a goroutine of its own, so that a missing topic of one does not hold up the other.
type Publisher struct {
	clientID string
	topics   []string
	lanes    []Lane
	log      *slog.Logger

	mu     sync.Mutex
	config broker.Config
	turn   broker.Turn // of the brokers, whichever link asks
	link   *link       // nil before the first attempt, and after a failed one
}

// link is one set of connections to the brokers.
type link struct {
	client    *kafka.Client
	transport *kafka.Transport
}

// New makes a Publisher for records of the given topics, which names itself to the brokers by clientID.
func New(c broker.Config, clientID string, topics []string, log *slog.Logger, lanes ...Lane) *Publisher {
	return &Publisher{clientID: clientID, topics: topics, lanes: lanes, log: log, config: c}
}

// Reconfigure changes how to reach Kafka. What waits is sent the new way.
func (p *Publisher) Reconfigure(c broker.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.config = c
	p.drop(p.link)
}

// Run sends until ctx ends or all queues in memory are closed and empty. What lies on disk then waits there for the next time. It reports whether
// all disks are at rest: one that is not is still being written to, by a call that has not returned, and is to be left alone.
func (p *Publisher) Run(ctx context.Context) (rest bool) {
	var wg sync.WaitGroup
	var left atomic.Bool
	for _, l := range p.lanes {
		wg.Go(func() {
			if !(&sender{p: p, Lane: l, log: p.log}).run(ctx) {
				left.Store(true)
			}
		})
	}
	wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(p.link)
	return !left.Load()
}

// send delivers records of one topic and returns how many of them Kafka has. Records beyond what a broker accepts are
// found one by one: the error then concerns the first that was not delivered.
func (p *Publisher) send(ctx context.Context, records []spool.Record) (int, error) {
	err := p.attempt(ctx, records)
	if err == nil {
		return len(records), nil
	}
	if !hopeless(err) || len(records) == 1 {
		return 0, err
	}
	for i := range records {
		if err := p.attempt(ctx, records[i:i+1]); err != nil {
			return i, err
		}
	}
	return len(records), nil
}

func (p *Publisher) attempt(ctx context.Context, records []spool.Record) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	l, err := p.connect()
	if err != nil {
		return err
	}
	err = l.produce(ctx, records)
	p.mu.Lock()
	defer p.mu.Unlock()
	// The cached picture of the cluster may be what is wrong, and it is kept for minutes: look afresh. A link that was dropped meanwhile has
	// opened connections anew, which nobody else would close.
	if err != nil && !hopeless(err) || p.link != l {
		p.drop(l)
	}
	return err
}

func (p *Publisher) connect() (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link == nil {
		client, transport, err := p.config.Successor(p.clientID, &p.turn)
		if err != nil {
			return nil, err
		}
		transport.MetadataTopics = p.topics
		p.link = &link{client, transport}
	}
	return p.link, nil
}

// drop closes a link, once. The caller holds the lock.
func (p *Publisher) drop(l *link) {
	if l == nil {
		return
	}
	l.transport.CloseIdleConnections()
	if p.link == l {
		p.link = nil
	}
}

func (l *link) produce(ctx context.Context, records []spool.Record) error {
	topic := records[0].Topic
	partition, err := l.partition(ctx, topic, records[0].Key)
	if err != nil {
		return err
	}
	batch := make([]kafka.Record, len(records))
	for i, r := range records {
		batch[i] = kafka.Record{Key: kafka.NewBytes(r.Key), Value: kafka.NewBytes(r.Value)}
	}
	res, err := l.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4,
		Records: kafka.NewRecordReader(batch...),
	})
	if err != nil {
		return fmt.Errorf("send %d records to topic %q: %w", len(records), topic, err)
	}
	if res.Error != nil {
		return fmt.Errorf("send %d records to topic %q: %w", len(records), topic, res.Error)
	}
	return nil
}

// partition places a key as Java's default partitioner does, so that the topics of a centre and whatever others write
// agree. The answer comes from the transport's cache.
func (l *link) partition(ctx context.Context, topic string, key []byte) (int, error) {
	meta, err := l.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, fmt.Errorf("look up topic %q: %w", topic, err)
	}
	for _, t := range meta.Topics {
		if t.Name != topic {
			continue
		}
		if t.Error != nil {
			return 0, fmt.Errorf("look up topic %q: %w", topic, t.Error)
		}
		ids := make([]int, len(t.Partitions))
		for i := range ids {
			ids[i] = i
		}
		if len(ids) > 0 {
			return kafka.Murmur2Balancer{Consistent: true}.Balance(kafka.Message{Key: key}, ids...), nil
		}
	}
	return 0, fmt.Errorf("look up topic %q: %w", topic, kafka.UnknownTopicOrPartition)
}

// waiting counts the records in all lanes.
func (p *Publisher) waiting() (n int64) {
	for _, l := range p.lanes {
		n += l.Stats().Records
	}
	return n
}

// hopeless says that Kafka would refuse the same record for ever.
func hopeless(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge) || errors.Is(err, kafka.InvalidRecord)
}
