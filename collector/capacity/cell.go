package capacity

import "math/bits"

// State is where a device stands in a cell. Together the five states hold every device exactly once.
type State uint8

// The states, in the order in which leaves are rounded: a split card's two parts come first and next to each other.
const (
	Busy State = iota
	Free
	Drained
	Faulty
	Stale
	states = int(Stale) + 1
)

// MaxFree is the last bin of FreeHosts: hosts with so many free devices or more.
const MaxFree = 16

// Cell is all that is known of one pool, in integers. Cells add: a pool's cell is the sum of its hosts' contributions.
type Cell struct {
	Devices [states]int64 // whole devices; a processor set counts one
	Units   [states]int64 // parts of 1/UnitsPerDevice of an accelerator, or cores of a processor set

	SM          int64 // healthy devices whose activity is that of their multiprocessors
	Utilisation int64 // healthy devices whose activity is their utilisation
	// ActiveUnits is Σ units × activity in thousandths, and KnownUnits Σ units, over the devices counted in SM and Utilisation.
	ActiveUnits int64
	KnownUnits  int64

	PowerMW      int64 // Σ measured power of online devices, in milliwatts
	PowerDevices int64 // online devices whose power is known

	// FreeHosts counts the online hosts of the pool by how many of its devices are free on them, the last bin being MaxFree and more.
	FreeHosts [MaxFree + 1]int64
}

// Add adds n times what o holds: 1 to count it, -1 to take it back.
func (c *Cell) Add(o *Cell, n int64) {
	for i := range c.Devices {
		c.Devices[i] += n * o.Devices[i]
		c.Units[i] += n * o.Units[i]
	}
	c.SM += n * o.SM
	c.Utilisation += n * o.Utilisation
	c.ActiveUnits += n * o.ActiveUnits
	c.KnownUnits += n * o.KnownUnits
	c.PowerMW += n * o.PowerMW
	c.PowerDevices += n * o.PowerDevices
	for i := range c.FreeHosts {
		c.FreeHosts[i] += n * o.FreeHosts[i]
	}
}

// leaves prices a cell: whole Mflop/s by state. The running total is rounded and not each state, so that a card split
// between busy and free is worth exactly the card, and rated does not move when a device changes state.
func (c *Cell) leaves(peak, units int64) (f [states]Flops) {
	var sum int64
	var before Flops
	for s, n := range c.Units {
		sum += n
		now := price(sum, peak, units)
		f[s] = now - before
		before = now
	}
	return f
}

// price is round(n × peak ÷ units), halves up. A product that no real fleet reaches is held at the largest Flops.
func price(n, peak, units int64) Flops {
	if n <= 0 || peak <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(n), uint64(peak))
	lo, carry := bits.Add64(lo, uint64(units)/2, 0)
	hi += carry
	if hi >= uint64(units) {
		return Flops(1<<63 - 1)
	}
	q, _ := bits.Div64(hi, lo, uint64(units))
	return Flops(min(q, 1<<63-1))
}
