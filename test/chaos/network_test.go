package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/network"
)

// TestNetwork breaks the network between brokers, collectors and a centre's servers, each of which has one of its own. All the time, answers are
// held against the ledger and records against what was made, as in TestBrokerFaults; who is not cut off has to be exact while the fault lasts.
func TestNetwork(t *testing.T) {
	if !network.Inside(t) {
		return
	}
	names := []string{serversHost}
	for i := range brokers {
		names = append(names, fmt.Sprintf(brokerHost, i))
	}
	for i := range collectors {
		names = append(names, fmt.Sprintf(collectorHost, i))
	}
	lan := network.New(t, names...)
	w, err := start(t.Context(), t.TempDir(), 12, said{t}, ground{lan: lan})
	t.Cleanup(w.close)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"leader in the minority", w.minority},
		{"cables pulled", w.unplugged},
		{"answers lost", func(t *testing.T) { w.oneWay(t, true) }},
		{"requests lost", func(t *testing.T) { w.oneWay(t, false) }},
		{"packets lost", func(t *testing.T) { w.lossy(t, true) }},
		{"packets lost one way", func(t *testing.T) { w.lossy(t, false) }},
		{"refused", w.refused},
	} {
		t.Run(c.name, c.test)
	}
	w.reread(t)
}

func (w *world) brokerHosts() (all []*network.Host) {
	for i := range brokers {
		all = append(all, w.lan.Host(fmt.Sprintf(brokerHost, i)))
	}
	return all
}

// minority parts the leader of the log of partials from the other brokers. Everybody else reaches all three of them, and so it goes on to say that
// it leads; but it may acknowledge nothing, and nobody may wait for it.
func (w *world) minority(t *testing.T) {
	if err := w.whole(t.Context()); err != nil {
		t.Fatal(err)
	}
	alone, _, err := w.cluster.Leader(t.Context(), telemetry.PartialsTopic, 0)
	if err != nil {
		t.Fatal(err)
	}
	controller, err := w.cluster.Controller(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := w.simulated()
	r := w.inflicted(t, step{kind: "leader in the minority"}, func() error {
		began := time.Now()
		hosts := w.brokerHosts()
		for i, h := range hosts {
			if i == alone {
				continue
			}
			if err := errors.Join(h.Lose(100, hosts[alone]), hosts[alone].Lose(100, h)); err != nil {
				return err
			}
		}
		w.logf("broker %d is alone; broker %d had the controller", alone, controller)
		rest(t.Context(), 12*time.Second) // the others have leaders by then, and whoever waited for an answer has given up
		// Who writes has waited ten seconds for the leader, and asks another broker then.
		w.exactWithin(t, began, 20*time.Second, w.watches()...)
		w.reportedWithin(t, began, 20*time.Second)
		return w.heal(t, 1)
	})
	after := w.simulated()
	unknown, arrived := after.unknown-before.unknown, after.arrived-before.arrived
	t.Logf("%d records of simulated hosts had no known outcome, of which %d arrived", unknown, arrived)
	if unknown == arrived {
		t.Error("everything that was written to the leader without followers is in Kafka: that is no test")
	}
	if took := max(r.collectors, r.feed, r.agents); took > slack*10*time.Second {
		t.Errorf("right again %s after the repair", took)
	}
}

// exactWithin waits, while a fault lasts, until those who are not cut off by it are exact.
func (w *world) exactWithin(t *testing.T, began time.Time, within time.Duration, which ...*watch) {
	t.Helper()
	since := time.Now()
	for _, one := range which {
		for {
			ok, amiss := one.exactSince(since, w.ledger.centres())
			if ok {
				w.logf("   %s is exact %.1f s after the fault began, which lasts", one.name, time.Since(began).Seconds())
				break
			}
			if time.Since(began) > slack*within {
				t.Errorf("%.1f s after the fault began, and while it lasts: %s", time.Since(began).Seconds(), amiss)
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// reportedWithin waits, while a fault lasts, until Kafka has a new report of each agent.
func (w *world) reportedWithin(t *testing.T, began time.Time, within time.Duration) {
	t.Helper()
	for since := time.Now(); !w.reported(since); {
		if time.Since(began) > slack*within {
			t.Errorf("%.1f s after the fault began Kafka has no new report of each agent", time.Since(began).Seconds())
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.logf("   Kafka has a new report of each agent %.1f s after the fault began, which lasts", time.Since(began).Seconds())
}

// heal repairs the network, and wants that so many packets at least were not let through.
func (w *world) heal(t *testing.T, least int) error {
	n, err := w.lan.Heal()
	w.logf("   %d packets were not let through", n)
	if n < least {
		t.Errorf("%d packets were not let through, want %d at least", n, least)
	}
	return err
}

// cutOff is the collector that faults below cut off, together with the centre's servers.
func (w *world) cutOff() (*collector, *network.Host) {
	last := len(w.collectors) - 1
	return w.collectors[last], w.lan.Host(fmt.Sprintf(collectorHost, last))
}

// isolated brings about what cuts a collector and a centre's servers off. The collector says so, the others answer for all and say that the centre
// is stale; afterwards its reports are in Kafka, in order.
func (w *world) isolated(t *testing.T, name string, cut func() error, repair func() error) {
	t.Helper()
	gone, _ := w.cutOff()
	r := w.inflicted(t, step{kind: kind(name)}, func() error {
		began := time.Now()
		if err := cut(); err != nil {
			return err
		}
		w.staleWithin(t, began, staleAfter+3*time.Second)
		for gone.hushed() == 0 && time.Since(began) < slack*(staleAfter+3*time.Second) {
			time.Sleep(50 * time.Millisecond)
		}
		return repair()
	})
	w.silenced(t, gone)
	for _, c := range w.collectors[:len(w.collectors)-1] {
		flagged, _ := c.degraded()
		t.Logf("%s, which is not cut off: flagged for %.1f s", c.name, flagged.Seconds())
		if silent := c.hushed(); silent != 0 || flagged > slack*10*time.Second {
			t.Errorf("%s is not cut off, and was flagged for %s, and cut off after %s", c.name, flagged, silent)
		}
	}
	if took := max(r.collectors, r.feed, r.agents); took > slack*15*time.Second {
		t.Errorf("right again %s after the repair", took)
	}
}

// hushed is how long after a fault began a collector said that it is cut off; zero for never.
func (c *collector) hushed() time.Duration {
	_, silent := c.noticed()
	return silent
}

// staleWithin waits until a collector that is not cut off says that all of the servers' cards are stale.
func (w *world) staleWithin(t *testing.T, began time.Time, within time.Duration) {
	t.Helper()
	for aged := false; ; time.Sleep(50 * time.Millisecond) {
		doc, err := w.collectors[0].asked(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range doc.Groups {
			if g.Centre != servers {
				continue
			}
			if !aged && g.Age != nil && g.Age.Max > 3 {
				aged = true
				w.logf("   %s is %.1f s old, as its age says, %.1f s after the fault began", servers, g.Age.Max, time.Since(began).Seconds())
			}
			if g.Devices.Stale == g.Devices.Rated {
				w.logf("   %s is stale %.1f s after the fault began", servers, time.Since(began).Seconds())
				if !aged {
					t.Errorf("no age told before that %s is not heard of", servers)
				}
				return
			}
		}
		if time.Since(began) > slack*within {
			t.Fatalf("%s is not stale %.1f s after it was cut off", servers, time.Since(began).Seconds())
		}
	}
}

// unplugged pulls the cable of the centre's servers, and shuts the interface of a collector.
func (w *world) unplugged(t *testing.T) {
	centre := w.lan.Host(serversHost)
	_, gone := w.cutOff()
	w.isolated(t, "cable of a centre pulled, interface of a collector shut",
		func() error { return errors.Join(centre.Unplug(), gone.Down()) },
		func() error { return errors.Join(centre.Plug(), gone.Up()) })
}

// oneWay loses everything that goes from the brokers to the centre and a collector, or everything that comes from there. Where answers are lost, the
// brokers have what was sent and nobody knows: it is sent again, and counts once.
func (w *world) oneWay(t *testing.T, answers bool) {
	centre := w.lan.Host(serversHost)
	_, gone := w.cutOff()
	before := w.twice(t)
	name := "requests lost, of a centre and a collector"
	if answers {
		name = "answers lost, of a centre and a collector"
	}
	w.isolated(t, name, func() (err error) {
		for _, b := range w.brokerHosts() {
			for _, h := range []*network.Host{centre, gone} {
				if answers {
					err = errors.Join(err, b.Lose(100, h))
				} else {
					err = errors.Join(err, h.Lose(100, b))
				}
			}
		}
		return err
	}, func() error { return w.heal(t, 1) })
	if n := w.twice(t) - before; answers && n == 0 {
		t.Error("no report was sent again after an unknown outcome: that is no test")
	}
}

// twice is how many reports of agents stand in Kafka a second time.
func (w *world) twice(t *testing.T) int {
	t.Helper()
	f, err := w.account(w.records, time.Now(), w.faulty)
	if err != nil {
		t.Fatal(err)
	}
	return f.doubled
}

// lossy loses a fifth of all packets between the brokers and all others, one by one.
func (w *world) lossy(t *testing.T, both bool) {
	hosts := []*network.Host{w.lan.Host(serversHost)}
	for i := range w.collectors {
		hosts = append(hosts, w.lan.Host(fmt.Sprintf(collectorHost, i)))
	}
	name := "a fifth of all packets to brokers lost"
	if both {
		name = "a fifth of all packets from and to brokers lost"
	}
	r := w.inflicted(t, step{kind: kind(name)}, func() (err error) {
		for _, b := range w.brokerHosts() {
			for _, h := range hosts {
				if err = errors.Join(err, h.Lose(20, b)); both {
					err = errors.Join(err, b.Lose(20, h))
				}
			}
		}
		if err != nil {
			return err
		}
		rest(t.Context(), 6*time.Second)
		return w.heal(t, 50)
	})
	if took := max(r.collectors, r.feed, r.agents); took > slack*10*time.Second {
		t.Errorf("right again %s after the repair", took)
	}
}

// refused answers a centre and a collector that they are not wanted, whatever they send to brokers.
func (w *world) refused(t *testing.T) {
	centre := w.lan.Host(serversHost)
	_, gone := w.cutOff()
	w.isolated(t, "a centre and a collector refused", func() (err error) {
		for _, b := range w.brokerHosts() {
			err = errors.Join(err, centre.Refuse(b), gone.Refuse(b))
		}
		return err
	}, func() error { return w.heal(t, 1) })
}

// reread reads the centres' topics from their beginning, and wants each record there that was acknowledged, once: also of those that were written to
// a leader that was none any more.
func (w *world) reread(t *testing.T) {
	w.stopDriving()
	until := time.Now()
	var topics []string
	for _, c := range w.ledger.centres() {
		topics = append(topics, telemetry.InventoryTopic(c), telemetry.TelemetryTopic(c))
	}
	again := newRecords(w.records.judge)
	w.records.mu.Lock()
	again.sent = maps.Clone(w.sent)
	w.records.mu.Unlock()
	ctx, stop := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() {
		if err := again.read(ctx, w.cluster.Addrs(), topics); err != nil {
			t.Error(err)
		}
	})
	defer reading.Wait()
	defer stop()
	for began := time.Now(); ; time.Sleep(250 * time.Millisecond) {
		o := again.simulated()
		f, err := w.account(again, until, w.faulty)
		if err != nil {
			t.Fatal(err)
		}
		if o.lost == 0 && f.waiting == 0 {
			t.Logf("read anew: records of simulated hosts %+v, reports of agents %+v", o, f)
			if o.doubled > 0 || f.doubledUnasked > 0 || f.disordered > 0 || f.dropped > 0 {
				t.Error("some stand there twice, or out of order, or were dropped")
			}
			return
		}
		if time.Since(began) > recoverWithin {
			t.Fatalf("read anew: records of simulated hosts %+v, reports of agents %+v", o, f)
		}
	}
}
