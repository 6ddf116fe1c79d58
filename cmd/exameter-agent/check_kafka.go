package main

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/agent"
	"github.com/exameter/exameter/telemetry"
)

// checkKafka looks for the brokers and the centre's topics.
func checkKafka(ctx context.Context, f *findings, c agent.Config) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	client, transport, err := c.Kafka.Client("exameter-agent-check")
	if err != nil {
		f.fail("brokers", "%v", err)
		return
	}
	defer transport.CloseIdleConnections()
	topics := []string{telemetry.InventoryTopic(c.Centre), telemetry.TelemetryTopic(c.Centre)}
	transport.MetadataTopics = topics
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
	if err != nil {
		f.fail("brokers", "cannot be reached: %v", err)
		f.remedy("check kafka.brokers, kafka.tls, kafka.sasl and the network")
		return
	}
	f.ok("brokers", "%d brokers answer", len(meta.Brokers))
	partitions := map[int]bool{}
	for _, t := range meta.Topics {
		if t.Error != nil {
			f.fail("topic", "%s: %v", t.Name, t.Error)
			f.remedy("make the centre's topics, or let this client write to them: exameter topics create")
			continue
		}
		partitions[len(t.Partitions)] = true
		checkTopic(ctx, f, client, t)
	}
	if len(partitions) > 1 {
		f.fail("topics", "inventory and telemetry differ in their number of partitions, and must not")
	}
}

// checkTopic looks at the settings of one topic. Not every client may see them.
func checkTopic(ctx context.Context, f *findings, client *kafka.Client, t kafka.Topic) {
	text := fmt.Sprintf("%s: %d partitions", t.Name, len(t.Partitions))
	const key, want = "message.timestamp.type", "LogAppendTime"
	res, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: t.Name, ConfigNames: []string{key},
	}}})
	if err != nil || len(res.Resources) != 1 || res.Resources[0].Error != nil {
		f.ok("topic", "%s; its settings cannot be seen by this client", text)
		return
	}
	for _, e := range res.Resources[0].ConfigEntries {
		if e.ConfigName == key && e.ConfigValue != want {
			f.note("topic", "%s; %s is %q, so that a host with a wrong clock can mislead look-ups by time", text, key, e.ConfigValue)
			f.remedy("set it to " + want)
			return
		}
	}
	f.ok("topic", "%s", text)
}
