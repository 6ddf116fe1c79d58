package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/telemetry"
)

// poisoned is the header of what was written to do harm, so that it is no record of a host.
const poisoned = "poisoned"

// count reads once a second what collectors counted of records that could neither be used nor be kept aside.
func (w *world) count(ctx context.Context) {
	client := &http.Client{Timeout: 2 * time.Second}
	for ; ctx.Err() == nil; rest(ctx, time.Second) {
		for _, c := range w.collectors {
			w.mu.Lock()
			life := c.p
			w.mu.Unlock()
			n, err := unkept(ctx, client, c.addr)
			w.mu.Lock()
			if err == nil && life == c.p {
				w.unkept[life] = n
			}
			w.mu.Unlock()
		}
	}
}

func unkept(ctx context.Context, client *http.Client, addr string) (n int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	for line := range strings.Lines(string(body)) {
		for _, result := range []string{"failed", "suppressed"} {
			var one int64
			if _, err := fmt.Sscanf(line, `exameter_quarantine_records_total{result="`+result+`"} %d`, &one); err == nil {
				n += one
			}
		}
	}
	return n, err
}

// poisoning writes what does harm, until ctx ends.
func (w *world) poisoning(ctx context.Context, cfg broker.Config) {
	client, transport, err := cfg.Client("chaos-poison")
	if err != nil {
		return
	}
	defer transport.CloseIdleConnections()
	out := &kafkago.Writer{Addr: client.Addr, Transport: client.Transport, RequiredAcks: kafkago.RequireAll, BatchSize: 1, MaxAttempts: 1}
	defer out.Close()
	for n := 0; ctx.Err() == nil; n++ {
		key, value, header := w.spoil(n)
		centre := w.province.Centres()[n%len(w.province.Centres())]
		if header == "replayed" {
			centre = w.home(value)
		}
		err := out.WriteMessages(ctx, kafkago.Message{Topic: telemetry.TelemetryTopic(centre), Key: key, Value: value, Headers: []kafkago.Header{{Key: poisoned, Value: []byte(header)}}})
		if err == nil {
			w.spoiled++
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// home is the centre of a report.
func (w *world) home(report []byte) string {
	var d telemetry.Decoder
	var r telemetry.Report
	if d.Report(report, &r) != nil {
		return w.province.Centres()[0]
	}
	return r.Centre
}

// poisonReport says what became of what was to be kept aside, and holds it against what the collectors counted.
func (w *world) poisonReport() (poison, aside int, counted int64) {
	w.records.mu.Lock()
	defer w.records.mu.Unlock()
	poison = len(w.poison)
	for p := range w.poison {
		if w.aside[p] {
			aside++
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.unkept {
		counted += n
	}
	// What a collector counted in the last second before it was killed, nobody has read.
	if missing := int64(poison - aside); missing > counted+int64(w.kinds[collectorKilled]+w.kinds[bothKilled]) {
		w.violate(kept, "of %d records that cannot be used %d are neither kept aside nor counted", poison, missing-counted)
	}
	return poison, aside, counted
}

// spoil returns what no collector can use, or what says nothing new, with the key to write it under.
func (r *records) spoil(n int) (key, value []byte, header string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	good := slices.Clone(r.sample)
	switch n % 6 {
	case 0:
		return []byte(r.owner), good[:len(good)*2/3], "refused"
	case 1:
		return []byte("\xff\xfe of nobody"), good, "refused"
	case 2:
		return []byte(r.owner), []byte(",\n"), "refused"
	case 3:
		return []byte(r.owner), nil, "refused"
	case 4:
		return []byte(r.owner), []byte("what is this\n"), "refused"
	default:
		return []byte(r.owner), good, "replayed" // says what was said
	}
}
