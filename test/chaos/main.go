// Command chaos is the worst day: real brokers and collectors are killed, stopped and restarted under a province that reports, by a schedule
// that follows from a seed, and every answer is held against the simulator's own ledger at every step. It exits with 1 where a promise was
// not kept. `make chaos MINUTES=5 SEED=1` builds what it needs and runs it. See docs/reliability.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	minutes := flag.Float64("minutes", 5, "how long faults are brought about")
	seed := flag.Uint64("seed", 1, "from which the schedule follows")
	plan := flag.Bool("plan", false, "print the first steps of the schedule, and do nothing")
	keep := flag.Bool("keep", false, "keep the logs of all programs")
	flag.Parse()
	if *minutes <= 0 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "chaos: want a time above zero, and no arguments")
		os.Exit(2)
	}
	if *plan {
		for s := range schedule(*seed) {
			if fmt.Println(s); s.number == len(extents) {
				return
			}
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "exameter-chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
	violations, err := run(ctx, time.Duration(*minutes*float64(time.Minute)), *seed, dir, os.Stdout)
	if *keep {
		fmt.Println("logs are in", dir)
	} else {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
	}
	if err != nil || violations > 0 {
		os.Exit(1)
	}
}

// run makes a world in a folder, breaks it for so long, and reports.
func run(ctx context.Context, long time.Duration, seed uint64, dir string, out io.Writer) (violations int, err error) {
	w, err := start(ctx, dir, seed, out, ground{})
	defer w.close()
	if err != nil {
		return 0, err
	}
	if err := w.storm(ctx, long, seed); err != nil {
		return 0, err
	}
	if err := w.settle(ctx); err != nil {
		return 0, err
	}
	if err := w.report(seed); err != nil {
		return 0, err
	}
	return w.violations(), nil
}

// storm follows the schedule for so long.
func (w *world) storm(ctx context.Context, long time.Duration, seed uint64) error {
	began := time.Now()
	for s := range schedule(seed) {
		if time.Since(began) > long {
			return nil
		}
		if err := w.do(ctx, s); err != nil {
			return err
		}
		rest(ctx, s.calm)
	}
	return nil
}

// settle ends what writes, and waits until everything that was acknowledged or made is read back.
func (w *world) settle(ctx context.Context) error {
	// What agents made until now; they go on meanwhile.
	until := time.Now()
	w.stopDriving()
	for deadline := time.Now().Add(recoverWithin); ; time.Sleep(250 * time.Millisecond) {
		f, err := w.account(w.records, until, w.faulty)
		if err != nil {
			return err
		}
		if w.simulated().lost == 0 && f.waiting == 0 || time.Now().After(deadline) || ctx.Err() != nil {
			break
		}
	}
	rest(ctx, 2*time.Second) // for what may be there twice
	return ctx.Err()
}

// report prints what was done and seen.
func (w *world) report(seed uint64) error {
	f, err := w.account(w.records, time.Now().Add(-lately), w.faulty)
	if err != nil {
		return err
	}
	o := w.simulated()
	if o.lost > 0 {
		w.violate(kept, "%d records of simulated hosts that were acknowledged are not in Kafka", o.lost)
	}
	if o.doubled > 0 {
		w.violate(once, "%d records of simulated hosts", o.doubled)
	}
	if f.waiting > 0 {
		w.violate(kept, "%d reports of agents are neither in Kafka nor counted as dropped", f.waiting)
	}
	if f.doubledUnasked > 0 {
		w.violate(once, "%d reports of agents", f.doubledUnasked)
	}
	if f.disordered > 0 {
		w.violate(inOrder, "%d reports", f.disordered)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nseed %d, %.0f s, load average %s\n", seed, time.Since(w.findings().began).Seconds(), load())
	w.faultsReport(&b)
	fmt.Fprintf(&b, "records of simulated hosts\n  sent %d, acknowledged %d, lost %d, doubled %d; outcome unknown %d, of which %d arrived\n", o.sent, o.acknowledged, o.lost, o.doubled, o.unknown, o.arrived)
	fmt.Fprintf(&b, "reports of real agents\n  made %d, lost %d, dropped and counted %d, gone with the memory of a killed agent %d (made up to %.1f s before), sent again after an unknown outcome %d\n",
		f.made, f.waiting, f.dropped, f.withMemory, f.oldest.Seconds(), f.doubled)
	poison, aside, counted := w.poisonReport()
	fmt.Fprintf(&b, "poison\n  written %d, to be kept aside %d, kept aside %d, counted as not kept %d\n", w.spoiled.Load(), poison, aside, counted)
	w.answersReport(&b)
	fmt.Fprintf(&b, "violations %d\n%s", w.violations(), w.findings())
	_, err = fmt.Fprint(w.out, b.String())
	return err
}

// faultsReport lists the faults by kind, with the worst that came of each.
func (w *world) faultsReport(b *strings.Builder) {
	fmt.Fprintf(b, "%-45s %5s  %8s %14s %11s %9s %12s\n", "fault", "times", "lasted", "answers flagged", "none at one", "feed", "right again")
	for _, e := range extents {
		worst := recovery{}
		for _, r := range w.recoveries {
			if r.step.kind != e.kind {
				continue
			}
			worst.fault, worst.flagged, worst.mute = max(worst.fault, r.fault), max(worst.flagged, r.flagged), max(worst.mute, r.mute)
			worst.feedFlagged, worst.collectors = max(worst.feedFlagged, r.feedFlagged), max(worst.collectors, r.collectors, r.feed, r.agents)
		}
		if n := w.kinds[e.kind]; n > 0 {
			fmt.Fprintf(b, "%-45s %5d  %6.1f s %13.1f s %9.1f s %7.1f s %10.1f s\n", e.kind, n, worst.fault.Seconds(), worst.flagged.Seconds(), worst.mute.Seconds(), worst.feedFlagged.Seconds(), worst.collectors.Seconds())
		}
	}
}

// answersReport says how long answers were anything but exact, at most.
func (w *world) answersReport(b *strings.Builder) {
	b.WriteString("answers\n")
	for _, one := range w.watches() {
		one.mu.Lock()
		fmt.Fprintf(b, "  %s: flagged as degraded for at most %.1f s, no answer for at most %.1f s\n", one.name, one.flags.longest.Seconds(), one.mute.longest.Seconds())
		one.mu.Unlock()
	}
	var longest recovery
	for _, r := range w.recoveries {
		if max(r.collectors, r.feed, r.agents) > max(longest.collectors, longest.feed, longest.agents) {
			longest = r
		}
	}
	fmt.Fprintf(b, "longest recovery\n  %.1f s after the repair, of step %s\n", max(longest.collectors, longest.feed, longest.agents).Seconds(), longest.step)
}

// load is how busy the machine was in the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(text))[0]
}
