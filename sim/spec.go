// Package sim is a province that does not exist: hosts of many vendors, with jobs, faults and nights, that speak to
// Kafka exactly as agents do. It keeps a ledger of what it said, so that a collector's answer can be held against it.
//
// Everything that happens follows from the seed and the clock it is given. No place, operator or figure stands for a
// real one.
package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/exameter/exameter/telemetry"
)

// DefaultHosts makes a province of about 85 Eflops rated.
const DefaultHosts = 21_100

// Spec says which province to simulate.
type Spec struct {
	Seed    uint64
	Hosts   int      // DefaultHosts where zero; all centres scale with it
	Centres []Centre // DefaultCentres() where nil

	// Interval is the longest time between two reports of a host; 10 s where zero.
	Interval time.Duration
	// Ramp is the time over which the hosts say what they are for the first time; half the interval where zero.
	Ramp time.Duration
	// Speed is how much faster jobs, nights and faults go by than the clock; 1 where zero. Reports keep the clock's time.
	Speed float64
	// Calm leaves out everything that happens by itself, so that only what is ordered changes anything.
	Calm bool

	Version string // what the hosts give as their agent's version
}

// Limits of a specification.
const (
	MaxHosts = 1_000_000
	MaxSpeed = 3600
)

func (s Spec) normal() (Spec, error) {
	if s.Hosts == 0 {
		s.Hosts = DefaultHosts
	}
	if s.Hosts < 1 || s.Hosts > MaxHosts {
		return s, fmt.Errorf("%d hosts: want 1 to %d", s.Hosts, MaxHosts)
	}
	if s.Interval == 0 {
		s.Interval = 10 * time.Second
	}
	if s.Interval < 10*time.Millisecond {
		return s, fmt.Errorf("report interval %s: want at least 10ms", s.Interval)
	}
	if s.Ramp == 0 {
		s.Ramp = s.Interval / 2
	}
	if s.Ramp < 0 || s.Ramp > s.Interval {
		return s, fmt.Errorf("ramp %s: want at most the interval, %s", s.Ramp, s.Interval)
	}
	if s.Speed == 0 {
		s.Speed = 1
	}
	if !(s.Speed > 0 && s.Speed <= MaxSpeed) {
		return s, fmt.Errorf("speed %v: want a number above 0, at most %d", s.Speed, MaxSpeed)
	}
	if s.Centres == nil {
		s.Centres = DefaultCentres()
	}
	seen := map[string]bool{}
	for _, c := range s.Centres {
		if err := c.check(); err != nil {
			return s, err
		}
		if seen[c.ID] {
			return s, fmt.Errorf("centre %q is given twice", c.ID)
		}
		seen[c.ID] = true
	}
	if len(s.Centres) == 0 {
		return s, fmt.Errorf("no centre")
	}
	return s, nil
}

// Centre is one simulated centre.
type Centre struct {
	ID     string
	Names  Names
	Weight int     // share of the province's hosts
	Night  float64 // share of devices busy in the dead of night
	Day    float64 // and in the afternoon
	Groups []Group
	// Counted is what the operator declares some of its clusters to be counted by, where it is not the usual.
	Counted map[string]Counting
}

// Counting is what an operator declares the devices of a cluster to be counted by.
type Counting string

// What a cluster may be declared to be.
const (
	Super     Counting = "super"     // a supercomputer, counted by FP64
	Rendering Counting = "rendering" // counted by FP32
)

// Names are a centre's names for people.
type Names struct{ ZH, EN string }

// Group is the hosts of one kind within a cluster of a centre.
type Group struct {
	Cluster string
	Server  string // key of Servers
	Weight  int    // share of the centre's hosts
}

func (c *Centre) check() error {
	if err := telemetry.ValidID(c.ID); err != nil {
		return fmt.Errorf("centre: %w", err)
	}
	if c.Weight < 1 || len(c.Groups) == 0 {
		return fmt.Errorf("centre %q: want a weight above 0 and at least one group", c.ID)
	}
	for cluster, by := range c.Counted {
		if !slices.ContainsFunc(c.Groups, func(g Group) bool { return g.Cluster == cluster }) {
			return fmt.Errorf("centre %q: it has no cluster %q to be counted by %q", c.ID, cluster, by)
		}
		if by != Super && by != Rendering {
			return fmt.Errorf("centre %q: cluster %q: %q is not %s or %s", c.ID, cluster, by, Super, Rendering)
		}
	}
	for _, g := range c.Groups {
		if err := telemetry.ValidID(g.Cluster); err != nil {
			return fmt.Errorf("centre %q: cluster: %w", c.ID, err)
		}
		if servers[g.Server] == nil {
			return fmt.Errorf("centre %q: no server is called %q", c.ID, g.Server)
		}
		if g.Weight < 1 {
			return fmt.Errorf("centre %q: group %q: want a weight above 0", c.ID, g.Server)
		}
	}
	return nil
}

// shares splits n by weights: whole numbers that add up to n, by the largest remainders.
func shares(n int, weights []int) []int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	out, rest := make([]int, len(weights)), n
	for i, w := range weights {
		out[i] = n * w / sum
		rest -= out[i]
	}
	given := make([]bool, len(weights))
	for ; rest > 0; rest-- {
		best := -1
		for i, w := range weights {
			if !given[i] && (best < 0 || n*w%sum > n*weights[best]%sum) {
				best = i
			}
		}
		given[best] = true
		out[best]++
	}
	return out
}
