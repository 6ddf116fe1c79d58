package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/exameter/exameter/agent"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/internal/check"
	"github.com/exameter/exameter/telemetry"
)

// checkSources reads every source twice, as the agent does.
func checkSources(ctx context.Context, r *check.Report, c agent.Config, t *state.Tracker) {
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
	for i, s := range second.Results {
		checkSource(r, s, append(notices(first.Results[i]), notices(s)...))
	}
	v := t.Apply(second)
	for _, s := range second.Results {
		if why := v.Left[s.Source]; why != "" {
			r.Fail("source "+s.Source, "%s", why)
			r.Do("let one source alone read them, or exameter-agent forget what is gone")
		}
	}
	for _, d := range v.Devices {
		checkDevice(r, d)
	}
	if err := p.Stop(2 * time.Second); err != nil {
		r.Warn("sources", "%v", err)
	}
}

func notices(r poll.Result) (out []poll.Notice) {
	for _, a := range r.Answers {
		out = append(out, a.Reading.Notices...)
	}
	return out
}

func checkSource(r *check.Report, s poll.Result, said []poll.Notice) {
	what := "source " + s.Source
	var last poll.Reading
	if n := len(s.Answers); n > 0 {
		last = s.Answers[n-1].Reading
	}
	switch {
	case s.Health.Absent:
		r.OK(what, "%s", r.Say(strings.TrimPrefix(s.Health.Error, "NVML: ")))
	case !s.Health.OK && s.Health.Pending:
		r.Fail(what, "has not answered within %s", "5s")
		r.Do("the driver hangs: look at dmesg; the agent goes on without it")
	case !s.Health.OK:
		r.Fail(what, "%s", s.Health.Error)
		if strings.Contains(s.Health.Error, "is true, and yet") {
			r.Do("install the driver and load it, or say enabled: auto")
		} else if strings.HasPrefix(s.Source, "exporter-") {
			r.Do("start the exporter, or mend its url under sources.exporters")
		} else if len(said) == 0 {
			r.Do("see what the kernel says: journalctl -k; the agent goes on with its other sources")
		}
		if last.Summary != "" {
			r.OK(what, "%s", summary(r, last))
		}
	default:
		r.OK(what, "%s", summary(r, last))
	}
	seen := map[string]bool{}
	for _, n := range said {
		if seen[n.Key] {
			continue
		}
		seen[n.Key] = true
		if n.Remedy == "" {
			r.OK(what, "%s", r.Say(n.Text))
			continue
		}
		r.Warn(what, "%s", r.Say(n.Text))
		r.Do("%s", r.Say(n.Remedy))
	}
}

// summary says what a reading holds.
func summary(r *check.Report, reading poll.Reading) string {
	var s []string
	if h := reading.Host; h != nil {
		s = append(s, r.Say("uptime %s", known(r, h.Uptime.OK, func() string { return (time.Duration(h.Uptime.Value) * time.Second).String() })),
			r.Say("error of the clock at most %s", known(r, h.ClockError.OK, func() string { return fmt.Sprintf("%d ms", h.ClockError.Value) })))
	}
	if c := reading.CPU; c != nil {
		s = append(s, r.Say("%s, %s cores, utilisation %s", orUnknown(r, strings.TrimSpace(c.Info.Vendor+" "+c.Info.Name)),
			known(r, c.Info.Cores.OK, func() string { return fmt.Sprint(c.Info.Cores.Value) }),
			known(r, c.Utilization.OK, func() string { return fmt.Sprintf("%.1f %%", float64(c.Utilization.Value)/10) })))
	}
	if m := reading.Memory; m != nil {
		s = append(s, r.Say("%s of %s available", known(r, m.Available.OK, func() string { return gib(int64(m.Available.Value)) }),
			known(r, m.Total.OK, func() string { return gib(int64(m.Total.Value)) })))
	}
	for _, d := range reading.Power {
		s = append(s, fmt.Sprintf("%s (%s) %s", d.Domain, d.Method, known(r, d.Power.OK, func() string { return fmt.Sprintf("%.1f W", float64(d.Power.Value)/1000) })))
	}
	if reading.Devices != nil {
		s = append(s, r.Say("%d devices", len(reading.Devices.Devices)))
		for _, d := range drivers(reading.Devices.Devices) {
			s = append(s, r.Say("driver %s", d))
		}
	}
	if reading.Summary != "" {
		s = append(s, reading.Summary)
	}
	if len(s) == 0 {
		return r.Say("answers, and has nothing to read")
	}
	return strings.Join(s, ", ")
}

// drivers are the versions of the drivers that devices have.
func drivers(devices []poll.DeviceReading) (out []string) {
	for _, d := range devices {
		if d.Info.Driver != "" && !slices.Contains(out, d.Info.Driver) {
			out = append(out, d.Info.Driver)
		}
	}
	return out
}

func known(r *check.Report, ok bool, text func() string) string {
	if !ok {
		return r.Say("unknown")
	}
	return text()
}

func gib(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// checkDevice says what one device is, what it is doing, and what of it cannot be read.
func checkDevice(r *check.Report, d state.DeviceView) {
	what := "device " + known(r, d.Info.Index.OK, func() string { return fmt.Sprint(d.Info.Index.Value) })
	text := r.Say("%s %s, %s: %s", orUnknown(r, d.Info.Name), d.Info.ID,
		known(r, d.Info.Memory.OK, func() string { return gib(int64(d.Info.Memory.Value)) }), r.Say(string(d.Verdict.State)))
	if d.Verdict.Reason != "" {
		text += " (" + d.Verdict.Reason + ")"
	}
	if n := len(d.Samples); n > 0 && d.Samples[n-1].Fault == "" {
		if missing := unread(d.Samples[n-1].DeviceReading); len(missing) > 0 {
			text += r.Say("; not readable: %s", strings.Join(missing, ", "))
		}
	}
	if d.Verdict.State == telemetry.Faulty {
		r.Fail(what, "%s", text)
		r.Do("docs/states.md says what the reason means; exameter-agent undrain --device ID once it is mended")
		return
	}
	r.OK(what, "%s", text)
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
