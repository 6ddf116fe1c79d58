package broker_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

func TestValidate(t *testing.T) {
	good := broker.Config{Brokers: []string{"kafka-1:9092", "[::1]:9092"}}
	if err := good.Validate(); err != nil {
		t.Errorf("a plain configuration is refused: %v", err)
	}
	for _, c := range []struct {
		name string
		edit func(*broker.Config)
		key  string
	}{
		{"no broker", func(c *broker.Config) { c.Brokers = nil }, "kafka.brokers"},
		{"no port", func(c *broker.Config) { c.Brokers = []string{"a:1", "b"} }, "kafka.brokers[1]"},
		{"cert without key", func(c *broker.Config) { c.TLS.Enabled, c.TLS.Cert = true, "c.pem" }, "kafka.tls"},
		{"ca without tls", func(c *broker.Config) { c.TLS.CA = "ca.pem" }, "kafka.tls.enabled"},
		{"user without mechanism", func(c *broker.Config) { c.SASL.Username = "u" }, "kafka.sasl.mechanism"},
		{"mechanism without user", func(c *broker.Config) { c.SASL.Mechanism = "SCRAM-SHA-512" }, "kafka.sasl"},
		{"unknown mechanism", func(c *broker.Config) { c.SASL.Mechanism = "GSSAPI" }, "kafka.sasl.mechanism"},
		{"password in the clear", func(c *broker.Config) {
			c.SASL = broker.SASL{Mechanism: "PLAIN", Username: "u", PasswordFile: "p"}
		}, "kafka.sasl.mechanism"},
	} {
		cfg := good
		c.edit(&cfg)
		var ce *config.Error
		if err := cfg.Validate(); !errors.As(err, &ce) || ce.Key != c.key {
			t.Errorf("%s: got %v, want an error at %s", c.name, err, c.key)
		}
	}
}

func TestSecretsComeFromFilesAndStayOutOfErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "password")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := broker.Config{Brokers: []string{"a:1"}, SASL: broker.SASL{Mechanism: "SCRAM-SHA-512", Username: "u", PasswordFile: file}}
	d, err := cfg.Dialer("test")
	if err != nil || d.SASLMechanism == nil || d.SASLMechanism.Name() != "SCRAM-SHA-512" {
		t.Fatalf("dialer %+v, %v", d, err)
	}
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cfg.Dialer("test"); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("an empty password passed: %v", err)
	}
	cfg.TLS = broker.TLS{Enabled: true, CA: file}
	if _, _, err := cfg.Client("test"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a CA file without certificates passed: %v", err)
	}
}

func TestCreateIsIdempotentAndCoPartitions(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	cfg := broker.Config{Brokers: cluster.ListenAddrs()}
	client, transport, err := cfg.Client("test")
	if err != nil {
		t.Fatal(err)
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	topics := append(broker.CentreTopics("guian", 3), broker.SharedTopics()...)
	made, err := broker.Create(ctx, client, topics, 1)
	if err != nil || len(made) != 5 {
		t.Fatalf("made %v, %v", made, err)
	}
	if made, err = broker.Create(ctx, client, topics, 1); err != nil || len(made) != 0 {
		t.Errorf("the second time made %v, %v", made, err)
	}
	for _, topic := range []string{telemetry.TelemetryTopic("guian"), telemetry.InventoryTopic("guian")} {
		if cluster.PartitionInfo(topic, 2) == nil || cluster.PartitionInfo(topic, 3) != nil {
			t.Errorf("%s does not have three partitions", topic)
		}
	}
	info := cluster.TopicInfo(telemetry.TelemetryTopic("guian"))
	if ts := info.Configs["message.timestamp.type"]; ts == nil || *ts != "LogAppendTime" {
		t.Errorf("telemetry does not ask for the broker's time: %v", info.Configs)
	}
	if _, err := broker.Create(ctx, client, broker.CentreTopics("zunyi", 1), 3); err == nil || !strings.Contains(err.Error(), "inventory.zunyi") {
		t.Errorf("three replicas on one broker passed, or the topic was not named: %v", err)
	}
}

// TestLeaderMoves has another broker lead a topic that a writer writes to: the writer finds it at once, and not when its picture of the
// cluster is five minutes old.
func TestLeaderMoves(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	cfg := broker.Config{Brokers: cluster.ListenAddrs()}
	client, transport, err := cfg.Client("test")
	if err != nil {
		t.Fatal(err)
	}
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{Addr: client.Addr, Transport: client.Transport, Topic: "t", RequiredAcks: kafka.RequireAll, BatchSize: 1, MaxAttempts: 1}
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for leader := range int32(3) {
		if err := cluster.MoveTopicPartition("t", 0, leader); err != nil {
			t.Fatal(err)
		}
		for tries := 1; ; tries++ {
			err := w.WriteMessages(ctx, kafka.Message{Value: []byte("v")})
			if err == nil {
				break
			}
			if tries == 2 {
				t.Fatalf("led by broker %d: the second write fails too: %v", leader, err)
			}
		}
	}
}
