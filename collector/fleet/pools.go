package fleet

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// pools numbers the makes of devices (lots) and the pools they belong to. What no device refers to any more is freed, so
// that records cannot make them grow without end.
type pools struct {
	lots     []lot
	poolOf   []uint32 // the pool of each lot, side by side for the recount
	lotOf    map[Source]uint32
	freeLots []uint32
	recent   uint32 // the lot that was taken last, and likely is again
	list     []pool
	idOf     map[capacity.Pool]uint32
	freeList []uint32
}

// lot is one make of device in one place, as records name it.
type lot struct {
	source Source
	refs   int64 // devices
}

// pool is one pool of the snapshots.
type pool struct {
	pool capacity.Pool
	refs int64 // lots
}

func (p *pools) init() {
	p.lotOf, p.idOf = map[Source]uint32{}, map[capacity.Pool]uint32{}
}

// take returns the lot of a source, one device more.
func (p *pools) take(s Source, resolve func(Source) capacity.Pool) uint32 {
	if int(p.recent) < len(p.lots) {
		if l := &p.lots[p.recent]; l.refs > 0 && l.source == s {
			l.refs++
			return p.recent
		}
	}
	id, ok := p.lotOf[s]
	if !ok {
		l, pool := lot{source: s}, p.enter(resolve(s))
		if n := len(p.freeLots); n > 0 {
			id = p.freeLots[n-1]
			p.freeLots = p.freeLots[:n-1]
			p.lots[id], p.poolOf[id] = l, pool
		} else {
			id = uint32(len(p.lots))
			p.lots, p.poolOf = append(p.lots, l), append(p.poolOf, pool)
		}
		p.lotOf[s] = id
	}
	p.lots[id].refs++
	p.recent = id
	return id
}

// drop gives one device's lot back.
func (p *pools) drop(id uint32) {
	l := &p.lots[id]
	if l.refs--; l.refs == 0 {
		delete(p.lotOf, l.source)
		p.leave(p.poolOf[id])
		*l = lot{}
		p.freeLots = append(p.freeLots, id)
	}
}

func (p *pools) enter(c capacity.Pool) uint32 {
	id, ok := p.idOf[c]
	if !ok {
		if n := len(p.freeList); n > 0 {
			id = p.freeList[n-1]
			p.freeList = p.freeList[:n-1]
			p.list[id] = pool{pool: c}
		} else {
			id = uint32(len(p.list))
			p.list = append(p.list, pool{pool: c})
		}
		p.idOf[c] = id
	}
	p.list[id].refs++
	return id
}

func (p *pools) leave(id uint32) {
	l := &p.list[id]
	if l.refs--; l.refs == 0 {
		delete(p.idOf, l.pool)
		*l = pool{}
		p.freeList = append(p.freeList, id)
	}
}

// reprice looks every lot's pool up anew. Pools are numbered anew.
func (p *pools) reprice(resolve func(Source) capacity.Pool) {
	p.list, p.freeList, p.idOf = nil, nil, map[capacity.Pool]uint32{}
	for i := range p.lots {
		if l := &p.lots[i]; l.refs > 0 {
			p.poolOf[i] = p.enter(resolve(l.source))
		}
	}
}

// shapes numbers the sets of pools that hosts hold devices of. Number 0 is the empty set.
type shapes struct {
	list []shape
	of   map[string]uint32
	free []uint32
}

// shape is one set of pools.
type shape struct {
	key   string
	pools []uint32
	refs  int64 // hosts
}

func (s *shapes) init() { s.list, s.of = make([]shape, 1), map[string]uint32{} }

// take returns the shape of a set of pools, ascending, one host more.
func (s *shapes) take(set []uint32) uint32 {
	if len(set) == 0 {
		return 0
	}
	var buf [64]byte
	key := buf[:0]
	for _, p := range set {
		key = binary.BigEndian.AppendUint32(key, p)
	}
	id, ok := s.of[string(key)]
	if !ok {
		sh := shape{key: string(key), pools: slices.Clone(set)}
		if n := len(s.free); n > 0 {
			id = s.free[n-1]
			s.free = s.free[:n-1]
			s.list[id] = sh
		} else {
			id = uint32(len(s.list))
			s.list = append(s.list, sh)
		}
		s.of[sh.key] = id
	}
	s.list[id].refs++
	return id
}

// drop gives one host's shape back.
func (s *shapes) drop(id uint32) {
	if id == 0 {
		return
	}
	sh := &s.list[id]
	if sh.refs--; sh.refs == 0 {
		delete(s.of, sh.key)
		*sh = shape{}
		s.free = append(s.free, id)
	}
}

// reshape finds a host's shape anew. The host must not be counted at the time.
func (f *Fleet) reshape(slot uint32) {
	h := f.at(slot)
	var buf [16]uint32
	set := buf[:0]
	contends := false
	for i := range h.devices {
		if d := &h.devices[i]; d.counts() {
			contends = contends || d.claim&isShared != 0
			if p := f.pools.poolOf[d.lot]; !slices.Contains(set, p) {
				set = append(set, p)
			}
		}
	}
	if f.contend(slot, contends); contends {
		set = set[:0]
	}
	slices.Sort(set)
	next := f.shapes.take(set)
	f.shapes.drop(f.shape[slot])
	f.shape[slot] = next
	f.tally.grow(len(f.pools.list), len(f.shapes.list))
}

// listing is what an inventory lists. It is used again for every inventory.
type listing struct {
	devices []device
	ids     []byte // the host's id and its name first
	named   uint8
}

// list fills the listing with an inventory's devices, without claims: accelerators in the order given, then the processor
// set. An id that is empty, longer than MaxName or repeated is left out, for the decoder refuses all three.
func (f *Fleet) list(centre string, inv *telemetry.Inventory, h *host) {
	l := &f.listing
	l.devices, l.ids, l.named = l.devices[:0], append(l.ids[:0], h.id()...), 0
	if len(inv.Name) <= telemetry.MaxName {
		l.ids, l.named = append(l.ids, inv.Name...), uint8(len(inv.Name))
	}
	source := Source{Centre: centre, Cluster: inv.Cluster, Kind: telemetry.Accelerator}
	for i := range inv.Devices {
		info := &inv.Devices[i]
		d := device{
			hash: hashOf(info.ID), units: capacity.UnitsPerDevice, idAt: uint16(len(l.ids)), idSize: uint8(len(info.ID)),
		}
		if info.ID == "" || len(info.ID) > telemetry.MaxName || len(l.ids)+len(info.ID) > math.MaxUint16 || l.has(d.hash, info.ID) {
			continue
		}
		l.ids = append(l.ids, info.ID...)
		if info.ID == info.PCI || isPCI(info.ID) {
			d.claim = isLocal
		}
		source.Vendor, source.Name, source.Memory = info.Vendor, info.Name, info.Memory
		d.lot = f.pools.take(source, f.opts.Pricing.Pool)
		l.devices = append(l.devices, d)
	}
	if cpu, ok := inv.CPU.Get(); ok {
		d := device{hash: hashOf(h.id()), idSize: h.idSize, claim: isSet}
		if n, ok := cpu.Cores.Get(); ok && n > 0 {
			d.units = int32(min(n, MaxCores))
		}
		d.lot = f.pools.take(Source{Centre: centre, Cluster: inv.Cluster, Kind: telemetry.CPU, CPU: cpu}, f.opts.Pricing.Pool)
		l.devices = append(l.devices, d)
	}
}

// has reports whether an id is listed.
func (l *listing) has(hash uint32, id string) bool {
	for i := range l.devices {
		if d := &l.devices[i]; d.hash == hash && string(l.ids[d.idAt:][:d.idSize]) == id {
			return true
		}
	}
	return false
}

// isOf reports whether a host has just the devices that are listed, and none of them contested: the time of an inventory
// can settle a contest.
func (l *listing) isOf(h *host) bool {
	if len(l.devices) != len(h.devices) || l.named != h.named || string(l.ids) != h.ids {
		return false
	}
	for i := range l.devices {
		d, have := l.devices[i], &h.devices[i]
		d.status, d.claim = have.status, d.claim|isOwned
		if d != *have {
			return false
		}
	}
	return true
}

// drop gives the lots of what is listed back.
func (l *listing) drop(p *pools) {
	for i := range l.devices {
		p.drop(l.devices[i].lot)
	}
}

// MaxCores bounds the cores that one host is believed to have.
const MaxCores = 1 << 16

// isPCI reports whether an id is a bare PCI address (0000:3b:00.0), which tells devices apart on one host only.
func isPCI(id string) bool {
	colons, dots := 0, 0
	for i := range len(id) {
		switch c := id[i]; {
		case c == ':':
			colons++
		case c == '.':
			dots++
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return dots == 1 && (colons == 1 || colons == 2)
}
