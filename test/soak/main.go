// Command soak runs a collector and an agent for a while under load, and fails where either keeps more and more: memory, goroutines, threads
// or open files. The province goes ten times as fast as a real one, the collector is asked and watched by callers that come and go, and the
// agent's broker is away for a third of the time, so that its spool fills and drains. `make soak` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/test/process"
)

type options struct {
	span, every  time.Duration
	hosts        int
	speed        float64
	cycle, away  time.Duration // of the agent's broker
	bin, library string
}

func main() {
	var o options
	flag.DurationVar(&o.span, "for", 20*time.Minute, "how long")
	flag.DurationVar(&o.every, "every", 2*time.Second, "between two samples")
	flag.IntVar(&o.hosts, "hosts", 2000, "simulated hosts")
	flag.Float64Var(&o.speed, "speed", 10, "how much faster than a real province: jobs, faults and reports")
	flag.DurationVar(&o.cycle, "cycle", time.Minute, "between two outages of the agent's broker")
	flag.DurationVar(&o.away, "away", 20*time.Second, "how long an outage lasts")
	flag.StringVar(&o.bin, "bin", "bin", "folder of the programs")
	flag.StringVar(&o.library, "nvml", "test/nvmlsim/libnvidia-ml-sim.so", "simulated driver library")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// run soaks, and returns an error where something grew.
func run(ctx context.Context, o *options, out io.Writer) error {
	dir, err := os.MkdirTemp("", "exameter-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	g, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	collector, addr, err := startCollector(ctx, g, o, dir)
	if err != nil {
		return err
	}
	defer func() { _ = collector.Kill() }() // it was asked to end before
	agent, outages, err := startAgent(ctx, g, o, dir)
	if err != nil {
		return err
	}
	defer func() { _ = agent.process.Kill() }() // it was asked to end before
	asked := &asked{}
	g.Go(func() error { return asked.run(ctx, addr) })
	g.Go(func() error { return asked.watch(ctx, addr) })

	watched := []*watched{{name: "collector", process: collector, metrics: "http://" + addr + "/metrics"}, {name: "agent", process: agent.process}}
	began := time.Now()
	for tick := time.NewTicker(o.every); time.Since(began) < o.span; {
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), g.Wait())
		case <-tick.C:
		}
		for _, w := range watched {
			if err := w.sample(ctx, time.Since(began)); err != nil {
				return fmt.Errorf("%s: %w\n%s", w.name, err, w.process.Log())
			}
		}
	}
	fmt.Fprintf(out, "%s; the collector answered %d questions and ended %d streams; the agent's broker was away %d times, its spool held %d bytes at most\n",
		o.span, asked.answers.Load(), asked.streams.Load(), outages.count.Load(), outages.spooled.Load())
	var wrong error
	if outages.count.Load() == 0 || outages.spooled.Load() == 0 {
		wrong = errors.New("the spool was never used: soak for longer than a cycle")
	}
	for _, w := range watched {
		wrong = errors.Join(wrong, w.verdict(out))
		if err := w.process.Stop(20 * time.Second); err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("%s: stop: %w", w.name, err))
		}
	}
	stop()
	return errors.Join(wrong, g.Wait())
}

// startCollector starts a collector, and the province that it follows.
func startCollector(ctx context.Context, g *errgroup.Group, o *options, dir string) (*process.Process, string, error) {
	b, err := localbroker.Start(localbroker.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, "", err
	}
	p, err := sim.New(sim.Spec{Seed: 7, Hosts: o.hosts, Interval: time.Duration(float64(10*time.Second) / o.speed), Speed: o.speed, Version: "soak"}, time.Now())
	if err != nil {
		return nil, "", errors.Join(err, b.Close())
	}
	topics := broker.SharedTopics()
	for _, c := range p.Centres() {
		topics = append(topics, broker.CentreTopics(c, 2)...)
	}
	cfg := broker.Config{Brokers: []string{b.Addr()}}
	if err := create(ctx, cfg, localbroker.Bounded(topics, time.Minute)); err != nil {
		return nil, "", errors.Join(err, b.Close())
	}
	g.Go(func() error {
		err := (&sim.Driver{Province: p, Broker: cfg, Log: slog.New(slog.DiscardHandler)}).Run(ctx)
		return errors.Join(err, b.Close())
	})
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	file := filepath.Join(dir, "collector.yaml")
	text := fmt.Sprintf("kafka:\n  brokers: [%s]\nhttp:\n  listen: %s\n", b.Addr(), addr)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, "", err
	}
	c, err := process.Start(filepath.Join(dir, "collector.log"), nil, filepath.Join(o.bin, "exameter-collector"), "run", "--config", file)
	return c, addr, err
}

func create(ctx context.Context, cfg broker.Config, topics []broker.Topic) error {
	client, transport, err := cfg.Client("soak")
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err = broker.Create(ctx, client, topics, 1)
	return err
}
