package collector

import "time"

// Work that goes on holds its processor: with as many goroutines at work as there are processors, Go looks at the network only every
// 10 ms (runtime.sysmon), and every request waits for that. So what may take longer takes a break now and then.
const (
	breathEvery = 500 * time.Microsecond
	breathFor   = 10 * time.Microsecond // the kernel makes some 60 of them
)

// breath is the breaks of one goroutine.
type breath struct{ last time.Time }

// take takes a break where the last one is some time ago, whatever was done since: many small pieces of work after each other hold a
// processor like a large one. While there are no answers yet, nobody waits for one.
func (b *breath) take(c *collector) {
	if now := time.Now(); now.Sub(b.last) >= breathEvery && c.ready.Load() {
		time.Sleep(breathFor)
		b.last = time.Now()
	}
}
