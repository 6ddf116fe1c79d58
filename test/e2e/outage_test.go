package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/kafka"
)

// TestBrokerGone kills Kafka under a running agent and collector: both say so and go on, what has not been heard of
// turns stale rather than idle, and after the broker's return the figures are those of before, nothing doubled.
func TestBrokerGone(t *testing.T) {
	cluster := kafka.Run(t, kafka.Options{})
	w := newWorld(t, cluster, "outage", brisk)
	w.startCollector()
	w.write("cards", cards(nil))
	w.startAgent()
	w.wantDevices(soon, capacity.Devices{Rated: 8, Online: 8, Healthy: 8, Free: 8})

	if err := cluster.Kill(0); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	w.wantDevices(soon, capacity.Devices{Rated: 8, Stale: 8})
	w.logged("agent", "kafka", "cannot be reached")
	w.logged("collector", "broker", "unreachable")
	// While nobody can be told, three cards go to work and one is lost.
	w.write("cards", cards(map[int]string{0: lost, 3: busy, 4: busy, 5: busy}))
	w.keeps(2*time.Second, func() error {
		if !w.agent.Running() || !w.collector.Running() {
			return fmt.Errorf("without a broker: agent runs %v, collector runs %v", w.agent.Running(), w.collector.Running())
		}
		return nil
	})

	if err := cluster.Restart(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	gone := time.Since(killed)
	now := capacity.Devices{Rated: 8, Online: 8, Healthy: 7, Busy: 3, Free: 4, Faulty: 1}
	back := w.wantDevices(soon, now)
	t.Logf("the broker was gone for %v; the figures were right %v after its return", gone.Round(time.Millisecond), back.Round(time.Millisecond))
	w.keeps(2*time.Second, func() error {
		doc, err := w.capacity("")
		if err == nil && doc.Total.Devices != now {
			err = fmt.Errorf("have %+v, want %+v", doc.Total.Devices, now)
		}
		return err
	})
	w.write("cards", cards(map[int]string{0: lost, 3: busy, 4: busy}))
	freed := w.wantDevices(soon, capacity.Devices{Rated: 8, Online: 8, Healthy: 7, Busy: 2, Free: 5, Faulty: 1})
	t.Logf("a card freed afterwards was free at the API after %v", freed.Round(time.Millisecond))
}

// TestStartWithoutBroker starts agent and collector before Kafka runs.
func TestStartWithoutBroker(t *testing.T) {
	cluster := kafka.Run(t, kafka.Options{})
	w := newWorld(t, cluster, "late", brisk)
	if err := cluster.Stop(0); err != nil {
		t.Fatal(err)
	}
	w.startCollector()
	w.write("cards", cards(nil))
	w.startAgent()
	w.logged("agent", "kafka", "cannot be reached")
	w.logged("collector", "broker", "unreachable")
	if _, err := w.get("/readyz"); err == nil {
		t.Error("the collector is ready without having read anything")
	}
	if err := cluster.Restart(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	w.wantDevices(soon, capacity.Devices{Rated: 8, Online: 8, Healthy: 8, Free: 8})
	if _, err := w.get("/readyz"); err != nil {
		t.Error(err)
	}
}

// TestOutageOnDisk kills Kafka, and in the outage the agent too, without a word: every report that was made in it is in Kafka afterwards, once,
// in order and with its own time, and what is new came first.
func TestOutageOnDisk(t *testing.T) {
	cluster := kafka.Run(t, kafka.Options{})
	w := newWorld(t, cluster, "spool", brisk)
	w.startCollector()
	w.write("cards", cards(nil))
	w.startAgent()
	free := capacity.Devices{Rated: 8, Online: 8, Healthy: 8, Free: 8}
	w.wantDevices(soon, free)
	if err := cluster.Kill(0); err != nil {
		t.Fatal(err)
	}
	down := time.Now()
	w.logged("agent", "kafka", "cannot be reached")
	time.Sleep(5 * time.Second)
	if err := w.agent.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	w.startAgent()
	w.logged("agent", "reports wait on disk from before")
	time.Sleep(5 * time.Second)
	if err := cluster.Restart(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	w.wantDevices(soon, free)
	t.Logf("the host was online %v after the broker was back", time.Since(back).Round(time.Millisecond))
	w.logged("agent", "everything that waited on disk")

	var late []time.Time // of the outage
	seen, first := map[string]bool{}, -1
	var d telemetry.Decoder
	for _, m := range w.read(telemetry.TelemetryTopic("spool")) {
		var r telemetry.Report
		if err := d.Report(m.Value, &r); err != nil {
			t.Fatal(err)
		}
		if key := fmt.Sprint(r.Boot, r.Seq); seen[key] {
			t.Errorf("the report of %s stands in Kafka twice", r.Time)
		} else {
			seen[key] = true
		}
		switch {
		case r.Time.After(down) && r.Time.Before(back):
			late = append(late, r.Time)
		case r.Time.After(back) && first < 0:
			first = len(late)
		}
	}
	if !slices.IsSortedFunc(late, time.Time.Compare) {
		t.Errorf("reports of the outage are not in order: %v", late)
	}
	if first < 0 || first == len(late) {
		t.Errorf("of %d reports of the outage, %d came before the first new one", len(late), first)
	}
	// What was in the agent's memory when it was killed is gone: nothing on which Kafka had not been tried.
	last := down
	for _, at := range append(late, back) {
		if gap := at.Sub(last); gap > 2500*time.Millisecond && (last.After(killed) || at.Before(killed)) {
			t.Errorf("%s without a report before %s", gap, at)
		}
		last = at
	}
}
