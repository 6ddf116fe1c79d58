// Package collector is the program that answers for the province: it follows all centres' topics, keeps the last state of
// every host, folds it into capacity and answers questions about it.
package collector

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/feed/httpfeed"
	"github.com/exameter/exameter/collector/feed/metrics"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/quarantine"
	"github.com/exameter/exameter/collector/registry"
)

// clientID is how the collector introduces itself to Kafka.
const clientID = "exameter-collector"

// checkEvery is how often the fleet is recounted.
const checkEvery = time.Minute

// Options are what a program that runs a collector within itself may set. Zero values are defaults.
type Options struct {
	Log      *slog.Logger
	Registry *registry.Registry // instead of the file named in the configuration
	Catalog  *catalog.Catalog   // instead of the embedded one and the file named in the configuration
	Ready    func(addr string)  // called once HTTP is answered, with the address it is answered at
	Alive    func()             // called after every fold: a collector that hangs stops calling it
	Reload   <-chan struct{}    // each value makes the registry and the catalogue be read anew
	Now      func() time.Time
	Version  string
}

// collector is one running collector.
type collector struct {
	cfg  Config
	opts Options
	log  *slog.Logger
	now  func() time.Time

	// The fleet belongs to the goroutine of loop; others see what it publishes below.
	fleet   *fleet.Fleet
	applier applier

	consumer   *consume.Consumer
	quarantine *quarantine.Quarantine
	metrics    *metrics.Metrics

	snapshot atomic.Pointer[capacity.Snapshot]
	counts   atomic.Pointer[fleet.Stats]
	registry atomic.Pointer[registry.Registry]
	ready    atomic.Bool // the first rebuild is complete and folded
}

// Run collects until ctx ends, which is not an error. It fails for what is wrong at the start: configuration, registry,
// catalogue, credentials, address. A broker that does not answer is waited for.
func Run(ctx context.Context, cfg Config, opts Options) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	c, err := newCollector(cfg, opts)
	if err != nil {
		return err
	}
	client, transport, err := cfg.Kafka.Client(clientID)
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	listener, err := net.Listen("tcp", cfg.HTTP.Listen)
	if err != nil {
		return fmt.Errorf("listen for HTTP: %w", err)
	}
	writer := quarantine.NewWriter(client)
	defer closeSoon(writer)
	batches := make(chan *consume.Batch, 16)
	c.quarantine = quarantine.New(writer, c.log, c.now)
	c.consumer = consume.New(consume.Config{
		Brokers: cfg.Kafka.Brokers, Dialer: func() (*kafka.Dialer, error) { return cfg.Kafka.Dialer(clientID) },
		Log: c.log, Now: c.now, Rewind: 3 * cfg.StaleAfter.D(),
		Centres: func() []string { return c.registry.Load().IDs() }, Discover: cfg.Discover,
		AppendTime: func(ctx context.Context, topic string) (bool, error) { return consume.AppendTime(ctx, client, topic) },
	}, batches)
	return c.run(ctx, listener, batches)
}

// closeSoon closes a writer, and goes without it where a broker that does not answer keeps it waiting.
func closeSoon(w *kafka.Writer) {
	closed := make(chan struct{})
	go func() {
		_ = w.Close() // what it could not write was counted
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(time.Second):
	}
}

// newCollector makes a collector that has read its files and done nothing yet.
func newCollector(cfg Config, opts Options) (*collector, error) {
	c := &collector{cfg: cfg, opts: opts, log: cmp.Or(opts.Log, slog.Default()), now: opts.Now}
	if c.now == nil {
		c.now = time.Now
	}
	cat, reg, err := c.load()
	if err != nil {
		return nil, err
	}
	c.registry.Store(reg)
	c.fleet = fleet.New(fleet.Options{StaleAfter: cfg.StaleAfter.D(), Pricing: Pricing(cat, reg)})
	c.counts.Store(&fleet.Stats{})
	c.metrics = metrics.New(opts.Version, metrics.Source{
		Snapshot: c.snapshot.Load, Fleet: func() fleet.Stats { return *c.counts.Load() },
		Consume: func() consume.Stats { return c.consumer.Stats() }, Quarantine: func() quarantine.Stats { return c.quarantine.Stats() },
		Ready: c.ready.Load,
	})
	c.applier.count(c.metrics)
	return c, nil
}

// load reads the catalogue and the registry.
func (c *collector) load() (*catalog.Catalog, *registry.Registry, error) {
	cat, reg := c.opts.Catalog, c.opts.Registry
	if cat == nil {
		var err error
		if cat, err = catalog.Load(c.cfg.Catalogue); err != nil {
			return nil, nil, err
		}
		for _, w := range cat.Warnings() {
			c.log.Warn("the catalogue looks wrong", "warning", w)
		}
	}
	if reg == nil {
		reg = &registry.Registry{}
		if c.cfg.Registry != "" {
			var err error
			if reg, err = registry.Load(c.cfg.Registry); err != nil {
				return nil, nil, err
			}
		}
	}
	return cat, reg, nil
}

// run starts what answers before what asks, and stops in the other order.
func (c *collector) run(ctx context.Context, listener net.Listener, batches <-chan *consume.Batch) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 2)
	fail := func(err error) {
		if err != nil {
			failed <- err
			cancel()
		}
	}
	var answering, sources, keeping sync.WaitGroup
	// Answering and quarantine go on until the sources have stopped.
	later, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	handler := httpfeed.Handler(httpfeed.Source{
		Snapshot: c.snapshot.Load, Registry: c.registry.Load, Ready: c.whyNot, Metrics: c.metrics.Registry, Requests: c.metrics.Requests,
	})
	answering.Go(func() { fail(httpfeed.Serve(later, listener, handler)) })
	keeping.Go(func() { c.quarantine.Run(later) })
	addr := listener.Addr().String()
	c.log.Info("collector answers", "url", "http://"+addr+"/v1/capacity", "version", c.opts.Version)
	if c.opts.Ready != nil {
		c.opts.Ready(addr)
	}
	sources.Go(func() { fail(c.consumer.Run(ctx)) })
	c.loop(ctx, batches)
	sources.Wait()
	stop()
	answering.Wait()
	keeping.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}
