package sim

import (
	"math"
	"math/bits"
	"time"
)

func popcount(m uint32) int { return bits.OnesCount32(m) }

// job holds devices until it ends: whole hosts together, or some devices of one host.
type job struct {
	hosts []*host
	mask  uint32
	ends  time.Time // by simulated time
}

// crew is the hosts of one group with their jobs.
type crew struct {
	hosts  []*host
	jobs   []job
	cursor int // where the search for a free host goes on
}

// Whole-host gangs, each half as frequent as the one before it, and how long jobs last on average.
var gangs = [...]int{1, 2, 4, 8, 16, 32, 64}

const (
	gangLasts  = 4 * time.Hour
	pieceLasts = 40 * time.Minute
)

// schedule ends jobs that are over, and starts or stops some so that the share of devices with work follows load.
func (c *centre) schedule(w *crew, at time.Time, load float64) {
	w.drop(func(j *job) bool { return !j.ends.After(at) }, c)
	healthy, busy := 0, 0
	for _, h := range w.hosts {
		n := max(len(h.devices), 1)
		if h.silent || h.drained {
			continue
		}
		healthy += n - popcount(h.faulty)
		busy += popcount(h.busy)
		if h.slices != nil {
			c.shuffleSlices(h, load)
		}
	}
	want := int(load * float64(healthy))
	for failed := 0; busy < want && failed < 4; {
		n := c.place(w, at, want-busy)
		if n == 0 {
			failed++
		}
		busy += n
	}
	for busy > want+want/20+1 && len(w.jobs) > 0 {
		last := len(w.jobs) - 1
		busy -= w.jobs[last].size()
		w.end(last, c)
	}
}

func (j *job) size() int { return popcount(j.mask) * len(j.hosts) }

// place puts one job of at most so many devices and returns how many it took.
func (c *centre) place(w *crew, at time.Time, room int) int {
	per := max(len(w.hosts[0].devices), 1)
	if per > 1 && c.rng.IntN(3) == 0 {
		return c.placePiece(w, at, 1<<c.rng.IntN(3))
	}
	size := gangs[min(bits.TrailingZeros32(c.rng.Uint32()|1<<6), len(gangs)-1)]
	size = max(min(size, room/per), 1)
	j := job{mask: 1<<per - 1, ends: at.Add(c.lasting(gangLasts))}
	for range w.hosts {
		if len(j.hosts) == size {
			break
		}
		w.cursor = (w.cursor + 1) % len(w.hosts)
		if h := w.hosts[w.cursor]; h.fit() {
			j.hosts = append(j.hosts, h)
		}
	}
	return w.add(j, c)
}

// placePiece puts a job on n devices of one host, on one with other such jobs where it can.
func (c *centre) placePiece(w *crew, at time.Time, n int) int {
	for try := range 8 {
		h := w.hosts[c.rng.IntN(len(w.hosts))]
		if h.drained || h.silent || h.slices != nil || (try < 4 && h.busy == 0) {
			continue
		}
		free := h.all() &^ (h.busy | h.faulty)
		if popcount(free) < n {
			continue
		}
		var mask uint32
		for range n {
			mask |= free & -free
			free &= free - 1
		}
		return w.add(job{hosts: []*host{h}, mask: mask, ends: at.Add(c.lasting(pieceLasts))}, c)
	}
	return 0
}

// lasting draws a duration with the given mean.
func (c *centre) lasting(mean time.Duration) time.Duration {
	return time.Duration(float64(mean) * min(-math.Log(1-c.rng.Float64()), 8))
}

func (w *crew) add(j job, c *centre) int {
	for _, h := range j.hosts {
		h.busy |= j.mask
		c.changed(h)
	}
	if len(j.hosts) > 0 {
		w.jobs = append(w.jobs, j)
	}
	return j.size()
}

// end gives back what a job holds.
func (w *crew) end(i int, c *centre) {
	for _, h := range w.jobs[i].hosts {
		h.busy &^= w.jobs[i].mask
		c.changed(h)
	}
	w.jobs[i] = w.jobs[len(w.jobs)-1]
	w.jobs[len(w.jobs)-1] = job{}
	w.jobs = w.jobs[:len(w.jobs)-1]
}

// drop ends the jobs that match.
func (w *crew) drop(match func(*job) bool, c *centre) {
	for i := 0; i < len(w.jobs); {
		if match(&w.jobs[i]) {
			w.end(i, c)
		} else {
			i++
		}
	}
}

// kill ends the jobs that hold one of some devices of a host.
func (w *crew) kill(h *host, mask uint32, c *centre) {
	w.drop(func(j *job) bool {
		if j.mask&mask == 0 {
			return false
		}
		for _, k := range j.hosts {
			if k == h {
				return true
			}
		}
		return false
	}, c)
}

// shuffleSlices moves the slices at work of one card of a partitioned host towards the load.
func (c *centre) shuffleSlices(h *host, load float64) {
	if c.rng.IntN(20) != 0 {
		return
	}
	i := c.rng.IntN(len(h.devices))
	h.slices[i] = int8(math.Round(float64(h.server.slices) * min(load*2*c.rng.Float64(), 1)))
	h.busy &^= 1 << i
	if h.slices[i] > 0 {
		h.busy |= 1 << i
	}
	c.changed(h)
}
