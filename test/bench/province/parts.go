package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/telemetry"
)

// measureParts times decoding, applying and recounting with all records in memory.
func measureParts(ctx context.Context, o *options) error {
	return child(ctx, o, "0", func(_ int, p progress) bool {
		if p.Text != "" {
			fmt.Println(p.Text)
		}
		return true
	}, "-role", "parts")
}

// kept is a host's last report.
type kept struct {
	part       consume.Part
	key, value []byte
}

// fleets are a fleet a part, as a collector has them.
type fleets map[consume.Part]*fleet.Fleet

func (all fleets) of(p consume.Part) *fleet.Fleet {
	f := all[p]
	if f == nil {
		f = fleet.New(fleet.Options{StaleAfter: time.Hour, Pricing: collector.Pricing(catalog.Default(), &registry.Registry{}), Shared: true})
		all[p] = f
	}
	return f
}

// settle says that no other part claims any of the devices, which is so.
func (all fleets) settle() {
	for _, f := range all {
		f.Changes()
		f.Settle(false, func(uint64) fleet.Standing { return fleet.Alone })
	}
}

// hosts counts the hosts of all.
func (all fleets) hosts() (n int64) {
	for _, f := range all {
		n += f.Stats().Hosts
	}
	return n
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// parts is the process that does it.
func parts(ctx context.Context, o *options) error {
	reports, inventories, err := gather(ctx, o)
	if err != nil {
		return err
	}
	row := func(what string, n, bytes int, d time.Duration, more string) {
		per := d / time.Duration(n)
		say(progress{Text: fmt.Sprintf("| %s | %.2f µs of CPU a record, **%.0f records/s**, %.2f M accelerators/s, %.0f MB/s on one core%s |",
			what, micros(d, int64(n)), 1e9/float64(per), 8e3/float64(per), float64(bytes)/1e6/d.Seconds(), more)})
	}
	// spend repeats until enough time has passed to be told.
	spend := func(do func()) (int, time.Duration) {
		do()
		began, times := ownCPU(), 0
		for ownCPU()-began < 1500*time.Millisecond {
			do()
			times++
		}
		return times, ownCPU() - began
	}
	some := reports[:min(len(reports), 10_000)]
	size := 0
	for _, r := range some {
		size += len(r.value)
	}
	for _, reader := range []string{"plain", "general", "quick"} {
		d := telemetry.Decoder{General: reader == "general"}
		var rep telemetry.Report
		bad := 0
		times, took := spend(func() {
			for i := range some {
				var err error
				if reader == "plain" {
					_, err = plainLoop(some[i].value)
				} else {
					err = d.Report(some[i].value, &rep)
				}
				if err != nil {
					bad++
				}
			}
		})
		if bad > 0 {
			return fmt.Errorf("%d records were refused", bad)
		}
		names := map[string]string{
			"plain": "decode alone: line-protocol/v2, every value typed, nothing kept", "general": "decode alone: our reader of line protocol at large (on line-protocol/v2)",
			"quick": "decode alone: our quick reader, hosts at random order",
		}
		row(names[reader], times*len(some), times*size, took, "")
	}
	return partsApply(reports, inventories, row, spend)
}

func partsApply(reports, inventories []kept, row func(string, int, int, time.Duration, string), spend func(func()) (int, time.Duration)) error {
	var d telemetry.Decoder
	var inv telemetry.Inventory
	var rep telemetry.Report
	before := heap()
	all := fleets{}
	now := time.Now()
	for i := range inventories {
		if err := d.Inventory(inventories[i].value, &inv); err != nil {
			return err
		}
		all.of(inventories[i].part).ApplyInventory(inventories[i].part.Centre, &inv, now)
	}
	all.settle()
	size, turn, odd := 0, int64(0), 0
	apply := func() {
		size = 0
		for i := range reports {
			r := &reports[i]
			f := all[r.part]
			f.Prime(r.part.Centre, r.key, &rep)
			if d.Report(r.value, &rep) != nil {
				odd++
				continue
			}
			rep.Seq += turn // what makes the same bytes news
			size += len(r.value)
			if f.ApplyReport(r.part.Centre, &rep, now) != fleet.Applied {
				odd++
			}
		}
		turn++
	}
	times, took := spend(apply)
	if odd > 0 {
		return fmt.Errorf("%d reports were not applied", odd)
	}
	devices := int64(8 * len(inventories))
	state := heap() - before
	row("decode and apply, all hosts in turn", times*len(reports), times*size, took, fmt.Sprintf("; state %d B an accelerator (%d MiB)", state/devices, state>>20))
	var check, fold time.Duration
	for range 5 {
		began := time.Now()
		for _, f := range all {
			if err := f.Check(); err != nil {
				return err
			}
		}
		check += time.Since(began)
		began = time.Now()
		for _, f := range all {
			f.Fold(time.Now())
		}
		fold += time.Since(began)
	}
	alone := recount(all, 1)
	if err := pin(os.Getpid(), "0,1"); err != nil {
		return err
	}
	both := recount(all, 2)
	say(progress{Text: fmt.Sprintf("| full recompute of %d hosts with %d accelerators in %d parts, bit for bit against the cells | on one core %.1f ms, by two workers **%.1f ms**; with the ownership of every device %.1f ms on one core; one fold of all %.1f ms |",
		len(inventories), devices, len(all), alone, both, float64(check.Microseconds())/5e3, float64(fold.Microseconds())/5e3)})
	return nil
}

// recount times the recount of all parts' cells by so many workers, in ms, the median of nine.
func recount(all fleets, workers int) float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(workers))
	var took []time.Duration
	for range 9 {
		parts := make(chan *fleet.Fleet, len(all))
		for _, f := range all {
			parts <- f
		}
		close(parts)
		began := time.Now()
		var done sync.WaitGroup
		for range workers {
			done.Go(func() {
				for f := range parts {
					f.Recount()
				}
			})
		}
		done.Wait()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return float64(took[len(took)/2].Microseconds()) / 1e3
}

// gather reads the last report and inventory of every host.
func gather(ctx context.Context, o *options) (reports, inventories []kept, err error) {
	last := [2]map[string]int{{}, {}}
	lists := [2]*[]kept{&reports, &inventories}
	ctx, stop := context.WithTimeout(ctx, 3*time.Minute)
	defer stop()
	err = consumeAll(ctx, o, func(b *consume.Batch) bool {
		kind := 0
		if b.Inventory {
			kind = 1
		}
		for _, r := range b.Records {
			list := lists[kind]
			i, ok := last[kind][string(r.Key)]
			if !ok {
				i = len(*list)
				*list = append(*list, kept{part: b.Part(), key: append([]byte(nil), r.Key...)})
				last[kind][string(r.Key)] = i
			}
			(*list)[i].value = append((*list)[i].value[:0], r.Value...)
		}
		b.Done()
		return true
	}, nil)
	if err == nil && (len(reports) != o.hosts || len(inventories) != o.hosts) {
		err = fmt.Errorf("%d reports and %d inventories of %d hosts", len(reports), len(inventories), o.hosts)
	}
	return reports, inventories, err
}

// plainLoop reads a record with the library's own loop, every value with its type, and keeps nothing.
func plainLoop(b []byte) (lines int, err error) {
	d := lineprotocol.NewDecoderWithBytes(b)
	for d.Next() {
		if _, err := d.Measurement(); err != nil {
			return lines, err
		}
		for {
			key, _, err := d.NextTag()
			if err != nil {
				return lines, err
			}
			if key == nil {
				break
			}
		}
		for {
			key, _, err := d.NextField()
			if err != nil {
				return lines, err
			}
			if key == nil {
				break
			}
		}
		if _, err := d.Time(lineprotocol.Nanosecond, time.Time{}); err != nil {
			return lines, err
		}
		lines++
	}
	return lines, nil
}
