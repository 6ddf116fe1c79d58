package sim

import (
	"math"
	"time"
)

// cst is the province's time of day. It knows no daylight saving.
var cst = time.FixedZone("CST", 8*3600)

// load is the share of a centre's devices that have work at a time: least at four in the morning, most at four in the
// afternoon.
func (c *Centre) load(at time.Time) float64 {
	at = at.In(cst)
	hours := float64(at.Hour()) + float64(at.Minute())/60 + float64(at.Second())/3600
	return c.Night + (c.Day-c.Night)*(0.5-0.5*math.Cos(2*math.Pi*(hours-4)/24))
}
