package faults

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/quarantine"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/process"
)

// Poison is written in batches of so many records, for so long.
const (
	poisonBatch = 500
	poisonFor   = 6 * time.Second
)

// TestPoison writes thousands of records a second that cannot be used among those of a province. Every one is counted, some are kept aside
// with the reason, the figures stay exact, and the collector does not grow.
func TestPoison(t *testing.T) {
	w := newWorld(t, 200)
	topic := telemetry.TelemetryTopic(w.province.Centres()[0])
	before, resident := w.metrics(), process.Resident(w.collector.PID())
	writer := &kafka.Writer{Addr: kafka.TCP(w.brokers...), Topic: topic, BatchSize: poisonBatch, BatchTimeout: time.Millisecond, RequiredAcks: kafka.RequireAll, BatchBytes: 8 << 20}
	defer writer.Close()
	random := rand.New(rand.NewPCG(1, 2))
	sent, most := 0, int64(0)
	began := time.Now()
	for time.Since(began) < poisonFor {
		if err := writer.WriteMessages(t.Context(), poison(random)...); err != nil {
			t.Fatal(err)
		}
		sent += poisonBatch
		most = max(most, process.Resident(w.collector.PID()))
		if err := w.exact(http.DefaultClient); err != nil {
			t.Fatalf("after %d records: %v", sent, err)
		}
	}
	rate := float64(sent) / time.Since(began).Seconds()
	if rate < 1000 {
		t.Fatalf("%.0f records a second are too few to be a test", rate)
	}
	const rejected = `exameter_records_total{kind="telemetry",result="rejected"}`
	kept := func(now map[string]float64) (sum float64) {
		for _, result := range []string{"written", "suppressed", "failed"} {
			name := fmt.Sprintf("exameter_quarantine_records_total{result=%q}", result)
			sum += now[name] - before[name]
		}
		return sum
	}
	w.eventually(soon, func() error {
		most = max(most, process.Resident(w.collector.PID()))
		now := w.metrics()
		if n := now[rejected] - before[rejected]; n != float64(sent) {
			return fmt.Errorf("%v records rejected, want %d", n, sent)
		}
		if n := kept(now); n != float64(sent) {
			return fmt.Errorf("%v records kept aside or let go, want %d", n, sent)
		}
		return nil
	})
	if err := w.exact(http.DefaultClient); err != nil {
		t.Error(err)
	}
	if grew := most - resident; grew > 48<<20 {
		t.Errorf("the collector grew by %d MiB", grew>>20)
	}
	aside := w.quarantined()
	bound := quarantine.PerSecond * (int(time.Since(began).Seconds()) + 2)
	if len(aside) == 0 || len(aside) > bound {
		t.Errorf("%d records are kept aside, want some, and at most %d", len(aside), bound)
	}
	for _, m := range aside {
		headers := map[string]string{}
		for _, h := range m.Headers {
			headers[h.Key] = string(h.Value)
		}
		if headers["reason"] == "" || headers["topic"] != topic || headers["offset"] == "" || len(m.Value) > quarantine.MaxValue {
			t.Errorf("kept aside with %v, %d bytes", headers, len(m.Value))
		}
	}
	t.Logf("%d records, %.0f a second; grew by %d MiB; %d kept aside", sent, rate, (most-resident)>>20, len(aside))
}

// poison is a batch of records of which none can be used.
func poison(random *rand.Rand) []kafka.Message {
	out := make([]kafka.Message, poisonBatch)
	for i := range out {
		key := fmt.Appendf(nil, "poison-%d", random.IntN(1<<20))
		var value []byte
		switch i % 5 {
		case 0:
			value = make([]byte, random.IntN(300)+1)
			for j := range value {
				value[j] = byte(random.IntN(256))
			}
			value[0] = 0xff // not UTF-8
		case 1:
			value = []byte(",=\n")
		case 2: // begins well and breaks off
			value = []byte("exameter_host,centre=x,host=")
		case 3:
			value = bytes.Repeat([]byte("a"), 2000)
		}
		out[i] = kafka.Message{Key: key, Value: value}
	}
	return out
}

// quarantined returns what stands in the quarantine topic.
func (w *world) quarantined() (all []kafka.Message) {
	w.Helper()
	conn, err := kafka.DialContext(w.Context(), "tcp", w.brokers[0])
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	partitions, err := conn.ReadPartitions(telemetry.QuarantineTopic)
	if err != nil {
		w.Fatal(err)
	}
	for _, p := range partitions {
		leader, err := kafka.DialLeader(w.Context(), "tcp", w.brokers[0], telemetry.QuarantineTopic, p.ID)
		if err != nil {
			w.Fatal(err)
		}
		first, end, err := leader.ReadOffsets()
		_ = leader.Close()
		if err != nil {
			w.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(w.Context(), soon)
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: w.brokers, Topic: telemetry.QuarantineTopic, Partition: p.ID, MaxWait: time.Second})
		for at := first; at < end; at++ {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				w.Fatal(err)
			}
			all = append(all, m)
		}
		_ = r.Close()
		cancel()
	}
	return all
}
