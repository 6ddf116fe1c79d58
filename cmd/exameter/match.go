package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/collector/capacity"
)

// matchFlags are the flags of exameter match.
type matchFlags struct {
	asking
	query  client.MatchQuery
	memory string
	order  oneOf
}

func matchCommand() *cobra.Command {
	f := &matchFlags{order: oneOf{"pack", []string{"pack", "spread"}}}
	cmd := &cobra.Command{
		Use:   "match",
		Short: "Find the pools in which a job could start now",
		Long: `Find the pools in which a job could start now, best first, with the exact number of gangs that fit in each. A gang is --per-host
devices that are free on one host.

Exit status 1 says that the job fits in no pool; standard error then says what is short.`,
		Example: `  exameter match --count 512 --per-host 8 --memory 64GiB --domestic yes
  exameter match --hosts 4 --per-host 8 --model nvidia-h200-sxm --prefer-centre guian-north
  exameter match --eflops 0.5 --precision fp8 --order spread -o json`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.flags(cmd)
	f.outputFlags(cmd)
	f.watchFlags(cmd)
	filterFlags(cmd, &f.query.Filter, capacity.KindAccelerator, capacity.KindCPU)
	fl := cmd.Flags()
	fl.Int64Var(&f.query.Count, "count", 0, "devices in all, a multiple of --per-host; of processors, cores")
	fl.Int64Var(&f.query.PerHost, "per-host", 0, "devices of a gang, which share a host (default 1)")
	fl.Int64Var(&f.query.Hosts, "hosts", 0, "hosts with --per-host devices free, instead of --count")
	fl.Float64Var(&f.query.Eflops, "eflops", 0, "Eflops of what is used, at least")
	fl.StringVar(&f.memory, "memory", "", "memory of a device, at least (64GiB)")
	fl.StringSliceVar(&f.query.PreferCentre, "prefer-centre", nil, "these centres first")
	fl.StringSliceVar(&f.query.PreferCluster, "prefer-cluster", nil, "these clusters first")
	fl.StringSliceVar(&f.query.ExcludeCentre, "exclude-centre", nil, "not these centres")
	fl.StringSliceVar(&f.query.ExcludeCluster, "exclude-cluster", nil, "not these clusters")
	fl.DurationVar(&f.query.MaxAge, "max-age", 0, "age of the oldest report that a pool rests on, at most")
	fl.Var(&f.order, "order", "among pools that fit, first the one of which least (pack) or most (spread) is left over")
	fl.IntVar(&f.query.Limit, "limit", 10, "at most so many pools")
	complete(cmd, "order", f.order.want...)
	for _, flag := range []string{"prefer-centre", "exclude-centre"} {
		completeWith(cmd, flag, centreNames)
	}
	return cmd
}

// fill checks the flags and completes the query.
func (f *matchFlags) fill(cmd *cobra.Command) error {
	q := &f.query
	if err := validFilter(cmd, &q.Filter); err != nil {
		return err
	}
	if q.Kind == capacity.KindAll {
		return misused(cmd, "--kind: accelerators are counted in devices and processors in cores: want one of them")
	}
	given := 0
	for flag, v := range map[string]float64{"--count": float64(q.Count), "--hosts": float64(q.Hosts), "--eflops": q.Eflops, "--per-host": float64(q.PerHost), "--limit": float64(q.Limit), "--max-age": float64(q.MaxAge)} {
		if !(v >= 0) || v > 1e18 {
			return misused(cmd, "%s: %v is below zero, or beyond reason", flag, v)
		}
	}
	for _, is := range []bool{q.Count > 0, q.Hosts > 0, q.Eflops > 0} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return misused(cmd, "say how much: --count, --hosts or --eflops")
	case q.Count > 0 && q.Hosts > 0:
		return misused(cmd, "--count and --hosts: want one of them")
	case q.PerHost > 0 && q.Count%q.PerHost != 0:
		return misused(cmd, "--count: %d is not a multiple of --per-host, %d", q.Count, q.PerHost)
	case q.MaxAge > 0 && q.MaxAge < time.Millisecond:
		return misused(cmd, "--max-age: %s is below 1ms", q.MaxAge)
	}
	if f.memory != "" {
		size, err := parseSize(f.memory)
		if err != nil {
			return misused(cmd, "--memory: %w", err)
		}
		q.MemoryGiB = float64(size) / (1 << 30)
	}
	q.Order = f.order.value
	return nil
}

func (f *matchFlags) run(cmd *cobra.Command) error {
	if err := f.fill(cmd); err != nil {
		return err
	}
	doc, err := f.asking.run(cmd, question{path: "v1/match", query: f.query.Values(), rows: true, read: func(body []byte) (printed, error) {
		var doc client.Match
		if err := decoded(body, &doc); err != nil {
			return nil, err
		}
		return matchTable{&doc}, nil
	}})
	if err != nil {
		return err
	}
	return lookOf(cmd.OutOrStdout()).verdict(doc)
}

// shortOf says what is short where a job fits nowhere, in the collector's words, or in Chinese by its numbers.
func (l look) shortOf(m *client.Match) string {
	if l.chinese {
		if len(m.Pools) == 0 {
			return l.t("it fits nowhere: no pool matches")
		}
		for i := range m.Pools {
			if short := l.short(&m.Request, &m.Pools[i]); short != m.Pools[i].Short {
				return l.t("it fits nowhere: the best pool %s", short)
			}
		}
	}
	return printable(m.Short)
}

// short says what a pool lacks.
func (l look) short(r *client.MatchRequest, p *client.MatchPool) string {
	if l.chinese && p.Short != "" && p.GangsNeeded != nil && *p.GangsNeeded > p.Gangs {
		return l.t("needs %d gangs of %d and has %d", *p.GangsNeeded, max(r.PerHost, 1), p.Gangs)
	}
	return printable(p.Short)
}

// matchTable prints a match.
type matchTable struct{ *client.Match }

func (d matchTable) table(l look) (string, error) {
	t := &table{left: 6, words: true, head: l.heads("RANK", "FITS", "CENTRE", "CLUSTER", "VENDOR", "MODEL", "MEMORY", "GANGS", "NEEDED", "FREE", "HOSTS", "EFLOPS", "AGE", "SHORT")}
	for i := range d.Pools {
		p := &d.Pools[i]
		fits, worth := l.t("yes"), "-"
		if !p.Fits {
			fits = l.t("no")
		}
		if p.EflopsUsable != nil {
			worth = eflops(*p.EflopsUsable)
		}
		t.add(
			strconv.Itoa(p.Rank), fits, printable(p.Centre), printable(p.Cluster), printable(p.Vendor), printable(p.Model), memory(p.MemoryGiB),
			atLeast(p.Gangs, p.GangsAtMost), number(p.GangsNeeded), strconv.FormatInt(p.DevicesFree, 10), number(p.HostsFree), worth, age(p.Age), l.short(&d.Request, p),
		)
		if !p.Fits {
			t.mark(&t.faint)
		}
	}
	var b strings.Builder
	if err := t.write(&b, l.colour); err != nil {
		return "", err
	}
	if d.Fits {
		b.WriteString(l.t("It fits in %d of %d pools.", d.Fitting, d.Candidates) + "\n")
	} else {
		b.WriteString(l.t("It fits in no pool.") + "\n")
	}
	for _, line := range oldness(&d.Head, l) {
		b.WriteString(line + "\n")
	}
	b.WriteString(footing(&d.Head, l) + "\n")
	return b.String(), nil
}

// verdict says what is short where a job fits nowhere.
func (l look) verdict(doc printed) error {
	switch doc := doc.(type) {
	case matchTable:
		if !doc.Fits {
			return errors.New(l.shortOf(doc.Match))
		}
	case collectorRows:
		rows, err := csv.NewReader(bytes.NewReader(doc.text)).ReadAll()
		if err != nil || len(rows) == 0 {
			return fmt.Errorf("read the collector's answer: %w", cmp.Or(err, io.ErrUnexpectedEOF))
		}
		fits, short := slices.Index(rows[0], "fits"), slices.Index(rows[0], "short")
		switch {
		case fits < 0 || short < 0:
			return fmt.Errorf("read the collector's answer: its rows have no columns fits and short")
		case len(rows) == 1:
			return errors.New(l.t("it fits nowhere: no pool matches"))
		case rows[1][fits] != "true": // what fits comes first
			return errors.New(l.t("it fits nowhere: the best pool %s", printable(rows[1][short])))
		}
	}
	return nil
}

// atLeast prints a number of which only bounds may be known.
func atLeast(n int64, most *int64) string {
	if most == nil || *most == n {
		return strconv.FormatInt(n, 10)
	}
	return strconv.FormatInt(n, 10) + "+"
}

// number prints a number for people; what is unknown is a hyphen.
func number(n *int64) string {
	if n == nil {
		return "-"
	}
	return strconv.FormatInt(*n, 10)
}

// decimal prints a number for programs; what is unknown is empty.
func decimal(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}
