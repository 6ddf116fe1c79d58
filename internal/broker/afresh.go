package broker

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
)

// afresh is a transport that looks at the cluster afresh after whatever failed, and then asks another broker than before. kafka.Transport keeps
// its picture of who leads which partition, or that nobody could be asked, for minutes: a writer whose partition another broker leads now would
// fail for as long. It draws the broker that it asks by lot, and may draw the same one again and again: one that is parted from the others goes
// on to answer as if it led what it led.
type afresh struct {
	*kafka.Transport
	brokers []string
	turn    *Turn
}

// RoundTrip sends a request to the brokers that are named, whatever the address. What others have under way on the connections that are let go
// of after a failure comes to its end.
func (t *afresh) RoundTrip(ctx context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	addr, look, seen, err := t.look(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := t.Transport.RoundTrip(ctx, addr, req)
	if err != nil || failed(resp) {
		t.again(look, leader(seen, req))
	}
	return resp, err
}

// look finds a broker that tells of the cluster: the one whose turn it is, or where it cannot be reached, the next that can. The answer comes
// from the transport's cache, but for the first time and after a failure.
func (t *afresh) look(ctx context.Context) (addr net.Addr, look int, seen *metadata.Response, err error) {
	for range t.brokers {
		var at int
		look, at = t.turn.now(len(t.brokers))
		addr = kafka.TCP(t.brokers[at])
		var resp kafka.Response
		if resp, err = t.Transport.RoundTrip(ctx, addr, &metadata.Request{}); err == nil {
			return addr, look, resp.(*metadata.Response), nil
		}
		t.again(look, "")
		if ctx.Err() != nil {
			break
		}
	}
	return nil, 0, nil, err
}

// again lets go of what a look found, unless there was another one since.
func (t *afresh) again(look int, not string) {
	if t.turn.next(look, t.brokers, not) {
		t.CloseIdleConnections()
	}
}

// Turn says which broker is asked next, for clients that follow one another.
type Turn struct {
	mu   sync.Mutex
	look int // number of the look; the first broker is drawn by lot, so that a centre's agents do not all ask the same one
	at   int // which of the brokers that are named it asks
}

func (t *Turn) now(brokers int) (look, at int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.look == 0 {
		t.look, t.at = 1, rand.N(brokers)
	}
	return t.look, t.at % brokers
}

// next makes it the next broker's turn, and reports whether it did: it does not where that look is not the last. The leader that did not take
// what it was sent is passed over: it may be the one that does not know better.
func (t *Turn) next(look int, brokers []string, leader string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if look != t.look {
		return false
	}
	t.look++
	t.at = (t.at + 1) % len(brokers)
	if brokers[t.at] == leader {
		t.at = (t.at + 1) % len(brokers)
	}
	return true
}

// leader is the address of the broker that records were sent to; empty for what is sent to no leader.
func leader(seen *metadata.Response, req kafka.Request) string {
	r, ok := req.(*produce.Request)
	if !ok || len(r.Topics) == 0 || len(r.Topics[0].Partitions) == 0 {
		return ""
	}
	for _, t := range seen.Topics {
		for _, p := range t.Partitions {
			if t.Name != r.Topics[0].Topic || p.PartitionIndex != r.Topics[0].Partitions[0].Partition {
				continue
			}
			for _, b := range seen.Brokers {
				if b.NodeID == p.LeaderID {
					return net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
				}
			}
		}
	}
	return ""
}

// failed reports whether an answer says that the picture of the cluster may be wrong.
func failed(resp kafka.Response) bool {
	switch r := resp.(type) {
	case *produce.Response:
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					return true
				}
			}
		}
	case *metadata.Response:
		for _, t := range r.Topics {
			if t.ErrorCode != 0 {
				return true
			}
		}
	}
	return false
}
