package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/telemetry"
)

// checkTimeout bounds what a check waits for the broker.
const checkTimeout = 15 * time.Second

// checker prints one line for each thing it looked at.
type checker struct {
	p      *program
	failed bool
}

func (c *checker) good(format string, args ...any)  { c.say("ok     ", format, args...) }
func (c *checker) doubt(format string, args ...any) { c.say("notice ", format, args...) }
func (c *checker) bad(format string, args ...any) {
	c.failed = true
	c.say("FAILED ", format, args...)
}

func (c *checker) say(mark, format string, args ...any) {
	fmt.Fprintln(c.p.stdout, mark+strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n       "))
}

// check says what is in place and what is missing.
func (p *program) check(ctx context.Context) error {
	c := &checker{p: p}
	cfg, from, err := p.config()
	if err != nil {
		c.bad("configuration: %v", err)
		return errSaid
	}
	c.good("configuration: %s", from)
	reg := c.files(&cfg)
	c.broker(ctx, &cfg, reg)
	if c.failed {
		return errSaid
	}
	return nil
}

// files checks the registry and the catalogue.
func (c *checker) files(cfg *collector.Config) *registry.Registry {
	reg := &registry.Registry{}
	if cfg.Registry == "" {
		c.doubt("registry: none configured; centres have no names, declarations or targets")
	} else if r, err := registry.Load(cfg.Registry); err != nil {
		c.bad("registry: %v", err)
	} else {
		reg = r
		c.good("registry: %s, %d centres", cfg.Registry, len(reg.Centres))
	}
	if cat, err := catalog.Load(cfg.Catalogue); err != nil {
		c.bad("%v", err)
	} else {
		c.good("catalogue: version %s, %d accelerator models, %d microarchitectures", cat.Version(), len(cat.Models()), len(cat.CPUs()))
		for _, w := range cat.Warnings() {
			c.doubt("catalogue: %s", w)
		}
	}
	return reg
}

// broker checks that Kafka answers and has what is needed.
func (c *checker) broker(ctx context.Context, cfg *collector.Config, reg *registry.Registry) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	dialer, err := cfg.Kafka.Dialer("exameter-collector-check")
	if err != nil {
		c.bad("broker: %v", err)
		return
	}
	var parts []kafka.Partition
	reached := false
	for _, addr := range cfg.Kafka.Brokers {
		p, err := consume.List(ctx, dialer, addr)
		if err != nil {
			c.doubt("broker %s: %v", addr, err)
			continue
		}
		c.good("broker %s: answers", addr)
		parts, reached = p, true
	}
	if !reached {
		c.bad("broker: none of %s answers", strings.Join(cfg.Kafka.Brokers, ", "))
		return
	}
	client, transport, err := cfg.Kafka.Client("exameter-collector-check")
	if err != nil {
		c.bad("broker: %v", err)
		return
	}
	defer transport.CloseIdleConnections()
	c.topics(ctx, client, cfg, reg, parts)
}

// topics checks the topics of every centre, and that of the quarantine.
func (c *checker) topics(ctx context.Context, client *kafka.Client, cfg *collector.Config, reg *registry.Registry, parts []kafka.Partition) {
	count, headless, centres := map[string]int{}, map[string]int{}, reg.IDs()
	for _, p := range parts {
		count[p.Topic]++
		if p.Leader.Host == "" {
			headless[p.Topic]++
		}
		if centre, _, ok := telemetry.CentreOfTopic(p.Topic); ok && cfg.Discover && !slices.Contains(centres, centre) {
			centres = append(centres, centre)
		}
	}
	slices.Sort(centres)
	for _, id := range centres {
		inv, tel := telemetry.InventoryTopic(id), telemetry.TelemetryTopic(id)
		switch {
		case count[inv] == 0 && count[tel] == 0:
			if centre := reg.Centre(id); centre != nil && centre.Status == registry.Planned {
				c.good("centre %s: is planned and has no topics yet", id)
				continue
			}
			c.doubt("centre %s: stands in the registry and has no topics; make them with: exameter topics create", id)
			continue
		case count[inv] == 0 || count[tel] == 0:
			c.bad("centre %s: has one of its two topics only (%s: %d partitions, %s: %d)", id, inv, count[inv], tel, count[tel])
			continue
		case count[inv] != count[tel]:
			c.bad("centre %s: %d inventory partitions and %d telemetry partitions; the two must be equal", id, count[inv], count[tel])
		case headless[inv]+headless[tel] > 0:
			c.bad("centre %s: %d partitions have no leader", id, headless[inv]+headless[tel])
		default:
			c.good("centre %s: %d partitions each of inventory and telemetry", id, count[tel])
		}
		if reg.Centre(id) == nil {
			c.doubt("centre %s: does not stand in the registry; it is followed all the same", id)
		}
		c.appendTime(ctx, client, tel)
	}
	if len(centres) == 0 {
		c.doubt("topics: no centre has any yet; make them with: exameter topics create")
	}
	if n := count[telemetry.PartialsTopic]; n != 1 {
		c.bad("topic %s has %d partitions, want exactly 1; make it with: exameter topics create", telemetry.PartialsTopic, n)
	} else {
		c.good("topic %s: 1 partition", telemetry.PartialsTopic)
	}
	if n := count[telemetry.CapacityTopic]; n != 1 {
		c.doubt("topic %s has %d partitions, want exactly 1: there is no feed, and no history over restarts; make it with: exameter topics create", telemetry.CapacityTopic, n)
	} else {
		c.good("topic %s: 1 partition", telemetry.CapacityTopic)
	}
	if count[telemetry.QuarantineTopic] == 0 {
		c.doubt("topic %s is missing: records that cannot be used are counted and not kept", telemetry.QuarantineTopic)
	} else {
		c.good("topic %s: %d partitions", telemetry.QuarantineTopic, count[telemetry.QuarantineTopic])
	}
}

func (c *checker) appendTime(ctx context.Context, client *kafka.Client, topic string) {
	ok, err := consume.AppendTime(ctx, client, topic)
	switch {
	case errors.Is(err, kafka.TopicAuthorizationFailed):
		c.doubt("topic %s: its settings may not be read, so whether it uses LogAppendTime is not known", topic)
	case err != nil:
		c.doubt("topic %s: %v", topic, err)
	case !ok:
		c.doubt("topic %s: does not use LogAppendTime, so ages depend on the hosts' clocks; set message.timestamp.type=LogAppendTime", topic)
	}
}
