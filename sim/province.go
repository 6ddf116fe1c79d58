package sim

import (
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exameter/exameter/telemetry"
)

// inventoryEvery is how often a host says what it is when nothing changes.
const inventoryEvery = time.Hour

// evolveEvery is how finely the simulation follows the clock.
const evolveEvery = time.Second

// Province is the simulated hosts with the ledger of what they said.
type Province struct {
	spec    Spec
	start   time.Time
	centres []*centre
	rallied *atomic.Bool
}

// centre is one centre's hosts. Centres share nothing, so each has its own goroutine when driven.
type centre struct {
	*Centre
	spec  *Spec
	start time.Time
	rng   *rand.Rand // decides what happens
	dust  *rand.Rand // makes readings that no ledger counts
	crews []*crew

	mu    sync.Mutex // guards what Books reads: known and said of the hosts
	hosts []*host
	// due is when each host reports next, in ns: a column of its own, as all of it is looked through ten times a second.
	due    []int64
	cursor int // the host to go on with, where more are due than were let into a batch

	inventoryTopic, telemetryTopic string

	dark    bool // as a whole
	ordered atomic.Int32
	rallied *atomic.Bool // nobody is silent any more

	now     time.Time // of the step
	evolved time.Time // up to when everything happened
}

// New makes a province as it stands at start. Nothing is said before the first Step.
func New(spec Spec, start time.Time) (*Province, error) {
	spec, err := spec.normal()
	if err != nil {
		return nil, err
	}
	p := &Province{spec: spec, start: start, rallied: new(atomic.Bool)}
	weights := make([]int, len(spec.Centres))
	for i := range spec.Centres {
		weights[i] = spec.Centres[i].Weight
	}
	for i, n := range shares(spec.Hosts, weights) {
		c, err := newCentre(&p.spec, &spec.Centres[i], n, start)
		if err != nil {
			return nil, err
		}
		c.rallied = p.rallied
		p.centres = append(p.centres, c)
	}
	return p, nil
}

func newCentre(spec *Spec, of *Centre, n int, start time.Time) (*centre, error) {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(of.ID)) // A hash takes everything.
	c := &centre{
		Centre: of, spec: spec, start: start, now: start, evolved: start,
		rng: rand.New(rand.NewPCG(spec.Seed, sum.Sum64())), dust: rand.New(rand.NewPCG(^spec.Seed, sum.Sum64())),
		inventoryTopic: telemetry.InventoryTopic(of.ID), telemetryTopic: telemetry.TelemetryTopic(of.ID),
	}
	weights := make([]int, len(of.Groups))
	for i := range of.Groups {
		weights[i] = of.Groups[i].Weight
	}
	for i, n := range shares(n, weights) {
		w := &crew{}
		says, err := newWords(of, &of.Groups[i], spec)
		if err != nil {
			return nil, err
		}
		for range n {
			h := newHost(c.rng, of, &of.Groups[i], says, len(c.hosts), start)
			w.hosts, c.hosts, c.due = append(w.hosts, h), append(c.hosts, h), append(c.due, 0)
		}
		if n > 0 {
			c.crews = append(c.crews, w)
			c.begin(w)
			c.schedule(w, start, of.load(start))
		}
	}
	// What begins is not news. Hosts report in phases of their own; the first time, they are pressed into the ramp.
	for i := range c.due {
		c.due[i] = start.UnixNano() + c.rng.Int64N(int64(spec.Ramp)+1)
	}
	return c, nil
}

// Centres returns the ids of the centres.
func (p *Province) Centres() []string {
	ids := make([]string, len(p.centres))
	for i, c := range p.centres {
		ids[i] = c.ID
	}
	return ids
}

// Hosts returns how many hosts there are, and how many of them are silent at the moment.
func (p *Province) Hosts() (all, silent int) {
	for _, c := range p.centres {
		c.mu.Lock()
		all += len(c.hosts)
		for _, h := range c.hosts {
			if h.silent {
				silent++
			}
		}
		c.mu.Unlock()
	}
	return all, silent
}

// Devices returns how many accelerators there are.
func (p *Province) Devices() int {
	n := 0
	for _, c := range p.centres {
		for _, h := range c.hosts {
			n += len(h.devices)
		}
	}
	return n
}

// simulated is the time that jobs, nights and troubles go by.
func (c *centre) simulated(at time.Time) time.Time {
	return c.start.Add(time.Duration(float64(at.Sub(c.start)) * c.spec.Speed))
}

// evolve lets everything happen up to now.
func (c *centre) evolve(now time.Time) {
	c.now = now
	dt := now.Sub(c.evolved)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rallied.Load() {
		c.rally()
	}
	c.fail(dt)
	if c.spec.Calm || dt < evolveEvery {
		return
	}
	c.evolved = now
	if c.dark {
		return
	}
	at := c.simulated(now)
	for _, w := range c.crews {
		c.befall(w, time.Duration(float64(dt)*c.spec.Speed))
		c.schedule(w, at, c.load(at))
	}
}

// changed makes a host report at once.
func (c *centre) changed(h *host) { c.due[h.number] = min(c.due[h.number], c.now.UnixNano()) }
