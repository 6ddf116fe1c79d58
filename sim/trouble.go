package sim

import "time"

// Troubles happen at random. Each has a rate for one host (or, where said, one device) and a mean time until it is over;
// their product is the share that is in trouble on average, with which a simulation also begins.
var (
	deviceFault = trouble{every: 2400 * time.Hour, lasts: 12 * time.Hour} // of one device: 0.5 %
	hostDrain   = trouble{every: 250 * time.Hour, lasts: 3 * time.Hour}   // 1.2 %
	hostSilent  = trouble{every: 1000 * time.Hour, lasts: 2 * time.Hour}  // 0.2 %
	rackSilent  = trouble{every: 40_000 * time.Hour, lasts: time.Hour}    // of the racks' hosts, by 8
	centreDark  = trouble{every: 20_000 * time.Hour, lasts: time.Hour}    // of a whole centre
)

// rack is how many neighbours fall silent together.
const rack = 8

type trouble struct{ every, lasts time.Duration }

// share is the part that is in trouble on average.
func (t trouble) share() float64 { return float64(t.lasts) / float64(t.every) }

// befall makes troubles begin and end over a stretch of simulated time.
func (c *centre) befall(w *crew, dt time.Duration) {
	strikes := func(t trouble) bool { return c.rng.Float64() < float64(dt)/float64(t.every) }
	passes := func(t trouble) bool { return c.rng.Float64() < float64(dt)/float64(t.lasts) }
	for i, h := range w.hosts {
		switch {
		case c.rallied.Load():
		case h.silent:
			if passes(hostSilent) {
				c.wake(h)
			}
			continue
		case strikes(hostSilent):
			c.silence(w, h)
			continue
		case i%rack == 0 && strikes(rackSilent):
			for _, n := range w.hosts[i:min(i+rack, len(w.hosts))] {
				c.silence(w, n)
			}
			continue
		}
		if h.drained && passes(hostDrain) {
			h.drained = false
			c.changed(h)
		} else if !h.drained && strikes(hostDrain) {
			c.drain(h)
		}
		for d := range h.devices {
			broken := h.faulty>>d&1 != 0
			if broken && passes(deviceFault) {
				h.faulty &^= 1 << d
				h.faults[d] = 0
				c.changed(h)
			} else if !broken && strikes(deviceFault) {
				c.damage(w, h, d)
			}
		}
	}
}

// begin puts so many hosts and devices in trouble as there are on average. Where it is calm, every host speaks.
func (c *centre) begin(w *crew) {
	for _, h := range w.hosts {
		if c.rng.Float64() < hostSilent.share() && !c.spec.Calm {
			c.silence(w, h)
		}
		if c.rng.Float64() < hostDrain.share() {
			c.drain(h)
		}
		for d := range h.devices {
			if c.rng.Float64() < deviceFault.share() {
				c.damage(w, h, d)
			}
		}
	}
}

// silence stops a host from saying anything. Its jobs die with it.
func (c *centre) silence(w *crew, h *host) {
	w.kill(h, ^uint32(0), c)
	h.silent = true
}

// wake brings a silent host back: it was booted anew.
func (c *centre) wake(h *host) {
	h.silent = false
	h.restart(c.rng, c.now)
	c.changed(h)
}

// Rally ends all silence, and none begins any more: every host speaks with the next step, or soon after where power came back. Other
// troubles go on.
func (p *Province) Rally() { p.rallied.Store(true) }

// rally wakes whoever is silent.
func (c *centre) rally() {
	c.dark = false
	for _, h := range c.hosts {
		if h.silent {
			c.wake(h)
		}
	}
}

// drain takes a host out. Its jobs may finish.
func (c *centre) drain(h *host) {
	h.drained = true
	c.changed(h)
}

// damage makes a device faulty, and ends the job on it.
func (c *centre) damage(w *crew, h *host, d int) {
	w.kill(h, 1<<d, c)
	kinds := h.server.faults()
	h.faulty |= 1 << d
	h.faults[d] = kinds[c.rng.IntN(len(kinds))] + 1
	c.changed(h)
}

// fail makes the whole centre fall dark and come back, by chance or as it was ordered.
func (c *centre) fail(dt time.Duration) {
	dark := c.dark
	switch {
	case c.rallied.Load():
		return
	case c.ordered.Load() != asChanceHasIt:
		dark = c.ordered.Load() == orderedDark
	case c.spec.Calm || dt < evolveEvery:
		return
	case dark:
		dark = c.rng.Float64() >= float64(dt)*c.spec.Speed/float64(centreDark.lasts)
	default:
		dark = c.rng.Float64() < float64(dt)*c.spec.Speed/float64(centreDark.every)
	}
	if dark == c.dark {
		return
	}
	c.dark = dark
	for _, w := range c.crews {
		if dark {
			w.drop(func(*job) bool { return true }, c)
		}
		for _, h := range w.hosts {
			if dark {
				h.busy, h.silent = 0, true
				continue
			}
			// Power comes back to all at once, and not every host is up at the same moment.
			c.wake(h)
			c.due[h.number] = c.now.UnixNano() + c.rng.Int64N(int64(c.spec.Ramp)+1)
		}
	}
}

// Orders to a centre.
const (
	asChanceHasIt = iota
	orderedDark
	orderedLight
)

// Darken makes a whole centre fall silent, or come back, with the next step. It reports whether there is such a centre.
func (p *Province) Darken(id string, dark bool) bool {
	for _, c := range p.centres {
		if c.ID == id {
			order := int32(orderedLight)
			if dark {
				order = orderedDark
			}
			c.ordered.Store(order)
			return true
		}
	}
	return false
}
