package publish

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/exameter/exameter/agent/spool"
	"github.com/exameter/exameter/internal/broker"
)

const (
	inventory = "exameter.v1.inventory.lab"
	tele      = "exameter.v1.telemetry.lab"
)

func cluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// logs is a log that tests can read while it is written.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(b) }

func (l *logs) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// start runs a publisher of one queue until the test ends.
func start(t *testing.T, addrs []string, qs ...Queue) (*Publisher, *logs) {
	t.Helper()
	out := &logs{}
	p := New(broker.Config{Brokers: addrs}, "test", []string{inventory, tele}, slog.New(slog.NewTextHandler(out, nil)), lanes(qs)...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return p, out
}

func lanes(qs []Queue) (out []Lane) {
	for _, q := range qs {
		out = append(out, Lane{Queue: q})
	}
	return out
}

func record(topic string, i int) spool.Record {
	return spool.Record{Topic: topic, Key: []byte("host-1"), Value: fmt.Appendf(nil, "record %d", i)}
}

// consume reads n records of a topic, from all its partitions, and fails the test after ten seconds.
func consume(t *testing.T, addrs []string, topic string, partitions, n int) (values []string, partition int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	partition = -1
	for i := range partitions {
		conn, err := kafka.DialLeader(ctx, "tcp", addrs[0], topic, i)
		if err != nil {
			t.Fatal(err)
		}
		_, last, err := conn.ReadOffsets()
		conn.Close()
		if err != nil {
			t.Fatal(err)
		}
		if last == 0 {
			continue
		}
		if partition >= 0 {
			t.Fatalf("one host's records stand in partitions %d and %d", partition, i)
		}
		partition = i
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: addrs, Topic: topic, Partition: i, MaxWait: time.Second, MinBytes: 1, MaxBytes: 1 << 20})
		defer r.Close()
		for len(values) < n {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				t.Fatalf("after %d of %d records: %v", len(values), n, err)
			}
			if string(m.Key) != "host-1" {
				t.Errorf("key %q", m.Key)
			}
			values = append(values, string(m.Value))
		}
		if int64(n) != last {
			t.Errorf("topic holds %d records, want %d", last, n)
		}
	}
	return values, partition
}

func drained(t *testing.T, qs ...Queue) {
	t.Helper()
	wait(t, func() bool {
		return !slices.ContainsFunc(qs, func(q Queue) bool { return q.Stats().Records > 0 })
	})
}

func wait(t *testing.T, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain for 15 s")
		}
	}
}

func TestDeliversInOrderOnceToOnePartition(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(8, inventory, tele))
	inv, q := spool.NewLatest(), spool.NewQueue(1000, 1<<20)
	for i := range 500 {
		q.Put(record(tele, i))
	}
	inv.Put(record(inventory, 0))
	start(t, c.ListenAddrs(), inv, q)
	drained(t, inv, q)
	for i := 500; i < 600; i++ {
		q.Put(record(tele, i))
	}
	drained(t, q)
	values, partition := consume(t, c.ListenAddrs(), tele, 8, 600)
	for i, v := range values {
		if v != fmt.Sprintf("record %d", i) {
			t.Fatalf("record %d is %q", i, v)
		}
	}
	if _, p := consume(t, c.ListenAddrs(), inventory, 8, 1); p != partition {
		t.Errorf("inventory stands in partition %d, telemetry in %d", p, partition)
	}
	// What Java's default partitioner gives: toPositive(murmur2("host-1")) % 8.
	if want := (kafka.Murmur2Balancer{}).Balance(kafka.Message{Key: []byte("host-1")}, 0, 1, 2, 3, 4, 5, 6, 7); partition != want {
		t.Errorf("partition %d, want %d", partition, want)
	}
}

func TestAcksFromAllReplicas(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, tele))
	var mu sync.Mutex
	var acks []int16
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		acks = append(acks, r.(*kmsg.ProduceRequest).Acks)
		return nil, nil, false
	})
	q := spool.NewQueue(10, 1<<20)
	q.Put(record(tele, 0))
	start(t, c.ListenAddrs(), q)
	drained(t, q)
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(acks, []int16{-1}) {
		t.Errorf("acks asked for: %v, want all replicas (-1) once", acks)
	}
}

func TestBrokerComesLateAndGoesAway(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, tele))
	addr := c.ListenAddrs()
	var mu sync.Mutex
	down := true
	c.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		if down {
			return nil, fmt.Errorf("down"), true // closes the connection
		}
		return nil, nil, false
	})
	setDown := func(d bool) { mu.Lock(); defer mu.Unlock(); down = d }
	q := spool.NewQueue(1000, 1<<20)
	for i := range 10 {
		q.Put(record(tele, i))
	}
	_, out := start(t, addr, q)
	wait(t, func() bool { return strings.Contains(out.String(), "records_waiting=10") })
	time.Sleep(500 * time.Millisecond) // several attempts, one complaint
	setDown(false)
	drained(t, q)
	setDown(true)
	q.Put(record(tele, 10))
	wait(t, func() bool { return strings.Contains(out.String(), "records_waiting=1 ") })
	setDown(false)
	drained(t, q)
	if values, _ := consume(t, addr, tele, 1, 11); values[10] != "record 10" {
		t.Errorf("last is %q", values[10])
	}
	log := out.String()
	if a, b := strings.Count(log, "cannot be reached"), strings.Count(log, "takes records again"); a != 2 || b < 1 {
		t.Errorf("%d complaints and %d recoveries in\n%s", a, b, log)
	}
}

func TestMissingTopicHoldsUpNothingElse(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, tele))
	inv, q := spool.NewLatest(), spool.NewQueue(10, 1<<20)
	inv.Put(record(inventory, 0))
	q.Put(record(tele, 0))
	_, out := start(t, c.ListenAddrs(), inv, q)
	drained(t, q)
	wait(t, func() bool {
		return strings.Contains(out.String(), "exameter topics create") && strings.Contains(out.String(), inventory)
	})
	admin := &kafka.Client{Addr: kafka.TCP(c.ListenAddrs()...), Timeout: 5 * time.Second}
	if _, err := broker.Create(t.Context(), admin, broker.CentreTopics("lab", 1), 1); err != nil {
		t.Fatal(err)
	}
	drained(t, inv)
}

// refuseLarge makes a broker refuse batches beyond 100 KiB.
func refuseLarge(c *kfake.Cluster) {
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		if p := req.Topics[0].Partitions[0]; len(p.Records) > 100<<10 {
			return refused(req, kerr.MessageTooLarge), nil, true
		}
		return nil, nil, false
	})
}

// refused answers a produce request of one partition with an error.
func refused(req *kmsg.ProduceRequest, why *kerr.Error) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	rt := kmsg.NewProduceResponseTopic()
	rt.Topic, rt.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
	rp := kmsg.NewProduceResponseTopicPartition()
	rp.ErrorCode = why.Code
	rt.Partitions = append(rt.Partitions, rp)
	resp.Topics = append(resp.Topics, rt)
	return resp
}

// TestAnotherBrokerIsAsked has a leader acknowledge nothing at first: after each failure another broker is asked who leads, and never the leader.
func TestAnotherBrokerIsAsked(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(1, tele))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	const failures = 5
	leader := c.LeaderFor(tele, 0)
	var mu sync.Mutex
	var asked []int32 // since the first failure
	failed := 0
	c.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		switch req := r.(type) {
		case *kmsg.MetadataRequest:
			if failed > 0 {
				asked = append(asked, c.CurrentNode())
			}
		case *kmsg.ProduceRequest:
			if failed < failures {
				failed++
				return refused(req, kerr.RequestTimedOut), nil, true
			}
		}
		return nil, nil, false
	})
	q := spool.NewQueue(10, 1<<20)
	q.Put(record(tele, 0))
	start(t, c.ListenAddrs(), q)
	drained(t, q)
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != failures || slices.Contains(asked, leader) || len(slices.Compact(slices.Clone(asked))) != failures {
		t.Errorf("asked %v, one after the other, while broker %d led", asked, leader)
	}
}

// noise is bytes that compression does not make fewer.
func noise(seed uint32, n int) []byte {
	out, x := make([]byte, n), seed
	for i := range out {
		x = x*1664525 + 1013904223
		out[i] = byte(x >> 24)
	}
	return out
}

func TestRecordThatKafkaRefusesIsDroppedAlone(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, tele))
	refuseLarge(c)
	q := spool.NewQueue(10, 1<<20)
	q.Put(record(tele, 0))
	q.Put(spool.Record{Topic: tele, Key: []byte("host-1"), Value: noise(1, 200<<10)})
	q.Put(record(tele, 2))
	start(t, c.ListenAddrs(), q)
	drained(t, q)
	values, _ := consume(t, c.ListenAddrs(), tele, 1, 2)
	if !slices.Equal(values, []string{"record 0", "record 2"}) || q.Stats().Dropped != 1 {
		t.Errorf("delivered %q, dropped %d", values, q.Stats().Dropped)
	}
}

func TestReconfigureMovesToOtherBrokers(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, tele))
	q := spool.NewQueue(10, 1<<20)
	q.Put(record(tele, 0))
	p, out := start(t, []string{"127.0.0.1:1"}, q)
	wait(t, func() bool { return strings.Contains(out.String(), "cannot be reached") })
	p.Reconfigure(broker.Config{Brokers: c.ListenAddrs()})
	drained(t, q)
}

func TestStopsAtOnce(t *testing.T) {
	q := spool.NewQueue(10, 1<<20)
	q.Put(record(tele, 0))
	p := New(broker.Config{Brokers: []string{"127.0.0.1:1"}}, "test", []string{tele}, slog.New(slog.DiscardHandler), Lane{Queue: q})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	p.Run(ctx)
	if d := time.Since(began); d > time.Second {
		t.Errorf("Run took %v to stop", d)
	}
}

// TestNothingStaysOfAnOldWay has the configuration read anew in the middle of an attempt, which then ends on the connections of before.
func TestNothingStaysOfAnOldWay(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, tele))
	q := spool.NewQueue(100, 1<<20)
	p := New(broker.Config{Brokers: c.ListenAddrs()}, "test", []string{tele}, slog.New(slog.DiscardHandler), Lane{Queue: q})
	var once sync.Once
	c.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		once.Do(func() { p.Reconfigure(broker.Config{Brokers: c.ListenAddrs()}) })
		return nil, nil, false
	})
	before := pools()
	q.Put(record(tele, 0))
	q.Close()
	p.Run(t.Context())
	if n := q.Stats().Records; n != 0 {
		t.Fatalf("%d records were not sent", n)
	}
	for end := time.Now().Add(30 * time.Second); pools() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d pools of connections are still kept up, %d before", pools(), before)
		}
	}
}

// pools counts the pools of connections that kafka-go keeps up: each looks at the cluster from a goroutine of its own.
func pools() int {
	b := make([]byte, 1<<20)
	return strings.Count(string(b[:runtime.Stack(b, true)]), "kafka-go.(*connPool).discover(")
}
