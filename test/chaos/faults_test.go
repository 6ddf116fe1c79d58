package main

import (
	"os"
	"testing"
	"time"
)

// slack is how much slower a busy machine may be than docs/reliability.md promises of one that is not. What was measured is logged.
const slack = 3

// TestBrokerFaults brings each fault of the brokers about on its own. After each, every report that an agent made is in Kafka, the answers and
// the feed are exact again, and what was wrong meanwhile said so: that is checked all the time, as in TestWorstDay.
func TestBrokerFaults(t *testing.T) {
	w, err := start(t.Context(), t.TempDir(), 11, said{t}, ground{})
	t.Cleanup(w.close)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		step    step
		flagged time.Duration // how long an answer may be flagged at most
		feed    time.Duration // and the feed
		back    time.Duration // how long after the repair all may be right again
	}{
		{"leader killed", step{kind: leaderKilled, lasts: 4 * time.Second}, 10 * time.Second, 10 * time.Second, 5 * time.Second},
		{"controller killed", step{kind: controllerKilled, lasts: 4 * time.Second}, 10 * time.Second, 10 * time.Second, 5 * time.Second},
		{"rolling restart", step{kind: brokersRolled}, 5 * time.Second, 5 * time.Second, 5 * time.Second},
		{"no quorum", step{kind: noQuorum, lasts: 13 * time.Second}, 40 * time.Second, 40 * time.Second, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := w.inflict(t, c.step)
			if r.flagged > slack*c.flagged || r.feedFlagged > slack*c.feed {
				t.Errorf("answers were flagged for %s and the feed for %s, want at most %s and %s", r.flagged, r.feedFlagged, slack*c.flagged, slack*c.feed)
			}
			if took := max(r.collectors, r.feed, r.agents); took > slack*c.back {
				t.Errorf("right again %s after the repair, want at most %s", took, slack*c.back)
			}
			if c.step.kind == noQuorum {
				w.silenced(t, w.collectors...)
			}
		})
	}
	t.Run("all down for a minute", func(t *testing.T) { w.minute(t) })
}

// inflict brings a fault about, and wants everything in order afterwards.
func (w *world) inflict(t *testing.T, s step) recovery {
	t.Helper()
	return w.inflicted(t, s, func() error { return w.fault(t.Context(), s) })
}

// inflicted does the same for whatever brings the fault about and repairs it.
func (w *world) inflicted(t *testing.T, s step, fault func() error) recovery {
	t.Helper()
	before := w.violations()
	if err := w.endure(t.Context(), s, fault); err != nil {
		t.Fatal(err)
	}
	w.delivered(t, time.Now())
	if n := w.violations() - before; n > 0 {
		t.Errorf("%d violations\n%s", n, w.findings())
	}
	return w.recoveries[len(w.recoveries)-1]
}

// delivered waits until everything that was acknowledged, and every report that an agent made before a moment, is in Kafka, and wants it there
// once.
func (w *world) delivered(t *testing.T, until time.Time) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(250 * time.Millisecond) {
		f, err := w.account(w.records, until, w.faulty)
		if err != nil {
			t.Fatal(err)
		}
		o := w.simulated()
		if f.waiting == 0 {
			t.Logf("%d reports of agents are in Kafka %.1f s later, %d of them twice", f.made, time.Since(began).Seconds(), f.doubled)
		}
		switch {
		case o.doubled > 0 || f.doubledUnasked > 0 || f.disordered > 0 || f.dropped > 0 || f.withMemory > 0:
			t.Fatalf("records of simulated hosts %+v, reports of agents %+v", o, f)
		case f.waiting == 0:
			return
		case time.Since(began) > recoverWithin:
			t.Fatalf("%d reports of agents are not in Kafka", f.waiting)
		}
	}
}

// silenced wants that collectors said in time that they are cut off.
func (w *world) silenced(t *testing.T, which ...*collector) {
	t.Helper()
	for _, c := range which {
		flagged, silent := c.noticed()
		t.Logf("%s: flagged after %.1f s, cut off after %.1f s", c.name, flagged.Seconds(), silent.Seconds())
		if flagged == 0 || flagged > slack*(freshFor+2*time.Second) {
			t.Errorf("%s said %s after the fault that its answer is old, want at most %s", c.name, flagged, slack*(freshFor+2*time.Second))
		}
		if silent == 0 || silent > slack*(staleAfter+2*time.Second) {
			t.Errorf("%s said %s after the fault that it is cut off, want at most %s", c.name, silent, slack*(staleAfter+2*time.Second))
		}
	}
}

// downFor is how long all brokers are down: a minute, or EXAMETER_DOWN.
func downFor(t *testing.T) time.Duration {
	t.Helper()
	s := os.Getenv("EXAMETER_DOWN")
	if s == "" {
		return time.Minute
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatalf("EXAMETER_DOWN: %v", err)
	}
	return d
}

// minute is an outage of ten minutes and more in effect: cards change five times a second on each server, so that their agents make in a minute
// as many reports as others make in an hour. Every one of them is in Kafka afterwards, in the order of its host.
func (w *world) minute(t *testing.T) {
	w.every.Store(int64(200 * time.Millisecond))
	down := downFor(t)
	began := time.Now()
	time.AfterFunc(down, func() { w.every.Store(int64(2 * time.Second)) })
	r := w.inflict(t, step{kind: allDown, lasts: down})
	w.silenced(t, w.collectors...)
	back := began.Add(r.fault)
	live := max(r.agents-r.leaders, 0)
	t.Logf("a new report of each agent was in Kafka %.1f s after all partitions were led again", live.Seconds())
	if live > slack*5*time.Second {
		t.Errorf("no new report of an agent for %s after Kafka was back", live)
	}
	w.records.mu.Lock()
	defer w.records.mu.Unlock()
	for _, s := range w.servers {
		var n, late int
		var last int64
		for _, one := range w.real[s.host] {
			seen := w.seen[one]
			if seen.made.Before(began.Add(time.Second)) || seen.made.After(back) {
				continue
			}
			if n++; one.seq < last {
				t.Errorf("%s: report %d stands in Kafka after %d", s.host, one.seq, last)
			}
			last = one.seq
			if seen.written.After(back) {
				late++
			}
		}
		t.Logf("%s: %d reports of the outage, %d of them written after it", s.host, n, late)
		if late < 100 {
			t.Errorf("%s: %d reports of the outage are in Kafka, want hundreds", s.host, late)
		}
	}
}
