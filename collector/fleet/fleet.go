// Package fleet holds the last state of every host and keeps the capacity cells of their pools: an update takes back
// what its host contributed before and adds what it contributes now.
//
// A Fleet has one writer and no locks: the caller serialises. What it hands out, a capacity.Snapshot, is immutable.
//
// The state of a host is a function of its last inventory and its last report alone, and the state of a device claimed
// by several hosts one of theirs, so a fleet rebuilt from the log equals the one that followed it.
//
// It is made for 150,000 hosts with 8 accelerators each. Their state takes some 130 bytes an accelerator, with all that
// belongs to it (BenchmarkMemory; TestMemory refuses more than 220). A report costs no allocation, and three or four
// reads of memory that is not in a cache (BenchmarkApplyReport). A recount of the province takes some 14 ms of one core
// (BenchmarkRecount), and settling that each device counts once as much again (BenchmarkCheck).
package fleet

import (
	"slices"
	"strings"
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
	// Shared says that other fleets hold other parts: a device counts once Settle was told how it stands there.
	Shared        bool
	MaxContenders int // hosts beyond them do not contend with other parts'; 0 is DefaultMaxContenders
}

// DefaultMaxContenders bounds how many hosts a snapshot lists one by one.
const DefaultMaxContenders = 1024

// DefaultMaxHosts bounds the memory that records can claim.
const DefaultMaxHosts = 2_000_000

// maxExtra bounds the statuses that are kept of devices without an inventory. Beyond it they are let go, and such a device
// counts by the first report after its inventory.
const maxExtra = 1 << 20

// Pricing says which pool a device belongs to, and by which version of the catalogue and of the registry.
type Pricing struct {
	Catalogue string
	Registry  string
	Pool      func(Source) capacity.Pool
}

// Outcome is what became of a record.
type Outcome uint8

// The outcomes of a record.
const (
	Applied       Outcome = iota
	Restarted             // applied: the host's sequence numbers began anew within one boot
	Returned              // applied: of the boot before the last one. Again and again, it is two hosts of one id
	Uninventoried         // kept: its devices count as soon as the host's inventory is known
	Duplicate             // ignored: this record or a later one of the same boot was applied before
	Outdated              // ignored: a record of an earlier boot that came late
	Refused               // ignored: the fleet holds as many hosts as it may
	Outcomes
)

func (o Outcome) String() string {
	return [...]string{"applied", "restarted", "returned", "uninventoried", "duplicate", "outdated", "refused"}[o]
}

// Fleet is the last state of every host of some partitions.
type Fleet struct {
	opts   Options
	byID   index    // host slots by the hash of the host's id, of all centres
	chunks []*chunk // hosts, by slot
	free   []uint32 // free slots
	last   uint32   // the slot that was looked up last: Prime comes before ApplyReport
	// seenAt and shape are the columns that every fold walks: the record time, in ms, of the last report of each host
	// that is online or uninventoried, else 0; and the shape of each host.
	seenAt []int64
	shape  []uint32

	pools   pools
	shapes  shapes
	tally   tally
	devices claims // by device id
	sets    claims // processor sets, by host id
	reading reading
	listing listing
	slab    []device // room for the devices of hosts to come

	unsettled  []uint32            // slots of hosts that may have devices which other parts do not know of yet
	contenders map[uint32]struct{} // slots of hosts that contend with other parts'
	crowded    bool                // there were more than may be
	waived     map[uint64]bool
	changes    []Change

	dirty    bool
	stirred  bool
	revision int64
	stats    Stats
}

// Stats count what a fleet holds, beside its cells.
type Stats struct {
	Hosts                int64 // hosts with an inventory
	UninventoriedHosts   int64 // hosts that report and have no inventory
	UninventoriedDevices int64 // devices that are reported and stand in no inventory
	ContestedDevices     int64 // devices that more than one host of this part claims
	Contenders           int64 // hosts that hosts of other parts contest a device with
	UnsettledHosts       int64 // hosts with devices that count nowhere yet: other parts have to be asked first
	SkewedHosts          int64 // hosts whose last report's own time was more than SkewLimit from its record time

	QueuedRecords  int64  // records that wait in the agents of hosts that report
	FailingHosts   int64  // hosts that report and have a source that fails
	DroppedRecords int64  // records that agents said they dropped, since the fleet heard of their hosts
	XIDErrors      int64  // XID errors that agents said they saw, since then
	Faults         faults // faulty devices of hosts that report, by reason
}

// Add counts what o counts as well.
func (s *Stats) Add(o *Stats) {
	s.Hosts += o.Hosts
	s.UninventoriedHosts += o.UninventoriedHosts
	s.UninventoriedDevices += o.UninventoriedDevices
	s.ContestedDevices += o.ContestedDevices
	s.Contenders += o.Contenders
	s.UnsettledHosts += o.UnsettledHosts
	s.SkewedHosts += o.SkewedHosts
	s.QueuedRecords += o.QueuedRecords
	s.FailingHosts += o.FailingHosts
	s.DroppedRecords += o.DroppedRecords
	s.XIDErrors += o.XIDErrors
	for i, n := range o.Faults {
		s.Faults[i] += n
	}
}

// SkewLimit is how far a record's own time may be from its record time before its host counts as skewed.
const SkewLimit = time.Minute

// New makes an empty fleet.
func New(o Options) *Fleet {
	if o.MaxHosts <= 0 {
		o.MaxHosts = DefaultMaxHosts
	}
	if o.MaxContenders <= 0 {
		o.MaxContenders = DefaultMaxContenders
	}
	f := &Fleet{opts: o, dirty: true, stirred: true, contenders: map[uint32]struct{}{}, waived: map[uint64]bool{}}
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
	s.Contenders, s.UnsettledHosts = int64(len(f.contenders)), int64(len(f.unsettled))
	s.Faults = f.tally.faults
	return s
}

// Stirred reports whether records since the last fold may have changed the state of a device, or what there is (capacity.Snapshot.SameStates).
// That a host has fallen silent meanwhile only a fold finds.
func (f *Fleet) Stirred() bool { return f.stirred }

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
	f.measureSkew(h, r.Time, at)
	f.hear(h, r)
	f.reading.read(h, r)
	if h.online() && h.is(hasInventory) && f.reading.isLike(h) {
		f.adjust(h, f.reading.statuses)
	} else {
		f.report(slot, h)
	}
	f.seenAt[slot] = max(h.report.at, 1)
	f.dirty = true
	if !h.is(hasInventory) {
		return Uninventoried
	}
	return outcome
}

// report makes the reading what a host does, whatever it did before.
func (f *Fleet) report(slot uint32, h *host) {
	f.count(slot, -1)
	h.set(hasReport, true)
	h.set(isStale, false)
	f.stats.UninventoriedDevices -= int64(len(h.extra))
	h.take(&f.reading)
	if f.stats.UninventoriedDevices+int64(len(h.extra)) > maxExtra {
		h.extra = nil
	}
	f.stats.UninventoriedDevices += int64(len(h.extra))
	f.reconsider(slot)
	f.count(slot, 1)
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
	if h.inventory.boot == h.report.boot {
		h.inventory.boot = h.report.boot // one string for both
	}
	f.dirty = true
	f.list(centre, inv, h)
	if h.is(hasInventory) && f.listing.isOf(h) {
		f.listing.drop(&f.pools)
		return outcome
	}
	f.count(slot, -1)
	if !h.is(hasInventory) {
		h.set(hasInventory, true)
		f.stats.Hosts++
		f.stats.UninventoriedHosts--
	}
	old := *h
	f.stats.UninventoriedDevices -= int64(len(h.extra))
	h.replace(f.keep(f.listing.devices, old.devices == nil), string(f.listing.ids))
	h.named = f.listing.named
	f.stats.UninventoriedDevices += int64(len(h.extra))
	f.reclaim(slot, &old)
	f.reconsider(slot)
	f.count(slot, 1)
	return outcome
}

// slabSize is how many devices stand side by side: 4 KiB. What a host leaves of its slab is free only when all have left it, so slabs
// are small.
const slabSize = 144

// keep copies a host's devices. Those of hosts that are new stand side by side in the order in which a recount reads them; what hosts
// have later stands alone.
func (f *Fleet) keep(devices []device, isNew bool) []device {
	n := len(devices)
	if !isNew || n > slabSize/8 {
		return slices.Clone(devices)
	}
	if len(f.slab) < n {
		f.slab = make([]device, slabSize)
	}
	out := f.slab[:n:n]
	f.slab = f.slab[n:]
	copy(out, devices)
	return out
}

// Retire forgets a host: its tombstone was read. It reports whether the host was known.
func (f *Fleet) Retire(centre, id string) bool {
	slot, ok := slotOf(f, centre, hashOf(id), id)
	if !ok || !f.at(slot).is(hasInventory) {
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
	for slot := range uint32(len(f.shape)) {
		if f.at(slot).is(isUsed) {
			f.reshape(slot)
			f.count(slot, 1)
		}
	}
	f.dirty, f.stirred = true, true
}

// slotOf returns the slot of a host, and whether the host is known.
func slotOf[T string | []byte](f *Fleet, centre string, hash uint32, id T) (uint32, bool) {
	for i := f.byID.seek(hash, hash); i >= 0; i = f.byID.seek(hash, uint32(i)+1) {
		slot := f.byID.slot(i)
		if h := f.at(slot); h.id() == string(id) && h.centre == centre {
			f.last = slot
			return slot, true
		}
	}
	return 0, false
}

// host returns the slot of a host, made if it is new; nil where there is no room, or where the id is longer than one can be.
func (f *Fleet) host(centre, id string) (uint32, *host) {
	if int(f.last) < len(f.shape) {
		if h := f.at(f.last); h.is(isUsed) && h.id() == id && h.centre == centre {
			return f.last, h
		}
	}
	hash := hashOf(id)
	slot, known := slotOf(f, centre, hash, id)
	if known {
		return slot, f.at(slot)
	}
	switch {
	case len(id) > telemetry.MaxName:
		return 0, nil
	case len(f.free) > 0:
		slot = f.free[len(f.free)-1]
		f.free = f.free[:len(f.free)-1]
	case len(f.shape) >= f.opts.MaxHosts:
		return 0, nil
	default:
		slot = uint32(len(f.shape))
		if slot%chunkSize == 0 {
			f.chunks = append(f.chunks, new(chunk))
		}
		f.seenAt, f.shape = append(f.seenAt, 0), append(f.shape, 0)
	}
	h := f.at(slot)
	*h = host{centre: centre, ids: strings.Clone(id), idSize: uint8(len(id)), flags: isUsed}
	f.byID.add(hash, slot)
	f.last = slot
	f.stats.UninventoriedHosts++
	return slot, h
}

// remove forgets a host and frees its slot.
func (f *Fleet) remove(slot uint32) {
	h := f.at(slot)
	f.count(slot, -1)
	if h.is(hasInventory) {
		f.stats.Hosts--
	} else {
		f.stats.UninventoriedHosts--
	}
	f.measureSkew(h, time.Time{}, time.Time{})
	f.unhear(h)
	f.stats.UninventoriedDevices -= int64(len(h.extra))
	old := *h
	h.devices, h.extra = nil, nil
	f.reclaim(slot, &old)
	f.shapes.drop(f.shape[slot])
	f.seenAt[slot], f.shape[slot] = 0, 0
	f.byID.remove(hashOf(h.id()), slot)
	*h = host{}
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
