package consume

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/telemetry"
)

// certificate makes a certificate for 127.0.0.1 that is its own authority, and a file of it.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, path
}

// TestTLSAndSCRAM fetches over an encrypted connection, after proving a password, and finds a password that changed.
func TestTLSAndSCRAM(t *testing.T) {
	cert, ca := certificate(t)
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
