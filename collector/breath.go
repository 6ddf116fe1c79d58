package collector

import "time"

// Work that goes on holds its processor, and where all processors are held, Go looks at the network only every 10 ms (runtime.sysmon): a
// request waits for the work to end. So long batches take a break now and then: one that catches up after an outage, with answers to give meanwhile,
// takes up to twice as long by the clock for it.
const (
	breathEvery = time.Millisecond
	breathFor   = 10 * time.Microsecond // where nothing else is to be done, Go's timers make a millisecond of them
)

// breath is the breaks in a piece of work, which began at since or was broken off then.
type breath struct{ since time.Time }

func breathe() breath { return breath{time.Now()} }

// take takes a break where it is time for one. Before there are answers nobody waits for one.
func (b *breath) take(c *collector) {
	if time.Since(b.since) >= breathEvery && c.ready.Load() {
		time.Sleep(breathFor)
		b.since = time.Now()
	}
}
