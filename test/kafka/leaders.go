package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Controller returns which broker leads the quorum of controllers, counting from 0. What a client is told of the controller where brokers
// are asked for their metadata is any broker.
func (c *Cluster) Controller(ctx context.Context) (int, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic, partition := kmsg.NewDescribeQuorumRequestTopic(), kmsg.NewDescribeQuorumRequestTopicPartition()
	topic.Topic, topic.Partitions = "__cluster_metadata", append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return 0, fmt.Errorf("ask who controls the cluster: %w", err)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return 0, fmt.Errorf("ask who controls the cluster: %w", err)
	}
	if len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		return 0, errors.New("nobody controls the cluster")
	}
	quorum := resp.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(quorum.ErrorCode); err != nil {
		return 0, fmt.Errorf("ask who controls the cluster: %w", err)
	}
	return int(quorum.LeaderID) - 1, nil
}

// Leader returns which broker leads a partition, counting from 0, and how many replicas are in sync.
func (c *Cluster) Leader(ctx context.Context, topic string, partition int) (leader, inSync int, err error) {
	return ledBy(ctx, topic, partition, c.Addrs()...)
}

// LeaderToldBy is the same, as broker i has it.
func (c *Cluster) LeaderToldBy(ctx context.Context, i int, topic string, partition int) (leader, inSync int, err error) {
	return ledBy(ctx, topic, partition, c.Addrs()[i])
}

func ledBy(ctx context.Context, topic string, partition int, addrs ...string) (leader, inSync int, err error) {
	transport := &kafkago.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafkago.Client{Addr: kafkago.TCP(addrs...), Transport: transport}
	meta, err := client.Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, 0, err
	}
	for _, t := range meta.Topics {
		for _, p := range t.Partitions {
			if p.ID == partition {
				return p.Leader.ID - 1, len(p.Isr), p.Error
			}
		}
	}
	return 0, 0, fmt.Errorf("topic %q has no partition %d", topic, partition)
}

// InSync fails unless every partition has so many replicas in sync.
func (c *Cluster) InSync(ctx context.Context, replicas int) error {
	transport := &kafkago.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafkago.Client{Addr: kafkago.TCP(c.Addrs()...), Transport: transport}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	meta, err := client.Metadata(ctx, &kafkago.MetadataRequest{})
	if err != nil {
		return err
	}
	for _, t := range meta.Topics {
		for _, p := range t.Partitions {
			if p.Error != nil || len(p.Isr) < replicas {
				return fmt.Errorf("topic %q, partition %d: %d of %d replicas in sync, %v", t.Name, p.ID, len(p.Isr), replicas, p.Error)
			}
		}
	}
	return nil
}
