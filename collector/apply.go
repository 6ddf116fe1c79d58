package collector

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/feed/metrics"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/quarantine"
	"github.com/exameter/exameter/telemetry"
)

// reasonKey is the reason for a record whose Kafka key is not its host: co-partitioning and compaction rest on the key.
const reasonKey telemetry.Reason = "key-mismatch"

// futureLimit is how far a record's own time may lie after its record time before it is counted.
const futureLimit = time.Hour

// applier is what applying reuses from record to record.
type applier struct {
	decoder   telemetry.Decoder
	report    telemetry.Report
	inventory telemetry.Inventory
	results   [2][fleet.Outcomes]prometheus.Counter // by kind of topic
	retired   prometheus.Counter
	rejected  [2]prometheus.Counter
	unknown   int64 // what the decoder had skipped when it was last counted
}

const (
	inventories = iota
	reports
)

// count finds the counters once, so that a record costs no look-up.
func (a *applier) count(m *metrics.Metrics) {
	for kind, name := range [...]string{"inventory", "telemetry"} {
		for o := range fleet.Outcomes {
			a.results[kind][o] = m.Records.WithLabelValues(name, o.String())
		}
		a.rejected[kind] = m.Records.WithLabelValues(name, "rejected")
	}
	a.retired = m.Records.WithLabelValues("inventory", "retired")
}

// apply takes the records of one partition of the part. What cannot be used goes to quarantine; nothing stops the rest.
func (w *worker) apply(p *part, b *consume.Batch) {
	now := w.c.now()
	breath := breathe()
	for i := range b.Records {
		if i%32 == 31 {
			breath.take(w.c)
		}
		rec := &b.Records[i]
		at := rec.Time
		if at.After(now) {
			at = now // a broker's clock, or where it does not stamp a producer's, is ahead of ours
		}
		var err error
		if b.Inventory {
			err = w.applyInventory(p, b, rec, at)
		} else {
			err = w.applyReport(p, b, rec, at)
		}
		if err != nil {
			w.reject(b, rec, err)
		}
	}
	if n := len(b.Records); n > 0 {
		p.next[kindOf(b)] = b.Records[n-1].Offset + 1
	}
	if a := &w.applier; a.decoder.Unknown > a.unknown {
		w.c.metrics.UnknownFields.Add(float64(a.decoder.Unknown - a.unknown))
		a.unknown = a.decoder.Unknown
	}
}

func (w *worker) applyReport(p *part, b *consume.Batch, rec *consume.Record, at time.Time) error {
	a := &w.applier
	p.fleet.Prime(b.Centre, rec.Key, &a.report)
	if err := a.decoder.Report(rec.Value, &a.report); err != nil {
		return err
	}
	if err := w.checkOrigin(b, rec, &a.report.Header); err != nil {
		return err
	}
	a.results[reports][p.fleet.ApplyReport(b.Centre, &a.report, at)].Inc()
	if !p.begun {
		p.tally.note(rec.Offset, p.fleet.Heard())
	}
	return nil
}

func (w *worker) applyInventory(p *part, b *consume.Batch, rec *consume.Record, at time.Time) error {
	a := &w.applier
	if rec.Value == nil {
		p.fleet.Retire(b.Centre, string(rec.Key))
		a.retired.Inc()
		return nil
	}
	if err := a.decoder.Inventory(rec.Value, &a.inventory); err != nil {
		return err
	}
	if err := w.checkOrigin(b, rec, &a.inventory.Header); err != nil {
		return err
	}
	a.results[inventories][p.fleet.ApplyInventory(b.Centre, &a.inventory, at)].Inc()
	return nil
}

// checkOrigin refuses a record whose key is not its host, and counts what is odd and yet usable.
func (w *worker) checkOrigin(b *consume.Batch, rec *consume.Record, h *telemetry.Header) error {
	if string(rec.Key) != h.Host {
		return &telemetry.Error{Reason: reasonKey, Field: "host", Err: fmt.Errorf("the key is %.100q, the host %.100q", rec.Key, h.Host)}
	}
	if h.Centre != b.Centre {
		w.c.metrics.ForeignCentre.Inc() // only the topic's centre can write to the topic, so that is where it counts
	}
	if h.Time.Sub(rec.Time) > futureLimit {
		w.c.metrics.FutureDated.Inc()
	}
	return nil
}

// reject counts a record that could not be used, and keeps it aside.
func (w *worker) reject(b *consume.Batch, rec *consume.Record, err error) {
	reason := telemetry.Reason("unknown")
	var te *telemetry.Error
	if errors.As(err, &te) {
		reason = te.Reason
	}
	w.applier.rejected[kindOf(b)].Inc()
	w.c.metrics.Rejected.WithLabelValues(string(reason)).Inc()
	w.c.quarantine.Put(&quarantine.Record{
		Reason: string(reason), Detail: err.Error(), Topic: b.Topic, Partition: b.Number, Offset: rec.Offset, Key: rec.Key, Value: rec.Value,
	})
}

func kindOf(b *consume.Batch) int {
	if b.Inventory {
		return inventories
	}
	return reports
}
