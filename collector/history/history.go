// Package history keeps how the figures of the province and of its centres went: an hour of them closely, a day of them by the
// minute, in memory. They are written to the feed's topic too, so that who starts anew has them.
package history

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// Province is the scope of all centres together.
const Province = "province"

// CentreScope is the scope of one centre.
func CentreScope(id string) string { return "centre/" + id }

// ValidScope reports what is wrong with a scope that has a history.
func ValidScope(scope string) error {
	centre, ok := strings.CutPrefix(scope, "centre/")
	if scope == Province || ok && telemetry.ValidID(centre) == nil {
		return nil
	}
	return fmt.Errorf("%.80q has no history: want province, or centre/ and the id of a centre", scope)
}

// Point is a scope's figure at a moment, accelerators by class precision as GET /v1/capacity has it by default. Ages are left out:
// they were those of the moment.
type Point struct {
	At       time.Time `json:"at"`
	Revision int64     `json:"revision"`

	Devices      capacity.Devices `json:"devices"`
	Eflops       capacity.Eflops  `json:"eflops"`
	Utilisation  *float64         `json:"utilisation"`
	PowerW       float64          `json:"power_w"`
	PowerDevices int64            `json:"power_devices"`
	Hosts        capacity.Hosts   `json:"hosts"`
	Coverage     *float64         `json:"coverage"`
}

// PointOf takes a point from a figure.
func PointOf(at time.Time, revision int64, f *capacity.Figure) Point {
	return Point{
		At: at.UTC(), Revision: revision, Devices: f.Devices, Eflops: f.Eflops, Utilisation: f.Utilisation, PowerW: f.PowerW,
		PowerDevices: f.PowerDevices, Hosts: f.Hosts, Coverage: f.Coverage,
	}
}

// Tier is how closely figures are kept, and for how long: a ring of slots, each of which is taken again when its turn comes.
type Tier struct {
	Name  string
	Step  time.Duration
	Slots int
}

// Tiers are all of them, the closest first.
var Tiers = [...]Tier{{"10s", 10 * time.Second, 360}, {"1m", time.Minute, 24 * 60}}

// Kept is how far back figures go.
const Kept = 24 * time.Hour

// Slot returns where in the ring a moment stands, and which turn of all it is; a moment before 1970 stands in the first one.
func (t *Tier) Slot(at time.Time) (slot int, turn int64) {
	turn = max(at.UnixMilli(), 0) / t.Step.Milliseconds()
	return int(turn % int64(t.Slots)), turn
}

// Key names a slot of a scope in the feed's topic.
func Key(scope string, tier, slot int) string {
	return keyPrefix + scope + "/" + Tiers[tier].Name + "/" + strconv.Itoa(slot)
}

const keyPrefix = "history/"

// ParseKey reads a key; ok is false for one that is none of a history.
func ParseKey(key string) (scope string, tier, slot int, ok bool) {
	rest, found := strings.CutPrefix(key, keyPrefix)
	i := strings.LastIndexByte(rest, '/')
	if !found || i < 0 {
		return "", 0, 0, false
	}
	j := strings.LastIndexByte(rest[:i], '/')
	if j < 0 {
		return "", 0, 0, false
	}
	scope = rest[:j]
	tier = slices.IndexFunc(Tiers[:], func(t Tier) bool { return t.Name == rest[j+1:i] })
	slot, err := strconv.Atoi(rest[i+1:])
	ok = tier >= 0 && err == nil && slot >= 0 && slot < Tiers[tier].Slots && strconv.Itoa(slot) == rest[i+1:] && ValidScope(scope) == nil
	return scope, tier, slot, ok
}

// maxScopes bounds what foreign records can make a history hold.
const maxScopes = 1024

// sweepEvery is how often is looked for scopes that are gone.
const sweepEvery = time.Minute

// History is the points of all scopes. Any number of goroutines may use it.
type History struct {
	now    func() time.Time
	mu     sync.RWMutex
	scopes map[string]*rings
	swept  time.Time
}

// rings are a scope's points by tier and slot. They are made whole, so that a collector takes from the first day what it will take.
type rings struct {
	tiers [len(Tiers)][]entry
	put   time.Time // when a point was taken last
}

type entry struct {
	point Point // of the zero time where there is none
	noted bool  // it stands in the topic; what does not gives way to it
}

// SizeOfScope bounds what a scope takes in memory, in bytes.
const SizeOfScope = 448 << 10

// New makes an empty history.
func New() *History { return &History{now: time.Now, scopes: map[string]*rings{}} }

// Put takes a point; noted says that it stands in the topic. It reports whether the point was new to its slot: one of an earlier turn is
// not, nor is a second one of the same turn, unless it alone stands in the topic. What the topic has of a scope that is gone, points older
// than Kept, is not taken either.
func (h *History) Put(scope string, tier int, p Point, noted bool) bool {
	slot, turn := Tiers[tier].Slot(p.At)
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	h.sweep(now)
	of := h.scopes[scope]
	if of == nil {
		if len(h.scopes) >= maxScopes || noted && now.Sub(p.At) > Kept {
			return false
		}
		of = &rings{}
		for i := range of.tiers {
			of.tiers[i] = make([]entry, Tiers[i].Slots)
		}
		h.scopes[scope] = of
	}
	if old := &of.tiers[tier][slot]; !old.point.At.IsZero() {
		_, was := Tiers[tier].Slot(old.point.At)
		if was > turn || was == turn && (old.noted || !noted) {
			return false
		}
	}
	of.tiers[tier][slot], of.put = entry{p, noted}, now
	return true
}

// sweep lets go of scopes of which no point was taken for as long as points are kept: of centres that are gone.
func (h *History) sweep(now time.Time) {
	if now.Sub(h.swept) < sweepEvery {
		return
	}
	h.swept = now
	maps.DeleteFunc(h.scopes, func(_ string, of *rings) bool { return now.Sub(of.put) > Kept })
}

// At returns the point of the turn that a moment belongs to, and whether it stands in the topic; ok is false where there is none.
func (h *History) At(scope string, tier int, at time.Time) (p Point, noted, ok bool) {
	slot, turn := Tiers[tier].Slot(at)
	h.mu.RLock()
	defer h.mu.RUnlock()
	of := h.scopes[scope]
	if of == nil {
		return Point{}, false, false
	}
	e := &of.tiers[tier][slot]
	_, was := Tiers[tier].Slot(e.point.At)
	return e.point, e.noted, !e.point.At.IsZero() && was == turn
}

// Points returns the last point of every step between two moments, both included, oldest first; a step of which nothing is known
// is left out. What is older than Kept before the second moment is not there.
func (h *History) Points(scope string, from, to time.Time, step time.Duration) []Point {
	if oldest := to.Add(-Kept); from.Before(oldest) {
		from = oldest
	}
	h.mu.RLock()
	var all []Point
	if of := h.scopes[scope]; of != nil {
		for tier := range of.tiers {
			for i := range of.tiers[tier] {
				if p := &of.tiers[tier][i].point; !p.At.IsZero() && !p.At.Before(from) && !p.At.After(to) {
					all = append(all, *p)
				}
			}
		}
	}
	h.mu.RUnlock()
	slices.SortFunc(all, func(a, b Point) int { return a.At.Compare(b.At) })
	out := []Point{}
	turn := func(p *Point) int64 { return p.At.UnixMilli() / step.Milliseconds() }
	for i := range all {
		if i+1 == len(all) || turn(&all[i+1]) != turn(&all[i]) {
			out = append(out, all[i])
		}
	}
	return out
}
