package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/test/process"
)

const partitions = 3

// spec is a province of like servers, whose reports are the longest that the simulation has.
func spec(o *options) sim.Spec {
	s := sim.Spec{Seed: 1, Hosts: o.hosts, Interval: time.Second, Calm: true, Version: "bench"}
	for _, c := range sim.DefaultCentres() {
		c.Groups, c.Counted = []sim.Group{{Cluster: "default", Server: "nvidia-h20", Weight: 1}}, nil
		s.Centres = append(s.Centres, c)
	}
	return s
}

// generate writes an inventory and some reports of every host, each record a batch of its own.
func generate(ctx context.Context, o *options) error {
	s := spec(o)
	began := time.Now()
	p, err := sim.New(s, began)
	if err != nil {
		return err
	}
	made := time.Since(began)
	client, transport, err := o.kafka().Client("bench")
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	topics := broker.SharedTopics()
	for _, c := range append(p.Centres(), probeCentre) {
		topics = append(topics, broker.CentreTopics(c, partitions)...)
	}
	if _, err := broker.Create(ctx, client, topics, 1); err != nil {
		return err
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
			if driving.Err() != nil || d.Counts().Records >= want && heard(p, o) {
				stop()
				return
			}
		}
	}()
	began, cpu := time.Now(), ownCPU()
	if err := d.Run(driving); err != nil {
		return err
	}
	n, took := d.Counts(), time.Since(began)
	if n.Records < want {
		return fmt.Errorf("%d of %d records after %s", n.Records, want, took)
	}
	stored, reports := topicBytes(o.work)
	fmt.Printf("%d hosts, %d accelerators made in %.1f s; %d records of %d B on average, one a batch, lz4, written in %.1f s (%.0f records/s, %.1f µs of CPU each in the generator, resident %d MiB); %d B a record in the broker's telemetry logs\n",
		o.hosts, p.Devices(), made.Seconds(), n.Records, n.Bytes/n.Records, took.Seconds(), float64(n.Records)/took.Seconds(),
		micros(ownCPU()-cpu, n.Records), process.Resident(os.Getpid())>>20, stored/max(reports, 1))
	return nil
}

// heard reports whether every host was heard of.
func heard(p *sim.Province, o *options) bool {
	b := p.Books(time.Now(), time.Hour)
	return b.HostsRated == int64(o.hosts) && b.HostsOnline == b.HostsRated
}

// topicBytes is the size of the logs of all telemetry, and how many batches, which are records here, lie in them.
func topicBytes(dir string) (size, records int64) {
	files, _ := filepath.Glob(filepath.Join(dir, "broker1/data/exameter.v1.telemetry.*/*.log"))
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for len(b) >= 12 {
			n := 12 + int64(int32(binary.BigEndian.Uint32(b[8:])))
			if n <= 12 || n > int64(len(b)) {
				break
			}
			b, size, records = b[n:], size+n, records+1
		}
	}
	return size, records
}
