package collector

import (
	"hash/fnv"
	"sync"

	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/fleet"
)

// ownership is what this collector owns. A part has one epoch from when it comes until it leaves, and another when it comes
// back.
type ownership struct {
	mu     sync.Mutex
	listed []consume.Part
	epochs map[consume.Part]int64
	last   int64
}

// list replaces the parts there are.
func (o *ownership) list(parts []consume.Part, owns func(consume.Part) bool) {
	o.mu.Lock()
	o.listed = parts
	o.mu.Unlock()
	o.settle(owns)
}

// settle asks anew which of the parts there are this collector owns.
func (o *ownership) settle(owns func(consume.Part) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	epochs := make(map[consume.Part]int64, len(o.epochs))
	for _, p := range o.listed {
		if !owns(p) {
			continue
		}
		epoch, kept := o.epochs[p]
		if !kept {
			o.last++
			epoch = o.last
		}
		epochs[p] = epoch
	}
	o.epochs = epochs
}

// of returns the epoch of a part; ok is false where it is not owned.
func (o *ownership) of(p consume.Part) (epoch int64, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	epoch, ok = o.epochs[p]
	return epoch, ok
}

// all returns the owned parts that pick admits.
func (o *ownership) all(pick func(consume.Part) bool) []consume.Part {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []consume.Part
	for p := range o.epochs {
		if pick(p) {
			out = append(out, p)
		}
	}
	return out
}

// everything returns all parts there are.
func (o *ownership) everything() []consume.Part {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.listed
}

// spot says which of n workers a part is with: always the same, and neighbouring partitions with different ones.
func spot(p consume.Part, n int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(p.Centre))
	return int((uint64(h.Sum32()) + uint64(p.Number)) % uint64(n))
}

// counts sums the workers' fleets' counts.
type counts struct {
	mu  sync.Mutex
	per map[*worker]map[string]*fleet.Stats // by centre
}

// put takes a worker's counts by centre, which nobody changes any more.
func (c *counts) put(w *worker, s map[string]*fleet.Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.per == nil {
		c.per = map[*worker]map[string]*fleet.Stats{}
	}
	c.per[w] = s
}

func (c *counts) sum() (s fleet.Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, centres := range c.per {
		for _, one := range centres {
			s.Add(one)
		}
	}
	return s
}

// centres returns the counts by centre.
func (c *counts) centres() map[string]fleet.Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]fleet.Stats{}
	for _, centres := range c.per {
		for centre, one := range centres {
			s := out[centre]
			s.Add(one)
			out[centre] = s
		}
	}
	return out
}
