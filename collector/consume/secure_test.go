package consume

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/certs"
)

// TestTLSAndSCRAM fetches over an encrypted connection, after proving a password, and finds a password that changed.
func TestTLSAndSCRAM(t *testing.T) {
	ca, key, err := certs.Own(t.TempDir(), "broker", nil)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(ca, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}),
		kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "collector", "right"),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	password := filepath.Join(t.TempDir(), "password")
	write := func(s string) {
		if err := os.WriteFile(password, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong")
	cfg := broker.Config{
		Brokers: c.ListenAddrs(), TLS: broker.TLS{Enabled: true, CA: ca},
		SASL: broker.SASL{Mechanism: "SCRAM-SHA-512", Username: "collector", PasswordFile: password},
	}
	topics(t, c, "a", 1, 1)
	consumer, s := follow(t, c, func(conf *Config) { conf.Dialer = func() (*kafka.Dialer, error) { return cfg.Dialer("test") } })
	wait(t, "the wrong password to be refused", func() bool { return consumer.Stats().Failing > 0 })
	write("right\n")
	wait(t, "the rebuild", func() bool { ready, _ := consumer.Ready(); return ready })
	d, err := cfg.Dialer("test")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := d.DialLeader(t.Context(), "tcp", c.ListenAddrs()[0], telemetry.TelemetryTopic("a"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.WriteMessages(kafka.Message{Key: []byte("h"), Value: []byte("secret")}); err != nil {
		t.Fatal(err)
	}
	wait(t, "the record", func() bool { return strings.Contains(s.all(), "h=secret") })
}
