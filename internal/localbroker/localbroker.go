// Package localbroker runs a Kafka-protocol broker inside the process, for the demo and for a first trial on one
// machine. It is franz-go's kfake with what it lacks for that: a cleaner that keeps its size bounded, record times of
// its own, an advertised address and a lock on its data directory.
//
// It is one node without replicas, without TLS and without authentication, and handles one request at a time.
// docs/standalone.md states its limits.
package localbroker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Options say how to run a broker.
type Options struct {
	Addr      string // host:port to listen on; 127.0.0.1:0 where empty
	Advertise string // host:port that clients are sent to; the address listened on where empty
	DataDir   string // where records are kept; in memory where empty
	// SyncWrites makes every record durable before it is acknowledged. Without it, records survive the end of the
	// process, however it ends, and not that of the machine.
	SyncWrites bool

	// RetainEvery and CompactEvery are how often expired records and superseded ones are dropped.
	// They default to 5 s and 24 h.
	RetainEvery  time.Duration
	CompactEvery time.Duration

	Log *slog.Logger // slog.Default where nil
}

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
	lock    *dirLock
	stop    context.CancelFunc
	done    sync.WaitGroup
	once    sync.Once
	err     error
}

// Start runs a broker until Close. Topics are made by their users: none appears by being asked for.
func Start(o Options) (*Broker, error) {
	o = o.withDefaults()
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID("exameter-embedded"),
		kfake.WithLogger(logger{o.Log}),
		// By default kfake expires the records of every topic after seven days, compacted ones included.
		// A host's last inventory stands until it is replaced or retired.
		kfake.BrokerConfigs(map[string]string{"log.retention.ms": "-1"}),
	}
	b := &Broker{}
	if o.DataDir != "" {
		lock, err := lockDir(o.DataDir)
		if err != nil {
			return nil, err
		}
		b.lock = lock
		opts = append(opts, kfake.DataDir(filepath.Join(o.DataDir, "broker")))
		if o.SyncWrites {
			opts = append(opts, kfake.SyncWrites())
		}
	}
	ln, err := listen(o.Addr, o.Advertise)
	if err != nil {
		return nil, errors.Join(err, b.lock.release())
	}
	opts = append(opts, kfake.ListenFn(func(string, string) (net.Listener, error) { return ln, nil }))
	b.cluster, err = kfake.NewCluster(opts...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the embedded broker: %w", err), ln.Close(), b.lock.release())
	}
	b.addr = ln.Addr().String()
	stampOnArrival(b.cluster)
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	b.done.Go(func() { clean(ctx, b.cluster, o.RetainEvery, o.CompactEvery) })
	return b, nil
}

func (o Options) withDefaults() Options {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.RetainEvery <= 0 {
		o.RetainEvery = 5 * time.Second
	}
	if o.CompactEvery <= 0 {
		o.CompactEvery = 24 * time.Hour
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// Addr returns the host:port that clients use.
func (b *Broker) Addr() string { return b.addr }

// Close stops the broker and, where it has a data directory, saves its state there. It may be called more than once.
func (b *Broker) Close() error {
	b.once.Do(func() {
		b.stop()
		b.done.Wait()
		b.cluster.Close()
		b.err = b.lock.release()
	})
	return b.err
}

// clean keeps the broker bounded. kfake's own cleaner is tied to topics being made or altered: after a restart it would
// not run.
func clean(ctx context.Context, c *kfake.Cluster, retain, compact time.Duration) {
	r, k := time.NewTicker(retain), time.NewTicker(compact)
	defer r.Stop()
	defer k.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.C:
			c.ApplyRetention()
		case <-k.C:
			c.Compact()
		}
	}
}

// listen opens the listener, whose address is what the broker tells its clients.
func listen(addr, advertise string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	if advertise == "" {
		return ln, nil
	}
	host, port, err := net.SplitHostPort(advertise)
	if n, perr := strconv.Atoi(port); err != nil || host == "" || perr != nil || n < 1 || n > 65535 {
		return nil, errors.Join(fmt.Errorf("advertised address %q is not host:port", advertise), ln.Close())
	}
	return &advertised{Listener: ln, addr: hostPort(advertise)}, nil
}

// advertised is a listener that says it is reached by another address.
type advertised struct {
	net.Listener
	addr hostPort
}

func (a *advertised) Addr() net.Addr { return a.addr }

type hostPort string

func (hostPort) Network() string  { return "tcp" }
func (h hostPort) String() string { return string(h) }

// logger passes on what kfake says when something went wrong; it is silent about requests.
type logger struct{ log *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error("embedded broker", "message", fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("embedded broker", "message", fmt.Sprintf(format, args...))
	}
}
