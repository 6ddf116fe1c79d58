// Command api measures how fast a collector answers while a whole province reports to it. A real collector has one core to
// itself; simulated hosts report to it through an embedded broker; and requests come at a fixed rate whether or not earlier ones
// were answered, each timed from the moment at which it was due. `make bench-api` builds what it needs and runs it.
//
// The machine is assumed to have two cores: the collector has the first, everything else the second.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/exameter/exameter/test/process"
)

// options of a run.
type options struct {
	hosts      int
	copies     int
	partitions int
	rate       float64
	warm, long time.Duration
	pin        bool
	realtime   bool
	procs      int
	probes     int

	role    string // what a process that the bench starts is to do
	brokers string
	api     string
	profile string
}

func main() {
	o := &options{}
	flag.IntVar(&o.hosts, "hosts", 150_000, "simulated hosts")
	flag.IntVar(&o.copies, "copies", 4, "how often the dozen default centres stand in the province, which gives it as many more pools")
	flag.IntVar(&o.partitions, "partitions", 1, "partitions of each centre")
	flag.Float64Var(&o.rate, "rate", 1000, "requests a second")
	flag.DurationVar(&o.warm, "warm", 5*time.Second, "how long requests come before they are timed")
	flag.DurationVar(&o.long, "for", 30*time.Second, "how long they are timed")
	flag.BoolVar(&o.pin, "pin", true, "give the collector the first core and everything else the second")
	flag.BoolVar(&o.realtime, "realtime", false, "give collector and generator real-time priority (chrt, as root), which keeps what else runs on the machine out of the figures")
	flag.IntVar(&o.procs, "procs", 1, "GOMAXPROCS of each process, where it has a core to itself")
	flag.IntVar(&o.probes, "probes", 10, "hosts that change their state all the time, to see how long that takes to be known")
	flag.StringVar(&o.role, "role", "", "of a process that the bench starts: world, probe, collect, load")
	flag.StringVar(&o.brokers, "brokers", "", "where the broker is, for probe and collect")
	flag.StringVar(&o.api, "api", "", "host:port of the collector, for load: a collector that runs already may be asked too")
	flag.StringVar(&o.profile, "profile", "", "file for a profile of the collector while it is asked")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	roles := map[string]func(context.Context, *options) error{"": run, "world": world, "probe": probing, "collect": collect, "load": load}
	do, ok := roles[o.role]
	if !ok || o.hosts < 100 || o.copies < 1 || o.copies > 20 || o.partitions < 1 || !(o.rate > 0) || o.long <= 0 || o.probes < 1 || o.probes > 100 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "bench-api: want a known role, at least 100 hosts, 1 to 20 copies, a rate and a time above zero")
		os.Exit(2)
	}
	if err := do(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench-api:", err)
		os.Exit(1)
	}
}

// run starts the province, the collector and the load, one after the other.
func run(ctx context.Context, o *options) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute+o.warm+o.long)
	defer cancel()
	fmt.Printf("%s, %d cores, %s\n", time.Now().UTC().Format(time.RFC3339), runtime.NumCPU(), runtime.Version())
	w, err := start(ctx, o, "1", 5, "-role", "world")
	if err != nil {
		return err
	}
	defer w.end()
	p, err := start(ctx, o, "1", 0, "-role", "probe", "-brokers", w.said)
	if err != nil {
		return err
	}
	defer p.end()
	c, err := start(ctx, o, "0", 0, "-role", "collect", "-brokers", w.said, "-profile", o.profile)
	if err != nil {
		return err
	}
	defer c.end()
	pools, err := ready(ctx, c.said, o.hosts)
	if err != nil {
		return fmt.Errorf("wait for the province to report: %w", err)
	}
	fmt.Printf("%d hosts report, in %d pools of %d centres and %d parts; %d probes beside them\n", o.hosts, pools, 12*o.copies, 12*o.copies*o.partitions, o.probes)
	before := process.CPU(c.pid())
	began := time.Now()
	l, err := start(ctx, o, "1", 0, "-role", "load", "-api", c.said)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(p.in, c.said); err != nil {
		return err
	}
	err = errors.Join(l.wait(), p.wait())
	used := process.CPU(c.pid()) - before
	fmt.Printf("the collector used %.2f of a core, load and consumption together; resident %d MiB\n", used.Seconds()/time.Since(began).Seconds(), process.Resident(c.pid())>>20)
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return err
}
