package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/telemetry"
)

// consumeAll follows all topics until they are read up to their end, or each or fold says that it is enough.
func consumeAll(ctx context.Context, o *options, each func(*consume.Batch) bool, fold func() bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := make(chan *consume.Batch, 16)
	cfg := o.kafka()
	c := consume.New(consume.Config{
		Brokers: cfg.Brokers, Dialer: func() (*kafka.Dialer, error) { return cfg.Dialer("bench") }, Log: slog.Default(), Now: time.Now,
		Rewind: 3 * time.Hour, Centres: func() []string { return nil }, Discover: true,
	}, batches)
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t := time.NewTicker(200 * time.Millisecond)
	defer t.Stop()
	for going := true; going; {
		select {
		case b := <-batches:
			going = each(b)
		case <-t.C:
			if fold != nil {
				going = fold()
				continue
			}
			ready, _ := c.Ready()
			going = !ready || len(batches) > 0
		case <-ctx.Done():
			going = false
		}
	}
	failed := ctx.Err()
	cancel()
	for {
		select {
		case <-batches:
		case err := <-done:
			if failed != nil {
				return failed
			}
			return err
		}
	}
}

// follow is the process that goes the whole way from Kafka to folded cells, with one of the readers.
func follow(ctx context.Context, o *options) error {
	began := time.Now()
	defer profiling(o.profile)()
	all := fleets{}
	d := telemetry.Decoder{General: o.reader == "general"}
	var rep telemetry.Report
	var inv telemetry.Inventory
	reports, odd := int64(0), 0
	want := int64(o.hosts) * int64(o.rounds)
	each := func(b *consume.Batch) bool {
		now, f := time.Now(), all.of(b.Part())
		for i := range b.Records {
			r := &b.Records[i]
			var err error
			switch {
			case b.Inventory:
				if err = d.Inventory(r.Value, &inv); err == nil {
					f.ApplyInventory(b.Centre, &inv, now)
				}
				continue
			case o.reader == "plain":
				_, err = plainLoop(r.Value)
			default:
				f.Prime(b.Centre, r.Key, &rep)
				if err = d.Report(r.Value, &rep); err == nil && f.ApplyReport(b.Centre, &rep, now) != fleet.Applied {
					odd++
				}
			}
			if err != nil {
				odd++
			}
			reports++
		}
		b.Done()
		return true
	}
	err := consumeAll(ctx, o, each, func() bool {
		all.settle()
		for _, f := range all {
			f.Fold(time.Now())
		}
		say(progress{Wall: time.Since(began), CPU: ownCPU(), Reports: reports, Hosts: all.hosts()})
		return reports < want
	})
	if err == nil && odd > 0 {
		err = fmt.Errorf("%d records were refused or not applied", odd)
	}
	return err
}

// profiling writes a profile of the time from a signal on until it is stopped, by another signal or by the caller.
func profiling(file string) (stop func()) {
	if file == "" {
		return func() {}
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGUSR1)
	var out *os.File
	var once sync.Once
	stop = func() {
		once.Do(func() {
			pprof.StopCPUProfile()
			if out != nil {
				_ = out.Close()
			}
		})
	}
	go func() {
		<-signals
		f, err := os.Create(file)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			slog.Error("no profile", "error", err)
			return
		}
		out = f
		<-signals
		stop()
	}()
	return stop
}

// window is the steady part of a run: every host has reported before.
type window struct{ first, last progress }

func (w *window) add(o *options, p progress) (begins bool) {
	if p.Hosts < int64(o.hosts) || p.Reports < int64(o.hosts)*3/2 {
		return false
	}
	if begins = w.first.Reports == 0; begins {
		w.first = p
	}
	w.last = p
	return begins
}

func (w *window) row(what string) string {
	n := w.last.Reports - w.first.Reports
	if n <= 0 {
		return fmt.Sprintf("| %s | too short to tell |", what)
	}
	cpu, wall := w.last.CPU-w.first.CPU, w.last.Wall-w.first.Wall
	return fmt.Sprintf("| %s | %.2f µs of CPU a record, **%.0f records/s a core** (%.2f M accelerators/s); by the wall %.0f records/s over %d records |",
		what, micros(cpu, n), float64(n)/cpu.Seconds(), 8*float64(n)/cpu.Seconds()/1e6, float64(n)/wall.Seconds(), n)
}

// measurePath goes the whole way with each reader, on one core, the broker on the other.
func measurePath(ctx context.Context, o *options) error {
	for _, reader := range []string{"plain", "general", "quick"} {
		names := map[string]string{
			"plain": "Kafka → line-protocol/v2, every value typed, nothing kept", "general": "Kafka → reader at large (line-protocol/v2) → apply → fold",
			"quick": "Kafka → quick reader → apply → fold",
		}
		var w window
		profile := filepath.Join(o.work, reader+".pprof")
		err := child(ctx, o, "0", func(pid int, p progress) bool {
			if w.add(o, p) {
				_ = syscall.Kill(pid, syscall.SIGUSR1)
			} else if w.first.Reports > 0 && p.Reports > int64(o.hosts)*int64(o.rounds)*9/10 {
				_ = syscall.Kill(pid, syscall.SIGUSR1)
			}
			return true
		}, "-role", "follow", "-reader", reader, "-profile", profile)
		if err != nil {
			return err
		}
		fmt.Println(w.row(names[reader]))
		if reader == "quick" {
			fmt.Println(shares(ctx, profile))
		}
	}
	return nil
}

// shares says what part of a profile the steps of the way took, by Go's own tool.
func shares(ctx context.Context, profile string) string {
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-cum", "-nodefraction=0", "-nodecount=2000", profile).Output()
	if err != nil {
		return fmt.Sprintf("| shares of the time | no profile: %v |", err)
	}
	steps := []struct{ name, suffix string }{
		{"fetch (socket)", "consume.(*session).fetch"},
		{"decompress", "consume.(*buffer).inflate"},
		{"take batches apart, with decompression and checksum", "consume.parseBatches"},
		{"decode", "telemetry.(*Decoder).Report"},
		{"prime", "fleet.(*Fleet).Prime"},
		{"apply", "fleet.(*Fleet).ApplyReport"},
		{"fold", "fleet.(*Fleet).Fold"},
		{"collection of garbage", "runtime.gcBgMarkWorker"},
		{"system calls", "syscall.RawSyscall6"},
	}
	var said []string
	for _, s := range steps {
		in := bufio.NewScanner(strings.NewReader(string(out)))
		for in.Scan() {
			if f := strings.Fields(in.Text()); len(f) >= 6 && strings.HasSuffix(strings.TrimSuffix(f[5], "[...]"), s.suffix) {
				said = append(said, s.name+" "+f[4])
				break
			}
		}
	}
	return "| of it, by profile (shares overlap where said) | " + strings.Join(said, ", ") + " |"
}
