package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/sim"
)

const partitions = 3

// spec is a province of like servers, whose reports are the longest that the simulation has.
func spec(o *options) sim.Spec {
	s := sim.Spec{Seed: 1, Hosts: o.hosts, Interval: time.Second, Calm: true, Version: "bench"}
	for _, c := range sim.DefaultCentres() {
		c.Groups = []sim.Group{{Cluster: "default", Server: "nvidia-h20", Weight: 1}}
		s.Centres = append(s.Centres, c)
	}
	return s
}

// generate writes an inventory and some reports of every host, each record a batch of its own.
func generate(ctx context.Context, o *options) (*sim.Province, error) {
	s := spec(o)
	began := time.Now()
	p, err := sim.New(s, began)
	if err != nil {
		return nil, err
	}
	made := time.Since(began)
	client, transport, err := o.kafka().Client("bench")
	if err != nil {
		return nil, err
	}
	defer transport.CloseIdleConnections()
	topics := broker.SharedTopics()
	for _, c := range append(p.Centres(), probeCentre) {
		topics = append(topics, broker.CentreTopics(c, partitions)...)
	}
	if _, err := broker.Create(ctx, client, topics, 1); err != nil {
		return nil, err
	}
	time.Sleep(5 * time.Second) // until every partition has its leader
	d := &sim.Driver{Province: p, Broker: *o.kafka(), Log: slog.Default(), Batch: 1}
	driving, stop := context.WithTimeout(ctx, 8*time.Minute)
	defer stop()
	want := int64(o.hosts) * int64(o.rounds+1)
	go func() {
		t := time.NewTicker(50 * time.Millisecond)
		defer t.Stop()
		for range t.C {
			if driving.Err() != nil || d.Counts().Records >= want {
				stop()
				return
			}
		}
	}()
	began, cpu := time.Now(), ownCPU()
	if err := d.Run(driving); err != nil {
		return nil, err
	}
	n, took := d.Counts(), time.Since(began)
	if n.Records < want {
		return nil, fmt.Errorf("%d of %d records after %s", n.Records, want, took)
	}
	fmt.Printf("%d hosts, %d accelerators made in %.1f s; %d records of %d B on average, one a batch, lz4, written in %.1f s (%.0f records/s, %.1f µs of CPU each in the generator, resident %d MiB)\n",
		o.hosts, p.Devices(), made.Seconds(), n.Records, n.Bytes/n.Records, took.Seconds(), float64(n.Records)/took.Seconds(),
		micros(ownCPU()-cpu, n.Records), resident(os.Getpid())>>20)
	return p, nil
}
