// Package broker is how every program of Exameter reaches Kafka: addresses, TLS, SASL, and the topics with their
// settings.
package broker

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/exameter/exameter/internal/config"
)

// Config says how to reach Kafka.
type Config struct {
	Brokers []string `yaml:"brokers"` // host:port of some brokers; the others are found through them
	TLS     TLS      `yaml:"tls"`
	SASL    SASL     `yaml:"sasl"`
}

// TLS encrypts the connection, and with a certificate of its own identifies the client.
type TLS struct {
	Enabled    bool   `yaml:"enabled"`
	CA         string `yaml:"ca"`   // PEM file of the authorities to trust; the system's where empty
	Cert       string `yaml:"cert"` // PEM file of the client's certificate
	Key        string `yaml:"key"`  // PEM file of its key
	ServerName string `yaml:"server_name"`
}

// SASL identifies the client by name and password. The password is read from a file at every connection.
type SASL struct {
	Mechanism    string `yaml:"mechanism"` // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
}

// Validate checks the settings below the key "kafka".
func (c *Config) Validate() error {
	if len(c.Brokers) == 0 {
		return config.Errorf("kafka.brokers", "name at least one broker, as host:port")
	}
	for i, b := range c.Brokers {
		if _, port, err := net.SplitHostPort(b); err != nil || port == "" {
			return config.Errorf(fmt.Sprintf("kafka.brokers[%d]", i), "%q is not host:port", b)
		}
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return config.Errorf("kafka.tls", "cert and key go together")
	}
	if !c.TLS.Enabled && (c.TLS.CA != "" || c.TLS.Cert != "" || c.TLS.ServerName != "") {
		return config.Errorf("kafka.tls.enabled", "is false, and yet other TLS settings are given")
	}
	switch c.SASL.Mechanism {
	case "":
		if c.SASL.Username != "" || c.SASL.PasswordFile != "" {
			return config.Errorf("kafka.sasl.mechanism", "is missing beside a username or password_file")
		}
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
		if c.SASL.Username == "" || c.SASL.PasswordFile == "" {
			return config.Errorf("kafka.sasl", "%s needs username and password_file", c.SASL.Mechanism)
		}
		if c.SASL.Mechanism == "PLAIN" && !c.TLS.Enabled {
			return config.Errorf("kafka.sasl.mechanism", "PLAIN sends the password as it is and needs tls.enabled")
		}
	default:
		return config.Errorf("kafka.sasl.mechanism", "%q is not one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", c.SASL.Mechanism)
	}
	return nil
}

// Dialer opens single connections, as readers of one partition use them.
func (c *Config) Dialer(clientID string) (*kafka.Dialer, error) {
	t, m, err := c.credentials()
	if err != nil {
		return nil, err
	}
	return &kafka.Dialer{ClientID: clientID, Timeout: 10 * time.Second, DualStack: true, KeepAlive: 30 * time.Second, TLS: t, SASLMechanism: m}, nil
}

// Client pools connections, for writers and administration, and looks at the cluster afresh after a failure. Call CloseIdleConnections on its
// transport at the end.
func (c *Config) Client(clientID string) (*kafka.Client, *kafka.Transport, error) {
	return c.Successor(clientID, &Turn{})
}

// Successor is a client that goes on with the turn of the one before it.
func (c *Config) Successor(clientID string, turn *Turn) (*kafka.Client, *kafka.Transport, error) {
	t, m, err := c.credentials()
	if err != nil {
		return nil, nil, err
	}
	tr := &kafka.Transport{ClientID: clientID, TLS: t, SASL: m, DialTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute, MetadataTTL: 5 * time.Minute}
	return &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: &afresh{tr, c.Brokers, turn}, Timeout: 15 * time.Second}, tr, nil
}

func (c *Config) credentials() (*tls.Config, sasl.Mechanism, error) {
	var t *tls.Config
	if c.TLS.Enabled {
		t = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLS.ServerName}
		if c.TLS.CA != "" {
			pem, err := readFile(c.TLS.CA)
			if err != nil {
				return nil, nil, fmt.Errorf("read kafka.tls.ca: %w", err)
			}
			t.RootCAs = x509.NewCertPool()
			if !t.RootCAs.AppendCertsFromPEM(pem) {
				return nil, nil, fmt.Errorf("kafka.tls.ca %q holds no PEM certificate", c.TLS.CA)
			}
		}
		if c.TLS.Cert != "" {
			cert, err := keyPair(c.TLS.Cert, c.TLS.Key)
			if err != nil {
				return nil, nil, fmt.Errorf("read kafka.tls.cert and key: %w", err)
			}
			t.Certificates = []tls.Certificate{cert}
		}
	}
	if c.SASL.Mechanism == "" {
		return t, nil, nil
	}
	password, err := config.Secret(c.SASL.PasswordFile)
	if err != nil {
		return nil, nil, fmt.Errorf("read kafka.sasl.password_file: %w", err)
	}
	switch c.SASL.Mechanism {
	case "PLAIN":
		return t, plain.Mechanism{Username: c.SASL.Username, Password: password}, nil
	case "SCRAM-SHA-256":
		m, err := scram.Mechanism(scram.SHA256, c.SASL.Username, password)
		return t, m, err
	default:
		m, err := scram.Mechanism(scram.SHA512, c.SASL.Username, password)
		return t, m, err
	}
}

// readFile reads a file that a setting names.
func readFile(path string) ([]byte, error) {
	path, err := config.Expand(path)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// keyPair reads a certificate and its key.
func keyPair(cert, key string) (tls.Certificate, error) {
	certPEM, err := readFile(cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	keyPEM, err := readFile(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certPEM, keyPEM)
}
