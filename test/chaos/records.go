package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/feed/kafkafeed"
	"github.com/exameter/exameter/telemetry"
)

const (
	kept    = "a record that was acknowledged is in Kafka, one that was dropped in a counter"
	once    = "no record is in Kafka twice whose outcome was known"
	inOrder = "what waited on disk follows in its order"
)

// name tells a record apart.
type name struct {
	inventory  bool
	host, boot string
	seq        int64
}

// sighting is how a record stands in Kafka.
type sighting struct {
	times   int
	made    time.Time // by its own time
	written time.Time // the first time
}

// place is where a record lies.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// records are what was sent, and what is read back of it.
type records struct {
	*judge
	feed *watch

	mu       sync.Mutex
	sent     map[name]bool // by simulated hosts; true: acknowledged
	seen     map[name]*sighting
	real     map[string][]name // of hosts with a real agent, in Kafka's order
	dropped  map[string]int64  // as these hosts' reports say
	poison   map[place]bool    // that was written to be kept aside
	aside    map[place]bool    // that was kept aside
	sample   []byte            // a good report, for those who spoil it
	owner    string            // and whose it is
	scopes   map[string]kafkafeed.Record
	province time.Time // when the feed last told of the province
	quiet    time.Duration
}

func newRecords(j *judge) *records {
	return &records{
		judge: j, feed: newWatch("the feed"), sent: map[name]bool{}, seen: map[name]*sighting{}, real: map[string][]name{}, dropped: map[string]int64{},
		poison: map[place]bool{}, aside: map[place]bool{}, scopes: map[string]kafkafeed.Record{},
	}
}

// decode reads who a record is of.
func decode(d *telemetry.Decoder, topic string, value []byte) (n name, r *telemetry.Report, err error) {
	if n.inventory = strings.HasPrefix(topic, telemetry.InventoryTopic("")); n.inventory {
		var inv telemetry.Inventory
		err = d.Inventory(value, &inv)
		n.host, n.boot, n.seq = inv.Host, inv.Boot, inv.Seq
		return n, nil, err
	}
	r = &telemetry.Report{}
	err = d.Report(value, r)
	n.host, n.boot, n.seq = r.Host, r.Boot, r.Seq
	return n, r, err
}

// note enters what a simulated host sent.
func (r *records) note(topic string, _, value []byte, acknowledged bool) {
	var d telemetry.Decoder
	n, report, err := decode(&d, topic, value)
	if err != nil {
		r.violate(kept, "a simulated host sent what cannot be read: %v", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent[n] = acknowledged
	if report != nil && acknowledged {
		r.sample, r.owner = slices.Clone(value), n.host
	}
}

// read reads everything back, from the beginning of all topics, until ctx ends.
func (r *records) read(ctx context.Context, brokers, topics []string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.MetadataMaxAge(5*time.Second), kgo.MetadataMinAge(250*time.Millisecond), kgo.FetchMaxWait(500*time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 250 * time.Millisecond }))
	if err != nil {
		return err
	}
	defer client.Close()
	var d telemetry.Decoder
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx) // errors are of brokers that are down
		r.mu.Lock()
		fetches.EachRecord(func(rec *kgo.Record) { r.take(&d, rec) })
		r.mu.Unlock()
	}
	return nil
}

func (r *records) take(d *telemetry.Decoder, rec *kgo.Record) {
	headers := map[string]string{}
	for _, h := range rec.Headers {
		headers[h.Key] = string(h.Value)
	}
	switch {
	case rec.Topic == telemetry.QuarantineTopic:
		p := place{topic: headers["topic"]}
		if _, err := fmt.Sscan(headers["partition"]+" "+headers["offset"], &p.partition, &p.offset); err == nil {
			r.aside[p] = true
		}
	case rec.Topic == telemetry.CapacityTopic:
		r.tell(rec)
	case headers[poisoned] == "refused":
		r.poison[place{rec.Topic, rec.Partition, rec.Offset}] = true
	case headers[poisoned] != "":
	default:
		r.sight(d, rec)
	}
}

// sight enters a host's record.
func (r *records) sight(d *telemetry.Decoder, rec *kgo.Record) {
	n, report, err := decode(d, rec.Topic, rec.Value)
	if err != nil {
		r.violate(kept, "in %s stands what nobody sent: %v", rec.Topic, err)
		return
	}
	ours := strings.HasSuffix(rec.Topic, "."+servers)
	if ours {
		n.boot = "" // of this machine, like all of them
	}
	s := r.seen[n]
	if s == nil {
		s = &sighting{written: rec.Timestamp}
		r.seen[n] = s
	}
	if s.times++; report == nil {
		return
	}
	s.made = report.Time
	if ours && s.times == 1 {
		r.real[n.host] = append(r.real[n.host], n)
		r.dropped[n.host] = max(r.dropped[n.host], report.Dropped.Value)
	}
}

// tell enters what the feed says, by the rule for its readers.
func (r *records) tell(rec *kgo.Record) {
	key := string(rec.Key)
	if key != "province" && !strings.HasPrefix(key, "centre/") {
		return
	}
	if rec.Value == nil {
		r.violate(countedOnce, "the feed removed %s", key)
		return
	}
	var said kafkafeed.Record
	if err := json.Unmarshal(rec.Value, &said); err != nil {
		r.violate(conservation, "the feed says of %s what cannot be read: %v", key, err)
		return
	}
	if key == "province" {
		if !r.province.IsZero() {
			r.quiet = max(r.quiet, rec.Timestamp.Sub(r.province))
		}
		r.province = rec.Timestamp
	}
	if said.Revision >= r.scopes[key].Revision {
		r.scopes[key] = said
	}
}

// check holds what a reader of the feed knows against the ledger, again and again.
func (r *records) check(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		figures := map[string]capacity.Figure{}
		now := time.Now()
		r.mu.Lock()
		why := ""
		if now.Sub(r.province) > feedFresh {
			why = fmt.Sprintf("nothing for %.1f s", now.Sub(r.province).Seconds())
		} else if p := r.scopes["province"].Parts; p.Behind > 0 {
			why = fmt.Sprintf("%d parts are behind", p.Behind)
		}
		for _, c := range r.ledger.centres() {
			figures[c] = r.scopes["centre/"+c].Figure
		}
		r.mu.Unlock()
		r.feed.mu.Lock()
		r.feed.why = why
		r.feed.flags.note(why != "", now)
		for c, f := range figures {
			r.centre(r.feed, c, f, now)
		}
		r.feed.mu.Unlock()
	}
}

// outcome is what became of records.
type outcome struct{ sent, acknowledged, unknown, arrived, lost, doubled int }

// simulated adds up what became of the simulated hosts' records.
func (r *records) simulated() (o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n, acknowledged := range r.sent {
		o.sent++
		times := 0
		if s := r.seen[n]; s != nil {
			times = s.times
		}
		switch {
		case acknowledged:
			if o.acknowledged++; times == 0 {
				o.lost++
			}
		case times == 0:
			o.unknown++
		default:
			o.unknown++
			o.arrived++
		}
		o.doubled += max(times-1, 0)
	}
	return o
}
