package consume

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
)

// Limits of one fetch.
const (
	fetchBytes = 256 << 10              // asked for; a single larger batch comes whole all the same
	maxWait    = 500 * time.Millisecond // how long the broker may wait for a first record
	slack      = 10 * time.Second       // how much longer an answer may take
	// maxResponse bounds what a broken broker can make us allocate. Kafka's largest batch is far below it.
	maxResponse = 64 << 20
)

// session is one connection to the leader of one partition.
//
// Connecting, TLS, SASL and offset look-ups are kafka-go's. Fetching is our own, on the same connection, for two
// reasons: kafka-go gives every record its producer's time, also where the topic says LogAppendTime, and its batch reader
// does not survive the empty batches that compaction leaves behind. See batch.go.
type session struct {
	leader    kafka.Broker
	kafka     *kafka.Conn
	conn      net.Conn
	in        *bufio.Reader
	clientID  string
	topic     string
	partition int
	id        int32
	out       []byte
	stop      func() bool
}

// dial connects to the leader at addr. The connection is closed when ctx ends.
func dial(ctx context.Context, d *kafka.Dialer, leader kafka.Broker, topic string, partition int) (*session, error) {
	s := &session{leader: leader, clientID: d.ClientID, topic: topic, partition: partition}
	own := bare(d, &s.conn)
	var err error
	s.kafka, err = own.DialPartition(ctx, "tcp", "", kafka.Partition{Topic: topic, ID: partition, Leader: leader})
	if err != nil {
		return nil, err
	}
	s.in = bufio.NewReaderSize(s.conn, 4<<10)
	s.stop = context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	return s, nil
}

// bare is a dialer that does what d does, and tells the connection that it makes: the encrypted one, where there is TLS.
func bare(d *kafka.Dialer, conn *net.Conn) *kafka.Dialer {
	own := *d
	own.TLS = nil // it is made here
	own.DialFunc = func(ctx context.Context, network, addr string) (c net.Conn, err error) {
		c, err = (&net.Dialer{Timeout: d.Timeout, KeepAlive: d.KeepAlive}).DialContext(ctx, network, addr)
		if err == nil && d.TLS != nil {
			c, err = secure(ctx, c, d.TLS, addr)
		}
		*conn = c
		return c, err
	}
	return &own
}

// secure makes c a TLS connection.
func secure(ctx context.Context, c net.Conn, conf *tls.Config, addr string) (net.Conn, error) {
	if conf.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			_ = c.Close()
			return nil, err
		}
		conf = conf.Clone()
		conf.ServerName = host
	}
	t := tls.Client(c, conf)
	if err := t.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("TLS with %s: %w", addr, err)
	}
	return t, nil
}

// close ends the session.
func (s *session) close() {
	s.stop()
	_ = s.kafka.Close() // a connection that is given up has nothing left to say
}

// offsets returns the first offset of the partition and the one after its last.
func (s *session) offsets() (first, end int64, err error) {
	if err := s.kafka.SetDeadline(time.Now().Add(slack)); err != nil {
		return 0, 0, err
	}
	return s.kafka.ReadOffsets()
}

// offsetAt returns the offset of the first record of time t or later; ok is false where there is none.
func (s *session) offsetAt(t time.Time) (offset int64, ok bool, err error) {
	if err := s.kafka.SetDeadline(time.Now().Add(slack)); err != nil {
		return 0, false, err
	}
	offset, err = s.kafka.ReadOffset(t)
	return offset, err == nil && offset >= 0, err
}

// fetched is the answer to one fetch.
type fetched struct {
	records []byte // record batches; the last one may be cut off
	high    int64  // the offset after the partition's last record
	buffer  *buffer
}

// fetch asks for records from an offset on, and waits at most maxWait for the first. A Kafka error code comes back as
// a kafka.Error.
func (s *session) fetch(offset int64) (fetched, error) {
	if err := s.conn.SetDeadline(time.Now().Add(maxWait + slack)); err != nil {
		return fetched{}, err
	}
	s.id++
	s.out = appendFetch(s.out[:0], s.id, s.clientID, s.topic, s.partition, offset)
	if _, err := s.conn.Write(s.out); err != nil {
		return fetched{}, err
	}
	var head [4]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return fetched{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxResponse {
		return fetched{}, fmt.Errorf("broker announced an answer of %d bytes", size)
	}
	// Only now, so that the many that wait for an answer hold no memory for it.
	buf := take(int(size))
	if _, err := io.ReadFull(s.in, buf.body); err != nil {
		buf.release()
		return fetched{}, err
	}
	got, err := parseFetch(buf.body, s.id)
	if err != nil {
		buf.release()
		return fetched{}, err
	}
	got.buffer = buf
	return got, nil
}

// appendFetch encodes a Fetch request of version 4, the oldest that Kafka 4 speaks and the newest with nothing in it
// that we would not use.
func appendFetch(b []byte, id int32, clientID, topic string, partition int, offset int64) []byte {
	be := binary.BigEndian
	b = append(b, 0, 0, 0, 0)
	b = be.AppendUint16(b, 1) // Fetch
	b = be.AppendUint16(b, 4)
	b = be.AppendUint32(b, uint32(id))
	b = append(be.AppendUint16(b, uint16(len(clientID))), clientID...)
	b = be.AppendUint32(b, 0xffffffff) // no replica
	b = be.AppendUint32(b, uint32(maxWait.Milliseconds()))
	b = be.AppendUint32(b, 1) // one byte is enough to answer
	b = be.AppendUint32(b, fetchBytes)
	b = append(b, 0) // uncommitted records as well: a record that comes twice is recognised
	b = be.AppendUint32(b, 1)
	b = append(be.AppendUint16(b, uint16(len(topic))), topic...)
	b = be.AppendUint32(b, 1)
	b = be.AppendUint32(b, uint32(partition))
	b = be.AppendUint64(b, uint64(offset))
	b = be.AppendUint32(b, fetchBytes)
	be.PutUint32(b, uint32(len(b)-4))
	return b
}

var errFetchAnswer = errors.New("answer to a fetch makes no sense")

// parseFetch decodes the answer for one partition.
func parseFetch(b []byte, id int32) (fetched, error) {
	r := reader{b: b}
	answered := int32(r.uint32())
	r.skip(4) // throttle time: the broker holds the next answer back by itself
	topics := r.uint32()
	r.skip(int(r.uint16()))
	partitions := r.uint32()
	r.skip(4) // partition
	code := kafka.Error(int16(r.uint16()))
	high := int64(r.uint64())
	r.skip(8) // last stable offset
	if aborted := int32(r.uint32()); aborted > 0 {
		r.skip(int(aborted) * 16)
	}
	n := int32(r.uint32())
	if n < 0 {
		n = 0
	}
	records := r.take(int(n))
	if r.bad || answered != id || topics != 1 || partitions != 1 {
		return fetched{}, errFetchAnswer
	}
	if code != 0 {
		return fetched{}, code
	}
	return fetched{records: records, high: high}, nil
}
