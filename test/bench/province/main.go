// Command province measures what a whole province costs its collectors: simulated hosts write to a real Apache Kafka,
// one record a batch as agents do, and what reads them is timed part by part, beside programs of others that read the
// same records. `make bench-province` builds what it needs and runs it.
//
// The machine is assumed to have two cores: what is measured has the first to itself, the broker the second.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/test/kafka"
)

// options of a run.
type options struct {
	hosts  int
	rounds int    // reports of each host that are written before anything is measured
	only   string // parts to run, separated by commas
	vm     string
	teleg  string
	work   string

	role    string // what a process that the bench starts is to do
	brokers string
	stale   time.Duration
	reader  string
	profile string
}

func (o *options) wants(part string) bool {
	return o.only == "" || strings.Contains(","+o.only+",", ","+part+",")
}

func main() {
	o := &options{}
	cache, _ := os.UserCacheDir()
	flag.IntVar(&o.hosts, "hosts", 150_000, "simulated hosts, of eight accelerators each")
	flag.IntVar(&o.rounds, "rounds", 3, "reports of each host")
	flag.StringVar(&o.only, "only", "", "only these parts: parts, path, cold, latency, peers")
	flag.StringVar(&o.vm, "victoria-metrics", filepath.Join(cache, "exameter-bench/vm/usr/bin/victoria-metrics"), "the program to compare with")
	flag.StringVar(&o.teleg, "telegraf", filepath.Join(cache, "exameter-bench/telegraf"), "the program to compare with")
	flag.StringVar(&o.work, "dir", "", "where the broker keeps its data; a temporary folder where empty")
	flag.StringVar(&o.role, "role", "", "of a process that the bench starts: parts, follow, collect")
	flag.StringVar(&o.brokers, "brokers", "", "where Kafka is, for such a process")
	flag.DurationVar(&o.stale, "stale", 30*time.Second, "for collect: when a host that says nothing is stale")
	flag.StringVar(&o.reader, "reader", "quick", "for follow: quick, general, plain")
	flag.StringVar(&o.profile, "profile", "", "file for a profile of the time between two signals USR1")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	roles := map[string]func(context.Context, *options) error{"": run, "parts": parts, "follow": follow, "collect": collect}
	do, ok := roles[o.role]
	if !ok || o.hosts < 1000 || o.rounds < 2 {
		fmt.Fprintln(os.Stderr, "bench-province: want at least 1000 hosts, 2 rounds and a known role")
		os.Exit(2)
	}
	if err := do(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench-province:", err)
		os.Exit(1)
	}
}

// run is the bench itself: it starts everything, one thing after the other.
func run(ctx context.Context, o *options) error {
	if o.work == "" {
		dir, err := os.MkdirTemp("", "exameter-province-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.work = dir
	}
	k, err := kafka.Start(ctx, o.work, kafka.Options{Heap: "1536m", Settings: map[string]string{"log.segment.bytes": "268435456"}})
	if err != nil {
		return err
	}
	defer k.Close()
	o.brokers = k.Addrs()[0]
	fmt.Printf("%s, %d cores, %s; load %s\n\n", time.Now().UTC().Format(time.RFC3339), runtime.NumCPU(), runtime.Version(), machineLoad())
	if err := generate(ctx, o); err != nil {
		return err
	}
	fmt.Println("\n| what | figures |\n|---|---|")
	if err := pin(k.PIDs()[0], "1"); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context, *options) error
	}{
		{"parts", measureParts},
		{"path", measurePath},
		{"peers", measureTelegraf},
		{"peers", measureVictoria},
		{"cold", measureCold},
		{"latency", func(ctx context.Context, o *options) error {
			if err := pin(k.PIDs()[0], "0,1"); err != nil {
				return err
			}
			return measureLatency(ctx, o)
		}},
	} {
		if !o.wants(step.name) {
			continue
		}
		if err := step.do(ctx, o); err != nil {
			fmt.Printf("| %s | did not come to an end: %v |\n", step.name, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	fmt.Printf("\nload at the end: %s\n", machineLoad())
	return nil
}

func (o *options) kafka() *broker.Config { return &broker.Config{Brokers: []string{o.brokers}} }
