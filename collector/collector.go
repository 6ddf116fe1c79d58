// Package collector is the program that answers for the province. It shares the partitions of all centres' topics with other
// collectors, keeps the last state of every host of its own, sums it up into partials, reads the partials of all collectors
// and answers from their sum.
package collector

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/access"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/feed/httpfeed"
	"github.com/exameter/exameter/collector/feed/kafkafeed"
	"github.com/exameter/exameter/collector/feed/linefeed"
	"github.com/exameter/exameter/collector/feed/metrics"
	"github.com/exameter/exameter/collector/feed/streamfeed"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/group"
	"github.com/exameter/exameter/collector/history"
	"github.com/exameter/exameter/collector/quarantine"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/collector/view"
)

// clientID is how the collector introduces itself to Kafka.
const clientID = "exameter-collector"

// checkEvery is how often each fleet is recounted: the first time soon after it was rebuilt, and one after the other, so that nothing else
// waits for long.
const checkEvery = time.Minute

// GCPercent is how much garbage, in percent of what is held, a program that is a collector and nothing else does well to let come together
// before it is collected (runtime/debug.SetGCPercent).
const GCPercent = 50

// Options are what a program that runs a collector within itself may set. Zero values are defaults.
type Options struct {
	Log      *slog.Logger
	Registry *registry.Registry // instead of the file named in the configuration
	Catalog  *catalog.Catalog   // instead of the embedded one and the file named in the configuration
	Ready    func(addr string)  // called once HTTP is answered, with the address it is answered at
	Alive    func()             // called again and again while everything moves: a collector that hangs stops calling it
	Status   func(string)       // called with how the collector is, in plain words, when that changes
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

	instance, address string // who this collector is to others, and where it answers
	began             int64  // of the sequence numbers of this run
	sequence          atomic.Int64

	workers   []*worker
	owned     ownership
	guard     *access.Guard
	peers     *peers
	asked     turns // of clients' questions about hosts
	answering turns // of other collectors'
	member    *group.Member
	publisher *publisher
	pricing   atomic.Pointer[fleet.Pricing]
	catalogue atomic.Pointer[catalog.Catalog]

	// The view belongs to the goroutine of watch; others see what it publishes below.
	view    *view.View
	partial chan *consume.Batch
	heard   time.Time // when the last partials were read
	foreign time.Time // when it was said last that some cannot be read

	consumer   *consume.Consumer
	quarantine *quarantine.Quarantine
	metrics    *metrics.Metrics

	snapshot atomic.Pointer[capacity.Snapshot]
	stream   *streamfeed.Hub
	feed     *kafkafeed.Feed
	lines    *linefeed.Writer
	past     *history.History
	stats    counts
	registry atomic.Pointer[registry.Registry]
	ready    atomic.Bool // every part stood in the view, and this collector's own as it had rebuilt them
	waiting  atomic.Pointer[string]
	status   string      // as last told
	noTopic  atomic.Bool // there is no partials topic
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
	writer, partials, feed := quarantine.NewWriter(client), newPartialWriter(client), kafkafeed.NewWriter(client)
	defer closeSoon(writer, partials, feed)
	c.quarantine = quarantine.New(writer, c.log, c.now)
	c.join(listener.Addr().String(), client, partials)
	c.feed = kafkafeed.New(kafkafeed.Config{
		Instance: c.instance, Writer: feed, Elected: c.member.Elected, History: c.past, Log: c.log, Written: c.lines.Take,
	})
	return c.run(ctx, listener)
}

// join makes what takes part in the group: the member, the consumer that it drives, the publisher.
func (c *collector) join(listen string, client *kafka.Client, partials quarantine.Writer) {
	c.instance, c.address = c.cfg.instance(listen), c.cfg.address(listen)
	c.began = c.now().UnixMicro() // so that sequences grow over restarts too
	c.sequence.Store(c.began)
	c.member = group.New(group.Config{
		ID: c.cfg.Group, Instance: c.instance, Brokers: c.cfg.Kafka.Brokers, Log: c.log,
		Dialer: func() (*kafka.Dialer, error) { return c.cfg.Kafka.Dialer(clientID) },
		Changed: func() {
			c.owned.settle(c.member.Owns)
			c.consumer.Reassign()
		},
	})
	c.publisher = newPublisher(partials, c.log, func(p consume.Part, epoch int64) bool {
		now, owned := c.owned.of(p)
		_, leased := c.member.Lease()
		return owned && now == epoch && leased
	})
	c.consumer = consume.New(consume.Config{
		Brokers: c.cfg.Kafka.Brokers, Dialer: func() (*kafka.Dialer, error) { return c.cfg.Kafka.Dialer(clientID) },
		Log: c.log, Now: c.now, Rewind: 3 * c.cfg.StaleAfter.D(),
		Centres: func() []string { return c.registry.Load().IDs() }, Discover: c.cfg.Discover,
		AppendTime: func(ctx context.Context, topic string) (bool, error) { return consume.AppendTime(ctx, client, topic) },
		Owned:      c.owned.of,
		Listed: func(parts []consume.Part, partials bool) {
			c.owned.list(parts, c.member.Owns)
			c.noTopic.Store(!partials)
			if partials {
				c.member.Offer(parts)
			}
		},
		Route: func(p consume.Partition) chan<- *consume.Batch {
			if p.Feed() {
				return c.feed.Batches()
			}
			if p.Shared() {
				return c.partial
			}
			return c.workerOf(p.Part()).batches
		},
	}, nil)
}

// workerOf returns the worker that a part is with, always the same one.
func (c *collector) workerOf(p consume.Part) *worker { return c.workers[spot(p, len(c.workers))] }

// closeSoon closes writers, and goes without it where a broker that does not answer keeps it waiting.
func closeSoon(writers ...*kafka.Writer) {
	closed := make(chan struct{})
	go func() {
		for _, w := range writers {
			_ = w.Close() // what it could not write was counted
		}
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(time.Second):
	}
}

// newCollector makes a collector that has read its files and done nothing yet.
func newCollector(cfg Config, opts Options) (*collector, error) {
	c := &collector{
		cfg: cfg, opts: opts, log: cmp.Or(opts.Log, slog.Default()), now: opts.Now, view: view.New(), partial: make(chan *consume.Batch, 16),
		asked: make(turns, maxQuestions), answering: make(turns, maxQuestions),
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.past = history.New()
	var err error
	if c.peers, err = newPeers(&cfg.HTTP); err != nil {
		return nil, err
	}
	if c.lines, err = linefeed.New(cfg.Write, c.log); err != nil {
		return nil, err
	}
	c.stream = streamfeed.New(streamfeed.Options{Watchers: cfg.HTTP.Watchers})
	cat, reg, err := c.load()
	if err != nil {
		return nil, err
	}
	c.registry.Store(reg)
	c.catalogue.Store(cat)
	pricing := Pricing(cat, reg)
	c.pricing.Store(&pricing)
	c.metrics = metrics.New(opts.Version, metrics.Source{
		Snapshot: c.snapshot.Load, Registry: c.registry.Load, Fleet: c.stats.sum, Centres: c.stats.centres, Parts: c.parts,
		Consume: func() consume.Stats { return c.consumer.Stats() }, Quarantine: func() quarantine.Stats { return c.quarantine.Stats() },
		Ready: c.ready.Load, Stream: c.stream.Stats, Feed: func() kafkafeed.Stats { return c.feed.Stats() }, Lines: c.lines.Stats,
	})
	if c.guard, err = access.New(cfg.HTTP.Config, httpfeed.Refuse, func(reason string) { c.metrics.Refused.WithLabelValues(reason).Inc() }, c.log); err != nil {
		return nil, err
	}
	for range runtime.GOMAXPROCS(0) {
		c.workers = append(c.workers, newWorker(c))
	}
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

// needed says what a request takes. Whether the collector lives, its page without figures and what its API is like are everybody's to know.
func needed(r *http.Request) access.Scope {
	switch p := r.URL.Path; {
	case p == httpfeed.HostsPath:
		return access.Admin
	case p == "/v1/openapi.json":
		return ""
	case p == "/metrics" || strings.HasPrefix(p, "/v1/"):
		return access.Read
	default:
		return ""
	}
}

// run starts what answers before what asks, and stops in the other order.
func (c *collector) run(ctx context.Context, listener net.Listener) error {
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
		Catalogue: c.catalogue.Load, Hosts: c.hosts, OwnHosts: c.answerHosts,
		Stream: c.stream, Past: c.past,
	})
	defer c.peers.client.CloseIdleConnections()
	answering.Go(func() { fail(httpfeed.Serve(later, c.guard.Listener(listener), c.guard.Wrap(handler, needed), c.log)) })
	keeping.Go(func() { c.quarantine.Run(later) })
	keeping.Go(func() { c.stream.Run(later) })
	addr := listener.Addr().String()
	c.log.Info("collector answers", "url", c.peers.scheme+"://"+addr+"/v1/capacity", "version", c.opts.Version)
	if host, _, err := net.SplitHostPort(addr); err == nil && c.cfg.HTTP.Open() && !net.ParseIP(host).IsLoopback() {
		c.log.Warn("whoever reaches this address may ask everything", "address", addr, "remedy", "name who may in a file, http.access, or listen on loopback behind a proxy that asks")
	}
	if c.opts.Ready != nil {
		c.opts.Ready(addr)
	}
	sources.Go(func() { fail(c.consumer.Run(ctx)) })
	sources.Go(func() { c.member.Run(ctx) })
	sources.Go(func() { c.publisher.run(ctx) })
	sources.Go(func() { c.feed.Run(ctx) })
	sources.Go(func() { c.lines.Run(ctx) })
	for _, w := range c.workers {
		sources.Go(func() { w.run(ctx) })
	}
	c.watch(ctx)
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
