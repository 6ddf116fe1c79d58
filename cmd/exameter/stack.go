package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/exameter/exameter/agent"
	"github.com/exameter/exameter/agent/host"
	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/sim"
)

// stack is a broker and a collector in this process, with whatever else runs against them.
type stack struct {
	log        *slog.Logger
	broker     *localbroker.Broker
	kafka      broker.Config
	api        string // URL of the collector
	staleAfter time.Duration
	group      *errgroup.Group
	ctx        context.Context // ends when any part fails, or the caller's ends
	cancel     context.CancelFunc
}

// stackOptions say how to start one.
type stackOptions struct {
	broker    localbroker.Options
	topics    []broker.Topic
	collector collector.Config
	// anyPort lets the collector answer at another port if its own is taken.
	anyPort  bool
	registry *registry.Registry
	log      *slog.Logger
}

// startStack starts the broker, makes the topics and starts the collector. The caller stops it.
func startStack(ctx context.Context, o stackOptions) (*stack, error) {
	o.broker.Log = o.log
	b, err := localbroker.Start(o.broker)
	if err != nil {
		return nil, err
	}
	s := &stack{log: o.log, broker: b, staleAfter: o.collector.StaleAfter.D(), kafka: broker.Config{Brokers: []string{b.Addr()}}}
	making, done := context.WithTimeout(ctx, 20*time.Second)
	_, err = createTopics(making, s.kafka, o.topics, 1)
	done()
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	ctx, s.cancel = context.WithCancel(ctx)
	s.group, s.ctx = errgroup.WithContext(ctx)
	o.collector.Kafka = s.kafka
	if s.api, err = s.collect(o); err != nil {
		s.cancel()
		_ = s.group.Wait() // it ended of the same
		return nil, errors.Join(err, b.Close())
	}
	return s, nil
}

// collect starts the collector and returns its URL.
func (s *stack) collect(o stackOptions) (string, error) {
	for {
		ready, failed := make(chan string, 1), make(chan error, 1)
		cfg, elsewhere := o.collector, o.anyPort
		s.group.Go(func() error {
			err := collector.Run(s.ctx, cfg, collector.Options{
				Log: o.log, Registry: o.registry, Version: version, Ready: func(addr string) { ready <- addr },
			})
			failed <- err
			if elsewhere && errors.Is(err, syscall.EADDRINUSE) {
				return nil // it is tried again
			}
			return err
		})
		select {
		case addr := <-ready:
			return "http://" + addr, nil
		case err := <-failed:
			if elsewhere && errors.Is(err, syscall.EADDRINUSE) {
				o.anyPort, o.collector.HTTP.Listen = false, "127.0.0.1:0"
				continue
			}
			if err == nil { // ctx ended first
				err = context.Canceled
			}
			return "", fmt.Errorf("start the collector: %w", err)
		}
	}
}

// simulate drives a province until stop is called, which returns when its last record was acknowledged.
func (s *stack) simulate(p *sim.Province) (d *sim.Driver, stop func()) {
	d = &sim.Driver{Province: p, Broker: s.kafka, Log: s.log}
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	s.group.Go(func() error {
		defer close(done)
		return d.Run(ctx)
	})
	return d, func() {
		cancel()
		<-done
	}
}

// report runs this machine's own agent, which keeps its state in dir. A machine without an identity, as bare containers are, may be shown here all the
// same: it is the only host of its centre, and nothing of it outlives the process.
func (s *stack) report(centre, dir string) {
	cfg := agent.DefaultConfig()
	cfg.Centre, cfg.Kafka, cfg.Paths.State = centre, s.kafka, dir
	if _, err := host.Identity(host.Roots{Proc: cfg.Paths.Proc, Sys: cfg.Paths.Sys, Etc: cfg.Paths.Etc}); errors.Is(err, host.ErrNoIdentity) {
		cfg.Host.ID = centre
	}
	s.group.Go(func() error {
		if err := agent.Run(s.ctx, cfg, agent.Options{Log: s.log, Version: version}); err != nil {
			return fmt.Errorf("this machine's agent: %w", err)
		}
		return nil
	})
}

// wait blocks until ctx ends or a part fails.
func (s *stack) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
}

// stop ends everything, the broker last, and returns what failed.
func (s *stack) stop() error {
	s.cancel()
	err := s.group.Wait()
	return errors.Join(err, s.broker.Close())
}

// temporary lends a directory for as long as do runs.
func temporary(do func(dir string) error) error {
	dir, err := os.MkdirTemp("", "exameter-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the agent's state: %w", err)
	}
	err = do(dir)
	if rerr := os.RemoveAll(dir); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}
