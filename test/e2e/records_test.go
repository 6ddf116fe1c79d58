package e2e

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// TestBadRecords writes to a centre's topics what no agent would, and wants the figures undisturbed, every bad record
// counted, and those that cannot be used in the quarantine topic with their reason.
func TestBadRecords(t *testing.T) {
	w := newWorld(t, shared, "records", brisk)
	w.startCollector()
	w.write("cards", cards(nil))
	w.startAgent()
	w.wantDevices(soon, capacity.Devices{Rated: 8, Online: 8, Healthy: 8, Free: 8})
	w.write("cards", cards(uneven))
	steady := capacity.Devices{Rated: 8, Online: 8, Healthy: 6, Busy: 3, Free: 3, Faulty: 2}
	w.wantDevices(soon, steady)

	topic := telemetry.TelemetryTopic(w.centre)
	old := w.read(topic)
	if len(old) < 2 {
		t.Fatalf("%d reports so far", len(old))
	}
	before := w.metrics()
	host := old[0].Key
	report := old[len(old)-1].Value
	refused := bad(host, report)
	var messages []kafkago.Message
	for _, b := range refused {
		messages = append(messages, kafkago.Message{Topic: topic, Key: b.key, Value: b.value})
	}
	// Every report so far once more, the last one first: they say that all cards are free, and are not believed.
	for _, m := range slices.Backward(old) {
		messages = append(messages, kafkago.Message{Topic: topic, Key: m.Key, Value: m.Value})
	}
	// Hosts that only exist here, and have no devices: one a day ahead of time, one that says it is of another centre.
	ahead, foreign := plain(t, w.centre, "ahead", 24*time.Hour), plain(t, "elsewhere", "foreign", 0)
	messages = append(
		messages,
		kafkago.Message{Topic: topic, Key: []byte("ahead"), Value: ahead},
		kafkago.Message{Topic: topic, Key: []byte("foreign"), Value: foreign},
		kafkago.Message{Topic: telemetry.InventoryTopic(w.centre), Key: []byte("\x00\xff garbage"), Value: []byte("garbage\n")},
	)
	w.produce(messages)

	w.countersGrew(before, map[string]int{
		`exameter_records_total{kind="telemetry",result="rejected"}`:  len(refused),
		`exameter_records_total{kind="inventory",result="rejected"}`:  1,
		`exameter_records_total{kind="telemetry",result="duplicate"}`: len(old),
		"exameter_records_future_total":                               1,
		"exameter_records_foreign_centre_total":                       1,
	})
	w.keeps(3*time.Second, func() error {
		doc, err := w.capacity("")
		if err == nil && doc.Total.Devices != steady {
			err = fmt.Errorf("figures were disturbed: %+v, want %+v", doc.Total.Devices, steady)
		}
		return err
	})
	w.quarantined(refused)
	// The rest of the world goes on. What was lost is found again; a fatal XID stands until an operator acts.
	w.write("cards", cards(nil))
	w.wantDevices(soon, capacity.Devices{Rated: 8, Online: 8, Healthy: 7, Free: 7, Faulty: 1})
}

// refusal is a record, and the reason for which it must be refused.
type refusal struct {
	reason     string
	key, value []byte
}

// bad spoils a good report in every way that the collector must survive.
func bad(host, report []byte) []refusal {
	replace := func(old, new string) []byte { return bytes.Replace(report, []byte(old), []byte(new), 1) }
	lines := bytes.SplitAfter(report, []byte("\n"))
	return []refusal{
		{"truncated", host, report[:len(report)-20]},
		{"truncated", host, bytes.Join(lines[:len(lines)-2], nil)},
		{"oversized", host, bytes.Repeat(report, telemetry.MaxRecordBytes/len(report)+1)},
		{"not-utf8", host, replace("state=\"", "state=\"\xff")},
		{"empty", host, nil},
		{"syntax", host, []byte(",\n")},
		{"measurement", host, []byte("what is this\n")},
		{"key-mismatch", []byte("\xff\xfe\x00 garbage"), report},
		{"key-mismatch", nil, report},
	}
}

// plain makes the report of a host without devices.
func plain(t *testing.T, centre, host string, ahead time.Duration) []byte {
	t.Helper()
	var e telemetry.Encoder
	value, err := e.AppendReport(nil, &telemetry.Report{Header: telemetry.Header{
		Origin: telemetry.Origin{Centre: centre, Cluster: "default", Host: host},
		Time:   time.Now().Add(ahead), Boot: "b7d4a7f0-0000-4000-8000-000000000000", Seq: 1,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// produce writes messages in the given order, compressed so that the broker takes even what is oversized.
func (w *world) produce(messages []kafkago.Message) {
	w.Helper()
	writer := &kafkago.Writer{
		Addr: kafkago.TCP(w.kafka.Addrs()...), RequiredAcks: kafkago.RequireAll, BatchSize: 1,
		Balancer: &kafkago.Hash{}, Compression: kafkago.Lz4, BatchBytes: 4 << 20,
	}
	defer writer.Close()
	if err := writer.WriteMessages(w.Context(), messages...); err != nil {
		w.Fatal(err)
	}
}

// read returns all that stands in a topic now.
func (w *world) read(topic string) []kafkago.Message {
	w.Helper()
	var all []kafkago.Message
	conn, err := kafkago.DialContext(w.Context(), "tcp", w.kafka.Addrs()[0])
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	partitions, err := conn.ReadPartitions(topic)
	if err != nil {
		w.Fatal(err)
	}
	for _, p := range partitions {
		all = append(all, w.readPartition(topic, p.ID)...)
	}
	slices.SortStableFunc(all, func(a, b kafkago.Message) int { return a.Time.Compare(b.Time) })
	return all
}

func (w *world) readPartition(topic string, partition int) []kafkago.Message {
	w.Helper()
	leader, err := kafkago.DialLeader(w.Context(), "tcp", w.kafka.Addrs()[0], topic, partition)
	if err != nil {
		w.Fatal(err)
	}
	first, end, err := leader.ReadOffsets()
	leader.Close()
	if err != nil {
		w.Fatal(err)
	}
	if first == end {
		return nil
	}
	ctx, cancel := context.WithTimeout(w.Context(), soon)
	defer cancel()
	r := kafkago.NewReader(kafkago.ReaderConfig{Brokers: w.kafka.Addrs(), Topic: topic, Partition: partition, MaxWait: time.Second, MaxBytes: 8 << 20})
	defer r.Close()
	var found []kafkago.Message
	for {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			w.Fatal(err)
		}
		found = append(found, m)
		if m.Offset >= end-1 {
			return found
		}
	}
}

// metrics reads the collector's counters and gauges by name and labels.
func (w *world) metrics() map[string]float64 {
	w.Helper()
	body, err := w.get("/metrics")
	if err != nil {
		w.Fatal(err)
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		if v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64); err == nil {
			values[line[:i]] = v
		}
	}
	return values
}

// countersGrew waits until counters have grown by what is wanted, and by no more.
func (w *world) countersGrew(before map[string]float64, want map[string]int) {
	w.Helper()
	w.eventually(soon, func() error {
		now := w.metrics()
		for name, n := range want {
			if grew := now[name] - before[name]; grew != float64(n) {
				return fmt.Errorf("%s grew by %v, want %d", name, grew, n)
			}
		}
		return nil
	})
}

// quarantined wants each refused record in the quarantine topic, with its reason and its origin.
func (w *world) quarantined(refused []refusal) {
	w.Helper()
	topic := telemetry.TelemetryTopic(w.centre)
	w.eventually(soon, func() error {
		left := map[string]int{}
		for _, r := range refused {
			left[r.reason+" "+strconv.Itoa(len(r.value))]++
		}
		for _, m := range w.read(telemetry.QuarantineTopic) {
			headers := map[string]string{}
			for _, h := range m.Headers {
				headers[h.Key] = string(h.Value)
			}
			if headers["topic"] == topic && headers["offset"] != "" && headers["partition"] != "" && headers["detail"] != "" {
				left[headers["reason"]+" "+headers["length"]]--
			}
		}
		for what, n := range left {
			if n != 0 {
				return fmt.Errorf("quarantine topic: %d too few with reason and length %q", n, what)
			}
		}
		return nil
	})
}
