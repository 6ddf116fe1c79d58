package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/exameter/exameter/telemetry"
)

// host is one simulated host. Devices are bits of masks, so none of the kinds of server has more than 32.
type host struct {
	origin  telemetry.Origin
	name    string
	boot    string
	server  *server
	devices []string // ids

	busy    uint32 // devices with work
	faulty  uint32
	faults  [32]uint8 // by device: its place among faults, plus one, where faulty
	drained bool
	silent  bool   // sends nothing
	slices  []int8 // slices at work of each card, where cards are partitioned
	warmth  int8   // how hard this host's work drives its devices, in steps of warmer
	number  int    // within the centre
	words   *words // of its group

	listed    int64 // when this boot's inventory was acknowledged, in ns; 0 never
	inventory int64 // sequence numbers
	report    int64
	known     bool // some inventory was acknowledged

	said statement // what the broker acknowledged last
}

// fault is a way in which a device breaks.
type fault struct {
	reason string
	absent bool // nothing can be read of the device
	xid    int64
}

// Places among faults.
const (
	lost = iota
	missing
	uncorrected
	dbe
	fallen
)

var faults = [...]fault{
	lost:        {reason: "lost", absent: true},
	missing:     {reason: "missing", absent: true},
	uncorrected: {reason: "ecc-uncorrected: 2"},
	dbe:         {reason: "xid: 48 double bit ECC error", xid: 48},
	fallen:      {reason: "xid: 79 GPU has fallen off the bus", absent: true, xid: 79},
}

// faults that happen to a vendor's devices, by their places.
func (s *server) faults() []uint8 {
	if s.vendor == "nvidia" {
		return []uint8{dbe, fallen, uncorrected}
	}
	return []uint8{lost, missing, uncorrected}
}

func newHost(r *rand.Rand, centre *Centre, g *Group, w *words, n int, start time.Time) *host {
	s := servers[g.Server]
	h := &host{
		origin: telemetry.Origin{Centre: centre.ID, Cluster: g.Cluster, Host: hex(r, 32)},
		name:   fmt.Sprintf("%s-%s-%05d", centre.ID, g.Server, n+1),
		server: s, number: n,
		warmth: int8(r.IntN(warmths)),
		words:  w,
	}
	h.restart(r, start)
	for range s.devices {
		h.devices = append(h.devices, s.id(r))
	}
	if s.slices > 0 {
		h.slices = make([]int8, s.devices)
	}
	return h
}

// restart gives the host a new boot: its sequence numbers begin anew.
func (h *host) restart(r *rand.Rand, at time.Time) {
	h.boot = fmt.Sprintf("%08x-%s", uint32(at.Unix()), hex(r, 16))
	h.inventory, h.report, h.listed = 0, 0, 0
}

// all is the mask of every device of the host.
func (h *host) all() uint32 { return 1<<len(h.devices) - 1 }

// fit reports whether whole jobs may be placed on the host.
func (h *host) fit() bool {
	return !h.drained && !h.silent && h.faulty == 0 && h.busy == 0 && h.slices == nil
}

// state is what a device is, by the agent's order: faulty before drained before busy.
func (h *host) state(i int) telemetry.State {
	switch {
	case h.faulty>>i&1 != 0:
		return telemetry.Faulty
	case h.drained:
		return telemetry.Drained
	case h.busy>>i&1 != 0:
		return telemetry.Busy
	default:
		return telemetry.Free
	}
}
