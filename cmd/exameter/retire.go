package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/spf13/cobra"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/telemetry"
)

// retireFlags are the flags of exameter retire.
type retireFlags struct {
	kafka   kafkaFlags
	centre  string
	timeout time.Duration
}

func retireCommand() *cobra.Command {
	f := &retireFlags{}
	cmd := &cobra.Command{
		Use:   "retire HOST...",
		Short: "Take hosts out of the inventory for good",
		Long: `Write a tombstone for each host into its centre's inventory topic. Collectors forget the host and its devices: they leave
rated as well. HOST is the host's id, as the agent reports it (its machine-id unless configured otherwise), and not its name.

Stop the agent first. One that still runs sends its inventory again within an hour, and the host is back.`,
		Example: `  exameter retire 0f3a5b2c9d1e4f60a1b2c3d4e5f60718 --centre guian-north --brokers kafka-1:9092`,
		Args:    takes(1, 1000),
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.kafka.add(cmd)
	cmd.Flags().StringVar(&f.centre, "centre", "", "id of the centre")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to wait for Kafka")
	return cmd
}

func (f *retireFlags) run(cmd *cobra.Command, hosts []string) error {
	if f.centre == "" {
		return misused(cmd, "no centre: give --centre")
	}
	if err := telemetry.ValidID(f.centre); err != nil {
		return misused(cmd, "--centre: %w", err)
	}
	for _, h := range hosts {
		if h == "" {
			return misused(cmd, "a host without an id")
		}
	}
	cfg, err := f.kafka.config(cmd)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	for _, h := range hosts {
		partition, offset, err := retire(ctx, cfg, f.centre, h)
		if err != nil {
			return fmt.Errorf("retire %q of %s: %w", h, f.centre, err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "retired %s of %s: tombstone in %s, partition %d, offset %d\n", h, f.centre, telemetry.InventoryTopic(f.centre), partition, offset)
	}
	return nil
}

// retire writes a host's tombstone into the partition that its agent writes to, and returns where it stands.
func retire(ctx context.Context, cfg broker.Config, centre, host string) (partition int, offset int64, err error) {
	topic := telemetry.InventoryTopic(centre)
	err = withClient(cfg, func(c *kafka.Client) error {
		// All topics are asked for, because naming one can create it.
		meta, err := c.Metadata(ctx, &kafka.MetadataRequest{})
		if err != nil {
			return fmt.Errorf("list topics: %w", err)
		}
		var partitions []int
		for _, t := range meta.Topics {
			if t.Name == topic {
				for _, p := range t.Partitions {
					partitions = append(partitions, p.ID)
				}
			}
		}
		if len(partitions) == 0 {
			return fmt.Errorf("there is no topic %s", topic)
		}
		key := []byte(host)
		partition = kafka.Murmur2Balancer{Consistent: true}.Balance(kafka.Message{Key: key}, partitions...)
		resp, err := c.Produce(ctx, &kafka.ProduceRequest{
			Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes(key)}),
		})
		if err == nil {
			err = errors.Join(resp.Error)
		}
		if err != nil {
			return fmt.Errorf("write the tombstone: %w", err)
		}
		offset = resp.BaseOffset
		return nil
	})
	return partition, offset, err
}
