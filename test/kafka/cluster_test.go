package kafka

import (
	"context"
	"errors"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

func TestRecordSurvivesKillOfBroker(t *testing.T) {
	c := Run(t, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	client := &kafkago.Client{Addr: kafkago.TCP(c.Addrs()...), Timeout: 20 * time.Second}
	made, err := client.CreateTopics(ctx, &kafkago.CreateTopicsRequest{
		Topics: []kafkago.TopicConfig{{Topic: "t", NumPartitions: 1, ReplicationFactor: 1}},
	})
	if err := errors.Join(err, made.Errors["t"]); err != nil {
		t.Fatal(err)
	}
	w := &kafkago.Writer{Addr: kafkago.TCP(c.Addrs()...), Topic: "t", RequiredAcks: kafkago.RequireAll, BatchSize: 1}
	defer w.Close()
	if err := w.WriteMessages(ctx, kafkago.Message{Key: []byte("k"), Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(0); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := c.Restart(ctx, 0); err != nil {
		t.Fatal(err)
	}
	t.Logf("a killed broker served again after %v", time.Since(began).Round(time.Millisecond))

	r := kafkago.NewReader(kafkago.ReaderConfig{Brokers: c.Addrs(), Topic: "t", MaxWait: time.Second})
	defer r.Close()
	m, err := r.ReadMessage(ctx)
	if err != nil || string(m.Key) != "k" || string(m.Value) != "v" {
		t.Fatalf("read %q=%q, %v; want k=v", m.Key, m.Value, err)
	}
}

func TestThreeBrokersServeWithoutOne(t *testing.T) {
	c := Run(t, Options{Brokers: 3, Heap: "256m"})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	client := &kafkago.Client{Addr: kafkago.TCP(c.Addrs()...), Timeout: 20 * time.Second}
	made, err := client.CreateTopics(ctx, &kafkago.CreateTopicsRequest{
		Topics: []kafkago.TopicConfig{{Topic: "t", NumPartitions: 3, ReplicationFactor: 3}},
	})
	if err := errors.Join(err, made.Errors["t"]); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(2); err != nil {
		t.Fatal(err)
	}
	w := &kafkago.Writer{Addr: kafkago.TCP(c.Addrs()...), Topic: "t", RequiredAcks: kafkago.RequireAll, BatchSize: 1}
	defer w.Close()
	for ctx.Err() == nil {
		// Leaders move within a second or two; until then a write may fail.
		if err = w.WriteMessages(ctx, kafkago.Message{Value: []byte("a")}, kafkago.Message{Value: []byte("b")}, kafkago.Message{Value: []byte("c")}); err == nil {
			return
		}
	}
	t.Fatalf("no write to all partitions after broker 3 stopped: %v", err)
}
