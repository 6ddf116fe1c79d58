package main

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// kind is a sort of fault.
type kind string

const (
	collectorKilled    kind = "collector killed"
	collectorStopped   kind = "collector stopped (SIGSTOP)"
	collectorRestarted kind = "collector restarted in order"
	brokerKilled       kind = "broker killed"
	brokerStopped      kind = "broker stopped (SIGSTOP)"
	brokerRestarted    kind = "broker restarted in order"
	brokersRolled      kind = "brokers restarted one after the other"
	controllerKilled   kind = "controller killed"
	leaderKilled       kind = "leader of the log of partials killed"
	noQuorum           kind = "two of three brokers killed"
	allDown            kind = "all brokers killed"
	agentsKilled       kind = "all brokers killed, and the agents meanwhile"
	centreDark         kind = "centre dark"
	bothKilled         kind = "broker and collector killed together"
	networkCut         kind = "network cut off, of a collector and an agent"

	// These are in no schedule, since they need disks that can be made slow.
	diskSlow   kind = "disk of the leader of the log of partials slow"
	diskHangs  kind = "disk of the leader of the log of partials hangs"
	diskKilled kind = "disk of the leader of the log of partials hangs, and the broker is killed"
	disksSlow  kind = "disks of all brokers slow"
)

// extents are the kinds of faults, with the least and the most seconds that each lasts before it is repaired. Zero leaves that to the fault.
var extents = []struct {
	kind     kind
	from, to int
}{
	{collectorKilled, 1, 12},
	{collectorStopped, 2, 14},
	{collectorRestarted, 0, 0},
	{brokerKilled, 2, 10},
	{brokerStopped, 2, 12},
	{brokerRestarted, 1, 6},
	{brokersRolled, 0, 0},
	{controllerKilled, 2, 10},
	{leaderKilled, 2, 10},
	{noQuorum, 5, 20},
	{allDown, 5, 20},
	{agentsKilled, 8, 20},
	{centreDark, 3, 20},
	{bothKilled, 2, 10},
	{networkCut, 4, 20},
}

// step is one fault of a schedule.
type step struct {
	number int
	kind   kind
	target int // which collector, broker or centre, where the kind does not say
	lasts  time.Duration
	calm   time.Duration // how long nothing is done once all answers are exact again
}

func (s step) String() string {
	return fmt.Sprintf("%d: %s (target %d, %s, then %s of calm)", s.number, s.kind, s.target, s.lasts, s.calm)
}

// schedule is what happens, a function of the seed alone: every kind of fault once, in an order that is drawn, and again in another.
func schedule(seed uint64) iter.Seq[step] {
	return func(yield func(step) bool) {
		r := rand.New(rand.NewPCG(seed, 0))
		for n := 1; ; {
			for _, i := range r.Perm(len(extents)) {
				e := extents[i]
				s := step{
					number: n, kind: e.kind, target: r.IntN(6),
					lasts: time.Duration(1000*e.from+r.IntN(1000*(e.to-e.from)+1)) * time.Millisecond, calm: time.Duration(r.IntN(4000)) * time.Millisecond,
				}
				if n++; !yield(s) {
					return
				}
			}
		}
	}
}
