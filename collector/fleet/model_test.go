package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// model is a fleet without a single shortcut: it keeps the records and computes everything from them at every fold.
type model struct {
	stale   time.Duration
	pricing Pricing
	hosts   map[modelKey]*modelHost
}

type modelKey struct{ centre, id string }

type modelHost struct {
	inventory, report order
	inv               *telemetry.Inventory
	rep               *telemetry.Report
	invAt, repAt      int64
}

func newModel(stale time.Duration, p Pricing) *model {
	return &model{stale: stale, pricing: p, hosts: map[modelKey]*modelHost{}}
}

func (m *model) host(centre, id string) *modelHost {
	k := modelKey{centre, id}
	if m.hosts[k] == nil {
		m.hosts[k] = &modelHost{}
	}
	return m.hosts[k]
}

func (m *model) applyInventory(centre string, inv *telemetry.Inventory, at time.Time) Outcome {
	h := m.host(centre, inv.Host)
	o := h.inventory.admit(&inv.Header, at.UnixMilli(), m.stale.Milliseconds())
	if o <= Uninventoried {
		h.inv, h.invAt = inv, at.UnixMilli()
	}
	return o
}

func (m *model) applyReport(centre string, r *telemetry.Report, at time.Time) Outcome {
	h := m.host(centre, r.Host)
	o := h.report.admit(&r.Header, at.UnixMilli(), m.stale.Milliseconds())
	if o <= Uninventoried {
		h.rep, h.repAt = r, at.UnixMilli()
		if h.inv == nil {
			return Uninventoried
		}
	}
	return o
}

func (m *model) retire(centre, id string) {
	if h := m.hosts[modelKey{centre, id}]; h != nil && h.inv != nil {
		delete(m.hosts, modelKey{centre, id})
	}
}

func (h *modelHost) online(now int64, stale time.Duration) bool {
	return h.rep != nil && now-h.repAt <= stale.Milliseconds()
}

func (h *modelHost) status(id string) *telemetry.DeviceStatus {
	if h.rep != nil {
		for i := range h.rep.Devices {
			if h.rep.Devices[i].ID == id {
				return &h.rep.Devices[i]
			}
		}
	}
	return nil
}

// owner finds the host on which a device counts; the processor set of a host has the empty id.
func (m *model) owner(id string, set string) modelKey {
	var best modelKey
	var bestPresent, bestInv int64 = -1, -1
	for k, h := range m.hosts {
		if h.inv == nil {
			continue
		}
		var present int64
		if set != "" {
			if k.id != set || !h.inv.CPU.OK {
				continue
			}
			present = h.repAt
		} else {
			if !slices.ContainsFunc(h.inv.Devices, func(d telemetry.DeviceInfo) bool { return d.ID == id }) {
				continue
			}
			if st := h.status(id); st != nil && !strings.HasPrefix(st.Reason, "missing") && !strings.HasPrefix(st.Reason, "lost") {
				present = h.repAt
			}
		}
		better := present > bestPresent || present == bestPresent && (h.invAt > bestInv ||
			h.invAt == bestInv && (k.centre < best.centre || k.centre == best.centre && k.id < best.id))
		if better {
			best, bestPresent, bestInv = k, present, h.invAt
		}
	}
	return best
}

// fold computes the snapshot from the records.
func (m *model) fold(now time.Time) *capacity.Snapshot {
	ms := now.UnixMilli()
	for k, h := range m.hosts {
		if h.inv == nil && ms-h.repAt > 3*m.stale.Milliseconds() {
			delete(m.hosts, k)
		}
	}
	cells := map[capacity.Pool]*capacity.Cell{}
	type shapeCount struct {
		pools []capacity.Pool
		shape capacity.Shape
	}
	var shapes []*shapeCount
	for k, h := range m.hosts {
		if h.inv == nil {
			continue
		}
		var pools []capacity.Pool
		free := map[capacity.Pool]int{}
		online := h.online(ms, m.stale)
		cell := func(s Source) (*capacity.Cell, capacity.Pool) {
			p := m.pricing.Pool(s)
			if cells[p] == nil {
				cells[p] = &capacity.Cell{}
			}
			if !slices.Contains(pools, p) {
				pools = append(pools, p)
			}
			free[p] += 0
			return cells[p], p
		}
		for _, d := range h.inv.Devices {
			if !strings.HasPrefix(d.ID, "0000:") && m.owner(d.ID, "") != k {
				continue
			}
			c, p := cell(Source{Centre: k.centre, Cluster: h.inv.Cluster, Kind: telemetry.Accelerator, Vendor: d.Vendor, Name: d.Name, Memory: d.Memory})
			if modelDevice(c, h.status(d.ID), online) {
				free[p]++
			}
		}
		if h.inv.CPU.OK && m.owner("", k.id) == k {
			c, p := cell(Source{Centre: k.centre, Cluster: h.inv.Cluster, Kind: telemetry.CPU, CPU: h.inv.CPU.Value})
			if modelCPU(c, h, online) {
				free[p]++
			}
		}
		if len(pools) == 0 {
			continue
		}
		if online {
			for p, n := range free {
				cells[p].FreeHosts[min(n, capacity.MaxFree)]++
			}
		}
		i := slices.IndexFunc(shapes, func(s *shapeCount) bool { return sameSet(s.pools, pools) })
		if i < 0 {
			i = len(shapes)
			shapes = append(shapes, &shapeCount{pools: pools})
		}
		shapes[i].shape.Rated++
		if online {
			shapes[i].shape.Online++
			shapes[i].shape.Ages.Observe(max(ms-h.repAt, 0), m.stale.Milliseconds())
		}
	}
	s := &capacity.Snapshot{AsOf: now, Catalogue: m.pricing.Catalogue, Registry: m.pricing.Registry, Rule: capacity.Rule, StaleAfter: m.stale}
	place := map[capacity.Pool]int{}
	for p, c := range cells {
		place[p] = len(s.Pools)
		s.Pools = append(s.Pools, capacity.PoolCell{Pool: p, Cell: *c})
	}
	for _, sc := range shapes {
		for _, p := range sc.pools {
			sc.shape.Pools = append(sc.shape.Pools, place[p])
		}
		s.Shapes = append(s.Shapes, sc.shape)
	}
	s.Sort()
	return s
}

func sameSet(a, b []capacity.Pool) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(p capacity.Pool) bool { return !slices.Contains(b, p) })
}

// modelDevice counts an accelerator and reports whether it is free.
func modelDevice(c *capacity.Cell, st *telemetry.DeviceStatus, online bool) bool {
	const whole = capacity.UnitsPerDevice
	if !online {
		c.Devices[capacity.Stale]++
		c.Units[capacity.Stale] += whole
		return false
	}
	if st == nil {
		c.Devices[capacity.Faulty]++
		c.Units[capacity.Faulty] += whole
		return false
	}
	if p, ok := st.PowerMean.Get(); ok {
		c.PowerMW += int64(p)
		c.PowerDevices++
	}
	switch st.State {
	case telemetry.Drained:
		c.Devices[capacity.Drained]++
		c.Units[capacity.Drained] += whole
		return false
	case telemetry.Faulty:
		c.Devices[capacity.Faulty]++
		c.Units[capacity.Faulty] += whole
		return false
	case telemetry.Free:
		c.Devices[capacity.Free]++
		c.Units[capacity.Free] += whole
	case telemetry.Busy:
		c.Devices[capacity.Busy]++
		busy := int64(whole)
		if st.Slices.OK && st.SlicesBusy.OK && st.SlicesBusy.Value > 0 {
			busy = (whole*st.SlicesBusy.Value + st.Slices.Value - 1) / st.Slices.Value
		}
		c.Units[capacity.Busy] += busy
		c.Units[capacity.Free] += whole - busy
	}
	switch {
	case st.SMActivity.OK:
		c.SM++
		c.KnownUnits += whole
		c.ActiveUnits += whole * int64(st.SMActivity.Value)
	case st.UtilizationMean.OK:
		c.Utilisation++
		c.KnownUnits += whole
		c.ActiveUnits += whole * int64(st.UtilizationMean.Value)
	}
	return st.State == telemetry.Free
}

// modelCPU counts a processor set and reports whether it is free.
func modelCPU(c *capacity.Cell, h *modelHost, online bool) bool {
	cores := h.inv.CPU.Value.Cores.Value
	if !online || !h.rep.CPU.OK {
		c.Devices[capacity.Stale]++
		c.Units[capacity.Stale] += cores
		return false
	}
	st := h.rep.CPU.Value
	power, known := int64(0), len(h.rep.Power) > 0
	for _, p := range h.rep.Power {
		if v, ok := p.Mean.Get(); ok {
			power += int64(v)
		} else {
			known = false
		}
	}
	if known {
		c.PowerMW += power
		c.PowerDevices++
	}
	state := map[telemetry.State]capacity.State{
		telemetry.Free: capacity.Free, telemetry.Busy: capacity.Busy, telemetry.Drained: capacity.Drained, telemetry.Faulty: capacity.Faulty,
	}[st.State]
	c.Devices[state]++
	if state == capacity.Drained || state == capacity.Faulty {
		c.Units[state] += cores
		return false
	}
	busy := int64(0)
	if state == capacity.Busy {
		busy = cores
	}
	if v, ok := st.CoresBusy.Get(); ok {
		busy = min(v, cores)
	}
	c.Units[capacity.Busy] += busy
	c.Units[capacity.Free] += cores - busy
	if a, ok := st.UtilizationMean.Get(); ok {
		c.Utilisation++
		c.KnownUnits += cores
		c.ActiveUnits += cores * int64(a)
	}
	return state == capacity.Free
}

// testPricing prices two models and processors; "m9" is unknown. generation makes prices differ.
func testPricing(generation int64) Pricing {
	return Pricing{Catalogue: "test", Registry: fmt.Sprintf("%08x", generation), Pool: func(s Source) capacity.Pool {
		p := capacity.Pool{Centre: s.Centre, Cluster: s.Cluster, Kind: s.Kind, Vendor: s.Vendor, Model: s.Name, Class: capacity.Intelligent, Basis: catalog.FP16}
		switch {
		case s.Kind == telemetry.CPU:
			p.Vendor, p.Model, p.Class, p.Basis = s.CPU.Vendor, s.CPU.Name, capacity.General, catalog.FP32
			p.Peaks = p.Peaks.With(catalog.FP32, 83_200*generation).With(catalog.FP64, 41_600*generation)
		case s.Name == "m0" || s.Name == "M-0": // two spellings of one model
			p.Model = "m0"
			p.Peaks = p.Peaks.With(catalog.FP16, 989_500_000*generation).With(catalog.FP64, 67_000_000)
		case s.Name == "m1":
			p.Peaks = p.Peaks.With(catalog.FP16, 376_000_000*generation)
		}
		return p
	}}
}
