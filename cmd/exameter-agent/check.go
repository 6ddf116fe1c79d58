package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/agent"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/telemetry"
)

func (p *program) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Say in plain words what was found, what is missing, and why",
		Long: "Checks the configuration, the host's identity, the state directory, every source of readings, the clock, the brokers\n" +
			"and the topics: one line each, and what to do where something is missing. Without a configuration it checks the\n" +
			"hardware alone. Exits with 1 where something keeps the agent from working.",
		Args: cobra.NoArgs, RunE: p.do(p.check),
	}
}

// findings prints what a check finds, a line each.
type findings struct {
	w      io.Writer
	failed bool
}

// ok says that all is well.
func (f *findings) ok(what, format string, args ...any) { f.line("ok", what, format, args...) }

// note says what works less well than it could.
func (f *findings) note(what, format string, args ...any) { f.line("note", what, format, args...) }

// fail says what keeps the agent from working.
func (f *findings) fail(what, format string, args ...any) {
	f.failed = true
	f.line("FAIL", what, format, args...)
}

func (f *findings) line(mark, what, format string, args ...any) {
	fmt.Fprintf(f.w, "%-4s  %-16s  %s\n", mark, what, fmt.Sprintf(format, args...))
}

// remedy says what to do about the line before.
func (f *findings) remedy(text string) {
	if text != "" {
		fmt.Fprintf(f.w, "%-4s  %-16s  → %s\n", "", "", text)
	}
}

func (p *program) check(ctx context.Context, _ []string) error {
	f := &findings{w: p.stdout}
	c, found, err := p.config()
	switch {
	case err != nil:
		// The hardware can be checked all the same; the paths in a wrong file are not to be trusted.
		f.fail("configuration", "%v", err)
		c, found = agent.DefaultConfig(), false
	case found:
		f.ok("configuration", "%s: centre %s, cluster %s, brokers %s", p.path, c.Centre, c.Cluster, strings.Join(c.Kafka.Brokers, ", "))
	default:
		f.note("configuration", "there is no %s: only the hardware is checked", defaultPath)
		f.remedy("name a configuration with --config")
	}
	id, err := agent.Identify(c)
	if err != nil {
		f.fail("identity", "%v", err)
	} else {
		f.ok("identity", "host %s, name %s, boot %s", id.ID, id.Info.Name, id.Boot)
		f.ok("system", "%s, kernel %s, %s", orUnknown(id.Info.OS), orUnknown(id.Info.Kernel), orUnknown(id.Info.Arch))
	}
	remembered, orders := checkState(f, c, found)
	checkSources(ctx, f, c, state.NewTracker(c.Rules(), remembered, orders, id.Boot, time.Now(), slog.New(slog.DiscardHandler)))
	if found {
		checkKafka(ctx, f, c)
	}
	if f.failed {
		return errSaid
	}
	return nil
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// checkState looks at the state directory and returns what stands in it.
func checkState(f *findings, c agent.Config, installed bool) (remembered []state.Device, orders state.Orders) {
	s := &state.Store{Dir: c.Paths.State}
	if err := s.Writable(); err != nil {
		say := f.note
		if installed {
			say = f.fail
		}
		say("state directory", "%v", err)
		f.remedy("systemd makes it for the agent's user; try this check as that user, or give it a directory: paths.state")
	} else {
		f.ok("state directory", "%s can be written", s.Dir)
	}
	remembered, err := s.Devices()
	if err != nil {
		f.fail("devices seen", "%v", err)
	}
	o, _, err := s.Orders()
	switch {
	case err != nil:
		f.fail("orders", "%v", err)
	case o.Host != nil:
		f.note("orders", "this host is drained since %s: %s", o.Host.Since.Format(time.RFC3339), o.Host.Reason)
		f.remedy("exameter-agent undrain")
	case len(o.Devices) > 0:
		f.note("orders", "drained: %s", strings.Join(o.Drained(), ", "))
		f.remedy("exameter-agent undrain --device ID")
	}
	return remembered, o
}

// checkSources reads every source twice, as the agent does.
func checkSources(ctx context.Context, f *findings, c agent.Config, t *state.Tracker) {
	members := agent.Members(c, slog.New(slog.DiscardHandler))
	const patience = 5 * time.Second
	for i := range members {
		members[i].Deadline = patience
	}
	p := poll.New(poll.Config{Sources: members, Interval: 2 * patience, Log: slog.New(slog.DiscardHandler)})
	first := p.Sample(ctx)
	t.Apply(first)
	select {
	case <-time.After(c.Intervals.Sample.D()):
	case <-ctx.Done():
	}
	second := p.Sample(ctx)
	for i, r := range second.Results {
		checkSource(f, r, append(notices(first.Results[i]), notices(r)...))
	}
	v := t.Apply(second)
	for _, r := range second.Results {
		if why := v.Left[r.Source]; why != "" {
			f.fail("source "+r.Source, "%s", why)
			f.remedy("let one source alone read them, or exameter-agent forget what is gone")
		}
	}
	for _, d := range v.Devices {
		checkDevice(f, d)
	}
	if err := p.Stop(2 * time.Second); err != nil {
		f.note("sources", "%v", err)
	}
}

func notices(r poll.Result) (out []poll.Notice) {
	for _, a := range r.Answers {
		out = append(out, a.Reading.Notices...)
	}
	return out
}

func checkSource(f *findings, r poll.Result, said []poll.Notice) {
	what := "source " + r.Source
	var last poll.Reading
	if n := len(r.Answers); n > 0 {
		last = r.Answers[n-1].Reading
	}
	switch {
	case r.Health.Absent:
		f.note(what, "%s", r.Health.Error)
	case !r.Health.OK && r.Health.Pending:
		f.fail(what, "has not answered yet")
	case !r.Health.OK:
		f.fail(what, "%s", r.Health.Error)
		if last.Summary != "" {
			f.note(what, "%s", summary(last))
		}
	default:
		f.ok(what, "%s", summary(last))
	}
	seen := map[string]bool{}
	for _, n := range said {
		if !seen[n.Key] {
			seen[n.Key] = true
			f.note(what, "%s", n.Text)
			f.remedy(n.Remedy)
		}
	}
}

// summary says what a reading holds.
func summary(r poll.Reading) string {
	var s []string
	if h := r.Host; h != nil {
		s = append(s, "uptime "+known(h.Uptime.OK, func() string { return (time.Duration(h.Uptime.Value) * time.Second).String() }),
			"error of the clock at most "+known(h.ClockError.OK, func() string { return fmt.Sprintf("%d ms", h.ClockError.Value) }))
	}
	if c := r.CPU; c != nil {
		s = append(s, fmt.Sprintf("%s, %s cores, utilisation %s", orUnknown(c.Info.Vendor+" "+c.Info.Name),
			known(c.Info.Cores.OK, func() string { return fmt.Sprint(c.Info.Cores.Value) }),
			known(c.Utilization.OK, func() string { return fmt.Sprintf("%.1f %%", float64(c.Utilization.Value)/10) })))
	}
	if m := r.Memory; m != nil {
		s = append(s, fmt.Sprintf("%s of %s available", known(m.Available.OK, func() string { return gib(int64(m.Available.Value)) }),
			known(m.Total.OK, func() string { return gib(int64(m.Total.Value)) })))
	}
	for _, d := range r.Power {
		s = append(s, fmt.Sprintf("%s (%s) %s", d.Domain, d.Method, known(d.Power.OK, func() string { return fmt.Sprintf("%.1f W", float64(d.Power.Value)/1000) })))
	}
	if r.Devices != nil {
		s = append(s, fmt.Sprintf("%d devices", len(r.Devices.Devices)))
	}
	if r.Summary != "" {
		s = append(s, r.Summary)
	}
	if len(s) == 0 {
		return "answers, and has nothing to read"
	}
	return strings.Join(s, ", ")
}

func known(ok bool, text func() string) string {
	if !ok {
		return "unknown"
	}
	return text()
}

func gib(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// checkDevice says what one device is, what it is doing, and what of it cannot be read.
func checkDevice(f *findings, d state.DeviceView) {
	what := "device " + known(d.Info.Index.OK, func() string { return fmt.Sprint(d.Info.Index.Value) })
	text := fmt.Sprintf("%s %s, %s: %s", orUnknown(d.Info.Name), d.Info.ID, known(d.Info.Memory.OK, func() string { return gib(int64(d.Info.Memory.Value)) }), d.Verdict.State)
	if d.Verdict.Reason != "" {
		text += " (" + d.Verdict.Reason + ")"
	}
	var missing []string
	if n := len(d.Samples); n > 0 && d.Samples[n-1].Fault == "" {
		missing = unread(d.Samples[n-1].DeviceReading)
	}
	if len(missing) > 0 {
		text += "; not readable: " + strings.Join(missing, ", ")
	}
	switch {
	case d.Verdict.State == telemetry.Faulty:
		f.fail(what, "%s", text)
	case len(missing) > 0:
		f.note(what, "%s", text)
	default:
		f.ok(what, "%s", text)
	}
}

// unread lists what of a device is unknown. Activity counters and slices are not missed: few devices have them.
func unread(d *poll.DeviceReading) (out []string) {
	partitioned := d.Slices.OK
	for _, v := range []struct {
		name string
		ok   bool
	}{
		{"utilisation", d.Utilization.OK || partitioned},
		{"processes", d.Processes.OK || d.SlicesBusy.OK},
		{"memory", d.MemoryUsed.OK},
		{"power", d.Power.OK || d.Energy.OK},
		{"temperature", d.Temperature.OK},
		{"memory errors", d.ECCUncorrected.OK},
	} {
		if !v.ok {
			out = append(out, v.name)
		}
	}
	return out
}
