package report

import (
	"time"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// domain gathers the power of one domain of the host.
type domain struct {
	name, method string
	power        power
}

func (d *domain) add(at time.Time, r *poll.PowerReading) {
	d.method = r.Method
	d.power.add(at, r.Power, r.Energy)
}

// status returns what was measured, if anything was.
func (d *domain) status() (telemetry.PowerStatus, bool) {
	s := telemetry.PowerStatus{Domain: d.name, Method: d.method, Mean: d.power.mean(), Max: d.power.samples.highest(), Energy: d.power.counter()}
	return s, s.Mean.OK || s.Max.OK
}

func (d *domain) renew() { d.power.renew() }
