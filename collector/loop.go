package collector

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/feed/metrics"
	"github.com/exameter/exameter/collector/view"
	"github.com/exameter/exameter/telemetry"
)

// rest is how long sums may rest before they are summed up again. Parts come one by one, some fifty a second from each collector, and answers
// are kept for as long as a revision lasts.
const rest = 200 * time.Millisecond

// hung is how long a worker may not have moved before this collector counts as hanging.
const hung = 10 * time.Second

// watch folds the partials of all collectors into the view and publishes it, until ctx ends. Nothing else touches the view.
func (c *collector) watch(ctx context.Context) {
	tick := time.NewTicker(c.cfg.FoldInterval.D())
	defer tick.Stop()
	c.show(c.sum())
	c.heard = time.Now()
	dirty, due := false, time.NewTimer(time.Hour)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-c.partial:
			c.fold(b)
			b.Done()
			if !dirty {
				dirty = true
				due.Reset(rest)
			}
		case <-due.C:
			dirty = false
			c.show(c.present())
		case <-tick.C:
			c.settle()
			if c.cut() > 0 {
				c.show(c.present())
			}
		case <-c.opts.Reload:
			c.reload(ctx)
		}
	}
}

// show makes s what is answered, and once answers are complete hands it to what goes out by itself. Nothing of that blocks.
func (c *collector) show(s *capacity.Snapshot) {
	c.snapshot.Store(s)
	if c.ready.Load() {
		c.stream.Publish(s)
		c.feed.Publish(s)
	}
}

// sum sums the view up: all centres, or those of the registry where no others are to be discovered.
func (c *collector) sum() *capacity.Snapshot {
	return c.view.Snapshot(c.admits())
}

// present is the sum, or what has come to it where this collector is cut off.
func (c *collector) present() *capacity.Snapshot {
	s := c.sum()
	if silent := c.cut(); silent > 0 {
		return s.Silenced(silent)
	}
	return s
}

// cut is for how long nothing was heard, where that is so long that every device is stale; else 0.
func (c *collector) cut() time.Duration {
	if silent := time.Since(c.heard); silent > c.cfg.StaleAfter.D() && c.ready.Load() {
		return silent
	}
	return 0
}

// fold takes records of the partials topic. Once Kafka is back after an outage, what was written before it is read first: that is not heard now.
func (c *collector) fold(b *consume.Batch) {
	if len(b.Records) > 0 && b.Fresh {
		c.heard = time.Now()
	}
	breath := breathe()
	for i := range b.Records {
		breath.take(c)
		rec := &b.Records[i]
		outcome, err := c.view.Apply(rec.Key, rec.Value, rec.Offset, rec.Time)
		c.metrics.Partials.WithLabelValues(outcome.String()).Inc()
		if outcome == view.Refused && time.Since(c.foreign) > time.Minute { // owners of another version write each second
			c.foreign = time.Now()
			c.log.Warn("a partial cannot be read and is left out", "key", fmt.Sprintf("%.100q", rec.Key), "offset", rec.Offset, "error", err)
		}
	}
}

// settle sees whether answers may begin, and says that everything moves.
func (c *collector) settle() {
	if c.opts.Alive != nil && c.moving() {
		c.opts.Alive()
	}
	c.tell()
	if c.ready.Load() {
		return
	}
	waiting := c.incomplete()
	c.waiting.Store(&waiting)
	if waiting == "" {
		s := c.sum()
		c.snapshot.Store(s)
		c.ready.Store(true)
		c.show(s)
		c.log.Info("answers are complete", "parts", s.Parts.Total, "own", len(c.owned.all(every)), "revision", s.Revision)
	}
}

// tell says how the collector is, where it differs from what was said before.
func (c *collector) tell() {
	if c.opts.Status == nil {
		return
	}
	text := "answers for all of " + strconv.Itoa(len(c.owned.everything())) + " parts, " + strconv.Itoa(len(c.owned.all(every))) + " of them its own"
	if ready, waiting := c.whyNot(); !ready {
		text = waiting
	}
	if !c.moving() {
		text = "a part does not move"
	}
	if text != c.status {
		c.status = text
		c.opts.Status(text)
	}
}

// moving reports whether every worker has moved lately.
func (c *collector) moving() bool {
	return !slices.ContainsFunc(c.workers, func(w *worker) bool { return time.Since(time.Unix(0, w.moved.Load())) > hung })
}

func every(consume.Part) bool { return true }

// incomplete says what answers wait for; nothing where they are complete.
func (c *collector) incomplete() string {
	if ready, waiting := c.consumer.Ready(); !ready {
		return waiting
	}
	if c.noTopic.Load() {
		return "the topic " + telemetry.PartialsTopic + " does not exist; make it with: exameter topics create"
	}
	if !c.member.Joined() {
		return "the group of collectors has not agreed yet on who owns what"
	}
	missing, example := 0, ""
	for _, p := range c.owned.everything() {
		latest := c.view.Part(p.Centre, p.Number)
		_, own := c.owned.of(p)
		if latest == nil || own && (latest.Instance != c.instance || latest.Sequence < c.began) {
			missing++
			example = p.String()
		}
	}
	if missing > 0 {
		return fmt.Sprintf("%d parts have not been summed up yet, among them %s", missing, example)
	}
	return ""
}

// whyNot reports whether answers are complete, and if not, what they wait for.
func (c *collector) whyNot() (ready bool, waiting string) {
	if c.ready.Load() {
		return true, ""
	}
	if ready, waiting := c.consumer.Ready(); !ready {
		return false, "rebuilding from Kafka: " + waiting
	}
	if w := c.waiting.Load(); w != nil && *w != "" {
		return false, "rebuilding from Kafka: " + *w
	}
	return false, "rebuilding from Kafka: the first figures are being summed up"
}

// parts says how this collector and all parts stand, for its metrics.
func (c *collector) parts() metrics.Parts {
	g := c.member.Stats()
	claims, shared := c.view.Claims()
	return metrics.Parts{
		Claims: claims, Shared: shared,
		Owned: len(c.owned.all(every)), Generation: int64(g.Generation), Rebalances: g.Rebalances, GroupFailures: g.Failures,
		Published: c.publisher.written.Load(), Unpublished: c.publisher.failed.Load(),
	}
}

// reload reads the registry and the catalogue anew. What cannot be read leaves everything as it is.
func (c *collector) reload(ctx context.Context) {
	cat, reg, err := c.load()
	if err != nil {
		c.metrics.Reloads.WithLabelValues("failed").Inc()
		c.log.Error("reload failed, going on with what was loaded before", "error", err)
		return
	}
	c.registry.Store(reg)
	c.catalogue.Store(cat)
	pricing := Pricing(cat, reg)
	c.pricing.Store(&pricing)
	for _, w := range c.workers {
		select {
		case w.do <- func() { w.reprice(pricing) }:
		case <-ctx.Done():
			return
		}
	}
	c.stream.Renew()
	c.consumer.Relook() // there may be new centres
	c.metrics.Reloads.WithLabelValues("ok").Inc()
	c.log.Info("reloaded", "catalogue", cat.Version(), "centres", len(reg.Centres))
}
