// Package fleet holds the last state of every host and keeps the capacity cells of their pools: an update takes back
// what its host contributed before and adds what it contributes now.
//
// A Fleet has one writer and no locks: the caller serialises. What it hands out, a capacity.Snapshot, is immutable.
//
// The state of a host is a function of its last inventory and its last report alone, and the state of a device claimed
// by several hosts one of theirs, so a fleet rebuilt from the log equals the one that followed it.
package fleet

import (
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// Source is what a record says of a device's make and place: what its pool is looked up by.
type Source struct {
	Centre  string
	Cluster string
	Kind    telemetry.Kind
	Vendor  string                         // of an accelerator
	Name    string                         // of an accelerator, as the vendor's tool prints it
	Memory  telemetry.Opt[telemetry.Bytes] // of an accelerator: some models share a name
	CPU     telemetry.CPUInfo              // of a processor set
}

// Options configure a fleet.
type Options struct {
	StaleAfter time.Duration // a host whose last report is older is stale
	MaxHosts   int           // hosts beyond them are refused; 0 is DefaultMaxHosts
	Pricing    Pricing
}

// DefaultMaxHosts bounds the memory that records can claim.
const DefaultMaxHosts = 2_000_000

// maxExtra bounds the statuses that are kept of devices without an inventory. Beyond it they are let go, and such a device
// counts by the first report after its inventory.
const maxExtra = 1 << 20

// Pricing says which pool a device belongs to, and by which version of the catalogue.
type Pricing struct {
	Catalogue string
	Pool      func(Source) capacity.Pool
}

// Outcome is what became of a record.
type Outcome uint8

// The outcomes of a record.
const (
	Applied       Outcome = iota
	Restarted             // applied: the host's sequence numbers began anew within one boot
	Uninventoried         // kept: its devices count as soon as the host's inventory is known
	Duplicate             // ignored: this record or a later one of the same boot was applied before
	Outdated              // ignored: a record of an earlier boot that came late
	Refused               // ignored: the fleet holds as many hosts as it may
	Outcomes
)

func (o Outcome) String() string {
	return [...]string{"applied", "restarted", "uninventoried", "duplicate", "outdated", "refused"}[o]
}

// Fleet is the last state of every host of some partitions.
type Fleet struct {
	opts    Options
	centres map[string]map[string]uint32 // host slots by centre and host id
	hosts   []*host                      // by slot; nil where a slot is free
	free    []uint32                     // free slots
	// seenAt and shape are the columns that every fold walks: the record time, in ms, of the last report of each host
	// that is online or uninventoried, else 0; and the shape of each host.
	seenAt []int64
	shape  []uint32

	pools   pools
	shapes  shapes
	tally   tally
	devices claims // by device id
	sets    claims // processor sets, by host id

	dirty    bool
	revision int64
	stats    Stats
}

// Stats count what a fleet holds, beside its cells.
type Stats struct {
	Hosts                int64 // hosts with an inventory
	UninventoriedHosts   int64 // hosts that report and have no inventory
	UninventoriedDevices int64 // devices that are reported and stand in no inventory
	ContestedDevices     int64 // devices that more than one host claims
	SkewedHosts          int64 // hosts whose last report's own time was more than SkewLimit from its record time
}

// SkewLimit is how far a record's own time may be from its record time before its host counts as skewed.
const SkewLimit = time.Minute

// New makes an empty fleet.
func New(o Options) *Fleet {
	if o.MaxHosts <= 0 {
		o.MaxHosts = DefaultMaxHosts
	}
	f := &Fleet{opts: o, centres: map[string]map[string]uint32{}, dirty: true}
	f.pools.init()
	f.shapes.init()
	f.devices.init(false)
	f.sets.init(true)
	f.tally.grow(0, 0)
	return f
}

// Stats returns the current counts.
func (f *Fleet) Stats() Stats {
	s := f.stats
	s.ContestedDevices = int64(len(f.devices.rivals))
	return s
}

// ApplyReport takes a report of a host of the centre; at is its record time, which must not lie in the future. The
// report is not kept and may be reused.
func (f *Fleet) ApplyReport(centre string, r *telemetry.Report, at time.Time) Outcome {
	slot, h := f.host(centre, r.Host)
	if h == nil {
		return Refused
	}
	outcome := h.report.admit(&r.Header, at.UnixMilli(), f.opts.StaleAfter.Milliseconds())
	if outcome > Uninventoried {
		return outcome
	}
	f.count(slot, -1)
	h.set(hasReport, true)
	h.set(isStale, false)
	f.measureSkew(h, r.Time, at)
	f.stats.UninventoriedDevices -= int64(len(h.extra))
	h.take(r)
	if f.stats.UninventoriedDevices+int64(len(h.extra)) > maxExtra {
		h.extra = nil
	}
	f.stats.UninventoriedDevices += int64(len(h.extra))
	f.seenAt[slot] = max(h.report.at, 1)
	f.reconsider(slot)
	f.count(slot, 1)
	f.dirty = true
	if !h.is(hasInventory) {
		return Uninventoried
	}
	return outcome
}

// ApplyInventory takes an inventory of a host of the centre, as ApplyReport does.
func (f *Fleet) ApplyInventory(centre string, inv *telemetry.Inventory, at time.Time) Outcome {
	slot, h := f.host(centre, inv.Host)
	if h == nil {
		return Refused
	}
	outcome := h.inventory.admit(&inv.Header, at.UnixMilli(), f.opts.StaleAfter.Milliseconds())
	if outcome > Uninventoried {
		return outcome
	}
	f.count(slot, -1)
	if !h.is(hasInventory) {
		h.set(hasInventory, true)
		f.stats.Hosts++
		f.stats.UninventoriedHosts--
	}
	if h.inventory.boot == h.report.boot {
		h.inventory.boot = h.report.boot // one string for both
	}
	old := h.devices
	f.stats.UninventoriedDevices -= int64(len(h.extra))
	h.replace(f.listed(centre, inv, h))
	f.stats.UninventoriedDevices += int64(len(h.extra))
	f.reclaim(slot, old)
	f.reconsider(slot)
	f.count(slot, 1)
	f.dirty = true
	return outcome
}

// Retire forgets a host: its tombstone was read. It reports whether the host was known.
func (f *Fleet) Retire(centre, id string) bool {
	slot, ok := f.centres[centre][id]
	if !ok || !f.hosts[slot].is(hasInventory) {
		return false
	}
	f.remove(slot)
	f.dirty = true
	return true
}

// Reprice looks every device's pool up anew, after the catalogue or the registry changed.
func (f *Fleet) Reprice(p Pricing) {
	f.opts.Pricing = p
	f.pools.reprice(p.Pool)
	f.tally = tally{}
	f.tally.grow(len(f.pools.list), len(f.shapes.list))
	for slot, h := range f.hosts {
		if h != nil {
			f.reshape(uint32(slot))
			f.count(uint32(slot), 1)
		}
	}
	f.dirty = true
}

// host returns the slot of a host, made if it is new; nil where there is no room.
func (f *Fleet) host(centre, id string) (uint32, *host) {
	if slot, ok := f.centres[centre][id]; ok {
		return slot, f.hosts[slot]
	}
	var slot uint32
	switch {
	case len(f.free) > 0:
		slot = f.free[len(f.free)-1]
		f.free = f.free[:len(f.free)-1]
	case len(f.hosts) >= f.opts.MaxHosts:
		return 0, nil
	default:
		slot = uint32(len(f.hosts))
		f.hosts, f.seenAt, f.shape = append(f.hosts, nil), append(f.seenAt, 0), append(f.shape, 0)
	}
	byID := f.centres[centre]
	if byID == nil {
		byID = map[string]uint32{}
		f.centres[centre] = byID
	}
	h := &host{centre: centre, id: id}
	byID[h.id], f.hosts[slot] = slot, h
	f.stats.UninventoriedHosts++
	return slot, h
}

// remove forgets a host and frees its slot.
func (f *Fleet) remove(slot uint32) {
	h := f.hosts[slot]
	f.count(slot, -1)
	if h.is(hasInventory) {
		f.stats.Hosts--
	} else {
		f.stats.UninventoriedHosts--
	}
	f.measureSkew(h, time.Time{}, time.Time{})
	f.stats.UninventoriedDevices -= int64(len(h.extra))
	old := h.devices
	h.devices, h.extra = nil, nil
	f.reclaim(slot, old)
	f.shapes.drop(f.shape[slot])
	f.seenAt[slot], f.shape[slot], f.hosts[slot] = 0, 0, nil
	byID := f.centres[h.centre]
	if delete(byID, h.id); len(byID) == 0 {
		delete(f.centres, h.centre)
	}
	f.free = append(f.free, slot)
}

// measureSkew notes how far a report's own time is from its record time.
func (f *Fleet) measureSkew(h *host, event, at time.Time) {
	skewed := event.Sub(at).Abs() > SkewLimit
	if skewed != h.is(isSkewed) {
		h.set(isSkewed, skewed)
		if skewed {
			f.stats.SkewedHosts++
		} else {
			f.stats.SkewedHosts--
		}
	}
}
