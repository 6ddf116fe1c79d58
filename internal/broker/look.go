package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// Operations is what a client may do with a topic, a bit for each of Kafka's operations. Brokers before 2.3 do not tell.
type Operations int32

// unknownOperations is what a broker answers that was not asked or does not tell.
const unknownOperations = -1 << 31

// Kafka's operations, by their numbers in org.apache.kafka.common.acl.AclOperation.
const (
	mayRead  = 1 << 3
	mayWrite = 1 << 4
)

// Known says whether the broker told anything.
func (o Operations) Known() bool { return o != unknownOperations && o != 0 }

// Read says whether the client may read.
func (o Operations) Read() bool { return o&mayRead != 0 }

// Write says whether the client may write.
func (o Operations) Write() bool { return o&mayWrite != 0 }

// ErrHandshake says that a broker was reached and no TLS came about.
var ErrHandshake = errors.New("TLS handshake")

// Seen is what a broker says of a topic.
type Seen struct {
	Err        error // kafka.UnknownTopicOrPartition, kafka.TopicAuthorizationFailed …
	Partitions int
	Leaderless int
	May        Operations
}

// Look asks one broker how many brokers there are, and for topics; for all that this client may see where none is named. kafka-go's own
// client answers from a cache and asks nobody what it may do.
func (c *Config) Look(ctx context.Context, clientID, addr string, topics []string) (brokers int, seen map[string]Seen, err error) {
	d, err := c.Dialer(clientID)
	if err != nil {
		return 0, nil, err
	}
	raw, closeAll, err := connect(ctx, d, addr)
	if err != nil {
		return 0, nil, err
	}
	defer closeAll()
	conn := protocol.NewConn(raw, clientID)
	conn.SetVersions(map[protocol.ApiKey]int16{protocol.Metadata: 8})
	m, err := conn.RoundTrip(&metadata.Request{TopicNames: topics, IncludeTopicAuthorizedOperations: true})
	if err != nil {
		return 0, nil, fmt.Errorf("ask %s for topics: %w", addr, err)
	}
	res, ok := m.(*metadata.Response)
	if !ok {
		return 0, nil, fmt.Errorf("ask %s for topics: it answered something else", addr)
	}
	seen = map[string]Seen{}
	for _, t := range res.Topics {
		s := Seen{Partitions: len(t.Partitions), May: Operations(t.TopicAuthorizedOperations)}
		if t.ErrorCode != 0 {
			s.Err = kafka.Error(t.ErrorCode)
		}
		for _, p := range t.Partitions {
			if p.LeaderID < 0 {
				s.Leaderless++
			}
		}
		seen[t.Name] = s
	}
	return len(res.Brokers), seen, nil
}

// connect opens a connection that is encrypted and identified, and may be used as it is.
func connect(ctx context.Context, d *kafka.Dialer, addr string) (raw net.Conn, closeAll func(), err error) {
	own := *d
	own.TLS = nil // made here, so that what is returned is the encrypted connection
	own.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var plain net.Dialer
		c, err := plain.DialContext(ctx, network, addr)
		if err != nil || d.TLS == nil {
			raw = c
			return c, err
		}
		t := tls.Client(c, serverName(d.TLS, addr))
		if err := t.HandshakeContext(ctx); err != nil {
			_ = c.Close() // the handshake may have done so
			return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
		}
		raw = t
		return t, nil
	}
	k, err := own.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(own.Timeout)
	}
	if err := raw.SetDeadline(deadline); err != nil {
		return nil, nil, errors.Join(err, k.Close())
	}
	return raw, func() { _ = k.Close() }, nil
}

// serverName has the name to expect in the certificate of the broker at addr.
func serverName(c *tls.Config, addr string) *tls.Config {
	if c.ServerName != "" {
		return c
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	c = c.Clone()
	c.ServerName = host
	return c
}
