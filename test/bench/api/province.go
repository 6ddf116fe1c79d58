package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/test/bench/probe"
)

// centres are the default centres, as many times as is asked for.
func centres(copies int) (out []sim.Centre) {
	for n := range copies {
		for _, c := range sim.DefaultCentres() {
			if n > 0 {
				c.ID = fmt.Sprintf("%s-%d", c.ID, n+1)
			}
			out = append(out, c)
		}
	}
	return out
}

// world is a process with a broker in memory and a province that reports to it. It says where the broker is.
func world(ctx context.Context, o *options) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	p, err := sim.New(sim.Spec{Seed: 1, Hosts: o.hosts, Centres: centres(o.copies), Version: "bench"}, time.Now())
	if err != nil {
		return err
	}
	b, err := localbroker.Start(localbroker.Options{Log: log})
	if err != nil {
		return err
	}
	defer b.Close()
	cfg := broker.Config{Brokers: []string{b.Addr()}}
	client, transport, err := cfg.Client("bench")
	if err != nil {
		return err
	}
	topics := broker.SharedTopics()
	for _, c := range p.Centres() {
		topics = append(topics, broker.CentreTopics(c, o.partitions)...)
	}
	_, err = broker.Create(ctx, client, localbroker.Bounded(topics, 2*time.Minute), 1)
	transport.CloseIdleConnections()
	if err != nil {
		return err
	}
	fmt.Println(b.Addr())
	return (&sim.Driver{Province: p, Broker: cfg, Log: log}).Run(ctx)
}

// probing is a process of hosts that change their state again and again, from when it is told where the collector answers until requests end.
func probing(ctx context.Context, o *options) error {
	p, err := probe.New(ctx, o.brokers, o.probes)
	if err != nil {
		return err
	}
	fmt.Println("probes")
	var api string
	if _, err := fmt.Scanln(&api); err != nil {
		return fmt.Errorf("read where the collector answers: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.warm+o.long)
	defer cancel()
	p.Run(ctx, api, o.brokers)
	stream, feed, n := p.Known()
	if n == 0 {
		return errors.New("no change of a state was known to a watcher")
	}
	fmt.Printf("\n%d changes of a card's state, from when its report was made:\nto a watcher of the stream %s\nto a reader of the feed %s\n\n", n, stream, feed)
	return nil
}

// collect is a process that is a collector as it runs in earnest. It says where it answers.
func collect(ctx context.Context, o *options) error {
	debug.SetGCPercent(collector.GCPercent) // as exameter-collector does
	cfg := collector.DefaultConfig()
	cfg.Kafka, cfg.HTTP.Listen = broker.Config{Brokers: []string{o.brokers}}, "127.0.0.1:0"
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		// The province has reported by then, and requests come.
		begin := time.AfterFunc(30*time.Second, func() { _ = pprof.StartCPUProfile(f) })
		defer pprof.StopCPUProfile()
		defer begin.Stop()
	}
	return collector.Run(ctx, cfg, collector.Options{
		Log: slog.New(slog.DiscardHandler), Version: "bench", Ready: func(addr string) { fmt.Println(addr) },
	})
}

// ready waits until nearly every host has reported (some are silent at any time), and returns how many pools there are.
func ready(ctx context.Context, api string, hosts int) (pools int, err error) {
	for {
		var doc capacity.Document
		if err = ask(ctx, "http://"+api+"/v1/capacity?kind=all&by=pool", &doc); err == nil && doc.Total.Hosts.Online >= int64(hosts)*99/100 {
			return len(doc.Groups), nil
		}
		select {
		case <-ctx.Done():
			return 0, errors.Join(ctx.Err(), err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func ask(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", resp.Status)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}
