package main

import (
	"os"
	"testing"
	"time"

	"github.com/exameter/exameter/test/slowdisk"
)

// TestBrokerDisks makes brokers' disks slow, and one of them hang. A broker whose disk does not answer is alive to Kafka, and keeps what it
// leads: whoever writes there waits. Nothing is lost, what is old says so, and all is exact again afterwards.
func TestBrokerDisks(t *testing.T) {
	if !slowdisk.May(t) {
		return
	}
	w, err := start(t.Context(), t.TempDir(), 12, said{t}, ground{slowDisks: true})
	t.Cleanup(w.close)
	if err != nil {
		t.Fatal(err)
	}
	hang := 15 * time.Second
	if text := os.Getenv("EXAMETER_HANG"); text != "" {
		if hang, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		step step
		back time.Duration // how long after the repair all may be right again
	}{
		{"slow", step{kind: diskSlow, lasts: 8 * time.Second}, 10 * time.Second},
		{"hangs", step{kind: diskHangs, lasts: hang}, 10 * time.Second},
		{"hangs and is killed", step{kind: diskKilled, lasts: 10 * time.Second}, 10 * time.Second},
		{"all slow", step{kind: disksSlow, lasts: 8 * time.Second}, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := w.inflict(t, c.step)
			if c.step.kind != diskSlow && c.step.kind != disksSlow && r.flagged == 0 {
				t.Error("nobody noticed that a disk hung")
			}
			if limit := r.fault + slack*c.back; r.flagged > limit || r.feedFlagged > limit {
				t.Errorf("answers were flagged for %s and the feed for %s, want at most %s", r.flagged, r.feedFlagged, limit)
			}
			if took := max(r.collectors, r.feed, r.agents); took > slack*c.back {
				t.Errorf("right again %s after the repair, want at most %s", took, slack*c.back)
			}
		})
	}
}
