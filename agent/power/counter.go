package power

import (
	"math"
	"time"

	"github.com/exameter/exameter/telemetry"
)

// Powers in watts that no domain keeps up: they tell a counter that wrapped from one that began anew, and how long a
// counter may go unread before it could have wrapped unseen.
const (
	maxPackageWatts = 1_000  // processors of 2026 draw up to 500
	maxNodeWatts    = 20_000 // and a server with eight accelerators about 15,000
)

const (
	// minInterval is the shortest time that gives a mean: RAPL counts in steps of about a millisecond.
	minInterval = 20 * time.Millisecond
	// maxInterval is the longest time between two readings that belong together.
	maxInterval = time.Hour
)

// counter follows an energy counter that begins at zero again after its highest value.
type counter struct {
	top      uint64 // highest value in microjoules; zero if it is not known
	maxWatts float64

	begun bool
	last  uint64
	at    time.Time // when last was read
	total uint64    // microjoules since the counter began, wraps undone
}

// add takes a value of the counter, read at now, and returns the mean power since the value before. The power is
// unknown at the first value, and where the two values do not tell what lies between them: after a reset of the counter,
// or after a time in which it could have wrapped more than once. The total then begins at zero again, as a counter does
// whose past is lost.
func (c *counter) add(v uint64, now time.Time) (telemetry.Milliwatts, bool) {
	elapsed := now.Sub(c.at)
	if c.begun && elapsed < minInterval {
		return 0, false // the next value will tell more
	}
	used, ok := c.since(v, elapsed)
	c.begun, c.last, c.at = true, v, now
	if !ok {
		c.total = 0
		return 0, false
	}
	c.total += used
	return telemetry.Milliwatts(math.Round(float64(used) / elapsed.Seconds() / 1000)), true
}

// since returns the microjoules counted between the last value and v.
func (c *counter) since(v uint64, elapsed time.Duration) (uint64, bool) {
	most := c.maxWatts * 1e6 * elapsed.Seconds()
	if !c.begun || elapsed > maxInterval || c.top > 0 && most >= float64(c.top) {
		return 0, false
	}
	used := v - c.last
	if v < c.last {
		if c.last > c.top {
			return 0, false // it began anew, or its highest value is not what the kernel says
		}
		used = c.top - c.last + v
	}
	return used, float64(used) <= most
}
