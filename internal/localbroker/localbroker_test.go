package localbroker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/telemetry"
)

var quiet = slog.New(slog.DiscardHandler)

func client(t *testing.T, addr string) *kafka.Client {
	t.Helper()
	cfg := broker.Config{Brokers: []string{addr}}
	c, transport, err := cfg.Client("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return c
}

func create(t *testing.T, c *kafka.Client, topics []broker.Topic) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := broker.Create(ctx, c, topics, 1); err != nil {
		t.Fatal(err)
	}
}

// produce writes one record a batch, each acknowledged before the next is sent.
func produce(ctx context.Context, c *kafka.Client, topic string, at time.Time, values ...string) error {
	for _, v := range values {
		resp, err := c.Produce(ctx, &kafka.ProduceRequest{
			Topic: topic, RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4,
			Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes([]byte(v[:1])), Value: kafka.NewBytes([]byte(v)), Time: at}),
		})
		if err != nil {
			return err
		}
		if resp.Error != nil {
			return resp.Error
		}
	}
	return nil
}

// records reads partition 0 from its first offset to its end.
func records(t *testing.T, addr, topic string) (values []string, times []time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := kafka.DialLeader(ctx, "tcp", addr, topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	first, last, err := conn.ReadOffsets()
	if err != nil {
		t.Fatal(err)
	}
	if first == last {
		return nil, nil
	}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: topic, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
	defer r.Close()
	if err := r.SetOffset(first); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			t.Fatalf("read %s after %d records: %v", topic, len(values), err)
		}
		values, times = append(values, string(m.Value)), append(times, m.Time)
		if m.Offset == last-1 {
			return values, times
		}
	}
}

func TestTopicsAreNotMadeByBeingAskedFor(t *testing.T) {
	b, err := localbroker.Start(localbroker.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := client(t, b.Addr())
	if err := produce(t.Context(), c, telemetry.TelemetryTopic("nowhere"), time.Now(), "a"); err == nil {
		t.Error("a record for a topic that does not exist was accepted")
	}
	meta, err := c.Metadata(t.Context(), &kafka.MetadataRequest{})
	if err != nil || len(meta.Topics) != 0 {
		t.Errorf("topics %v, %v", meta.Topics, err)
	}
}

// A host whose clock is wrong must decide neither when its records expire nor where a look-up by time finds them.
func TestRecordsHaveTheBrokersTime(t *testing.T) {
	b, err := localbroker.Start(localbroker.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := client(t, b.Addr())
	topic := telemetry.TelemetryTopic("guian")
	create(t, c, broker.CentreTopics("guian", 1))
	before := time.Now().Add(-time.Millisecond).Truncate(time.Millisecond)
	for _, clock := range []time.Time{time.Unix(0, 0), time.Now().AddDate(5, 0, 0), time.Now()} {
		if err := produce(t.Context(), c, topic, clock, "x", "y"); err != nil {
			t.Fatal(err)
		}
	}
	after := time.Now()
	values, times := records(t, b.Addr(), topic)
	if strings.Join(values, "") != "xyxyxy" {
		t.Fatalf("read %q", values)
	}
	for i, at := range times {
		if at.Before(before) || at.After(after) {
			t.Errorf("record %d has time %v, want one from %v to %v", i, at, before, after)
		}
	}
}

func TestMemoryIsGivenBack(t *testing.T) {
	b, err := localbroker.Start(localbroker.Options{Log: quiet, RetainEvery: 20 * time.Millisecond, CompactEvery: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := client(t, b.Addr())
	create(t, c, localbroker.Bounded(broker.CentreTopics("guian", 1), 200*time.Millisecond))
	inventory, reports := telemetry.InventoryTopic("guian"), telemetry.TelemetryTopic("guian")
	for i := range 10 {
		for _, topic := range []string{inventory, reports} {
			if err := produce(t.Context(), c, topic, time.Now(), fmt.Sprintf("a%d", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		kept, _ := records(t, b.Addr(), inventory)
		left, _ := records(t, b.Addr(), reports)
		// The last batch of a compacted topic is never cleaned, and the record before it has a newer one.
		if len(left) == 0 && len(kept) <= 2 && len(kept) > 0 && kept[len(kept)-1] == "a9" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still holds inventory %q and reports %q", kept, left)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestAdvertisedAddress(t *testing.T) {
	// Clients are sent to the advertised address, not to the one listened on: here, another name of the same one.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	addr := net.JoinHostPort("0.0.0.0", strconv.Itoa(port))
	want := net.JoinHostPort("localhost", strconv.Itoa(port))
	b, err := localbroker.Start(localbroker.Options{Log: quiet, Addr: addr, Advertise: want})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	meta, err := client(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(port))).Metadata(t.Context(), &kafka.MetadataRequest{})
	if err != nil || len(meta.Brokers) != 1 || meta.Brokers[0].Host != "localhost" || meta.Brokers[0].Port != port {
		t.Errorf("brokers %+v, %v; want %s", meta, err, want)
	}
	if b.Addr() != want {
		t.Errorf("Addr is %q, want %q", b.Addr(), want)
	}
	for _, bad := range []string{"host", "host:", ":9092", "host:kafka", "host:70000"} {
		if _, err := localbroker.Start(localbroker.Options{Log: quiet, Advertise: bad}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("advertised address %q: got %v", bad, err)
		}
	}
}

func TestDataDirectoryHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	b, err := localbroker.Start(localbroker.Options{Log: quiet, DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := localbroker.Start(localbroker.Options{Log: quiet, DataDir: dir}); !errors.Is(err, localbroker.ErrInUse) {
		t.Errorf("a second broker on the directory: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b, err = localbroker.Start(localbroker.Options{Log: quiet, DataDir: dir})
	if err != nil {
		t.Fatalf("after the first one closed: %v", err)
	}
	b.Close()
}

// child, when set, makes the test binary a broker on the directory it names.
const child = "LOCALBROKER_TEST_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(child)
	if dir == "" {
		os.Exit(m.Run())
	}
	b, err := localbroker.Start(localbroker.Options{DataDir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(b.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent goes away
	_ = b.Close()
	os.Exit(0)
}

// spawn starts a broker in a process of its own.
func spawn(t *testing.T, dir string) (addr string, cmd *exec.Cmd) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"="+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close() })
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the broker process said nothing: %v", err)
	}
	return strings.TrimSpace(line), cmd
}

func TestAcknowledgedRecordsSurviveKill(t *testing.T) {
	dir := t.TempDir()
	topic := telemetry.InventoryTopic("guian")
	var want []string
	for round := range 3 {
		addr, cmd := spawn(t, dir)
		c := client(t, addr)
		if round == 0 {
			create(t, c, broker.CentreTopics("guian", 1))
		}
		if got, _ := records(t, addr, topic); strings.Join(got, ",") != strings.Join(want, ",") {
			t.Errorf("round %d begins with %d records, want %d", round, len(got), len(want))
		}
		for i := range 200 {
			v := fmt.Sprintf("h%d.%d", round, i)
			if err := produce(t.Context(), c, topic, time.Now(), v); err != nil {
				t.Fatal(err)
			}
			want = append(want, v)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
	}
	addr, cmd := spawn(t, dir)
	if got, _ := records(t, addr, topic); strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("%d records survived, want %d", len(got), len(want))
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}
