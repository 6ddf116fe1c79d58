package broker_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/exameter/exameter/internal/broker"
)

// minority is a cluster of three, whose broker 0 can be parted from the others: it goes on to say that it leads, and acknowledges nothing.
type minority struct {
	*kfake.Cluster
	alone atomic.Bool
}

func newMinority(t *testing.T) *minority {
	c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	m := &minority{Cluster: c}
	m.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		m.KeepControl()
		if !m.alone.Load() || m.CurrentNode() != 0 {
			return nil, nil, false
		}
		switch req := r.(type) {
		case *kmsg.MetadataRequest:
			return m.led(req), nil, true
		case *kmsg.ProduceRequest:
			return timedOut(req), nil, true
		}
		return nil, nil, false
	})
	return m
}

// led says that broker 0 leads.
func (m *minority) led(req *kmsg.MetadataRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	for i, addr := range m.ListenAddrs() {
		host, port, _ := net.SplitHostPort(addr)
		number, _ := strconv.Atoi(port)
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID, b.Host, b.Port = int32(i), host, int32(number)
		resp.Brokers = append(resp.Brokers, b)
	}
	p := kmsg.NewMetadataResponseTopicPartition()
	p.Replicas, p.ISR = []int32{0, 1, 2}, []int32{0, 1, 2}
	topic := kmsg.NewMetadataResponseTopic()
	topic.Topic, topic.Partitions = kmsg.StringPtr("t"), []kmsg.MetadataResponseTopicPartition{p}
	resp.Topics = append(resp.Topics, topic)
	return resp
}

// timedOut says that the other replicas did not follow.
func timedOut(req *kmsg.ProduceRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	p := kmsg.NewProduceResponseTopicPartition()
	p.ErrorCode = kerr.RequestTimedOut.Code
	topic := kmsg.NewProduceResponseTopic()
	topic.Topic, topic.TopicID, topic.Partitions = req.Topics[0].Topic, req.Topics[0].TopicID, []kmsg.ProduceResponseTopicPartition{p}
	resp.Topics = append(resp.Topics, topic)
	return resp
}

// part has another broker lead, of which broker 0 knows nothing; heal has it lead again.
func (m *minority) part(t *testing.T) { m.move(t, true, 1) }
func (m *minority) heal(t *testing.T) { m.move(t, false, 0) }

func (m *minority) move(t *testing.T, alone bool, leader int32) {
	t.Helper()
	if err := m.MoveTopicPartition("t", 0, leader); err != nil {
		t.Fatal(err)
	}
	m.alone.Store(alone)
}

// TestLeaderInTheMinority wants writers to find out that their leader leads no more, whichever broker they asked before: at once where it can be
// told which of the brokers that are named it is, and else when they have asked the next two.
func TestLeaderInTheMinority(t *testing.T) {
	m := newMinority(t)
	other := make([]string, 0, 3)
	for _, addr := range m.ListenAddrs() {
		other = append(other, strings.Replace(addr, "127.0.0.1", "localhost", 1))
	}
	for _, c := range []struct {
		name    string
		brokers []string
		anew    bool // a client for each try, as agents do
		writers int
		most    int
	}{
		{"one client", m.ListenAddrs(), false, 1, 2},
		{"clients that follow one another", m.ListenAddrs(), true, 1, 2},
		{"brokers under other names", other, false, 1, 3},
		{"the same, with clients that follow one another", other, true, 1, 3},
		{"three writers at a time", other, false, 3, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 20 {
				w := &writer{t: t, cfg: broker.Config{Brokers: c.brokers}, anew: c.anew, writers: c.writers}
				m.heal(t)
				w.until(3)
				m.part(t)
				w.until(c.most)
				w.close()
			}
		})
	}
}

// writer writes to the topic by one client, or after each failure by another.
type writer struct {
	t         *testing.T
	cfg       broker.Config
	anew      bool
	writers   int // at a time
	turn      broker.Turn
	client    *kafka.Client
	transport *kafka.Transport
}

// until wants one of so many tries to succeed.
func (w *writer) until(most int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	for tries := 1; ; tries++ {
		err := w.write(ctx)
		if err == nil {
			return
		}
		if tries == most {
			w.t.Fatalf("try %d fails too: %v", tries, err)
		}
		if w.anew {
			w.close()
		}
	}
}

func (w *writer) write(ctx context.Context) (err error) {
	if w.client == nil {
		if w.client, w.transport, err = w.cfg.Successor("test", &w.turn); err != nil {
			return err
		}
	}
	errs := make(chan error, w.writers)
	for range w.writers {
		go func() {
			resp, err := w.client.Produce(ctx, &kafka.ProduceRequest{
				Topic: "t", RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("v"))}),
			})
			if err == nil {
				err = resp.Error
			}
			errs <- err
		}()
	}
	for range w.writers {
		err = errors.Join(err, <-errs)
	}
	return err
}

func (w *writer) close() {
	w.transport.CloseIdleConnections()
	w.client = nil
}

// TestOneBrokerIsDead names a broker that is not there, and wants nobody to notice.
func TestOneBrokerIsDead(t *testing.T) {
	m := newMinority(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		w := &writer{t: t, cfg: broker.Config{Brokers: append([]string{dead}, m.ListenAddrs()[1:]...)}, writers: 1}
		w.until(1)
		if _, err := broker.Create(t.Context(), w.client, []broker.Topic{{Name: "t" + strconv.Itoa(i), Partitions: 1}}, 1); err != nil {
			t.Error(err)
		}
		w.close()
	}
}
