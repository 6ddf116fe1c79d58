package broker

import (
	"context"
	"net"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
)

// afresh is a transport that looks at the cluster afresh after whatever failed. kafka.Transport keeps its picture of who leads which
// partition, or that nobody could be asked, for minutes: a writer whose partition another broker leads now would fail for as long.
type afresh struct{ *kafka.Transport }

// RoundTrip sends a request. What others have under way on the connections that are let go of after a failure comes to its end.
func (t afresh) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	resp, err := t.Transport.RoundTrip(ctx, addr, req)
	if err != nil || failed(resp) {
		t.CloseIdleConnections()
	}
	return resp, err
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
