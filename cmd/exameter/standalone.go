package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/telemetry"
)

const (
	// standaloneKeeps is how long reports are kept. Inventories stay until they are replaced or retired.
	standaloneKeeps = time.Hour
	// standaloneCleans is how often what is older is dropped.
	standaloneCleans = time.Minute
)

// standaloneFlags are the flags of exameter standalone.
type standaloneFlags struct {
	data               string
	listenKafka        string
	advertise          string
	listen             string
	centres            []string
	registry, override string
	sync               bool
	verbose            bool
}

func standaloneCommand() *cobra.Command {
	f := &standaloneFlags{}
	cmd := &cobra.Command{
		Use:   "standalone",
		Short: "Run a broker and a collector in one process, for a first trial or one small centre",
		Long: `Run an embedded Kafka-protocol broker with a data directory, and a collector, in one process. Agents on this host and on
others report to it.

It is one process on one host: without encryption, without authentication, without replicas. docs/standalone.md states its
limits. Moving to a real Kafka is a change of address: make the topics with exameter topics create, and change
kafka.brokers in the agents' and the collector's configurations.`,
		Example: `  exameter standalone --data /var/lib/exameter --centre trial
  exameter standalone --data /var/lib/exameter --centre trial --listen-kafka 0.0.0.0:9092 --advertise 192.0.2.10:9092`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.data, "data", "", "directory for the broker's data; made if it is missing")
	fl.StringVar(&f.listenKafka, "listen-kafka", "127.0.0.1:9092", "where agents reach the broker")
	fl.StringVar(&f.advertise, "advertise", "", "host:port by which agents on other hosts reach the broker")
	fl.StringVar(&f.listen, "listen", "127.0.0.1:8470", "where the collector answers")
	fl.StringSliceVar(&f.centres, "centre", nil, "ids of the centres whose agents report here")
	fl.StringVar(&f.registry, "registry", "", "YAML file of the collector's registry")
	fl.StringVar(&f.override, "catalogue", "", "CSV file of prices laid over the catalogue")
	fl.BoolVar(&f.sync, "sync", false, "write every record through to the disk before it is acknowledged")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "log what the parts do")
	return cmd
}

// check refuses what cannot work, and says where the broker would be reached from outside.
func (f *standaloneFlags) check(cmd *cobra.Command) (open bool, err error) {
	if f.data == "" {
		return false, misused(cmd, "no data directory: give --data")
	}
	if len(f.centres) == 0 {
		return false, misused(cmd, "no centre: give --centre")
	}
	for _, c := range f.centres {
		if err := telemetry.ValidID(c); err != nil {
			return false, misused(cmd, "--centre: %w", err)
		}
	}
	f.centres = once(f.centres)
	host, _, err := net.SplitHostPort(f.listenKafka)
	if err != nil {
		return false, misused(cmd, "--listen-kafka: %q is not host:port", f.listenKafka)
	}
	ip := net.ParseIP(host)
	if (host == "" || ip.IsUnspecified()) && f.advertise == "" {
		return false, misused(cmd, "--listen-kafka %s is every address of this host: say with --advertise which one agents are to use", f.listenKafka)
	}
	if f.advertise != "" {
		if h, port, err := net.SplitHostPort(f.advertise); err != nil || h == "" || port == "" || net.ParseIP(h).IsUnspecified() {
			return false, misused(cmd, "--advertise: %q is not host:port", f.advertise)
		}
	}
	return host != "localhost" && !ip.IsLoopback(), nil
}

func (f *standaloneFlags) run(cmd *cobra.Command) error {
	open, err := f.check(cmd)
	if err != nil {
		return err
	}
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelInfo
	}
	o := stackOptions{
		broker: localbroker.Options{
			Addr: f.listenKafka, Advertise: f.advertise, DataDir: f.data, SyncWrites: f.sync, RetainEvery: standaloneCleans,
		},
		topics:    localbroker.Bounded(centresTopics(f.centres, 1), standaloneKeeps),
		collector: collector.DefaultConfig(), log: textLog(cmd.ErrOrStderr(), level),
	}
	o.collector.HTTP.Listen, o.collector.Registry, o.collector.Catalogue = f.listen, f.registry, f.override
	if err := o.collector.Validate(); err != nil {
		return misused(cmd, "--listen: %w", err)
	}
	s, err := startStack(cmd.Context(), o)
	if err != nil {
		return err
	}
	f.explain(cmd.OutOrStdout(), s, open)
	s.wait(cmd.Context())
	return s.stop()
}

// explain says what to do now, and what not to expect.
func (f *standaloneFlags) explain(out io.Writer, s *stack, open bool) {
	fmt.Fprintf(out, `Broker     %s, data in %s
Console    %s/
Collector  %s/v1/capacity   metrics %s/metrics

Put into /etc/exameter/agent.yaml on each host:

  centre: %s
  kafka:
    brokers: [%q]

`, s.broker.Addr(), f.data, s.api, s.api, s.api, f.centres[0], s.broker.Addr())
	for _, c := range f.centres[1:] {
		fmt.Fprintf(out, "Hosts of %s have centre: %s\n", c, c)
	}
	fmt.Fprint(out, `Limits: one process, one copy of the data, no encryption and no authentication; made for up to about a thousand hosts.
While it is down agents keep what they can. docs/standalone.md says more, and how to move to a real Kafka.
`)
	if open {
		fmt.Fprintf(out, "Whoever reaches %s can report in the name of any host. Keep it inside a network that you trust.\n", f.listenKafka)
	}
}
