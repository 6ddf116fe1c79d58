package telemetry

import "math"

// Opt is a reading that may be unknown. Its zero value is unknown, so a field that nobody set is left off the wire
// and is never mistaken for a measured zero.
type Opt[T any] struct {
	Value T
	OK    bool
}

// Known returns a reading that was made.
func Known[T any](v T) Opt[T] { return Opt[T]{Value: v, OK: true} }

// Get returns the reading and whether it was made.
func (o Opt[T]) Get() (T, bool) { return o.Value, o.OK }

// Units of the wire. All of them are integers: totals are sums of integers and never drift.
type (
	// Bytes is an amount of memory.
	Bytes int64
	// Permille is a ratio in thousandths, 0 to 1000.
	Permille int64
	// Milliwatts is a power.
	Milliwatts int64
	// Millijoules is an energy counter; it only grows, until its source restarts.
	Millijoules int64
	// Celsius is a temperature in whole degrees.
	Celsius int64
	// Megahertz is a clock rate.
	Megahertz int64
	// Milliseconds is a length of time.
	Milliseconds int64
	// Seconds is a length of time.
	Seconds int64
)

// MaxMemory is the most memory of one host or device that the wire takes.
const MaxMemory Bytes = 1 << 46

// unit is a quantity that knows the values it can take. The bounds are generous for hardware and for a whole rack
// behind one host, and small enough that no single host can make a province's sum of int64 overflow.
type unit interface {
	~int64
	limits() (lo, hi int64)
}

func (Bytes) limits() (lo, hi int64)        { return 0, int64(MaxMemory) }
func (Permille) limits() (lo, hi int64)     { return 0, 1000 }
func (Milliwatts) limits() (lo, hi int64)   { return 0, 1e9 }
func (Millijoules) limits() (lo, hi int64)  { return 0, math.MaxInt64 }
func (Celsius) limits() (lo, hi int64)      { return -100, 1000 }
func (Megahertz) limits() (lo, hi int64)    { return 0, 1e6 }
func (Milliseconds) limits() (lo, hi int64) { return 0, 1e12 }
func (Seconds) limits() (lo, hi int64)      { return 0, 1e10 }
