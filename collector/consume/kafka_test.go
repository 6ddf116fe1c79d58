package consume_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/kafka"
)

// TestBrokersTime reads topics of Apache Kafka, to which a producer with a clock a day behind wrote: with LogAppendTime
// every record has the broker's time. Brokers keep the producer's first timestamp in the batch all the same, which is
// why a client that adds up timestamps without looking at the batch's attributes is a day behind.
func TestBrokersTime(t *testing.T) {
	k := kafka.Run(t, kafka.Options{})
	cfg := broker.Config{Brokers: k.Addrs()}
	client, transport, err := cfg.Client("test")
	if err != nil {
		t.Fatal(err)
	}
	defer transport.CloseIdleConnections()
	if _, err := broker.Create(t.Context(), client, broker.CentreTopics("a", 1), 1); err != nil {
		t.Fatal(err)
	}
	if ok, err := consume.AppendTime(t.Context(), client, telemetry.TelemetryTopic("a")); !ok || err != nil {
		t.Errorf("AppendTime = %t, %v", ok, err)
	}
	w := &kafkago.Writer{Addr: client.Addr, Transport: transport, BatchTimeout: time.Millisecond, RequiredAcks: kafkago.RequireAll, Compression: kafkago.Lz4}
	defer w.Close()
	yesterday := time.Now().Add(-24 * time.Hour)
	for _, m := range []kafkago.Message{
		{Topic: telemetry.InventoryTopic("a"), Value: []byte("exists")},
		{Topic: telemetry.InventoryTopic("a")}, // a tombstone
		{Topic: telemetry.TelemetryTopic("a"), Value: []byte("happens")},
	} {
		m.Key, m.Time = []byte("host"), yesterday
		if err := w.WriteMessages(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	out := make(chan *consume.Batch, 4)
	c := consume.New(consume.Config{
		Brokers: k.Addrs(), Dialer: func() (*kafkago.Dialer, error) { return cfg.Dialer("test") }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now: time.Now, Rewind: time.Minute, Centres: func() []string { return nil }, Discover: true,
	}, out)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	var got []string
	for ready := false; !ready; ready, _ = c.Ready() {
		select {
		case b := <-out:
			for _, r := range b.Records {
				got = append(got, string(r.Value))
				if age := time.Since(r.Time); age > time.Hour || age < -time.Minute {
					t.Errorf("%s, offset %d: is %s old, by its producer's clock", b.Partition, r.Offset, age)
				}
				if tombstone := r.Value == nil; tombstone != (b.Inventory && r.Offset == 1) {
					t.Errorf("%s, offset %d: tombstone is %t", b.Partition, r.Offset, tombstone)
				}
			}
			b.Done()
		case <-ctx.Done():
			t.Fatalf("not ready: %+v", c.Stats())
		}
	}
	// Telemetry is looked up by the broker's time as well: a minute back finds what a day-old clock wrote just now.
	if len(got) != 3 || got[0] != "exists" || got[1] != "" || got[2] != "happens" {
		t.Errorf("values = %q", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
