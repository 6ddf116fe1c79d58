package capacity

// Leaf is what one device adds to a cell.
type Leaf struct {
	State    State
	Units    int64 // what it is worth: UnitsPerDevice, or the cores of a processor set
	Busy     int64 // how many of them are at work, where the device is healthy
	PowerMW  int64 // -1 where it is unknown
	Activity int64 // in thousandths; -1 where it is unknown
	SM       bool  // activity is that of the multiprocessors
}

// Count adds n times a device: 1 to count it, -1 to take it back. Of a stale device nothing is known but what it is worth.
func (c *Cell) Count(l Leaf, n int64) {
	c.Devices[l.State] += n
	if l.State == Stale {
		c.Units[Stale] += n * l.Units
		return
	}
	if l.PowerMW >= 0 {
		c.PowerMW += n * l.PowerMW
		c.PowerDevices += n
	}
	if l.State > Free {
		c.Units[l.State] += n * l.Units
		return
	}
	c.Units[Busy] += n * l.Busy
	c.Units[Free] += n * (l.Units - l.Busy)
	if l.Activity < 0 {
		return
	}
	if l.SM {
		c.SM += n
	} else {
		c.Utilisation += n
	}
	c.ActiveUnits += n * l.Units * l.Activity
	c.KnownUnits += n * l.Units
}

// Contender is a host that hosts of other parts contest a device with. It stands in no cell and no shape of its part's
// snapshot: which of its devices count is settled where the parts are summed up.
type Contender struct {
	Host        string
	Online      bool
	AgeMS       int64 // of its last report, where it is online
	InventoryMS int64 // record time of its last inventory, in ms since 1970
	Devices     []Contest
}

// Contest is one device of a contender.
type Contest struct {
	Pool int // index into Snapshot.Pools
	Leaf Leaf
	// Of a device that is contested: what it is recognised by, and the record time, in ms since 1970, of the host's last report if
	// the device is present in it, else 0. Claim is 0 of a device that no other part claims.
	Claim     uint64
	ID        string
	Set       bool // it is the processor set of the host ID
	PresentMS int64
}

// Claim is what a host has to say for a device being its own.
type Claim struct {
	PresentMS   int64 // record time of the host's last report if the device is present in it, else 0
	InventoryMS int64 // record time of the host's last inventory
	Centre      string
	Host        string
}

// Better reports whether a claim is better than another one to the same device: the host that reported it present last has it;
// among hosts that never did, or whose last report misses it, the one with the newest inventory; ties go by centre and host.
func (c Claim) Better(o Claim) bool {
	switch {
	case c.PresentMS != o.PresentMS:
		return c.PresentMS > o.PresentMS
	case c.InventoryMS != o.InventoryMS:
		return c.InventoryMS > o.InventoryMS
	case c.Centre != o.Centre:
		return c.Centre < o.Centre
	default:
		return c.Host < o.Host
	}
}
