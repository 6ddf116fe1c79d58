package check

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/test/certs"
)

const topic = "exameter.v1.telemetry.lab"

func cluster(t *testing.T, opts ...kfake.Opt) string {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(2, topic)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// certificate makes one for 127.0.0.1 that signed itself, and the file that holds it.
func certificate(t *testing.T, from, to time.Time) (tls.Certificate, string) {
	t.Helper()
	file, key, err := certs.Own(t.TempDir(), "broker", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to })
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(file, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair, file
}

// TestBrokerRemedies holds what is said against what is wrong, each as a real broker shows it.
func TestBrokerRemedies(t *testing.T) {
	now := time.Now()
	good, ca := certificate(t, now.Add(-time.Hour), now.Add(time.Hour))
	old, oldCA := certificate(t, now.Add(-2*time.Hour), now.Add(-time.Hour))
	plain := cluster(t)
	encrypted := cluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{good}}))
	expired := cluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{old}}))
	guarded := cluster(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "lab", "right"))
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config broker.Config
		want   string
	}{
		"no listener":  {broker.Config{Brokers: []string{"127.0.0.1:1"}}, "nothing listens there"},
		"no name":      {broker.Config{Brokers: []string{"no-such-host.invalid:9092"}}, "mend the name"},
		"wants TLS":    {broker.Config{Brokers: []string{encrypted}}, "the broker hung up"},
		"no TLS":       {broker.Config{Brokers: []string{plain}, TLS: broker.TLS{Enabled: true}}, "the broker does not speak TLS at this port"},
		"stranger":     {broker.Config{Brokers: []string{encrypted}, TLS: broker.TLS{Enabled: true}}, "name the authority"},
		"another name": {broker.Config{Brokers: []string{encrypted}, TLS: broker.TLS{Enabled: true, CA: ca, ServerName: "kafka"}}, "the certificate is for another name"},
		"expired":      {broker.Config{Brokers: []string{expired}, TLS: broker.TLS{Enabled: true, CA: oldCA}}, "the certificate does not hold now"},
		"wants SASL":   {broker.Config{Brokers: []string{guarded}}, "the broker hung up"},
		"wrong password": {
			broker.Config{Brokers: []string{guarded}, SASL: broker.SASL{Mechanism: "SCRAM-SHA-512", Username: "lab", PasswordFile: password}}, "mend kafka.sasl",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			r := &Report{Out: &out}
			if seen := r.Brokers(t.Context(), &c.config, "test", []string{topic}); seen != nil || !r.Failed() || !strings.Contains(out.String(), "→ "+c.want) {
				t.Errorf("%v, no %q in\n%s", seen, c.want, &out)
			}
		})
	}
	var out bytes.Buffer
	r := &Report{Out: &out}
	both := broker.Config{Brokers: []string{"127.0.0.1:1", encrypted}, TLS: broker.TLS{Enabled: true, CA: ca}}
	if seen := r.Brokers(t.Context(), &both, "test", []string{topic}); r.Failed() || seen[topic].Partitions != 2 || !strings.Contains(out.String(), "warn  broker 127.0.0.1:1") {
		t.Errorf("with one of two: %v\n%s", seen, &out)
	}
}

// TestOperations asks as two users what they may do.
func TestOperations(t *testing.T) {
	may := func(op kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: topic, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true}
	}
	addr := cluster(t, kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.User("SCRAM-SHA-512", "agent", "p", may(kmsg.ACLOperationWrite), may(kmsg.ACLOperationDescribe)),
		kfake.User("SCRAM-SHA-512", "reader", "p", may(kmsg.ACLOperationRead)),
		kfake.User("SCRAM-SHA-512", "stranger", "p"))
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("p"), 0o600); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string][2]bool{"agent": {false, true}, "reader": {true, false}} {
		c := broker.Config{Brokers: []string{addr}, SASL: broker.SASL{Mechanism: "SCRAM-SHA-512", Username: user, PasswordFile: password}}
		_, seen, err := c.Look(t.Context(), "test", addr, []string{topic})
		s := seen[topic]
		if err != nil || s.Err != nil || !s.May.Known() || s.May.Read() != want[0] || s.May.Write() != want[1] {
			t.Errorf("%s: %+v, %v", user, s, err)
		}
	}
	c := broker.Config{Brokers: []string{addr}, SASL: broker.SASL{Mechanism: "SCRAM-SHA-512", Username: "stranger", PasswordFile: password}}
	if _, seen, err := c.Look(t.Context(), "test", addr, []string{topic, "none"}); err != nil || seen[topic].Err != kafka.TopicAuthorizationFailed {
		t.Errorf("stranger: %+v, %v", seen, err)
	}
}

// TestClock writes records with times of their own, as a broker would have stamped them.
func TestClock(t *testing.T) {
	addr := cluster(t)
	client := &kafka.Client{Addr: kafka.TCP(addr), Timeout: 5 * time.Second}
	for _, c := range []struct {
		from time.Duration
		want string
	}{
		{-time.Hour, "nothing was written within 15s"},
		{-time.Second, "agrees with the brokers'"},
		{20 * time.Minute, "behind the brokers' by more than 10m0s"},
	} {
		w := &kafka.Writer{Addr: kafka.TCP(addr), Topic: topic, BatchTimeout: time.Millisecond}
		if err := w.WriteMessages(t.Context(), kafka.Message{Key: []byte("k"), Value: []byte("v"), Time: time.Now().Add(c.from)}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		(&Report{Out: &out}).Clock(t.Context(), client, topic, 2)
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("a record of %v: no %q in\n%s", c.from, c.want, &out)
		}
	}
}
