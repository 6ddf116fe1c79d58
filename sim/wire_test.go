package sim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/sim"
)

var quiet = slog.New(slog.DiscardHandler)

// startBroker starts a broker with the topics of a province.
func startBroker(t *testing.T, p *sim.Province) broker.Config {
	t.Helper()
	b, err := localbroker.Start(localbroker.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	cfg := broker.Config{Brokers: []string{b.Addr()}}
	client, transport, err := cfg.Client("test")
	if err != nil {
		t.Fatal(err)
	}
	defer transport.CloseIdleConnections()
	topics := broker.SharedTopics()
	for _, c := range p.Centres() {
		topics = append(topics, broker.CentreTopics(c, 2)...)
	}
	if _, err := broker.Create(t.Context(), client, topics, 1); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// startCollector starts a collector and returns the address it answers at.
func startCollector(t *testing.T, kafka broker.Config, staleAfter time.Duration) string {
	t.Helper()
	cfg := collector.DefaultConfig()
	cfg.Kafka, cfg.HTTP.Listen, cfg.StaleAfter = kafka, "127.0.0.1:0", config.Duration(staleAfter)
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- collector.Run(ctx, cfg, collector.Options{Log: quiet, Ready: func(addr string) { ready <- addr }})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("collector: %v", err)
		}
	})
	select {
	case addr := <-ready:
		return addr
	case err := <-done:
		done <- nil
		t.Fatalf("the collector did not start: %v", err)
		return ""
	}
}

func ask(addr string) (*capacity.Document, error) {
	resp, err := http.Get("http://" + addr + "/v1/capacity?by=centre&kind=all")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", resp.Status)
	}
	var doc capacity.Document
	return &doc, json.NewDecoder(resp.Body).Decode(&doc)
}

// differ says how a collector's answer differs from the ledger at the moment of the answer.
func differ(doc *capacity.Document, p *sim.Province, staleAfter time.Duration) string {
	want := p.Books(doc.AsOf, staleAfter).Summary(catalog.Default())
	got := &sim.Summary{At: want.At, Hosts: doc.Total.Hosts, Total: sim.Figures{Devices: doc.Total.Devices, Eflops: doc.Total.Eflops}}
	for _, g := range doc.Groups {
		got.Centres = append(got.Centres, sim.CentreFigures{Centre: g.Centre, Figures: sim.Figures{Devices: g.Devices, Eflops: g.Eflops}})
	}
	return cmp.Diff(want, got)
}

// settle asks until the answer equals the ledger to the last digit.
func settle(t *testing.T, addr string, p *sim.Province, staleAfter, within time.Duration) *capacity.Document {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		doc, err := ask(addr)
		diff := ""
		if err == nil {
			if diff = differ(doc, p, staleAfter); diff == "" {
				return doc
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s the collector does not say what was said to it: %v\n(-ledger +collector)\n%s", within, err, diff)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestCollectorAgreesWithLedger(t *testing.T) {
	// What was said has to be told before it is old: the time that a machine with much else to do may take is bound by this.
	const staleAfter = 20 * time.Second
	p, err := sim.New(sim.Spec{Seed: 11, Hosts: 240, Interval: time.Second, Speed: 900}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	kafka := startBroker(t, p)
	addr := startCollector(t, kafka, staleAfter)
	d := &sim.Driver{Province: p, Broker: kafka, Log: quiet}
	ctx, stop := context.WithTimeout(t.Context(), 4*time.Second)
	defer stop()
	if err := d.Run(ctx); err != nil {
		t.Fatal(err)
	}
	doc := settle(t, addr, p, staleAfter, staleAfter-2*time.Second)
	total := doc.Total
	if total.Hosts.Rated != 240 || total.Eflops.Busy == 0 || total.Eflops.Free == 0 || total.Devices.Drained == 0 || total.Devices.Faulty == 0 || total.Devices.Unpriced == 0 {
		t.Errorf("the history shows too little: %+v", total)
	}
	if n := d.Counts(); n.Failures != 0 || n.Records < 480 {
		t.Errorf("counts %+v", n)
	}
	// Now that nobody speaks any more, everything falls silent; nothing is forgotten.
	deadline := time.Now().Add(3 * staleAfter)
	for doc.Total.Devices.Stale != doc.Total.Devices.Rated && time.Now().Before(deadline) {
		time.Sleep(200 * time.Millisecond)
		doc = settle(t, addr, p, staleAfter, staleAfter)
	}
	if doc.Total.Devices.Stale != total.Devices.Rated || doc.Total.Eflops.Stale != total.Eflops.Rated {
		t.Errorf("all are silent, and %+v stand against %+v", doc.Total.Devices, total.Devices)
	}
}
