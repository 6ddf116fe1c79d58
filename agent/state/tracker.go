package state

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// Tracker carries the rules from tick to tick: it remembers which devices exist, what still counts against them, and
// which orders stand.
type Tracker struct {
	Rules Rules
	Log   *slog.Logger

	boot    string
	started time.Time
	orders  Orders
	devices map[string]*tracked
	sources map[string]*seen
	said    map[string]bool // complaints about readings, each logged once
	dirty   bool            // what is to be remembered has changed
}

// tracked is one device.
type tracked struct {
	Device
	sightings []sighting // of this tick, those of the most preferred source first
	samples   []Sample   // of this tick
	readAt    time.Time  // when the source that speaks for it last read it
	reading   poll.DeviceReading
	presence  Presence
	detail    string
	active    time.Time
	occupied  time.Time
	useKnown  time.Time
	placed    bool    // generations of its faults are those of this run of the agent
	own       Verdict // drain left aside
	last      outcome
	faulty    bool // as last logged
}

// outcome is what of a device is worth a report at once when it changes.
type outcome struct {
	Verdict
	slices, busy telemetry.Opt[int64]
}

// seen is what is known of one source.
type seen struct {
	answered time.Time // its last answer about devices; zero: none yet
	ready    bool      // it has answered, and with all that it needs two readings for

	// Of the last tick it took part in:
	tick   time.Time
	rank   int // its place among the sources: the lower, the more preferred
	result poll.Result
	listed bool              // it answered about devices
	now    map[*tracked]bool // devices in its last answer
	left   string            // which of its devices are left out, and why
}

// Sample is one reading of a device with its time.
type Sample struct {
	Time time.Time
	*poll.DeviceReading
}

// View is what a tick came to.
type View struct {
	Time    time.Time
	Devices []DeviceView // in the order of Index, then ID
	Host    *Drain       // the order on the host, or nil
	// Left says, by source, which of its devices are left out, and why. It is nil where none is.
	Left map[string]string
	// Settled says that every source has answered at least once, or has had time enough: before that, what is not
	// seen may still come.
	Settled bool
	// Changed says that a device came or went, changed state, or changed the slices that are free: worth a report at
	// once. Renewed says that what exists has changed: worth an inventory.
	Changed, Renewed bool
}

// DeviceView is one device at a tick.
type DeviceView struct {
	Info    telemetry.DeviceInfo
	Verdict Verdict
	Slices  telemetry.Opt[int64] // of a partitioned card
	Busy    telemetry.Opt[int64] // slices at work
	Samples []Sample             // since the tick before, oldest first; none when it was not read
}

// NewTracker makes a Tracker from what was remembered. Faults of an earlier boot are over.
func NewTracker(r Rules, remembered []Device, orders Orders, boot string, now time.Time, log *slog.Logger) *Tracker {
	t := &Tracker{
		Rules: r, Log: log, boot: boot, started: now, orders: orders,
		devices: map[string]*tracked{}, sources: map[string]*seen{}, said: map[string]bool{},
	}
	for _, d := range remembered {
		if !usable(d.Info.ID) || len(t.devices) == telemetry.MaxDevices {
			continue
		}
		before := len(d.Faults)
		d.Faults = slices.DeleteFunc(slices.Clone(d.Faults), func(f Fault) bool { return f.Boot != boot && f.Boot != "" && boot != "" })
		t.dirty = t.dirty || len(d.Faults) != before
		d.Names = maps.Clone(d.Names)
		if d.Names == nil {
			d.Names = map[string]string{d.Source: d.Info.ID}
		}
		t.devices[d.Info.ID] = &tracked{Device: d, presence: NoAnswer, detail: "not read since the agent started"}
	}
	return t
}

// SetOrders replaces the orders that stand.
func (t *Tracker) SetOrders(o Orders) { t.orders = o }

// Remember returns what is to be kept across a restart, and whether it has changed since the last call. What it returns is the caller's.
func (t *Tracker) Remember() ([]Device, bool) {
	if !t.dirty {
		return nil, false
	}
	t.dirty = false
	out := make([]Device, 0, len(t.devices))
	for _, d := range t.sorted() {
		one := d.Device
		one.Faults, one.Names = slices.Clone(one.Faults), maps.Clone(one.Names)
		out = append(out, one)
	}
	return out, true
}

// Apply takes one tick. The sources stand in it in the order in which they are preferred.
func (t *Tracker) Apply(tick poll.Tick) View {
	renewed := t.forget()
	for _, d := range t.devices {
		d.samples, d.sightings = nil, nil
	}
	for rank, r := range tick.Results {
		t.hear(tick.Time, rank, r)
	}
	for _, d := range t.devices {
		renewed = t.settle(tick.Time, d) || renewed
	}
	return t.decide(tick.Time, renewed)
}

// Revise decides anew without a tick: after orders or rules have changed.
func (t *Tracker) Revise(now time.Time) View {
	renewed := t.forget()
	for _, d := range t.devices {
		d.samples = nil
	}
	return t.decide(now, renewed)
}

// forget drops devices that an operator declared to be gone, unless they were seen since.
func (t *Tracker) forget() (renewed bool) {
	for id, at := range t.orders.Forgotten {
		if d := t.devices[id]; d != nil && d.Missing && at.After(d.Seen) {
			delete(t.devices, id)
			t.Log.Info("device forgotten on the operator's word", "device", id)
			t.dirty, renewed = true, true
		}
	}
	return renewed
}

// faults keeps the account of what counts against a device after its cause has passed.
func (t *Tracker) faults(d *tracked, at time.Time, r *poll.DeviceReading) {
	if !d.placed {
		// Generations count within one run of the agent. That the driver was loaded anew while no agent ran goes
		// unnoticed: what stood before stands until someone says that it is over.
		for i := range d.Faults {
			d.Faults[i].Generation = r.Generation
		}
		d.placed = true
	}
	before := len(d.Faults)
	d.Faults = slices.DeleteFunc(d.Faults, func(f Fault) bool { return r.Generation > f.Generation })
	t.dirty = t.dirty || len(d.Faults) != before
	for _, x := range r.XIDs {
		meaning, isFatal := fatal(x)
		if !isFatal {
			continue
		}
		t.Log.Error("fatal XID", "device", d.Info.ID, "xid", x, "meaning", meaning)
		// One entry a number: a card that repeats itself must not fill the memory.
		d.Faults = slices.DeleteFunc(d.Faults, func(f Fault) bool { return f.XID == x })
		d.Faults = append(d.Faults, Fault{XID: x, At: at, Boot: t.boot, Generation: r.Generation})
		t.dirty = true
	}
	if n, ok := r.ECCUncorrected.Get(); ok && n < d.ECCBase {
		d.ECCBase, t.dirty = 0, true // the counter began anew, and so does what was acknowledged
	}
}

// acknowledge ends faults that an operator declared over. What the counter of uncorrected errors shows by then is
// settled with the first reading after it.
func (t *Tracker) acknowledge(d *tracked) {
	at := t.orders.acknowledged(d.Info.ID)
	if !at.After(d.Acked) {
		return
	}
	before := len(d.Faults)
	d.Faults = slices.DeleteFunc(d.Faults, func(f Fault) bool { return !f.At.After(at) })
	t.dirty = t.dirty || len(d.Faults) != before
	if d.presence == Present {
		d.Acked, d.ECCBase, t.dirty = at, d.reading.ECCUncorrected.Value, true
	}
}

// clockSetBack is how far ahead of the clock a time is that a clock of before has shown.
const clockSetBack = time.Minute

// backdate brings times that lie ahead back to the present. Clocks are ahead after a boot until they are set, by hours where the hardware's
// clock shows local time; what an operator orders afterwards is to be later than what was seen then.
func (t *Tracker) backdate(now time.Time, d *tracked) {
	now = now.Round(0) // by the clock that is set, as orders are
	latest := now.Add(clockSetBack)
	back := func(at *time.Time) {
		if at.Round(0).After(latest) {
			*at, t.dirty = now, true
		}
	}
	back(&d.Seen)
	for i := range d.Faults {
		back(&d.Faults[i].At)
	}
}

// decide applies the rules to every device.
func (t *Tracker) decide(now time.Time, renewed bool) View {
	v := View{Time: now, Host: t.orders.Host, Renewed: renewed, Changed: renewed, Settled: t.settled(now)}
	for name, s := range t.sources {
		if s.left != "" {
			if v.Left == nil {
				v.Left = map[string]string{}
			}
			v.Left[name] = s.left
		}
	}
	for _, d := range t.sorted() {
		t.backdate(now, d)
		t.acknowledge(d)
		f := t.facts(now, d)
		s := outcome{Verdict: Decide(t.Rules, f)}
		d.own = Condition(t.Rules, f)
		s.slices, s.busy = d.share(s.State)
		v.Changed = v.Changed || !same(s, d.last)
		if v.Settled {
			t.logChange(d, s.Verdict)
		}
		d.last = s
		if gone := d.presence == Gone; gone != d.Missing {
			d.Missing, t.dirty = gone, true
		}
		v.Devices = append(v.Devices, DeviceView{Info: d.Info, Verdict: s.Verdict, Slices: s.slices, Busy: s.busy, Samples: d.samples})
	}
	return v
}

// logChange says when a device breaks and when it is in order again: the rest is for reports, not for logs.
func (t *Tracker) logChange(d *tracked, v Verdict) {
	was, is := d.faulty, v.State == telemetry.Faulty
	d.faulty = is
	switch {
	case is && !was:
		t.Log.Warn("device is faulty", "device", d.Info.ID, "reason", v.Reason)
	case was && !is:
		t.Log.Info("device is in order again", "device", d.Info.ID, "state", v.State)
	}
}

func (t *Tracker) facts(now time.Time, d *tracked) Facts {
	f := Facts{
		Now: now, Presence: d.presence, Detail: d.detail, Reading: d.reading, ECCBase: d.ECCBase,
		Drain: t.orders.Of(d.Info.ID), Active: d.active, Occupied: d.occupied, UseKnown: d.useKnown, Last: d.own,
	}
	if s := t.sources[d.Source]; s != nil {
		f.Answered = s.answered
	}
	for _, x := range d.Faults {
		f.XIDs = append(f.XIDs, x.XID)
	}
	return f
}

// share returns the slices of a partitioned card. How many are at work stands for as long as the verdict it led to.
func (d *tracked) share(s telemetry.State) (all, busy telemetry.Opt[int64]) {
	if d.presence != Present && s == telemetry.Faulty {
		return d.reading.Slices, busy
	}
	return d.reading.Slices, d.reading.SlicesBusy
}

// same says whether two verdicts are alike for whoever hands devices out: why a device is busy may change unheard.
func same(a, b outcome) bool {
	if a.State == telemetry.Busy && b.State == telemetry.Busy {
		a.Reason, b.Reason = "", ""
	}
	return a == b
}

// settled says whether every source has had its say, or enough time for it.
func (t *Tracker) settled(now time.Time) bool {
	if now.Sub(t.started) > t.Rules.Silence {
		return true
	}
	for _, s := range t.sources {
		if !s.ready {
			return false
		}
	}
	return len(t.sources) > 0
}

// sorted lists the devices in the order of Index, then ID; those without an index come last.
func (t *Tracker) sorted() []*tracked {
	out := slices.Collect(maps.Values(t.devices))
	slices.SortFunc(out, func(a, b *tracked) int {
		x, y := a.Info.Index, b.Info.Index
		if x.OK != y.OK {
			if x.OK {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(x.Value, y.Value), cmp.Compare(a.Info.ID, b.Info.ID))
	})
	return out
}

// once logs a complaint the first time only.
func (t *Tracker) once(key, text string, args ...any) {
	if len(t.said) < 1000 && !t.said[key] {
		t.said[key] = true
		t.Log.Warn(text, args...)
	}
}
