// Package report gathers samples between two reports and makes the records that the agent sends.
package report

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/telemetry"
)

// Gatherer takes every tick and makes a report of those since the report before. Means and maxima are over these
// samples; a value of which only the last counts is the last of these samples, never of an earlier interval.
type Gatherer struct {
	Origin telemetry.Origin
	Boot   string

	began   time.Time // of the interval; zero before the first tick
	host    *poll.HostReading
	cpu     cpu
	memory  *telemetry.MemoryStatus
	power   []*domain
	devices map[string]*device
	view    state.View
	sources []source
	ticks   int // since the report before
}

// source is the health of one source over the interval.
type source struct {
	name   string
	health poll.Health
	before int64 // what had been missed when the interval began
}

// Backlog is what waits in the agent.
type Backlog struct {
	Queued, Dropped int64
}

// Add takes one tick with what the rules made of it.
func (g *Gatherer) Add(tick poll.Tick, v state.View) {
	if g.began.IsZero() {
		g.began = tick.Time
	}
	g.view = v
	g.ticks++
	g.health(tick.Results, v.Left)
	for _, r := range tick.Results {
		for _, a := range r.Answers {
			g.reading(a)
		}
	}
	g.samples(v)
}

// Fresh says that something was sampled since the last report.
func (g *Gatherer) Fresh() bool { return g.ticks > 0 }

// Revise takes a view that was decided without a tick.
func (g *Gatherer) Revise(v state.View) { g.view = v; g.prune(v) }

// health takes how the sources do. One whose devices are left out is not well, whatever it thinks itself.
func (g *Gatherer) health(results []poll.Result, left map[string]string) {
	for i, r := range results {
		if i == len(g.sources) {
			g.sources = append(g.sources, source{name: r.Source})
		}
		g.sources[i].health = r.Health
		if why := left[r.Source]; why != "" && r.Health.Error == "" {
			g.sources[i].health.OK, g.sources[i].health.Error = false, why
		}
	}
}

func (g *Gatherer) reading(a poll.Answer) {
	r := &a.Reading
	if r.Host != nil {
		g.host = r.Host
	}
	if r.CPU != nil {
		g.cpu.add(a.Time, r.CPU)
	}
	if r.Memory != nil {
		g.memory = r.Memory
	}
	for i := range r.Power {
		g.domain(&r.Power[i]).add(a.Time, &r.Power[i])
	}
}

func (g *Gatherer) domain(r *poll.PowerReading) *domain {
	for _, d := range g.power {
		if d.name == r.Domain {
			return d
		}
	}
	d := &domain{name: r.Domain}
	g.power = append(g.power, d)
	return d
}

// samples adds what devices were read to be, and drops devices that are no longer known.
func (g *Gatherer) samples(v state.View) {
	if g.devices == nil {
		g.devices = map[string]*device{}
	}
	for i := range v.Devices {
		d := g.devices[v.Devices[i].Info.ID]
		if d == nil {
			d = &device{}
			g.devices[v.Devices[i].Info.ID] = d
		}
		for _, s := range v.Devices[i].Samples {
			d.add(s)
		}
	}
	g.prune(v)
}

func (g *Gatherer) prune(v state.View) {
	if len(g.devices) <= len(v.Devices) {
		return
	}
	known := make(map[string]bool, len(v.Devices))
	for i := range v.Devices {
		known[v.Devices[i].Info.ID] = true
	}
	for id := range g.devices {
		if !known[id] {
			delete(g.devices, id)
		}
	}
}

// Report makes the report of the samples since the one before, and begins a new interval.
func (g *Gatherer) Report(now time.Time, seq int64, rules state.Rules, b Backlog) *telemetry.Report {
	r := &telemetry.Report{Header: g.header(now, seq)}
	if !g.began.IsZero() && now.After(g.began) {
		r.Interval = telemetry.Known(telemetry.Milliseconds(now.Sub(g.began).Milliseconds()))
	}
	r.Queued, r.Dropped = telemetry.Known(b.Queued), telemetry.Known(b.Dropped)
	if g.host != nil {
		r.Uptime, r.LoadMilli, r.ClockError = g.host.Uptime, g.host.LoadMilli, g.host.ClockError
	}
	r.CPU = g.cpu.status(now, rules, g.view.Host, g.sources)
	if g.memory != nil {
		r.Memory = telemetry.Known(*g.memory)
	}
	for _, d := range g.power {
		if p, ok := d.status(); ok {
			r.Power = append(r.Power, p)
		}
	}
	for i := range g.view.Devices {
		v := &g.view.Devices[i]
		r.Devices = append(r.Devices, g.devices[v.Info.ID].status(v, len(g.view.Devices)))
	}
	r.Sources = g.statuses()
	g.renew(now)
	return r
}

// statuses tells the health of the sources. One whose hardware is not on this host is left out.
func (g *Gatherer) statuses() (out []telemetry.SourceStatus) {
	for i := range g.sources {
		s := &g.sources[i]
		if s.health.Absent {
			continue
		}
		st := telemetry.SourceStatus{Source: s.name, OK: s.health.OK, Error: Clean(s.health.Error, telemetry.MaxText), Missed: telemetry.Known(s.health.Missed - s.before)}
		if s.health.Took > 0 {
			st.Took = telemetry.Known(telemetry.Milliseconds(s.health.Took.Round(time.Millisecond).Milliseconds()))
		}
		out = append(out, st)
	}
	return out
}

// renew begins a new interval.
func (g *Gatherer) renew(now time.Time) {
	g.began, g.host, g.memory, g.ticks = now, nil, nil, 0
	g.cpu.renew()
	for _, d := range g.power {
		d.renew()
	}
	for _, d := range g.devices {
		d.renew()
	}
	for i := range g.sources {
		g.sources[i].before = g.sources[i].health.Missed
	}
}

func (g *Gatherer) header(now time.Time, seq int64) telemetry.Header {
	return telemetry.Header{Origin: g.Origin, Time: now, Boot: g.Boot, Seq: seq}
}

// Renewed says that the processors have changed since the last inventory: worth a new one.
func (g *Gatherer) Renewed() bool { return g.cpu.renewed }

// Inventory makes the inventory of what was last seen.
func (g *Gatherer) Inventory(now time.Time, seq int64, host telemetry.HostInfo) *telemetry.Inventory {
	g.cpu.renewed = false
	inv := &telemetry.Inventory{Header: g.header(now, seq), HostInfo: host}
	if g.cpu.info != nil {
		inv.CPU = telemetry.Known(*g.cpu.info)
	}
	for i := range g.view.Devices {
		d := g.view.Devices[i].Info
		for _, s := range []*string{&d.Vendor, &d.Name, &d.Serial, &d.PCI, &d.Driver, &d.Firmware, &d.Source} {
			*s = Clean(*s, telemetry.MaxName) // what a broken card says of itself must not make the host unheard
		}
		inv.Devices = append(inv.Devices, d)
	}
	return inv
}

// Clean makes a text fit for the wire: one line of valid UTF-8, at most limit bytes.
func Clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return strings.TrimSpace(s[:limit])
}
