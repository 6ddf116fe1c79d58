package consume

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/exameter/exameter/telemetry"
)

// sink collects what a consumer hands over, and in which order.
type sink struct {
	mu    sync.Mutex
	lines []string
}

func (s *sink) take(b *Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := "tel"
	if b.Inventory {
		kind = "inv"
	}
	for _, r := range b.Records {
		s.lines = append(s.lines, fmt.Sprintf("%s/%s/%d %s=%s", kind, b.Centre, b.Number, r.Key, r.Value))
	}
	b.Done()
}

func (s *sink) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// follow starts a consumer of a cluster.
func follow(t *testing.T, c *kfake.Cluster, change func(*Config)) (*Consumer, *sink) {
	t.Helper()
	cfg := Config{
		Brokers: c.ListenAddrs(), Dialer: func() (*kafka.Dialer, error) { return &kafka.Dialer{ClientID: "test", Timeout: time.Second}, nil },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now, Rewind: time.Minute,
		Centres: func() []string { return nil }, Discover: true, Every: 200 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	batches := make(chan *Batch, 4)
	consumer, s := New(cfg, batches), &sink{}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := consumer.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
		close(batches)
	})
	wg.Go(func() {
		for b := range batches {
			s.take(b)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return consumer, s
}

func cluster(t *testing.T, brokers int) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(brokers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func topics(t *testing.T, c *kfake.Cluster, centre string, inventory, telemetries int32) {
	t.Helper()
	for topic, n := range map[string]int32{telemetry.InventoryTopic(centre): inventory, telemetry.TelemetryTopic(centre): telemetries} {
		if n > 0 {
			if err := c.CreateTopic(topic, n, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// write appends records to one partition.
func write(t *testing.T, c *kfake.Cluster, topic string, partition int, records ...string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, err := kafka.DialLeader(t.Context(), "tcp", c.ListenAddrs()[0], topic, partition)
		if err == nil {
			var msgs []kafka.Message
			for _, r := range records {
				k, v, _ := strings.Cut(r, "=")
				msgs = append(msgs, kafka.Message{Key: []byte(k), Value: []byte(v)})
			}
			_, err = conn.WriteMessages(msgs...)
			_ = conn.Close()
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("write to %s: %v", topic, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestInventoryComesFirst reads each centre's inventory to its end before telemetry of the same number.
func TestInventoryComesFirst(t *testing.T) {
	c := cluster(t, 1)
	topics(t, c, "a", 2, 2)
	for p := range 2 {
		for i := range 300 {
			write(t, c, telemetry.InventoryTopic("a"), p, fmt.Sprintf("h%d=inventory-%d", i, i))
			if i%100 == 0 {
				write(t, c, telemetry.TelemetryTopic("a"), p, fmt.Sprintf("h%d=report", i))
			}
		}
	}
	consumer, s := follow(t, c, nil)
	wait(t, "the rebuild", func() bool { ready, _ := consumer.Ready(); return ready })
	lines := strings.Split(s.all(), "\n")
	if len(lines) != 606 {
		t.Fatalf("%d records, want 606", len(lines))
	}
	for p := range 2 {
		last, first := 0, len(lines)
		for i, l := range lines {
			if strings.HasPrefix(l, fmt.Sprintf("inv/a/%d", p)) {
				last = i
			}
			if strings.HasPrefix(l, fmt.Sprintf("tel/a/%d", p)) {
				first = min(first, i)
			}
		}
		if first < last {
			t.Errorf("partition %d: telemetry at %d comes before inventory at %d", p, first, last)
		}
	}
	write(t, c, telemetry.TelemetryTopic("a"), 1, "h1=later")
	wait(t, "a later record", func() bool { return strings.Contains(s.all(), "tel/a/1 h1=later") })
	for _, p := range consumer.Stats().Partitions {
		if !p.CaughtUp {
			t.Errorf("%s is not caught up", p)
		}
	}
}

// TestOnlyRegistered follows the registry's centres alone when it is told not to discover.
func TestOnlyRegistered(t *testing.T) {
	c := cluster(t, 1)
	topics(t, c, "a", 1, 1)
	topics(t, c, "b", 1, 1)
	consumer, _ := follow(t, c, func(cfg *Config) {
		cfg.Discover, cfg.Centres = false, func() []string { return []string{"b", "has-no-topics"} }
	})
	wait(t, "the rebuild", func() bool { ready, _ := consumer.Ready(); return ready })
	for _, p := range consumer.Stats().Partitions {
		if p.Centre != "b" {
			t.Errorf("%s is followed", p)
		}
	}
}

// TestLeaderMoves follows a partition to another broker, and through the loss of the broker it was on.
func TestLeaderMoves(t *testing.T) {
	c := cluster(t, 3)
	topics(t, c, "a", 1, 1)
	topic := telemetry.TelemetryTopic("a")
	consumer, s := follow(t, c, nil)
	for i := range 6 {
		if err := c.MoveTopicPartition(topic, 0, int32(i%3)); err != nil {
			t.Fatal(err)
		}
		record := "h=" + strconv.Itoa(i)
		write(t, c, topic, 0, record)
		wait(t, record, func() bool { return strings.Contains(s.all(), record) })
	}
	if got := strings.Count(s.all(), "tel/a/0"); got != 6 {
		t.Errorf("%d records, want 6: some were lost or came twice\n%s", got, s.all())
	}
	if consumer.Stats().Reconnects == 0 {
		t.Error("the leader moved and nobody reconnected")
	}
}

// TestRetentionPassed goes on from the first record there is.
func TestRetentionPassed(t *testing.T) {
	c := cluster(t, 1)
	topics(t, c, "a", 1, 1)
	topic := telemetry.TelemetryTopic("a")
	write(t, c, topic, 0, "h=1")
	consumer, s := follow(t, c, nil)
	wait(t, "the first record", func() bool { return strings.Contains(s.all(), "h=1") })
	// The topic is made anew, with fewer records than were read.
	if err := c.DeleteTopic(topic); err != nil {
		t.Fatal(err)
	}
	wait(t, "the end of the partition", func() bool { return len(consumer.Stats().Partitions) == 1 })
	topics(t, c, "a", 0, 1)
	write(t, c, topic, 0, "h=anew")
	wait(t, "a record of the new topic", func() bool { return strings.Contains(s.all(), "h=anew") })

	// A reader that stands where retention has been.
	write(t, c, topic, 0, "h=2", "h=3", "h=4")
	wait(t, "the records", func() bool { return strings.Contains(s.all(), "h=4") })
	consumer.mu.Lock()
	for p, f := range consumer.followers {
		if !p.Inventory {
			f.cancel()
			delete(consumer.followers, p)
		}
	}
	consumer.mu.Unlock()
	if err := c.DeleteRecords(topic, 0, 3); err != nil {
		t.Fatal(err)
	}
	lost := &follower{c: consumer, p: Partition{Topic: topic, Centre: "a"}, cancel: func() {}, next: 1, caught: true}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { lost.run(ctx); close(done) }()
	wait(t, "the loss to be noticed", func() bool { return consumer.Stats().OffsetsLost == 1 })
	wait(t, "the first record there is", func() bool { return lost.place.Load() == 4 })
	cancel()
	<-done
}

// TestInterrupted goes on after the watchdog closed a session.
func TestInterrupted(t *testing.T) {
	c := cluster(t, 1)
	topics(t, c, "a", 1, 1)
	topic := telemetry.TelemetryTopic("a")
	consumer, s := follow(t, c, nil)
	write(t, c, topic, 0, "h=1")
	wait(t, "the first record", func() bool { return strings.Contains(s.all(), "h=1") })
	consumer.mu.Lock()
	for _, f := range consumer.followers {
		f.moved.Store(time.Now().Add(-time.Hour).UnixNano())
	}
	consumer.mu.Unlock()
	consumer.unstick()
	if consumer.Stats().Stalls == 0 {
		t.Error("a reader that stood still for an hour is not counted")
	}
	write(t, c, topic, 0, "h=2")
	wait(t, "the second record", func() bool { return strings.Contains(s.all(), "h=2") })
	if got := strings.Count(s.all(), "tel/a/0"); got != 2 {
		t.Errorf("%d records, want 2\n%s", got, s.all())
	}
}

// TestPauses wants the pauses between attempts to grow while a partition cannot be read, and to begin anew once it could be for a while, though
// nothing stood in it.
func TestPauses(t *testing.T) {
	c := cluster(t, 1)
	topics(t, c, "a", 1, 0)
	topic := telemetry.InventoryTopic("a")
	var mu sync.Mutex
	var pauses []time.Duration
	consumer, _ := follow(t, c, func(cfg *Config) {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == "retry_in" || a.Key == "in" {
				mu.Lock()
				defer mu.Unlock()
				pauses = append(pauses, a.Value.Duration())
			}
			return a
		}}))
	})
	interrupt := func() time.Duration {
		mu.Lock()
		n := len(pauses)
		mu.Unlock()
		wait(t, "the end of a session", func() bool {
			consumer.mu.Lock()
			for _, f := range consumer.followers {
				f.moved.Store(time.Now().Add(-time.Hour).UnixNano())
			}
			consumer.mu.Unlock()
			consumer.unstick()
			mu.Lock()
			defer mu.Unlock()
			return len(pauses) > n
		})
		mu.Lock()
		defer mu.Unlock()
		return pauses[len(pauses)-1]
	}
	last := time.Duration(0)
	for range 5 {
		last = interrupt()
	}
	if last < time.Second {
		t.Errorf("the fifth pause in a row is %s", last)
	}
	wait(t, topic+" to be read", func() bool { return consumer.Stats().Failing == 0 })
	time.Sleep(longestPause + last)
	if again := interrupt(); again > 200*time.Millisecond {
		t.Errorf("the pause after a time in order is %s", again)
	}
}

// TestCorruptBatch skips what cannot be read after trying three times.
func TestCorruptBatch(t *testing.T) {
	c := New(Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now}, make(chan *Batch, 8))
	f := &follower{c: c, p: Partition{Topic: "t"}, next: 10}
	broken := made{base: 10, last: 4, records: []madeRecord{{0, 0, []byte("k"), []byte("v"), 0}}}.bytes(t)
	broken[len(broken)-1] ^= 1
	good := made{base: 15, records: []madeRecord{{0, 0, []byte("k"), []byte("v"), 0}}}.bytes(t)
	got := fetched{records: append(broken, good...), high: 16, buffer: &buffer{}}
	for range 2 {
		if err := f.take(t.Context(), got, true); err == nil || f.next != 10 {
			t.Fatalf("next = %d, error %v: want another try at 10", f.next, err)
		}
	}
	if err := f.take(t.Context(), got, true); err != nil || f.next != 15 {
		t.Fatalf("next = %d, error %v: want to go on at 15", f.next, err)
	}
	if err := f.take(t.Context(), fetched{records: good, high: 16, buffer: &buffer{}}, true); err != nil || f.next != 16 {
		t.Fatalf("next = %d, error %v: want 16", f.next, err)
	}
	if s := c.Stats(); s.Corrupt != 1 {
		t.Errorf("corrupt = %d, want 1", s.Corrupt)
	}
}

// TestAppendTimeIsMended follows a topic that carries its producers' times until its setting is mended, and says so no more then.
func TestAppendTimeIsMended(t *testing.T) {
	c := cluster(t, 1)
	topics(t, c, "a", 1, 1)
	var mended atomic.Bool
	consumer, _ := follow(t, c, func(conf *Config) {
		conf.Every = 50 * time.Millisecond
		conf.AppendTime = func(context.Context, string) (bool, error) { return mended.Load(), nil }
	})
	wait(t, "the topic to be told", func() bool { return len(consumer.Stats().ProducerTime) == 1 })
	mended.Store(true)
	wait(t, "it to be told no more", func() bool { return len(consumer.Stats().ProducerTime) == 0 })
}
