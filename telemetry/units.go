package telemetry

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
