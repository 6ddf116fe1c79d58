package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"time"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/agent/report"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/telemetry"
)

// Options are what a program adds to the configuration.
type Options struct {
	Log     *slog.Logger                  // slog.Default() where nil
	Level   *slog.LevelVar                // set to Config.Log.Level at every reload; may be nil
	Version string                        // of the agent, as its inventory states it
	Ready   func()                        // called once, when the first report is on its way; may be nil
	Alive   func()                        // called about twice a second while the agent works; may be nil
	Status  func(string)                  // called with how the agent is, in plain words, when that changes; may be nil
	Reload  <-chan Config                 // valid configurations to go on with; may be nil
	Sources []poll.Member                 // in place of the configured ones; for tests
	Host    *Identity                     // in place of what the host says of itself; for tests
	Uptime  func() (time.Duration, error) // time since boot; the kernel's where nil
}

// Identity is who a host is.
type Identity struct {
	ID   string // of the host, and the key of its records
	Boot string // of this boot
	Info telemetry.HostInfo
}

// How the agent divides the two seconds in which it stops.
const (
	stopSources = 800 * time.Millisecond
	flushWithin = 600 * time.Millisecond // then what is left has publish's time to go to disk
	endWithin   = 100 * time.Millisecond // the spool and the state directory, beyond what they had before
)

// signOfLife is how often the loop says that it goes round.
const signOfLife = 500 * time.Millisecond

// agent is one running agent. Its methods belong to the goroutine of Run.
type agent struct {
	config  Config
	options Options
	log     *slog.Logger
	host    Identity

	store    *state.Store
	keeper   *keeper
	tracker  *state.Tracker
	poller   *poll.Poller
	gatherer *report.Gatherer
	outbox   *outbox

	due       schedule // of reports
	dueWhole  schedule // of inventories
	pending   bool     // a change waits to be reported
	renewed   bool     // and one to be inventoried
	announced bool     // Ready was called
	troubles  troubles
	status    string // as last told
	ticked    time.Time
}

// Run reads, decides and reports until ctx ends, and then returns within two seconds. Sending starts before reading and
// ends after it. A source that fails, a broker out of reach or a state directory that cannot be written, or hangs, does
// not end it or hold it up, once it has started: errors are for what it cannot start without.
func Run(ctx context.Context, c Config, o Options) error {
	a, err := newAgent(c, o)
	if err != nil {
		return err
	}
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	sent := make(chan bool, 1)
	go func() { sent <- a.outbox.publisher.Run(sending) }()
	a.log.Info("agent started", "version", o.Version, "centre", c.Centre, "cluster", c.Cluster, "host", a.host.ID, "brokers", c.Kafka.Brokers)

	a.loop(ctx)

	a.keeper.end()
	err = a.poller.Stop(stopSources)
	a.last()
	a.outbox.close()
	var rest bool
	select {
	case rest = <-sent:
	case <-time.After(flushWithin):
		a.log.Warn("stopped before everything was sent", "records_waiting", a.outbox.backlog().Queued)
		stopSending()
		rest = <-sent
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	a.outbox.end(ending, rest)
	a.keeper.ended(ending)
	if err != nil {
		// The process ends, and with it whatever hangs, once the kernel lets go of it.
		a.log.Warn("a source did not close in good order", "error", err)
	}
	a.log.Info("agent stopped")
	return nil
}

func newAgent(c Config, o Options) (*agent, error) {
	a := &agent{config: c, options: o, log: o.Log, store: &state.Store{Dir: c.Paths.State}}
	if a.log == nil {
		a.log = slog.Default()
	}
	if a.options.Uptime == nil {
		a.options.Uptime = Uptime
	}
	var err error
	if a.host, err = identify(c, o); err != nil {
		return nil, err
	}
	a.host.Info.Agent = report.Clean(o.Version, telemetry.MaxName)
	a.reportEvery()
	a.due = newSchedule(a.host.ID, c.Intervals.Report.D())
	a.dueWhole = newSchedule(a.host.ID, c.Intervals.Inventory.D())

	now := time.Now()
	a.tracker = state.NewTracker(c.Rules(), a.remembered(), state.Orders{}, a.host.Boot, now, a.log)
	members := o.Sources
	if members == nil {
		members = Members(c, a.log)
	}
	a.poller = poll.New(poll.Config{Sources: members, Interval: c.Intervals.Sample.D(), Log: a.log})
	origin := telemetry.Origin{Centre: c.Centre, Cluster: c.Cluster, Host: a.host.ID}
	a.gatherer = &report.Gatherer{Origin: origin, Boot: a.host.Boot}
	a.outbox = newOutbox(c, a.host, a.options.Uptime, a.log)
	a.firstOrders(now)
	return a, nil
}

// identify finds out who this host is.
func identify(c Config, o Options) (Identity, error) {
	var id Identity
	if o.Host != nil {
		id = *o.Host
	} else {
		var err error
		if id, err = Identify(c); err != nil {
			return id, err
		}
	}
	if c.Host.ID != "" {
		id.ID = c.Host.ID
	}
	if c.Host.Name != "" {
		id.Info.Name = c.Host.Name
	}
	return id, nil
}

// remembered reads what an earlier agent on this host knew. Without it the agent goes on, and says so.
func (a *agent) remembered() []state.Device {
	if err := os.MkdirAll(a.store.Dir, 0o755); err != nil {
		a.log.Warn("nothing can be remembered across a restart", "error", err, "remedy", "give the agent's user a state directory: paths.state")
		return nil
	}
	if err := a.store.Sweep(time.Now()); err != nil {
		a.log.Debug("what was half written before stays", "error", err)
	}
	devices, err := a.store.Devices()
	if err != nil {
		a.log.Error("devices seen before are not known: one that is gone since will not be missed", "error", err)
	}
	return devices
}

// firstOrders reads the orders that stand. Where they cannot be known, nothing is handed out.
func (a *agent) firstOrders(now time.Time) {
	orders, _, err := a.store.Orders()
	if err != nil {
		a.log.Error("the host is drained, because its orders are not known", "error", err)
		orders = state.Distrust(now)
		if errors.Is(err, state.ErrCorrupt) {
			a.troubles.say(a.log, "keep the orders", a.store.KeepOrders(orders))
		}
	}
	a.obey(orders)
	a.keeper = keep(a.store, orders, err != nil, a.log)
}

func (a *agent) obey(o state.Orders) {
	a.tracker.SetOrders(o)
	a.poller.Release(o.ReleaseDriver())
}

func (a *agent) loop(ctx context.Context) {
	ticker := time.NewTicker(a.config.Intervals.Sample.D())
	defer ticker.Stop()
	alive := time.NewTicker(signOfLife)
	defer alive.Stop()
	a.tick(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			a.tick(ctx)
		case <-alive.C:
			a.troubles.say(a.log, "use the state directory", a.keeper.stuck())
		case o := <-a.keeper.news:
			a.ordered(o)
		case <-a.outbox.back:
			a.pending = true // with the next tick: nobody is to wait for the time of the next report
		case c, ok := <-a.options.Reload:
			if !ok {
				a.options.Reload = nil
				continue
			}
			a.reload(c)
			ticker.Reset(c.Intervals.Sample.D())
		}
		if a.options.Alive != nil && a.ticking() {
			a.options.Alive()
		}
	}
}

// tick reads everything once.
func (a *agent) tick(ctx context.Context) {
	t := a.poller.Sample(ctx)
	if ctx.Err() != nil {
		return // what was cut short says nothing about the hardware
	}
	v := a.tracker.Apply(t)
	a.gatherer.Add(t, v)
	a.act(v)
	a.ticked = time.Now()
}

// graceOfTick is how much later than it should have been a tick may end before the agent no longer counts as alive.
const graceOfTick = 5 * time.Second

// ticking says whether everything was read lately, and what came of it carried out.
func (a *agent) ticking() bool {
	return time.Since(a.ticked) <= 2*a.config.Intervals.Sample.D()+graceOfTick
}

// ordered carries new orders out at once.
func (a *agent) ordered(o state.Orders) {
	a.obey(o)
	a.log.Info("new orders", "host_drained", o.Host != nil, "devices_drained", o.Drained(), "driver_released", o.ReleaseDriver())
	v := a.tracker.Revise(time.Now())
	a.gatherer.Revise(v)
	a.pending = true
	a.act(v)
}

// act sends what is due after a view.
func (a *agent) act(v state.View) {
	a.pending = a.pending || v.Changed
	a.renewed = a.renewed || v.Renewed || a.gatherer.Renewed()
	if devices, dirty := a.tracker.Remember(); dirty {
		a.keeper.remember(devices)
	}
	if !v.Settled {
		return
	}
	now := v.Time
	if whole := a.dueWhole.passed(now); whole || a.renewed {
		a.renewed = false
		a.outbox.inventory(a.gatherer, now, a.host.Info)
	}
	if due := a.due.passed(now); due || a.pending {
		a.pending = false
		a.outbox.report(a.gatherer, now, a.tracker.Rules)
		a.tell(v)
	}
	if !a.announced {
		a.announced = true
		if a.options.Ready != nil {
			a.options.Ready()
		}
	}
}

// last reports what was read since the last report.
func (a *agent) last() {
	if a.announced && a.gatherer.Fresh() {
		a.outbox.report(a.gatherer, time.Now(), a.tracker.Rules)
	}
}

// reportEvery states how often this host reports.
func (a *agent) reportEvery() {
	a.host.Info.ReportEvery = telemetry.Known(telemetry.Milliseconds(a.config.Intervals.Report.D().Milliseconds()))
}

// reload goes on with another configuration. What waits, what was sampled and what is remembered stays.
func (a *agent) reload(c Config) {
	before := a.config
	if fixed := fixedKeys(before, c); len(fixed) > 0 {
		a.log.Warn("these settings take effect with a restart only", "keys", fixed)
		c.Centre, c.Cluster, c.Host, c.Paths, c.Spool, c.Sources, c.Log.Format = before.Centre, before.Cluster, before.Host, before.Paths, before.Spool, before.Sources, before.Log.Format
	}
	a.config = c
	if c.Intervals != before.Intervals {
		a.due = newSchedule(a.host.ID, c.Intervals.Report.D())
		a.dueWhole = newSchedule(a.host.ID, c.Intervals.Inventory.D())
		a.reportEvery()
		a.renewed = true
	}
	a.poller.SetInterval(c.Intervals.Sample.D())
	a.tracker.Rules = c.Rules()
	a.outbox.resize(c.Queue)
	// Even where nothing changed: certificates and passwords may have, in their files.
	a.outbox.publisher.Reconfigure(c.Kafka)
	if a.options.Level != nil {
		a.options.Level.Set(c.Log.SlogLevel())
	}
	a.log.Info("configuration reloaded", "brokers", c.Kafka.Brokers, "sample", c.Intervals.Sample.D(), "report", c.Intervals.Report.D())
}

// fixedKeys lists the keys that differ and cannot change while the agent runs.
func fixedKeys(a, b Config) (keys []string) {
	for _, k := range []struct {
		name string
		a, b any
	}{
		{"centre", a.Centre, b.Centre},
		{"cluster", a.Cluster, b.Cluster},
		{"host", a.Host, b.Host},
		{"sources", a.Sources, b.Sources},
		{"paths", a.Paths, b.Paths},
		{"spool", a.Spool, b.Spool},
		{"log.format", a.Log.Format, b.Log.Format},
	} {
		if !reflect.DeepEqual(k.a, k.b) {
			keys = append(keys, k.name)
		}
	}
	return keys
}

// troubles logs what keeps failing once, again when it fails differently, once a minute at most, and when it has passed.
type troubles map[string]trouble

type trouble struct {
	text string // of the error as last logged; empty while all is well
	at   time.Time
}

// repeatAfter bounds how often what keeps failing in different words is logged: some errors hold a time, or the name of a file made for once.
const repeatAfter = time.Minute

func (t *troubles) say(log *slog.Logger, what string, err error) {
	if *t == nil {
		*t = troubles{}
	}
	before := (*t)[what]
	switch {
	case err == nil && before.text != "":
		delete(*t, what)
		log.Info(fmt.Sprintf("could %s again", what))
	case err != nil && err.Error() != before.text && time.Since(before.at) >= repeatAfter:
		(*t)[what] = trouble{err.Error(), time.Now()}
		log.Error(fmt.Sprintf("could not %s", what), "error", err)
	}
}
