package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/collector"
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
	access               accessFlags
	print                bool
	timeout              time.Duration
}

// accessFlags name those who are let in.
type accessFlags struct {
	agents     string
	collectors []string
	readers    []string
	group      string
}

// ofCentre stands for a centre's id in the name of its agents' principal.
const ofCentre = "{centre}"

// rules are what they may do, by centre.
func (a *accessFlags) rules(centres []string) (rules []broker.Rule, err error) {
	if a.agents != "" {
		if len(centres) > 1 && !strings.Contains(a.agents, ofCentre) {
			return nil, fmt.Errorf("--agents: %q would be one principal for several centres, each of which could report as the others; write %s where the centre's id goes", a.agents, ofCentre)
		}
		for _, c := range centres {
			p := strings.ReplaceAll(a.agents, ofCentre, c)
			if err := broker.ValidPrincipal(p); err != nil {
				return nil, fmt.Errorf("--agents: %w", err)
			}
			rules = append(rules, broker.AgentRules(p, c)...)
		}
	}
	for _, p := range a.collectors {
		if err := broker.ValidPrincipal(p); err != nil {
			return nil, fmt.Errorf("--collectors: %w", err)
		}
		rules = append(rules, broker.CollectorRules(p, a.group)...)
	}
	for _, p := range a.readers {
		if err := broker.ValidPrincipal(p); err != nil {
			return nil, fmt.Errorf("--readers: %w", err)
		}
		rules = append(rules, broker.ReaderRules(p)...)
	}
	return rules, nil
}

func topicsCreateCommand() *cobra.Command {
	f := &topicsFlags{}
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make the topics of centres, with the settings they need",
		Long: `Make the inventory and telemetry topics of centres, and the topics they share. Topics that exist are left as they are.

The two topics of a centre have the same number of partitions, which must not change afterwards: records of one host stand
in partitions of one number. One partition carries some thousands of hosts.

Where principals are named, they are let do what they have to and nothing else: agents of a centre write to its topics and read
nothing, collectors read all centres' and write what they share, readers read the feed. Kafka must have an authorizer, and refuse what no rule
allows (allow.everyone.if.no.acl.found=false, its default).`,
		Example: `  exameter topics create --brokers kafka-1:9092 --centre guian-north,zunyi-east --partitions 12 --replicas 3
  exameter topics create --centre guian-north --print
  exameter topics create --brokers kafka-1:9093 --kafka admin.yaml --centre guian-north,zunyi-east \
    --agents 'User:agents-{centre}' --collectors User:exameter --readers User:dispatch`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.kafka.add(cmd)
	fl := cmd.Flags()
	fl.StringSliceVar(&f.centres, "centre", nil, "ids of the centres")
	fl.IntVar(&f.partitions, "partitions", 12, "partitions of each of a centre's topics")
	fl.IntVar(&f.replicas, "replicas", 3, "replicas of each partition")
	fl.StringVar(&f.access.agents, "agents", "", "principal of a centre's agents, such as User:agents-"+ofCentre)
	fl.StringSliceVar(&f.access.collectors, "collectors", nil, "principals of collectors")
	fl.StringSliceVar(&f.access.readers, "readers", nil, "principals of readers of the feed, whose groups begin with their names")
	fl.StringVar(&f.access.group, "group", collector.DefaultConfig().Group, "consumer group of the collectors")
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
	f.centres = once(f.centres)
	if f.partitions < 1 || f.partitions > 10_000 {
		return misused(cmd, "--partitions: %d is not within 1 and 10000", f.partitions)
	}
	if f.replicas < 1 || f.replicas > 100 {
		return misused(cmd, "--replicas: %d is not within 1 and 100", f.replicas)
	}
	rules, err := f.access.rules(f.centres)
	if err != nil {
		return misused(cmd, "%w", err)
	}
	topics := centresTopics(f.centres, f.partitions)
	if f.print {
		return errors.Join(printTopics(cmd.OutOrStdout(), topics, f.replicas), printRules(cmd.OutOrStdout(), rules))
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
	if err := allow(ctx, cfg, rules); err != nil {
		return err
	}
	for i := range rules {
		fmt.Fprintln(cmd.OutOrStdout(), "allowed", rules[i].String())
	}
	return nil
}

func allow(ctx context.Context, cfg broker.Config, rules []broker.Rule) error {
	if len(rules) == 0 {
		return nil
	}
	client, transport, err := cfg.Client("exameter")
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	return broker.Allow(ctx, client, rules)
}

func printRules(out io.Writer, rules []broker.Rule) error {
	for i := range rules {
		if _, err := fmt.Fprintln(out, rules[i].Command()); err != nil {
			return err
		}
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
