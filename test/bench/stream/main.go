// Command stream measures what many watchers of /v1/stream cost one collector: memory and processor time a watcher, and how long after
// the broker stamped it a change is with the first and with the last of them. `make bench-stream` runs it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/test/bench/probe"
	"github.com/exameter/exameter/test/process"
)

type options struct {
	watchers, hosts int
	query           string
	span            time.Duration
	collect         string // a broker: this process is the collector
}

func main() {
	var o options
	flag.IntVar(&o.watchers, "watchers", 10_000, "how many watch at a time")
	flag.IntVar(&o.hosts, "hosts", 2_000, "simulated hosts")
	flag.StringVar(&o.query, "query", "by=centre", "what all of them ask")
	flag.DurationVar(&o.span, "for", 30*time.Second, "how long is measured, without watchers and with them")
	flag.StringVar(&o.collect, "collect", "", "for the bench itself")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	do := run
	if o.collect != "" {
		do = collect
	}
	if err := do(ctx, &o, os.Stdout); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "bench-stream:", err)
		os.Exit(1)
	}
}

// collect is the process that is measured: a collector as it runs in earnest. It says where it answers.
func collect(ctx context.Context, o *options, out io.Writer) error {
	cfg := collector.DefaultConfig()
	cfg.Kafka.Brokers, cfg.HTTP.Listen, cfg.HTTP.Watchers = []string{o.collect}, "127.0.0.1:0", o.watchers+1
	return collector.Run(ctx, cfg, collector.Options{
		Log: slog.New(slog.DiscardHandler), Version: "bench", Ready: func(addr string) { fmt.Fprintln(out, addr) },
	})
}

// run runs a broker and a simulated province here, a collector in a process of its own, and the watchers here again.
func run(ctx context.Context, o *options, out io.Writer) error {
	var most syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &most); err != nil || most.Max < uint64(o.watchers+1000) {
		return fmt.Errorf("%d open files are allowed, which is too few for %d watchers: %w", most.Max, o.watchers, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var g errgroup.Group
	b, err := localbroker.Start(localbroker.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer b.Close()
	if err := drive(ctx, &g, b.Addr(), o.hosts); err != nil {
		return err
	}
	p, err := probe.New(ctx, b.Addr(), 1)
	if err != nil {
		return err
	}
	cmd, addr, err := start(ctx, o, b.Addr())
	if err != nil {
		return err
	}
	m := measured{o: o, addr: addr, kafka: b.Addr(), pid: cmd.Process.Pid, probes: p}
	err = m.measure(ctx, out)
	cancel()
	_ = cmd.Wait() // it was ended
	return errors.Join(err, g.Wait())
}

// drive makes the topics, and lets a province speak until ctx ends.
func drive(ctx context.Context, g *errgroup.Group, addr string, hosts int) error {
	p, err := sim.New(sim.Spec{Seed: 1, Hosts: hosts, Speed: 20, Version: "bench"}, time.Now())
	if err != nil {
		return err
	}
	kafka := broker.Config{Brokers: []string{addr}}
	client, transport, err := kafka.Client("bench")
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	topics := broker.SharedTopics()
	for _, c := range p.Centres() {
		topics = append(topics, broker.CentreTopics(c, 1)...)
	}
	if _, err := broker.Create(ctx, client, localbroker.Bounded(topics, time.Minute), 1); err != nil {
		return err
	}
	g.Go(func() error {
		d := &sim.Driver{Province: p, Broker: kafka, Log: slog.New(slog.DiscardHandler)}
		return d.Run(ctx)
	})
	return nil
}

// start starts the collector's process, and returns where it answers.
func start(ctx context.Context, o *options, broker string) (*exec.Cmd, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := process.Command(ctx, self, "-collect", broker, "-watchers", fmt.Sprint(o.watchers))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stderr = os.Stderr
	said, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	addr, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		return nil, "", fmt.Errorf("the collector did not start: %w", err)
	}
	return cmd, addr[:len(addr)-1], nil
}

// figures are what a bench came to, for programs.
type figures struct {
	Watchers   int     `json:"watchers"`
	Query      string  `json:"query"`
	ConnectS   float64 `json:"connect_s"`
	MemoryKiB  float64 `json:"memory_kib"`  // a watcher
	CPU        float64 `json:"cpu"`         // processors, of all watchers
	MicrosCPU  float64 `json:"micros"`      // of processor time, a watcher and event
	Events     float64 `json:"events_s"`    // a second
	EventBytes float64 `json:"event_bytes"` // mean
	FirstMS    [3]int  `json:"first_ms"`    // p50, p99, max, from the broker's stamp
	LastMS     [3]int  `json:"last_ms"`     // with the last watcher
	Lost       int     `json:"lost"`        // streams that ended, or missed a revision

	// From an agent's sending of a changed state until it is known.
	Changes  int          `json:"changes"`
	StreamMS probe.Spread `json:"stream_ms"`
	FeedMS   probe.Spread `json:"feed_ms"`
}

func (f *figures) print(out io.Writer) error {
	fmt.Fprintf(out, "%d watchers of /v1/stream?%s, connected in %.1f s\n", f.Watchers, f.Query, f.ConnectS)
	fmt.Fprintf(out, "  %.1f KiB of the collector's memory a watcher\n", f.MemoryKiB)
	fmt.Fprintf(out, "  %.2f processors for all, %.1f µs a watcher and event; %.1f events a second of %.0f bytes\n", f.CPU, f.MicrosCPU, f.Events, f.EventBytes)
	fmt.Fprintf(out, "  from the broker's stamp to the first watcher %d, %d, %d ms (p50, p99, max), to the last one %d, %d, %d ms\n",
		f.FirstMS[0], f.FirstMS[1], f.FirstMS[2], f.LastMS[0], f.LastMS[1], f.LastMS[2])
	fmt.Fprintf(out, "  %d changes of a card's state, from when its report was made: to a watcher %s; to a reader of the Kafka feed %s\n", f.Changes, f.StreamMS, f.FeedMS)
	fmt.Fprintf(out, "  %d streams ended or missed an event\n", f.Lost)
	return json.NewEncoder(out).Encode(f)
}
