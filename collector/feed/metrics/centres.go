package metrics

import (
	"cmp"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/registry"
)

// gauger sends one value of a gauge.
type gauger func(*prometheus.Desc, float64, ...string)

var (
	figuresDesc  = desc("figures_info", "Always 1; the labels tell by which catalogue, registry and rule of accounting the figures were made.", "catalogue", "registry", "rule")
	originDesc   = desc("origin_flops", "Rated peak throughput in flop/s by class and by where the models are designed (domestic, foreign, unknown).", "class", "origin")
	activityDesc = desc("activity_devices", "Healthy devices by class and by where their activity is from (sm, utilisation, unknown).", "class", "source")

	centreFlopsDesc       = desc("centre_flops", "Peak throughput of a centre in flop/s by class and state.", "centre", "class", "state")
	centreUtilisationDesc = desc("centre_utilisation_ratio", "Busy-weighted nameplate of a centre by class.", "centre", "class")
	centrePowerDesc       = desc("centre_power_watts", "Measured power of a centre's online devices by class.", "centre", "class")
	powerDevicesDesc      = desc("power_devices", "Online devices whose power is measured, by centre and class.", "centre", "class")
	powerFlopsDesc        = desc("measured_flops", "Peak throughput in flop/s of the online devices that have a price and whose power is measured, by centre and class.", "centre", "class")
	powerWattsDesc        = desc("measured_watts", "Power of the online devices that have a price and whose power is measured, by centre and class.", "centre", "class")

	centreDesc        = desc("centre_info", "Always 1; the labels tell the names and the status of a centre.", "centre", "name_en", "name_zh", "status")
	targetDesc        = desc("target_flops", "Planned peak throughput in flop/s; of the province where centre is empty.", "centre")
	targetDateDesc    = desc("target_timestamp_seconds", "The day by which the target shall be met; of the province where centre is empty.", "centre")
	declaredDesc      = desc("declared_flops", "Peak throughput in flop/s by the centre's declaration in force, at the precision it declares.", "centre", "precision")
	declaredRatedDesc = desc("declared_rated_flops", "Rated peak throughput in flop/s of the accelerators of a centre, at the precision that it declares.", "centre", "precision")
)

// centreDescs are what this file sends.
var centreDescs = []*prometheus.Desc{
	figuresDesc, originDesc, activityDesc, centreFlopsDesc, centreUtilisationDesc, centrePowerDesc, powerDevicesDesc, powerFlopsDesc, powerWattsDesc,
	centreDesc, targetDesc, targetDateDesc, declaredDesc, declaredRatedDesc,
}

// collectOrigin sends where what is rated was designed, and how much of the utilisation is known.
func collectOrigin(s *capacity.Snapshot, gauge gauger) {
	gauge(figuresDesc, 1, s.Catalogue, s.Registry, cmp.Or(s.Rule, capacity.Rule))
	for _, g := range groups(s, capacity.ByClassOf) {
		o, a := &g.Origin.Eflops, &g.Activity
		gauge(originDesc, flops(o.Domestic), g.Class, "domestic")
		gauge(originDesc, flops(o.Foreign), g.Class, "foreign")
		gauge(originDesc, flops(o.Unknown), g.Class, "unknown")
		gauge(activityDesc, float64(a.SM), g.Class, "sm")
		gauge(activityDesc, float64(a.Utilisation), g.Class, "utilisation")
		gauge(activityDesc, float64(a.Unknown), g.Class, "unknown")
	}
}

// collectCentres sends flops, utilisation and power by centre. What is not known has no series.
func collectCentres(s *capacity.Snapshot, gauge gauger) {
	for _, g := range groups(s, capacity.ByCentre, capacity.ByClassOf) {
		if g.Devices.Unpriced < g.Devices.Rated {
			for _, v := range byState(&g.Eflops) {
				gauge(centreFlopsDesc, flops(v.flops), g.Centre, g.Class, v.state)
			}
		}
		if g.Utilisation != nil {
			gauge(centreUtilisationDesc, *g.Utilisation, g.Centre, g.Class)
		}
		gauge(powerDevicesDesc, float64(g.PowerDevices), g.Centre, g.Class)
		if g.PowerDevices > 0 {
			gauge(centrePowerDesc, g.PowerW, g.Centre, g.Class)
		}
	}
	for at, m := range measured(s) {
		gauge(powerFlopsDesc, m.flops, at[0], at[1])
		gauge(powerWattsDesc, m.watts, at[0], at[1])
	}
}

// measurement is what devices could do at most, and what they draw.
type measurement struct{ flops, watts float64 }

// measured is that of the devices that have a price and whose power is known, by centre and class. Devices of a pool are alike, so that what
// is online of it is split by their number.
func measured(s *capacity.Snapshot) map[[2]string]measurement {
	out := map[[2]string]measurement{}
	for _, g := range groups(s, capacity.ByCentre, capacity.ByCluster, capacity.ByKind, capacity.ByVendor, capacity.ByModel, capacity.ByClassOf) {
		if g.PowerDevices > 0 && g.Devices.Unpriced == 0 {
			m := out[[2]string{g.Centre, g.Class}]
			m.flops += flops(g.Eflops.Online) * float64(g.PowerDevices) / float64(g.Devices.Online)
			m.watts += g.PowerW
			out[[2]string{g.Centre, g.Class}] = m
		}
	}
	return out
}

// collectRegistry sends what was said of the centres, and what is rated at the precision in which it was said.
func collectRegistry(s *capacity.Snapshot, r *registry.Registry, gauge gauger) {
	target := func(centre string, t *registry.Target) {
		if t != nil {
			gauge(targetDesc, flops(t.Eflops.Flops), centre)
			gauge(targetDateDesc, float64(t.Date.Unix()), centre)
		}
	}
	target("", r.Province.Target)
	known, rated := map[string]bool{}, map[capacity.Precision]map[string]capacity.Flops{}
	for i := range r.Centres {
		c := &r.Centres[i]
		known[c.ID] = true
		gauge(centreDesc, 1, c.ID, cmp.Or(c.Name.En, c.ID), cmp.Or(c.Name.Zh, c.ID), string(cmp.Or(c.Status, registry.Operating)))
		target(c.ID, c.Target)
		if d := c.InForce(s.AsOf); d != nil {
			precision := cmp.Or(d.Precision, capacity.ByClass)
			if rated[precision] == nil {
				rated[precision] = ratedAt(s, precision)
			}
			gauge(declaredDesc, flops(d.Eflops.Flops), c.ID, string(precision))
			gauge(declaredRatedDesc, flops(rated[precision][c.ID]), c.ID, string(precision))
		}
	}
	for _, g := range groups(s, capacity.ByCentre) {
		if !known[g.Centre] { // its topics exist, so it operates
			gauge(centreDesc, 1, g.Centre, g.Centre, g.Centre, string(registry.Operating))
		}
	}
}

// ratedAt is what is rated of accelerators, by centre, at a precision.
func ratedAt(s *capacity.Snapshot, precision capacity.Precision) map[string]capacity.Flops {
	out := map[string]capacity.Flops{}
	doc, err := s.Document(capacity.Query{By: []capacity.Dimension{capacity.ByCentre}, Precision: precision})
	if err != nil {
		return out // the precision was checked when the registry was read
	}
	for i := range doc.Groups {
		out[doc.Groups[i].Centre] = doc.Groups[i].Eflops.Rated
	}
	return out
}

// stateFlops is the throughput of one state.
type stateFlops struct {
	state string
	flops capacity.Flops
}

// byState lists the states of a figure.
func byState(e *capacity.Eflops) []stateFlops {
	return []stateFlops{
		{"rated", e.Rated},
		{"online", e.Online},
		{"healthy", e.Healthy},
		{"busy", e.Busy},
		{"free", e.Free},
		{"drained", e.Drained},
		{"faulty", e.Faulty},
		{"stale", e.Stale},
	}
}

// flops are whole Mflop/s in flop/s.
func flops(f capacity.Flops) float64 { return float64(f) * 1e6 }
