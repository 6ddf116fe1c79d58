package main

import (
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/agent"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/check"
	"github.com/exameter/exameter/telemetry"
)

// checkKafka looks for the brokers and the centre's topics, and compares clocks.
func checkKafka(ctx context.Context, r *check.Report, c agent.Config) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	topics := []string{telemetry.InventoryTopic(c.Centre), telemetry.TelemetryTopic(c.Centre)}
	seen := r.Brokers(ctx, &c.Kafka, "exameter-agent-check", topics)
	if seen == nil {
		return
	}
	client, transport, err := c.Kafka.Client("exameter-agent-check")
	if err != nil {
		r.Fail("brokers", "%v", err)
		return
	}
	defer transport.CloseIdleConnections()
	transport.MetadataTopics = topics
	for _, t := range topics {
		checkTopic(ctx, r, client, t, seen[t])
	}
	inventory, reports := seen[topics[0]], seen[topics[1]]
	if inventory.Err != nil || reports.Err != nil {
		return
	}
	if inventory.Partitions != reports.Partitions {
		r.Uneven("topic", c.Centre, inventory.Partitions, reports.Partitions)
	}
	r.Clock(ctx, client, topics[1], reports.Partitions)
}

// checkTopic looks at one topic, and at its settings, which not every client may see.
func checkTopic(ctx context.Context, r *check.Report, client *kafka.Client, topic string, t broker.Seen) {
	const key, want = "message.timestamp.type", "LogAppendTime"
	switch {
	case errors.Is(t.Err, kafka.UnknownTopicOrPartition):
		r.Fail("topic", "%s does not exist", topic)
		centre, _, _ := telemetry.CentreOfTopic(topic)
		r.Do("once, by whoever runs Kafka: exameter topics create --centre %s --brokers HOST:PORT", centre)
	case errors.Is(t.Err, kafka.TopicAuthorizationFailed):
		r.Fail("topic", "%s: this client may not use it", topic)
		r.Do("kafka-acls.sh --add --operation Write --operation Describe --topic %s --allow-principal User:NAME", topic)
	case t.Err != nil:
		r.Fail("topic", "%s: %v", topic, t.Err)
	case t.Leaderless > 0:
		r.Fail("topic", "%s: %d of %d partitions have no leader", topic, t.Leaderless, t.Partitions)
		r.Do("brokers are down: start them")
	case t.May.Known() && !t.May.Write():
		r.Fail("topic", "%s: this client may not write to it", topic)
		r.Do("kafka-acls.sh --add --operation Write --operation Describe --topic %s --allow-principal User:NAME", topic)
	default:
		set, err := setting(ctx, client, topic, key)
		if err == nil && set != want {
			r.Warn("topic", "%s: %d partitions; %s is %s, so that a host with a wrong clock can mislead look-ups by time", topic, t.Partitions, key, set)
			r.Do("kafka-configs.sh --alter --topic %s --add-config %s=%s", topic, key, want)
			return
		}
		if t.May.Known() {
			r.OK("topic", "%s: %d partitions, may be written to", topic, t.Partitions)
			return
		}
		r.OK("topic", "%s: %d partitions; whether it may be written to is not told", topic, t.Partitions)
	}
}

var errHidden = errors.New("not shown to this client")

// setting asks for one setting of a topic.
func setting(ctx context.Context, client *kafka.Client, topic, key string) (string, error) {
	res, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{key},
	}}})
	if err != nil {
		return "", err
	}
	for _, r := range res.Resources {
		for _, e := range r.ConfigEntries {
			if e.ConfigName == key {
				return e.ConfigValue, nil
			}
		}
	}
	return "", errHidden
}
