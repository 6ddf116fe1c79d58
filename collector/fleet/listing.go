package fleet

import (
	"slices"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/hosts"
)

// Search is a question about single hosts, as a fleet answers it.
type Search struct {
	Query hosts.Query // normal
	Now   time.Time   // by the collector's clock
	// Wins reports whether a device that other parts claim too counts on a host of the centre. Nil says that none does.
	Wins func(centre, host string, set bool, id string) bool

	states [len(hosts.StateNames)]bool
	pools  []bool // which the question is about, by pool
}

// prepare makes the question fit the fleet's pools, which come and go. A question is prepared once between two records.
func (s *Search) prepare(f *Fleet) {
	for i, name := range hosts.StateNames {
		s.states[i] = len(s.Query.States) == 0 || slices.Contains(s.Query.States, name)
	}
	s.pools = s.pools[:0]
	for i := range f.pools.list {
		p := &f.pools.list[i]
		s.pools = append(s.pools, p.refs > 0 && s.Query.Pools.Admits(&p.pool))
	}
}

// sight is what a question sees of a host.
type sight struct {
	online    bool
	free      int // of the question's pools
	listed    int // devices that meet every filter
	elsewhere int
}

// see looks at a host, and reports whether it is listed.
func (s *Search) see(f *Fleet, h *host) (v sight, ok bool) {
	v.online = h.online() && s.Now.UnixMilli()-h.report.at <= f.opts.StaleAfter.Milliseconds()
	if s.Query.Online != nil && *s.Query.Online != v.online || !s.Query.Named(h.id(), h.name()) {
		return v, false
	}
	for i := range h.devices {
		d := &h.devices[i]
		switch {
		case !s.pools[f.pools.poolOf[d.lot]]:
			continue
		case !s.here(h, d):
			v.elsewhere++
			continue
		}
		state := d.state(v.online)
		if state == capacity.Free && d.claim&isUnsettled == 0 {
			v.free++
		}
		if s.states[state] {
			v.listed++
		}
	}
	if v.free < s.Query.FreeMin {
		return v, false
	}
	if v.listed > 0 {
		return v, true
	}
	none := len(h.devices) == 0 && (s.Query.Pools.Kind == capacity.KindAll || !h.is(hasInventory))
	return v, s.Query.Bare() && (v.elsewhere > 0 || none || slices.ContainsFunc(h.extra, s.isStranger))
}

// isStranger reports whether a device that no inventory lists may be what the question is about, unless it asks for what is not known.
func (s *Search) isStranger(e extra) bool {
	return s.Query.Pools.Kind == capacity.KindAll || s.Query.Pools.Kind == e.kind()
}

// kind is known of what is reported.
func (e *extra) kind() string {
	if e.id == "" {
		return capacity.KindCPU
	}
	return capacity.KindAccelerator
}

// here reports whether a device is one of the host that it stands on, and not one of another host that claims it as well.
func (s *Search) here(h *host, d *device) bool {
	switch {
	case d.claim&isOwned == 0:
		return false
	case d.claim&isShared == 0:
		return true
	default:
		return s.Wins != nil && s.Wins(h.centre, h.id(), d.claim&isSet != 0, h.idOf(d))
	}
}

// Rank enters those of n slots from one on whose hosts answer a question into a ranking. It returns where the next ones begin, and false
// at the end. Number is that of the fleet's part, and tag what the ranking's user finds the fleet by.
func (f *Fleet) Rank(s *Search, r *hosts.Ranking, number, tag int, from, n uint32) (next uint32, more bool) {
	s.prepare(f)
	end := min(from+n, uint32(len(f.shape)))
	var why [len(reasons)]int64
	for slot := from; slot < end; slot++ {
		h := f.at(slot)
		if !h.is(isUsed) {
			continue
		}
		if v, ok := s.see(f, h); ok {
			r.Enter(hosts.Place{Key: s.Query.KeyOf(h.centre, h.id(), number, v.free, h.report.at), Part: tag})
			if v.online && v.listed > 0 {
				f.explain(s, h, &why)
			}
		}
	}
	for i, n := range why {
		if i > 0 && n > 0 {
			r.Count(reasons[i], n)
		}
	}
	return end, end < uint32(len(f.shape))
}

// explain counts why those devices of an online host that are listed are in their state.
func (f *Fleet) explain(s *Search, h *host, why *[len(reasons)]int64) {
	for i := range h.devices {
		d := &h.devices[i]
		if state := d.state(true); s.states[state] && s.pools[f.pools.poolOf[d.lot]] && s.here(h, d) {
			why[d.status.reason(state)]++
		}
	}
}

// reason is why a device of an online host is in its state: missing, where the last report does not speak of it. What is stale on such a host has none.
func (st *status) reason(state capacity.State) reason {
	switch {
	case st.seen&isReported != 0:
		return st.seen.reason()
	case state == capacity.Faulty:
		return missing
	default:
		return 0
	}
}

// Hosts returns hosts of the centre as the question sees them; nil for one that is gone, or no answer any more.
func (f *Fleet) Hosts(s *Search, centre string, ids []string) []*hosts.Host {
	s.prepare(f)
	out := make([]*hosts.Host, len(ids))
	for i, id := range ids {
		if slot, known := slotOf(f, centre, hashOf(id), id); known {
			out[i] = f.show(s, f.at(slot))
		}
	}
	return out
}

// show is a host as lists have it; nil where the question does not list it.
func (f *Fleet) show(s *Search, h *host) *hosts.Host {
	v, ok := s.see(f, h)
	if !ok {
		return nil
	}
	out := &hosts.Host{
		Centre: h.centre, Host: h.id(), Name: h.name(), Online: v.online, Free: v.free, Elsewhere: v.elsewhere,
		Pools: []hosts.Pool{}, Devices: make([]hosts.Device, 0, v.listed),
	}
	if h.is(hasReport) {
		age := float64(max(s.Now.UnixMilli()-h.report.at, 0)) / 1000
		out.AgeS = &age
	}
	if !h.is(hasInventory) {
		out.NotCounted = hosts.Uninventoried
	}
	place := map[uint32]int{}
	for i := range h.devices {
		d := &h.devices[i]
		if out.Cluster == "" {
			out.Cluster = f.pools.lots[d.lot].source.Cluster
		}
		if pool := f.pools.poolOf[d.lot]; s.pools[pool] && s.here(h, d) && s.states[d.state(v.online)] {
			out.Devices = append(out.Devices, f.line(s, h, d, v.online))
			countIn(out, place, pool, &f.pools.list[pool].pool)
		}
	}
	f.strangers(s, h, v.online, out)
	return out
}

// countIn counts the last device of a host, which is of a pool, in what the host has of it.
func countIn(h *hosts.Host, place map[uint32]int, id uint32, p *capacity.Pool) {
	d := &h.Devices[len(h.Devices)-1]
	at, known := place[id]
	if !known {
		at = len(h.Pools)
		place[id] = at
		h.Pools = append(h.Pools, hosts.Pool{
			Cluster: p.Cluster, Kind: string(p.Kind), Vendor: p.Vendor, Model: p.Model, Class: string(p.Class), Domestic: p.DomesticOf(), Identifier: p.Identifier,
		})
	}
	h.Pools[at].Devices++
	if d.State == hosts.StateNames[capacity.Free] && d.NotCounted == "" {
		h.Pools[at].Free++
	}
}

// line is a device as lists have it.
func (f *Fleet) line(s *Search, h *host, d *device, online bool) hosts.Device {
	source, p := &f.pools.lots[d.lot].source, &f.pools.list[f.pools.poolOf[d.lot]].pool
	out := hosts.Device{
		ID: h.idOf(d), Kind: string(p.Kind), Vendor: p.Vendor, Name: source.Name, Model: p.Model, Class: string(p.Class),
		Contested: d.claim&(isContested|isShared) != 0,
	}
	if d.claim&isSet != 0 {
		out.Name, out.Cores = source.CPU.Name, int64(d.units)
	}
	if d.claim&isUnsettled != 0 {
		out.NotCounted = hosts.Unsettled
	}
	if worth, ok := p.Worth(int64(d.units), s.Query.Pools.Precision); ok {
		out.Eflops = &worth
	}
	state := d.state(online)
	fill(&out, &d.status, state, online)
	switch {
	case state > capacity.Free:
	case d.claim&isSet != 0:
		busy := d.busy(state)
		out.CoresBusy = &busy
	case state == capacity.Busy && d.status.busy >= 0:
		share := float64(d.busy(state)) / capacity.UnitsPerDevice
		out.BusyShare = &share
	}
	return out
}

// fill says what a device does. What the last report of a silent host said is no more than that, and left out.
func fill(out *hosts.Device, st *status, state capacity.State, online bool) {
	out.State = hosts.StateNames[state]
	switch {
	case !online:
		return
	case st.seen&isReported == 0:
		out.Reason = st.reason(state).String()
		return
	}
	out.Reason = st.reason(state).String()
	if st.power >= 0 {
		watts := float64(st.power) / 1000
		out.PowerW = &watts
	}
	if st.activity >= 0 {
		share := float64(st.activity) / 1000
		out.Activity, out.ActivityOf = &share, "utilisation"
		if st.seen&isSM != 0 {
			out.ActivityOf = "sm"
		}
	}
}

// strangers lists what a host reports and no inventory lists, where it may be what the question is about.
func (f *Fleet) strangers(s *Search, h *host, online bool, out *hosts.Host) {
	if !s.Query.Bare() {
		return
	}
	for i := range h.extra {
		e := &h.extra[i]
		if !s.isStranger(*e) {
			continue
		}
		d := hosts.Device{ID: e.id, Kind: e.kind(), NotCounted: hosts.Uninventoried}
		if e.id == "" {
			d.ID = h.id()
		}
		state := capacity.Stale
		if online {
			state = e.status.state
		}
		fill(&d, &e.status, state, online)
		out.Devices = append(out.Devices, d)
	}
}

var _ [0]struct{} = [len(hosts.StateNames) - 1 - int(capacity.Stale)]struct{}{}
