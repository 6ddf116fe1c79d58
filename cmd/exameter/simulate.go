package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/sim"
)

// staleAfter is when the ledger calls a host stale, as collectors do unless configured otherwise.
const staleAfter = 30 * time.Second

// simulateFlags are the flags of exameter simulate.
type simulateFlags struct {
	kafka                kafkaFlags
	hosts                int
	seed                 uint64
	forTime              time.Duration
	centres              []string
	create               bool
	partitions, replicas int
	interval             time.Duration
	speed                float64
	batch                int
	output               oneOf
}

func simulateCommand() *cobra.Command {
	f := &simulateFlags{output: oneOf{"table", []string{"table", "json"}}}
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Drive simulated hosts through a real Kafka, and keep a ledger of the truth",
		Long: `Drive simulated hosts of many vendors through Kafka, exactly as their agents would report: jobs, faults, drained and silent
hosts, days and nights. At the end the ledger of what was acknowledged is printed, to hold a collector's answer against.

Centres, loads and equipment are made up. Do not point it at a Kafka that serves real centres.`,
		Example: `  exameter simulate --brokers 127.0.0.1:9092 --hosts 2000 --create-topics --replicas 1 --for 5m`,
		Args:    takes(0, 0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.kafka.add(cmd)
	fl := cmd.Flags()
	fl.IntVar(&f.hosts, "hosts", sim.DefaultHosts, "how many hosts; their centres scale with them")
	fl.Uint64Var(&f.seed, "seed", 1, "decides everything that happens")
	fl.DurationVar(&f.forTime, "for", 0, "how long; 0 is until interrupted")
	fl.StringSliceVar(&f.centres, "centres", nil, "only these of the simulated centres: "+strings.Join(centreIDs(sim.DefaultCentres()), ", "))
	fl.BoolVar(&f.create, "create-topics", false, "make the topics first")
	fl.IntVar(&f.partitions, "partitions", 3, "partitions of each topic, with --create-topics")
	fl.IntVar(&f.replicas, "replicas", 1, "replicas of each partition, with --create-topics")
	fl.DurationVar(&f.interval, "interval", 10*time.Second, "the longest time between two reports of a host")
	fl.Float64Var(&f.speed, "speed", 1, "how much faster jobs, nights and faults go by than the clock")
	fl.IntVar(&f.batch, "batch", 0, "how many records may share a Kafka batch; 1 is how agents write, 0 as many as come together")
	fl.VarP(&f.output, "output", "o", "how to print the ledger")
	return cmd
}

func centreIDs(centres []sim.Centre) []string {
	ids := make([]string, len(centres))
	for i := range centres {
		ids[i] = centres[i].ID
	}
	return ids
}

// province makes the simulated province that the flags describe.
func (f *simulateFlags) province(cmd *cobra.Command) (*sim.Province, error) {
	centres := sim.DefaultCentres()
	for _, id := range f.centres {
		if !slices.Contains(centreIDs(centres), id) {
			return nil, misused(cmd, "--centres: no simulated centre is called %q", id)
		}
	}
	if len(f.centres) > 0 {
		centres = slices.DeleteFunc(centres, func(c sim.Centre) bool { return !slices.Contains(f.centres, c.ID) })
	}
	p, err := sim.New(sim.Spec{
		Seed: f.seed, Hosts: f.hosts, Centres: centres, Interval: f.interval, Speed: f.speed, Version: "simulated " + version,
	}, time.Now())
	if err != nil {
		return nil, misused(cmd, "%w", err)
	}
	return p, nil
}

func (f *simulateFlags) run(cmd *cobra.Command) error {
	if f.hosts == 0 || f.interval == 0 || f.speed == 0 {
		return misused(cmd, "--hosts, --interval and --speed are above zero")
	}
	if f.forTime < 0 {
		return misused(cmd, "--for: %s is below zero", f.forTime)
	}
	if f.partitions < 1 || f.replicas < 1 {
		return misused(cmd, "--partitions and --replicas are above zero")
	}
	if f.batch < 0 {
		return misused(cmd, "--batch: %d is below zero", f.batch)
	}
	p, err := f.province(cmd)
	if err != nil {
		return err
	}
	cfg, err := f.kafka.config(cmd)
	if err != nil {
		return err
	}
	ctx, stop := cmd.Context(), func() {}
	if f.create {
		making, cancel := context.WithTimeout(ctx, 30*time.Second)
		_, err := createTopics(making, cfg, centresTopics(p.Centres(), f.partitions), f.replicas)
		cancel()
		if err != nil {
			return err
		}
	}
	if f.forTime > 0 {
		ctx, stop = context.WithTimeout(ctx, f.forTime)
	}
	defer stop()
	d := &sim.Driver{Province: p, Broker: cfg, Log: textLog(cmd.ErrOrStderr(), slog.LevelWarn), Batch: f.batch}
	hosts, _ := p.Hosts()
	fmt.Fprintf(cmd.ErrOrStderr(), "simulating %s with %d accelerators in %s\n", plural(int64(hosts), "host"), p.Devices(), plural(int64(len(p.Centres())), "centre"))
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.Run(gctx) })
	g.Go(func() error { tellRates(gctx, cmd.ErrOrStderr(), d); return nil })
	if err := g.Wait(); err != nil {
		return err
	}
	if n := d.Counts(); n.Records == 0 {
		return errors.New("no record was acknowledged")
	}
	return f.report(cmd.OutOrStdout(), p, d)
}

// tellRates says every five seconds what is going on.
func tellRates(ctx context.Context, out io.Writer, d *sim.Driver) {
	const every = 5 * time.Second
	t := time.NewTicker(every)
	defer t.Stop()
	var last sim.Counts
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		n := d.Counts()
		per := func(now, before int64) float64 { return float64(now-before) / every.Seconds() }
		all, silent := d.Province.Hosts()
		fmt.Fprintf(out, "%8.0f records/s  %6.2f MB/s  %d not acknowledged  %d of %d hosts silent\n",
			per(n.Records, last.Records), per(n.Bytes, last.Bytes)/1e6, n.Failures, silent, all)
		last = n
	}
}

// report prints the ledger.
func (f *simulateFlags) report(out io.Writer, p *sim.Province, d *sim.Driver) error {
	s := p.Books(time.Now(), staleAfter).Summary(catalog.Default())
	if f.output.value == "json" {
		return writeJSON(out, struct {
			*sim.Summary
			Seed   uint64     `json:"seed"`
			Counts sim.Counts `json:"counts"`
		}{s, f.seed, d.Counts()})
	}
	t := &table{head: []string{"CENTRE", "RATED", "ONLINE", "HEALTHY", "BUSY", "FREE", "DRAINED", "FAULTY", "STALE", "DEVICES", "UNPRICED"}, left: 1}
	row := func(name string, v *sim.Figures) {
		e := &v.Eflops
		t.add(name, eflops(e.Rated), eflops(e.Online), eflops(e.Healthy), eflops(e.Busy), eflops(e.Free), eflops(e.Drained), eflops(e.Faulty), eflops(e.Stale),
			strconv.FormatInt(v.Devices.Rated, 10), strconv.FormatInt(v.Devices.Unpriced, 10))
	}
	for i := range s.Centres {
		row(s.Centres[i].Centre, &s.Centres[i].Figures)
	}
	row("total", &s.Total)
	t.mark(&t.bold)
	if err := t.write(out, coloured(out)); err != nil {
		return err
	}
	n := d.Counts()
	_, err := fmt.Fprintf(out, "Ledger of what was acknowledged, processors included (kind all), Eflops by class; as of %s, %d of %d hosts online\n%d records, %.1f MB, %d not acknowledged\n",
		stamp(s.At), s.Hosts.Online, s.Hosts.Rated, n.Records, float64(n.Bytes)/1e6, n.Failures)
	return err
}

// textLog logs to a stream.
func textLog(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
