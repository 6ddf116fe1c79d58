package main

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/check"
	"github.com/exameter/exameter/telemetry"
)

// kafkaCheck looks at what Kafka has of what is needed.
type kafkaCheck struct {
	*check.Report
	client *kafka.Client
	seen   map[string]broker.Seen
}

// checkKafka sees whether the brokers answer, and have the topics and the group.
func checkKafka(ctx context.Context, r *check.Report, cfg *collector.Config, reg *registry.Registry) {
	const id = "exameter-collector-check"
	seen := r.Brokers(ctx, &cfg.Kafka, id, nil)
	if seen == nil {
		return
	}
	client, transport, err := cfg.Kafka.Client(id)
	if err != nil {
		r.Fail("brokers", "%v", err)
		return
	}
	defer transport.CloseIdleConnections()
	k := &kafkaCheck{r, client, seen}
	clock := k.centres(ctx, cfg, reg)
	k.shared()
	reachable(r, cfg.HTTP, k.group(ctx, cfg.Group))
	if clock != "" {
		r.Clock(ctx, client, clock, seen[clock].Partitions)
	}
}

// centres looks at the topics of every centre, and returns one whose records tell the brokers' time.
func (k *kafkaCheck) centres(ctx context.Context, cfg *collector.Config, reg *registry.Registry) (clock string) {
	ids := reg.IDs()
	for topic := range k.seen {
		if centre, _, ok := telemetry.CentreOfTopic(topic); ok && cfg.Discover && !slices.Contains(ids, centre) {
			ids = append(ids, centre)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		if k.centre(id, reg.Centre(id)) && k.appendTime(ctx, telemetry.TelemetryTopic(id)) && clock == "" {
			clock = telemetry.TelemetryTopic(id)
		}
	}
	if len(ids) == 0 {
		k.Warn("centre", "none has topics yet")
		k.Do("exameter topics create --centre ID --brokers HOST:PORT")
	}
	return clock
}

// centre reports whether the topics of a centre can be read.
func (k *kafkaCheck) centre(id string, registered *registry.Centre) bool {
	inv, tel := telemetry.InventoryTopic(id), telemetry.TelemetryTopic(id)
	i, t := k.seen[inv], k.seen[tel]
	what := "centre " + id
	switch {
	case i.Partitions == 0 && t.Partitions == 0:
		if registered != nil && registered.Status == registry.Planned {
			k.OK(what, "is planned and has no topics yet")
			return false
		}
		k.Warn(what, "stands in the registry and has no topics, or none that this client may see")
		k.Do("exameter topics create --centre %s --brokers HOST:PORT", id)
		return false
	case i.Partitions == 0 || t.Partitions == 0:
		k.Fail(what, "has one of its two topics only: inventory has %d partitions, telemetry %d", i.Partitions, t.Partitions)
		k.Do("exameter topics create --centre %s --brokers HOST:PORT", id)
		return false
	case i.Partitions != t.Partitions:
		k.Uneven(what, id, i.Partitions, t.Partitions)
		return false
	case i.Leaderless+t.Leaderless > 0:
		k.Fail(what, "%d partitions have no leader", i.Leaderless+t.Leaderless)
		k.Do("brokers are down: start them")
		return false
	case i.May.Known() && !i.May.Read() || t.May.Known() && !t.May.Read():
		k.Fail(what, "its topics may not be read by this client")
		k.Do("kafka-acls.sh --add --operation Read --operation Describe --topic exameter.v1. --resource-pattern-type prefixed --allow-principal User:NAME")
		return false
	case registered == nil:
		k.Warn(what, "does not stand in the registry, and is followed all the same: %d partitions each of inventory and telemetry", t.Partitions)
		k.Do("add it to the registry, with its names; or discover: false")
	default:
		k.OK(what, "%d partitions each of inventory and telemetry", t.Partitions)
	}
	return true
}

func (k *kafkaCheck) appendTime(ctx context.Context, topic string) bool {
	ok, err := consume.AppendTime(ctx, k.client, topic)
	switch {
	case errors.Is(err, kafka.TopicAuthorizationFailed):
		k.OK("topic", "%s: its settings may not be read by this client, so whether it uses LogAppendTime is not known", topic)
	case err != nil:
		k.Warn("topic", "%s: %v", topic, err)
	case !ok:
		k.Warn("topic", "%s does not use LogAppendTime, so ages depend on the hosts' clocks", topic)
		k.Do("kafka-configs.sh --alter --topic %s --add-config message.timestamp.type=LogAppendTime", topic)
	}
	return ok
}

// shared looks at the topics that belong to no centre.
func (k *kafkaCheck) shared() {
	for _, t := range []struct {
		name    string
		exactly int // partitions; as many as there are where 0
		say     func(what, text string, args ...any)
		without string // what is missing then
	}{
		{telemetry.PartialsTopic, 1, k.Fail, k.Say("collectors cannot work without it")},
		{telemetry.CapacityTopic, 1, k.Warn, k.Say("there is no feed, and no history over restarts")},
		{telemetry.QuarantineTopic, 0, k.Warn, k.Say("records that cannot be used are counted and not kept")},
	} {
		s := k.seen[t.name]
		switch {
		case s.Partitions == 0:
			t.say("topic", "%s does not exist, or this client may not see it: %s", t.name, t.without)
			k.Do("exameter topics create --brokers HOST:PORT")
		case t.exactly > 0 && s.Partitions != t.exactly:
			t.say("topic", "%s has %d partitions and must have exactly %d: %s", t.name, s.Partitions, t.exactly, t.without)
			k.Do("delete it and make it anew: exameter topics create --brokers HOST:PORT")
		case s.May.Known() && !s.May.Write():
			t.say("topic", "%s may not be written to by this client: %s", t.name, t.without)
			k.Do("kafka-acls.sh --add --operation Read --operation Write --operation Describe --topic %s --allow-principal User:NAME", t.name)
		default:
			k.OK("topic", "%s: %d partitions", t.name, s.Partitions)
		}
	}
}

// group looks at the collectors' group, and returns how many there are.
func (k *kafkaCheck) group(ctx context.Context, name string) (members int) {
	res, err := k.client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{name}})
	if err == nil && len(res.Groups) == 1 {
		err = res.Groups[0].Error
	}
	switch {
	case errors.Is(err, kafka.GroupAuthorizationFailed):
		k.Fail("group", "%s: this client may not join it", name)
		k.Do("kafka-acls.sh --add --operation Read --group %s --allow-principal User:NAME", name)
	case err != nil || len(res.Groups) != 1:
		k.Warn("group", "%s: %v", name, err)
		k.Do("the brokers' log tells more: the group's coordinator does not answer")
	default:
		members = len(res.Groups[0].Members)
		k.OK("group", "%s: %d collectors in it", name, members)
	}
	return members
}

// reachable sees whether other collectors of the group could ask this one for its hosts.
func reachable(r *check.Report, c collector.HTTP, members int) {
	addr := cmp.Or(c.Advertise, c.Listen)
	host, _, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || members < 2 || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return
	}
	r.Warn("http", "%s is this host's loopback, and there are %d collectors: on other hosts, they cannot ask this one for its hosts", addr, members)
	r.Do("name an address that they reach: http.advertise")
}
