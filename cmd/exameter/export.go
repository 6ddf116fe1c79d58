package main

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/spf13/cobra"

	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/dashboards"
)

func exportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print what other schedulers take, and what Prometheus and Grafana watch with",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misused(cmd, "unexpected argument %q", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(exportPrometheusCommand(), exportRulesCommand(), exportAdapterCommand(), exportSlurmCommand(), exportGrafanaCommand())
	return cmd
}

// exportFlags are the flags of exameter export prometheus.
type exportFlags struct {
	asking
	query client.PoolsQuery
	gangs []int
}

func exportPrometheusCommand() *cobra.Command {
	f := &exportFlags{}
	cmd := &cobra.Command{
		Use:   "prometheus",
		Short: "Print pools as metrics for Prometheus: what is free, and how many gangs fit",
		Long: `Print every pool as metrics in Prometheus' text format, for the textfile collector of node_exporter or a Pushgateway: devices and
flop/s by state, the gangs of each size that are free on single hosts, ages, and the revision and time of the figures. The collector's own
/metrics has the same: this is for a Prometheus that does not reach it, and for other sizes of gangs.`,
		Example: `  exameter export prometheus --gang 1,8 > /var/lib/prometheus/node-exporter/exameter.prom.new &&
    mv /var/lib/prometheus/node-exporter/exameter.prom.new /var/lib/prometheus/node-exporter/exameter.prom`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.flags(cmd)
	filterFlags(cmd, &f.query.Filter)
	cmd.Flags().IntSliceVar(&f.gangs, "gang", []int{1, 8}, "sizes of gangs, 1 to 16")
	return cmd
}

func (f *exportFlags) run(cmd *cobra.Command) error {
	if err := validFilter(cmd, &f.query.Filter); err != nil {
		return err
	}
	slices.Sort(f.gangs)
	f.gangs = slices.Compact(f.gangs)
	for _, n := range f.gangs {
		if n < 1 || n > 16 {
			return misused(cmd, "--gang: %d is not between 1 and 16", n)
		}
	}
	c, err := f.client(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	doc, err := c.AllPools(cmd.Context(), f.query)
	if err != nil {
		return err
	}
	text, err := poolMetrics(doc, f.gangs)
	if err != nil {
		return err
	}
	_, err = cmd.OutOrStdout().Write(text)
	return err
}

var poolLabels = []string{"centre", "cluster", "kind", "vendor", "model", "class", "domestic"}

// poolMetrics are pools in Prometheus' text format. Lines of one name, which differ in their peak alone, are added up, and the oldest of their reports
// is that of the name.
func poolMetrics(doc *client.Pools, gangs []int) ([]byte, error) {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	with := func(more ...string) []string { return append(slices.Clone(poolLabels), more...) }
	devices := gauge("exameter_pool_devices", "Devices of a pool by state. A processor set is one device.", with("state")...)
	flops := gauge("exameter_pool_flops", "Peak throughput of a pool in flop/s by state; missing where the model has no peak.", with("state")...)
	free := gauge("exameter_pool_free_gangs", "Groups of so many devices that are free on one host each.", with("size")...)
	hosts := gauge("exameter_pool_hosts", "Hosts of a pool: rated, online.", with("state")...)
	age := gauge("exameter_pool_report_age_seconds", "Age of the oldest report that a pool's figures rest on, at exameter_export_as_of_timestamp_seconds.", poolLabels...)
	revision := gauge("exameter_export_revision", "Revision of the figures.")
	asOf := gauge("exameter_export_as_of_timestamp_seconds", "As of when the figures are. Those of an export that stands still are old.")
	oldest := map[string]float64{}
	for i := range doc.Pools {
		p := &doc.Pools[i]
		name := []string{p.Centre, p.Cluster, p.Kind, p.Vendor, p.Model, p.Class, p.Domestic}
		at := func(more string) []string { return append(slices.Clone(name), more) }
		d, e := &p.Devices, &p.Eflops
		for state, n := range map[string]int64{"rated": d.Rated, "online": d.Online, "healthy": d.Healthy, "busy": d.Busy, "free": d.Free, "drained": d.Drained, "faulty": d.Faulty, "stale": d.Stale, "unpriced": d.Unpriced} {
			devices.WithLabelValues(at(state)...).Add(float64(n))
		}
		if d.Unpriced < d.Rated {
			for state, n := range map[string]client.Flops{"rated": e.Rated, "online": e.Online, "healthy": e.Healthy, "busy": e.Busy, "free": e.Free, "drained": e.Drained, "faulty": e.Faulty, "stale": e.Stale} {
				flops.WithLabelValues(at(state)...).Add(float64(n) * 1e6)
			}
		}
		for _, size := range gangs {
			free.WithLabelValues(at(strconv.Itoa(size))...).Add(float64(p.Gangs(size)))
		}
		hosts.WithLabelValues(at("rated")...).Add(float64(p.Hosts.Rated))
		hosts.WithLabelValues(at("online")...).Add(float64(p.Hosts.Online))
		if key := strings.Join(name, "\x00"); p.Age != nil {
			oldest[key] = max(oldest[key], p.Age.Max)
			age.WithLabelValues(name...).Set(oldest[key])
		}
	}
	revision.WithLabelValues().Set(float64(doc.Revision))
	asOf.WithLabelValues().Set(float64(doc.AsOf.UnixMilli()) / 1000)
	return metricsText(devices, flops, free, hosts, age, revision, asOf)
}

// metricsText prints metrics.
func metricsText(all ...prometheus.Collector) ([]byte, error) {
	r := prometheus.NewRegistry()
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("print metrics: %w", err)
		}
	}
	families, err := r.Gather()
	if err != nil {
		return nil, fmt.Errorf("print metrics: %w", err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			return nil, fmt.Errorf("print metrics: %w", err)
		}
	}
	return b.Bytes(), nil
}

// freshFlags are the flags of exports that say how old figures may be.
type freshFlags struct{ within time.Duration }

func (f *freshFlags) flags(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&f.within, "fresh", time.Minute, "how old figures may be: older ones are not recorded, and not shown as free")
}

func (f *freshFlags) check(cmd *cobra.Command) error {
	if f.within < time.Second {
		return misused(cmd, "--fresh: %s is below 1s", f.within)
	}
	return nil
}

func exportRulesCommand() *cobra.Command {
	f := &freshFlags{}
	cmd := &cobra.Command{
		Use:   "prometheus-rules",
		Short: "Print recording and alerting rules for Prometheus",
		Long: `Print rules for Prometheus. Recording rules read one of the collectors that are scraped, and make of it what dashboards show and what a
scheduler asks for: free gangs, devices and flop/s by centre and model, of figures that are fresh; what is not fresh is not there, as silence is
never idle. Where Prometheus does not reach a collector, "export prometheus" stands in for its pools. docs/alerts.md explains the alerts.`,
		Example: `  exameter export prometheus-rules > /etc/prometheus/rules/exameter.yml`,
		Args:    takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), "# Written by exameter export prometheus-rules.\n"+dashboards.Rules(f.within))
			return err
		},
	}
	f.flags(cmd)
	return cmd
}

func exportAdapterCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "prometheus-adapter",
		Short: "Print a configuration of prometheus-adapter: external metrics for Kubernetes",
		Long: `Print external rules for prometheus-adapter, which serves metrics of Prometheus to Kubernetes: what "export prometheus-rules" records becomes
external metrics that an autoscaler, or a controller that queues jobs, can ask for by centre, vendor, model and size of gang.`,
		Example: `  exameter export prometheus-adapter > config.yaml
  kubectl get --raw '/apis/external.metrics.k8s.io/v1beta1/namespaces/default/exameter_free_gangs?labelSelector=size%3D8'`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), adapterConfig)
			return err
		},
	}
}
