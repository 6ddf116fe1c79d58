package collector

import (
	"context"
	"time"

	"github.com/exameter/exameter/collector/consume"
)

// loop applies, folds and checks, one thing at a time, until ctx ends. Nothing else touches the fleet.
func (c *collector) loop(ctx context.Context, batches <-chan *consume.Batch) {
	fold := time.NewTicker(c.cfg.FoldInterval.D())
	defer fold.Stop()
	check := time.NewTicker(checkEvery)
	defer check.Stop()
	c.fold()
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-batches:
			c.apply(b)
			b.Done()
		case <-fold.C:
			c.fold()
		case <-check.C:
			c.check()
		case <-c.opts.Reload:
			c.reload()
		}
	}
}

// fold publishes the fleet as it stands.
func (c *collector) fold() {
	// Whether the rebuild is complete is asked first: what it rests on is then applied and part of this fold.
	rebuilt, _ := c.consumer.Ready()
	began := time.Now()
	s := c.fleet.Fold(c.now())
	c.metrics.Folds.Observe(time.Since(began).Seconds())
	stats := c.fleet.Stats()
	c.snapshot.Store(s)
	c.counts.Store(&stats)
	if c.opts.Alive != nil {
		c.opts.Alive()
	}
	if rebuilt && !c.ready.Swap(true) {
		c.log.Info("rebuild from Kafka is complete", "hosts", stats.Hosts, "revision", s.Revision)
	}
}

// whyNot reports whether answers are complete, and if not, what they wait for.
func (c *collector) whyNot() (ready bool, waiting string) {
	if c.ready.Load() {
		return true, ""
	}
	if _, waiting = c.consumer.Ready(); waiting == "" {
		waiting = "the first figures are being folded"
	}
	return false, "rebuilding from Kafka: " + waiting
}

// check recounts the fleet.
func (c *collector) check() {
	if err := c.fleet.Check(); err != nil {
		c.metrics.Checks.WithLabelValues("different").Inc()
		c.log.Error("the self-check failed: figures may have been wrong until now and are recounted; please report this", "error", err)
		return
	}
	c.metrics.Checks.WithLabelValues("equal").Inc()
}

// reload reads the registry and the catalogue anew. What cannot be read leaves everything as it is.
func (c *collector) reload() {
	cat, reg, err := c.load()
	if err != nil {
		c.metrics.Reloads.WithLabelValues("failed").Inc()
		c.log.Error("reload failed, going on with what was loaded before", "error", err)
		return
	}
	c.registry.Store(reg)
	c.fleet.Reprice(Pricing(cat, reg))
	c.fold()
	c.metrics.Reloads.WithLabelValues("ok").Inc()
	c.log.Info("reloaded", "catalogue", cat.Version(), "centres", len(reg.Centres))
}
