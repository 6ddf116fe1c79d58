package main

import (
	"context"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/spf13/cobra"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/config"
)

// kafkaFlags say how to reach Kafka.
type kafkaFlags struct {
	brokers []string
	file    string
}

func (f *kafkaFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.brokers, "brokers", nil, "Kafka's brokers, as host:port")
	cmd.Flags().StringVar(&f.file, "kafka", "", "YAML file with the key kafka as in the agent's configuration, for TLS and SASL; --brokers overrides its brokers")
}

// config returns the settings, checked.
func (f *kafkaFlags) config(cmd *cobra.Command) (broker.Config, error) {
	var file struct {
		Kafka broker.Config `yaml:"kafka"`
	}
	if f.file != "" {
		if err := config.Load(f.file, &file); err != nil {
			return broker.Config{}, err
		}
	}
	if len(f.brokers) > 0 {
		file.Kafka.Brokers = f.brokers
	}
	if len(file.Kafka.Brokers) == 0 {
		return broker.Config{}, misused(cmd, "no broker: give --brokers or --kafka")
	}
	if err := file.Kafka.Validate(); err != nil {
		return broker.Config{}, misused(cmd, "%w", err)
	}
	return file.Kafka, nil
}

// withClient lends a client for as long as do runs.
func withClient(cfg broker.Config, do func(*kafka.Client) error) error {
	c, transport, err := cfg.Client("exameter")
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	return do(c)
}

// createTopics makes what is missing of the topics of some centres and of the shared ones, and returns what it made.
func createTopics(ctx context.Context, cfg broker.Config, topics []broker.Topic, replicas int) (made []string, err error) {
	err = withClient(cfg, func(c *kafka.Client) error {
		made, err = broker.Create(ctx, c, topics, replicas)
		return err
	})
	return made, err
}

// once drops what a list of centres has a second time, which Kafka would refuse to make.
func once(centres []string) (out []string) {
	for _, c := range centres {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// centresTopics are the topics of some centres and the shared ones.
func centresTopics(centres []string, partitions int) []broker.Topic {
	topics := broker.SharedTopics()
	for _, c := range centres {
		topics = append(topics, broker.CentreTopics(c, partitions)...)
	}
	return topics
}
