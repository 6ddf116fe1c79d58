package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/client"
)

// historyFlags are the flags of exameter history.
type historyFlags struct {
	asking
	query    client.HistoryQuery
	since    time.Duration
	from, to string
}

func historyCommand() *cobra.Command {
	f := &historyFlags{}
	cmd := &cobra.Command{
		Use:   "history [SCOPE]",
		Short: "Show how the figure of the province or of a centre went",
		Long: `Show how the figure of accelerators went. SCOPE is province (the default), or centre/ and the id of a centre. Collectors keep a day of it
in memory, and read it again from Kafka when they start.`,
		Example: `  exameter history --since 1h --step 1m
  exameter history centre/guian-north --from 2026-11-23T08:00:00Z -o csv`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, strings.Join(args, "")) },
	}
	f.flags(cmd)
	f.outputFlags(cmd)
	fl := cmd.Flags()
	fl.DurationVar(&f.since, "since", 0, "how far back, instead of --from")
	fl.StringVar(&f.from, "from", "", "beginning, as RFC 3339 has it")
	fl.StringVar(&f.to, "to", "", "end, as RFC 3339 has it")
	fl.DurationVar(&f.query.Step, "step", 0, "time between points, a multiple of 10s (default 1m)")
	return cmd
}

func (f *historyFlags) run(cmd *cobra.Command, scope string) error {
	f.query.Scope = scope
	switch {
	case f.since < 0 || f.query.Step < 0 || f.query.Step%(10*time.Second) != 0:
		return misused(cmd, "--since is not below zero, and --step is a multiple of 10s")
	case f.since > 0 && f.from != "":
		return misused(cmd, "--since and --from: want one of them")
	case f.since > 0:
		f.query.From = time.Now().Add(-f.since)
	}
	for text, at := range map[string]*time.Time{f.from: &f.query.From, f.to: &f.query.To} {
		if text == "" {
			continue
		}
		var err error
		if *at, err = time.Parse(time.RFC3339, text); err != nil {
			return misused(cmd, "--from, --to: %q is not a time such as 2026-11-23T08:00:00Z", text)
		}
	}
	if !f.query.To.IsZero() && !f.query.From.Before(f.query.To) {
		return misused(cmd, "--to: %s is not after the beginning", f.to)
	}
	_, err := f.asking.run(cmd, question{path: "v1/history", query: f.query.Values(), rows: true, read: func(body []byte) (printed, error) {
		var doc client.History
		if err := decoded(body, &doc); err != nil {
			return nil, err
		}
		return historyTable{&doc}, nil
	}})
	return err
}

// historyTable prints a history.
type historyTable struct{ *client.History }

func (d historyTable) table(l look) (string, error) {
	t := &table{left: 1, head: l.heads("AT", "RATED", "ONLINE", "HEALTHY", "BUSY", "FREE", "UTIL", "POWER", "DEVICES", "FREE", "HOSTS", "COVERAGE")}
	for i := range d.Points {
		p := &d.Points[i]
		e := &p.Eflops
		t.add(stamp(p.At), eflops(e.Rated), eflops(e.Online), eflops(e.Healthy), eflops(e.Busy), eflops(e.Free), percent(p.Utilisation), watts(&client.Figure{PowerW: p.PowerW, PowerDevices: p.PowerDevices, Devices: p.Devices}),
			strconv.FormatInt(p.Devices.Rated, 10), strconv.FormatInt(p.Devices.Free, 10),
			strconv.FormatInt(p.Hosts.Online, 10)+"/"+strconv.FormatInt(p.Hosts.Rated, 10), percent(p.Coverage))
	}
	var b strings.Builder
	if err := t.write(&b, l.colour); err != nil {
		return "", err
	}
	if len(d.Points) == 0 {
		b.WriteString(l.t("Nothing is kept of that time.") + "\n")
	}
	b.WriteString(footing(&d.Head, l) + "\n")
	return b.String(), nil
}
