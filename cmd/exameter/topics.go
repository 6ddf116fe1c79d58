package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/telemetry"
)

func topicsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "topics", Short: "Make Kafka's topics", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(topicsCreateCommand())
	return cmd
}

// topicsFlags are the flags of exameter topics create.
type topicsFlags struct {
	kafka                kafkaFlags
	centres              []string
	partitions, replicas int
	print                bool
	timeout              time.Duration
}

func topicsCreateCommand() *cobra.Command {
	f := &topicsFlags{}
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make the topics of centres, with the settings they need",
		Long: `Make the inventory and telemetry topics of centres, and the topics they share. Topics that exist are left as they are.

The two topics of a centre have the same number of partitions, which must not change afterwards: records of one host stand
in partitions of one number. One partition carries some thousands of hosts.`,
		Example: `  exameter topics create --brokers kafka-1:9092 --centre guian-north,zunyi-east --partitions 12 --replicas 3
  exameter topics create --centre guian-north --print`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.kafka.add(cmd)
	fl := cmd.Flags()
	fl.StringSliceVar(&f.centres, "centre", nil, "ids of the centres")
	fl.IntVar(&f.partitions, "partitions", 12, "partitions of each of a centre's topics")
	fl.IntVar(&f.replicas, "replicas", 3, "replicas of each partition")
	fl.BoolVar(&f.print, "print", false, "print Kafka's own commands for it and make nothing")
	fl.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to wait for Kafka")
	return cmd
}

func (f *topicsFlags) run(cmd *cobra.Command) error {
	if len(f.centres) == 0 {
		return misused(cmd, "no centre: give --centre")
	}
	for _, c := range f.centres {
		if err := telemetry.ValidID(c); err != nil {
			return misused(cmd, "--centre: %w", err)
		}
	}
	if f.partitions < 1 || f.partitions > 10_000 {
		return misused(cmd, "--partitions: %d is not within 1 and 10000", f.partitions)
	}
	if f.replicas < 1 || f.replicas > 100 {
		return misused(cmd, "--replicas: %d is not within 1 and 100", f.replicas)
	}
	topics := centresTopics(f.centres, f.partitions)
	if f.print {
		return printTopics(cmd.OutOrStdout(), topics, f.replicas)
	}
	cfg, err := f.kafka.config(cmd)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	made, err := createTopics(ctx, cfg, topics, f.replicas)
	for _, name := range made {
		fmt.Fprintln(cmd.OutOrStdout(), "made", name)
	}
	if err != nil {
		return err
	}
	if n := len(topics) - len(made); n > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%s existed and stayed as before\n", plural(int64(n), "topic"))
	}
	return nil
}

// printTopics prints the commands that Kafka brings, for administrators who allow no others.
func printTopics(out io.Writer, topics []broker.Topic, replicas int) error {
	for _, t := range topics {
		line := fmt.Sprintf("kafka-topics.sh --bootstrap-server $BROKERS --create --if-not-exists --topic %s --partitions %d --replication-factor %d", t.Name, t.Partitions, replicas)
		for _, k := range slices.Sorted(maps.Keys(t.Settings)) {
			line += " --config " + k + "=" + t.Settings[k]
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}
