package sim

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"github.com/exameter/exameter/internal/broker"
)

const (
	tick = 100 * time.Millisecond
	// atOnce bounds the hosts that speak in one batch, and thereby its memory.
	atOnce = 256
	// lastWord is how long a batch may still take when the driver is stopped.
	lastWord = time.Second
)

// Driver sends what a province says to Kafka, as its agents would: keyed by host, acknowledged by all replicas.
type Driver struct {
	Province *Province
	Broker   broker.Config
	Log      *slog.Logger
	// Batch is how many records of a partition may share one of Kafka's batches. Many make for a quick driver; 1 is what
	// a broker sees of agents, each of which writes a record every few seconds. Hundreds where zero.
	Batch int
	// Once leaves out the writer's own repetitions, so that a record that was acknowledged was sent once.
	Once bool
	// Sent is called with every record that was sent and whether the broker acknowledged it; nil where nobody wants to know. One that was
	// not may have arrived all the same. It may not keep the bytes.
	Sent func(topic string, key, value []byte, acknowledged bool)

	records, bytes, failures, late atomic.Int64
}

// Counts are what a driver did so far.
type Counts struct {
	Records  int64 `json:"records"`  // acknowledged
	Bytes    int64 `json:"bytes"`    // of them, as encoded
	Failures int64 `json:"failures"` // records that were not acknowledged, each time they were sent
	Late     int64 `json:"late"`     // rounds that began later than they should have
}

// Counts returns the driver's counts.
func (d *Driver) Counts() Counts {
	return Counts{d.records.Load(), d.bytes.Load(), d.failures.Load(), d.late.Load()}
}

// Run drives the province by the clock until ctx ends, which is no error.
func (d *Driver) Run(ctx context.Context) error {
	client, transport, err := d.Broker.Client("exameter-simulate")
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{
		Addr: client.Addr, Transport: client.Transport, Balancer: kafka.Murmur2Balancer{},
		RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4,
		BatchSize: cmp.Or(d.Batch, 2*atOnce), BatchBytes: 240 << 10, BatchTimeout: 5 * time.Millisecond, MaxAttempts: 3,
	}
	if d.Once {
		w.MaxAttempts = 1
	}
	g, ctx := errgroup.WithContext(ctx)
	// What is on its way when ctx ends may still arrive, so that the ledger knows.
	sending, give := context.WithCancel(context.WithoutCancel(ctx))
	defer give()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastWord, give) })()
	for i, c := range d.Province.centres {
		g.Go(func() error {
			// Agents of a hundred thousand hosts do not speak in step, and neither do centres.
			pause(ctx, tick*time.Duration(i)/time.Duration(len(d.Province.centres)))
			return d.centre(ctx, sending, c, w)
		})
	}
	err = g.Wait()
	return errors.Join(err, w.Close())
}

// centre drives one centre.
func (d *Driver) centre(ctx, sending context.Context, c *centre, w *kafka.Writer) error {
	t := time.NewTicker(tick)
	defer t.Stop()
	var b batch
	var out []kafka.Message
	for {
		select {
		case <-ctx.Done():
			return nil
		case at := <-t.C:
			if time.Since(at) > tick {
				d.late.Add(1)
			}
		}
		c.evolve(time.Now())
		for b.more = true; b.more && ctx.Err() == nil; {
			c.now = time.Now()
			if err := c.collect(&b, c.now, atOnce); err != nil {
				return err
			}
			out = d.send(ctx, sending, c, &b, w, out[:0])
		}
	}
}

// send writes a batch and enters the outcome. It returns the slice it was lent.
func (d *Driver) send(ctx, sending context.Context, c *centre, b *batch, w *kafka.Writer, out []kafka.Message) []kafka.Message {
	if len(b.messages) == 0 {
		return out
	}
	for i := range b.messages {
		m := &b.messages[i]
		out = append(out, kafka.Message{Topic: m.topic, Key: b.key(m), Value: b.value(m)})
	}
	err := w.WriteMessages(sending, out...)
	var each kafka.WriteErrors
	partial := errors.As(err, &each) && len(each) == len(out)
	failed := func(i int) bool { return err != nil && (!partial || each[i] != nil) }
	c.acknowledge(b, failed)
	lost := int64(0)
	for i := range b.messages {
		if d.Sent != nil {
			m := &b.messages[i]
			d.Sent(m.topic, b.key(m), b.value(m), !failed(i))
		}
		if failed(i) {
			lost++
			continue
		}
		d.records.Add(1)
		d.bytes.Add(int64(b.messages[i].to - b.messages[i].from))
	}
	if lost > 0 {
		d.failures.Add(lost)
		for _, one := range each {
			if partial && one != nil {
				err = one // all of them would fill a page
				break
			}
		}
		if ctx.Err() == nil {
			d.Log.Warn("records were not acknowledged and are sent again", "centre", c.ID, "records", lost, "error", err)
			// What was given up on may still lie in the writer's hands, so its bytes are not written over.
			b.buf = nil
			pause(ctx, time.Second)
		}
	}
	return out
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
