package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/telemetry"
)

// TestRetire takes one host out of a small province: exactly its devices leave, from every state.
func TestRetire(t *testing.T) {
	p, err := sim.New(sim.Spec{Seed: 3, Hosts: 6, Interval: time.Second, Calm: true}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o := stackOptions{topics: localbroker.Bounded(centresTopics(p.Centres(), 2), time.Minute), collector: collector.DefaultConfig(), log: slog.New(slog.DiscardHandler)}
	o.collector.HTTP.Listen = "127.0.0.1:0"
	s, err := startStack(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}()
	c, err := ledgerClient(s.api, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	settle := func(hosts int64) (rated int64) {
		t.Helper()
		for ; ; time.Sleep(50 * time.Millisecond) {
			body, err := c.get(ctx, "v1/capacity", demoQuery)
			if ctx.Err() != nil {
				t.Fatalf("never %d hosts: %v, last answer %s", hosts, err, body)
			}
			if err != nil {
				continue
			}
			doc, err := parseDocument(body)
			if err != nil {
				t.Fatal(err)
			}
			if doc.Total.Hosts.Rated == hosts {
				return doc.Total.Devices.Rated
			}
		}
	}
	// The province speaks for a while and then no more: an agent that still ran would bring its host back.
	speaking, quiet := context.WithTimeout(ctx, 4*time.Second)
	defer quiet()
	d := &sim.Driver{Province: p, Broker: s.kafka, Log: o.log}
	if err := d.Run(speaking); err != nil {
		t.Fatal(err)
	}
	before := settle(6)
	centre, host, devices := firstHost(ctx, t, s, p.Centres())
	out, said, status := exameter(t, "retire", host, "--centre", centre, "--brokers", s.broker.Addr())
	if status != 0 || said != "" || !strings.Contains(out, "retired "+host+" of "+centre) {
		t.Fatalf("status %d: %s%s", status, out, said)
	}
	if after := settle(5); before-after != devices {
		t.Errorf("%d devices left, the host had %d", before-after, devices)
	}
	for _, bad := range [][]string{
		{"retire", "--centre", centre, "--brokers", s.broker.Addr()},
		{"retire", host, "--brokers", s.broker.Addr()},
		{"retire", host, "--centre", "Not Valid", "--brokers", s.broker.Addr()},
		{"retire", host, "--centre", centre},
	} {
		if _, _, status := exameter(t, bad...); status != 2 {
			t.Errorf("%v: status %d, want 2", bad, status)
		}
	}
	if _, said, status := exameter(t, "retire", host, "--centre", "nowhere", "--brokers", s.broker.Addr()); status != 1 || !strings.Contains(said, "there is no topic exameter.v1.inventory.nowhere") {
		t.Errorf("status %d: %s", status, said)
	}
}

// firstHost reads some host's inventory: its centre, its id and how many devices it counts for, processors included.
func firstHost(ctx context.Context, t *testing.T, s *stack, centres []string) (centre, host string, devices int64) {
	t.Helper()
	dialer, err := s.kafka.Dialer("test")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range centres {
		for partition := range 2 {
			conn, err := dialer.DialLeader(ctx, "tcp", s.broker.Addr(), telemetry.InventoryTopic(c), partition)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, end, err := conn.ReadOffsets(); err != nil || end == 0 {
				continue
			}
			m, err := conn.ReadMessage(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			var dec telemetry.Decoder
			var inv telemetry.Inventory
			if err := dec.Inventory(m.Value, &inv); err != nil {
				t.Fatal(err)
			}
			devices = int64(len(inv.Devices))
			if _, ok := inv.CPU.Get(); ok {
				devices++
			}
			return c, inv.Host, devices
		}
	}
	t.Fatal("no inventory in any topic")
	return "", "", 0
}
