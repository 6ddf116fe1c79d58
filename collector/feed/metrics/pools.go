package metrics

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exameter/exameter/collector/capacity"
)

// maxPools bounds the series that pools can make: those with the most devices have series, and the others are counted.
const maxPools = 1000

// gangSizes are the sizes of which the gangs that fit are told: single devices, and usual servers as a whole.
var gangSizes = [...]int{1, 8}

// The names, labels and meanings are those of exameter export prometheus, which prints the same where Prometheus does not reach a collector.
var (
	poolDevicesDesc = poolDesc("devices", "Devices of a pool by state. A processor set is one device.", "state")
	poolFlopsDesc   = poolDesc("flops", "Peak throughput of a pool in flop/s by state; missing where the model has no peak.", "state")
	poolGangsDesc   = poolDesc("free_gangs", "Groups of so many devices that are free on one host each.", "size")
	poolHostsDesc   = poolDesc("hosts", "Hosts of a pool: rated, online.", "state")
	poolAgeDesc     = poolDesc("report_age_seconds", "Age of the oldest report that a pool's figures rest on, at as_of.")
	poolsUnlisted   = desc("pools_unlisted", "Pools beyond those with the most devices, which have no series of their own.")

	poolDescs = []*prometheus.Desc{poolDevicesDesc, poolFlopsDesc, poolGangsDesc, poolHostsDesc, poolAgeDesc, poolsUnlisted}
)

func poolDesc(name, help string, more ...string) *prometheus.Desc {
	return desc("pool_"+name, help, append([]string{"centre", "cluster", "kind", "vendor", "model", "class", "domestic"}, more...)...)
}

// poolName are the values of the labels that a pool's series share.
type poolName [7]string

// with adds values of further labels.
func (n poolName) with(more ...string) []string { return append(n[:len(n):len(n)], more...) }

// collectPools sends the pools with the most devices. Those of one name, which differ in their peak alone, are added up.
func collectPools(s *capacity.Snapshot, gauge gauger) {
	list := groups(s, capacity.ByCentre, capacity.ByCluster, capacity.ByKind, capacity.ByVendor, capacity.ByModel, capacity.ByClassOf, capacity.ByDomestic)
	slices.SortStableFunc(list, func(a, b capacity.Group) int { return cmp.Compare(b.Devices.Rated, a.Devices.Rated) })
	listed := list[:min(len(list), maxPools)]
	gauge(poolsUnlisted, float64(len(list)-len(listed)))
	gangs := gangsOf(s)
	for i := range listed {
		g := &listed[i]
		name := poolName{g.Centre, g.Cluster, g.Kind, g.Vendor, g.Model, g.Class, g.Domestic}
		for _, v := range devicesByState(&g.Devices) {
			gauge(poolDevicesDesc, float64(v.n), name.with(v.state)...)
		}
		gauge(poolDevicesDesc, float64(g.Devices.Unpriced), name.with("unpriced")...)
		if g.Devices.Unpriced < g.Devices.Rated {
			for _, v := range byState(&g.Eflops) {
				gauge(poolFlopsDesc, flops(v.flops), name.with(v.state)...)
			}
		}
		for i, size := range gangSizes {
			gauge(poolGangsDesc, float64(gangs[name][i]), name.with(strconv.Itoa(size))...)
		}
		gauge(poolHostsDesc, float64(g.Hosts.Rated), name.with("rated")...)
		gauge(poolHostsDesc, float64(g.Hosts.Online), name.with("online")...)
		if g.Age != nil {
			gauge(poolAgeDesc, g.Age.Max, name.with()...)
		}
	}
}

// gangsOf counts, by pool and by gangSizes, the gangs that are free on single hosts. They are never too many: a host with more free
// devices than are told apart counts as one with so many.
func gangsOf(s *capacity.Snapshot) map[poolName][len(gangSizes)]int64 {
	out := map[poolName][len(gangSizes)]int64{}
	for i := range s.Pools {
		p := &s.Pools[i].Pool
		domestic := capacity.DomesticUnknown
		if v, known := p.Domestic.Get(); known && v {
			domestic = capacity.DomesticYes
		} else if known {
			domestic = capacity.DomesticNo
		}
		name := poolName{p.Centre, p.Cluster, string(p.Kind), p.Vendor, p.Model, string(p.Class), domestic}
		n := out[name]
		for j, size := range gangSizes {
			for free, hosts := range s.Pools[i].Cell.FreeHosts {
				n[j] += hosts * int64(free/size)
			}
		}
		out[name] = n
	}
	return out
}

// stateDevices is the number of devices of one state.
type stateDevices struct {
	state string
	n     int64
}

// devicesByState lists the states of a figure.
func devicesByState(d *capacity.Devices) []stateDevices {
	return []stateDevices{
		{"rated", d.Rated},
		{"online", d.Online},
		{"healthy", d.Healthy},
		{"busy", d.Busy},
		{"free", d.Free},
		{"drained", d.Drained},
		{"faulty", d.Faulty},
		{"stale", d.Stale},
	}
}
