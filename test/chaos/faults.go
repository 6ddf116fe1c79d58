package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/slowdisk"
)

// do brings one fault about, waits until it is repaired and then until everything is right again.
func (w *world) do(ctx context.Context, s step) error {
	return w.endure(ctx, s, func() error { return w.fault(ctx, s) })
}

// endure does the same for whatever brings the fault about and repairs it.
func (w *world) endure(ctx context.Context, s step, fault func() error) error {
	w.logf("%s", s)
	w.kinds[s.kind]++
	for _, one := range w.watches() {
		one.begin()
	}
	began := time.Now()
	w.mu.Lock()
	w.broken = append(w.broken, window{from: began})
	w.mu.Unlock()
	err := fault()
	repaired := time.Now()
	w.mu.Lock()
	w.broken[len(w.broken)-1].to = repaired
	w.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	return w.recovered(ctx, s, repaired.Sub(began))
}

// faulty reports whether something was broken at a moment, or shortly before.
func (w *world) faulty(at time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.broken {
		if at.After(b.from.Add(-inMemory)) && (b.to.IsZero() || at.Before(b.to.Add(aftermath))) {
			return true
		}
	}
	return false
}

// recovered waits until all answers are right, and new reports are in Kafka.
func (w *world) recovered(ctx context.Context, s step, fault time.Duration) error {
	r := recovery{step: s, fault: fault}
	began := time.Now()
	for why := "?"; why != ""; time.Sleep(50 * time.Millisecond) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		took := time.Since(began)
		why = ""
		if r.leaders == 0 && w.cluster.InSync(ctx, brokers-1) == nil {
			r.leaders = took
		}
		if r.collectors == 0 {
			for _, c := range w.collectors {
				if ok, amiss := c.exactSince(began, w.ledger.centres()); !ok {
					why = amiss
				}
			}
			if why == "" {
				r.collectors = took
			}
		}
		if r.feed == 0 {
			if ok, amiss := w.feed.exactSince(began, w.ledger.centres()); ok {
				r.feed = took
			} else {
				why = amiss
			}
		}
		if r.agents == 0 {
			if w.reported(began) {
				r.agents = took
			} else {
				why = "an agent has not reported"
			}
		}
		if took > recoverWithin {
			w.violate("everything is right again after a fault", "%s: not within %s: %s", s, recoverWithin, why)
			break
		}
	}
	for _, one := range w.watches() {
		flagged, mute := one.degraded()
		if r.mute = max(r.mute, mute); one != w.feed {
			r.flagged = max(r.flagged, flagged)
		} else {
			r.feedFlagged = flagged
		}
	}
	w.recoveries = append(w.recoveries, r)
	w.logf("   repaired after %.1f s; then all partitions led after %.1f s; right again: collectors after %.1f s, feed after %.1f s; a new report of each agent after %.1f s",
		fault.Seconds(), r.leaders.Seconds(), r.collectors.Seconds(), r.feed.Seconds(), r.agents.Seconds())
	w.logf("   at most: collectors flagged for %.1f s, feed for %.1f s, a collector without an answer for %.1f s", r.flagged.Seconds(), r.feedFlagged.Seconds(), r.mute.Seconds())
	return nil
}

// watches are those of the collectors and the feed.
func (w *world) watches() []*watch {
	all := []*watch{w.feed}
	for _, c := range w.collectors {
		all = append(all, c.watch)
	}
	return all
}

// reported reports whether Kafka has a report of every agent that was made after a moment.
func (w *world) reported(after time.Time) bool {
	w.records.mu.Lock()
	defer w.records.mu.Unlock()
	for _, s := range w.servers {
		found := false
		for _, n := range w.real[s.host] {
			found = found || w.seen[n].made.After(after)
		}
		if !found {
			return false
		}
	}
	return true
}

// fault brings a fault about and repairs it.
func (w *world) fault(ctx context.Context, s step) error {
	target := s.target % brokers // of which there are as many as collectors
	switch s.kind {
	case collectorKilled:
		return w.killCollector(ctx, target, s.lasts)
	case collectorStopped:
		c := w.collectors[target]
		err := c.p.Signal(syscall.SIGSTOP)
		rest(ctx, s.lasts)
		return errors.Join(err, c.p.Signal(syscall.SIGCONT))
	case collectorRestarted:
		c := w.collectors[target]
		w.expected(c.p)
		return errors.Join(c.p.Stop(time.Minute), w.startCollector(target))
	case networkCut:
		w.cluster.Cut(true)
		rest(ctx, s.lasts)
		w.cluster.Cut(false)
		return nil
	case centreDark:
		centres := w.province.Centres()
		centre := centres[s.target%len(centres)]
		w.province.Darken(centre, true)
		rest(ctx, s.lasts)
		w.province.Darken(centre, false)
		return nil
	}
	if err := w.whole(ctx); err != nil {
		return err
	}
	switch s.kind {
	case brokerStopped:
		err := w.cluster.Signal(target, syscall.SIGSTOP)
		rest(ctx, s.lasts)
		return errors.Join(err, w.cluster.Signal(target, syscall.SIGCONT))
	case brokerRestarted:
		if err := w.cluster.Stop(target); err != nil {
			return err
		}
		rest(ctx, s.lasts)
		return w.cluster.Restart(ctx, target)
	case brokersRolled:
		for i := range brokers {
			if err := errors.Join(w.cluster.Stop(i), w.cluster.Restart(ctx, i), w.whole(ctx)); err != nil {
				return err
			}
		}
		return nil
	case brokerKilled:
		return w.killBrokers(ctx, s.lasts, nil, target)
	case controllerKilled:
		target, err := w.cluster.Controller(ctx)
		if err != nil {
			return err
		}
		return w.killBrokers(ctx, s.lasts, nil, target)
	case leaderKilled:
		target, _, err := w.cluster.Leader(ctx, telemetry.PartialsTopic, 0)
		if err != nil {
			return err
		}
		return w.killBrokers(ctx, s.lasts, nil, target)
	case diskSlow, diskHangs:
		target, _, err := w.cluster.Leader(ctx, telemetry.PartialsTopic, 0)
		if err != nil {
			return err
		}
		if s.kind == diskHangs {
			return w.ail(ctx, slowdisk.Settings{Hangs: true}, s.lasts, target)
		}
		return w.ail(ctx, slowDisk, s.lasts, target)
	case diskKilled:
		target, _, err := w.cluster.Leader(ctx, telemetry.PartialsTopic, 0)
		if err != nil {
			return err
		}
		return w.killHung(ctx, s.lasts, target)
	case disksSlow:
		return w.ail(ctx, slowDisk, s.lasts, 0, 1, 2)
	case noQuorum:
		return w.killBrokers(ctx, s.lasts, nil, (target+1)%brokers, (target+2)%brokers)
	case allDown:
		return w.killBrokers(ctx, s.lasts, nil, 0, 1, 2)
	case agentsKilled:
		return w.killBrokers(ctx, s.lasts, w.killAgents, 0, 1, 2)
	case bothKilled:
		return w.killBrokers(ctx, s.lasts, func() error { return w.killCollector(ctx, (target+1)%collectors, time.Second) }, target)
	}
	return fmt.Errorf("%q is no fault", s.kind)
}

// killBrokers kills brokers, does something halfway, and starts them again.
func (w *world) killBrokers(ctx context.Context, lasts time.Duration, halfway func() error, which ...int) error {
	for _, i := range which {
		if err := w.cluster.Kill(i); err != nil {
			return err
		}
	}
	rest(ctx, lasts/2)
	if halfway != nil {
		if err := halfway(); err != nil {
			return err
		}
	}
	rest(ctx, lasts/2)
	return w.cluster.Restart(ctx, which...)
}

// slowDisk is a disk that is asked for more than it can do.
var slowDisk = slowdisk.Settings{Write: 2 * time.Second, Sync: 3 * time.Second}

// ail makes brokers' disks be as settings say for a while.
func (w *world) ail(ctx context.Context, s slowdisk.Settings, lasts time.Duration, which ...int) error {
	controller, err := w.cluster.Controller(ctx)
	if err != nil {
		return err
	}
	for _, i := range which {
		if err := w.disks[i].Set(s); err != nil {
			return err
		}
	}
	rest(ctx, lasts)
	asking, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for i, topic := range []string{telemetry.PartialsTopic, telemetry.TelemetryTopic(servers), telemetry.TelemetryTopic(servers), telemetry.TelemetryTopic(servers)} {
		if leader, inSync, err := w.cluster.LeaderToldBy(asking, (which[0]+1)%brokers, topic, max(i-1, 0)); err == nil {
			w.logf("   disks %v ail, broker %d was the controller; %s-%d is led by broker %d, and %d replicas are in sync", which, controller, topic, max(i-1, 0), leader, inSync)
		}
	}
	var errs []error
	for _, i := range which {
		errs = append(errs, w.disks[i].Set(slowdisk.Settings{}))
	}
	return errors.Join(errs...)
}

// killHung makes a broker's disk hang, and kills the broker, whose process the kernel keeps until the disk answers: others lead all the same.
func (w *world) killHung(ctx context.Context, lasts time.Duration, target int) error {
	if err := w.disks[target].Set(slowdisk.Settings{Hangs: true}); err != nil {
		return err
	}
	rest(ctx, lasts/2)
	if err := w.cluster.Signal(target, syscall.SIGKILL); err != nil {
		return err
	}
	began := time.Now()
	err := until(ctx, func() error {
		asking, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		leader, _, err := w.cluster.LeaderToldBy(asking, (target+1)%brokers, telemetry.PartialsTopic, 0)
		if err == nil && leader == target {
			err = fmt.Errorf("broker %d, which is dead, leads the log of partials", target)
		}
		return err
	})
	w.logf("   another broker led the log of partials %.1f s after the kill; the process of the one that was killed is there still: %v", time.Since(began).Seconds(), w.cluster.Running(target))
	rest(ctx, lasts/2)
	err = errors.Join(err, w.disks[target].Set(slowdisk.Settings{}))
	return errors.Join(err, until(ctx, func() error {
		if w.cluster.Running(target) {
			return fmt.Errorf("broker %d was killed, its disk answers, and it is there still", target)
		}
		return nil
	}), w.cluster.Restart(ctx, target))
}

// until waits until there is nothing wrong.
func until(ctx context.Context, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, recoverWithin)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (w *world) killCollector(ctx context.Context, i int, lasts time.Duration) error {
	c := w.collectors[i]
	w.expected(c.p)
	err := c.p.Kill()
	rest(ctx, lasts)
	return errors.Join(err, w.startCollector(i))
}

func (w *world) killAgents() error {
	for _, s := range w.servers {
		w.expected(s.agent)
	}
	err := w.room.kill()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.servers {
		w.up[s.agent] = s.host
	}
	return err
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// rated is how many devices a collector has.
func (c *collector) rated(ctx context.Context) (int64, error) {
	doc, err := c.asked(ctx)
	if err != nil {
		return 0, err
	}
	return doc.Total.Devices.Rated, nil
}

// asked is what a collector answers.
func (c *collector) asked(ctx context.Context) (*capacity.Document, error) {
	doc, _, _, err := ask(ctx, &http.Client{Timeout: 5 * time.Second}, c.addr)
	return doc, err
}
