package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/internal/broker"
)

// patience is how long a broker may take to answer.
const patience = 5 * time.Second

// Brokers asks every configured broker for topics, and returns what the first that answers says of them: of all where none is named. It
// returns nil where none answers.
func (r *Report) Brokers(ctx context.Context, c *broker.Config, clientID string, topics []string) (seen map[string]broker.Seen) {
	if c.SASL.Mechanism != "" {
		r.Secret("kafka.sasl.password_file", c.SASL.PasswordFile)
	}
	r.Secret("kafka.tls.key", c.TLS.Key)
	type answer struct {
		brokers int
		seen    map[string]broker.Seen
		err     error
	}
	answers := make([]chan answer, len(c.Brokers))
	for i, addr := range c.Brokers {
		answers[i] = make(chan answer, 1)
		go func() {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			n, s, err := c.Look(ctx, clientID, addr, topics)
			answers[i] <- answer{n, s, err}
		}()
	}
	var good []string
	cluster := 0
	for i, addr := range c.Brokers {
		a := <-answers[i]
		switch {
		case a.err != nil && len(c.Brokers) > 1:
			r.Warn("broker "+addr, "%v", a.err)
			r.Do(brokerRemedy(a.err))
		case a.err != nil:
			r.Fail("broker "+addr, "%v", a.err)
			r.Do(brokerRemedy(a.err))
		default:
			good = append(good, addr)
			if seen == nil {
				seen, cluster = a.seen, a.brokers
			}
		}
	}
	switch {
	case len(good) > 0:
		r.OK("brokers", "%s: answers; the cluster has %d", strings.Join(good, ", "), cluster)
	case len(c.Brokers) > 1:
		r.Fail("brokers", "none of those configured answers")
	}
	return seen
}

// brokerRemedy says what to do where a broker could not be asked.
func brokerRemedy(err error) string {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var expired x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var sasl kafka.Error
	switch {
	case errors.As(err, &dns):
		return "mend the name in kafka.brokers, or the resolver: getent hosts NAME"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: mend kafka.brokers, or start the broker"
	case errors.As(err, &authority):
		return "name the authority of the broker's certificate in kafka.tls.ca"
	case errors.As(err, &name):
		return "the certificate is for another name: mend kafka.brokers, or say the name in kafka.tls.server_name"
	case errors.As(err, &expired):
		return "the certificate does not hold now: renew it, or set this host's clock"
	case errors.As(err, &record), errors.Is(err, broker.ErrHandshake) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF)):
		return "the broker does not speak TLS at this port: another port in kafka.brokers, or kafka.tls.enabled: false"
	case errors.As(err, &sasl):
		return "mend kafka.sasl: mechanism, username, and the password in password_file"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "the broker hung up: it may want kafka.tls or kafka.sasl at this port"
	}
	return "see that a firewall lets this host reach the broker, and that the port in kafka.brokers is the right one"
}
