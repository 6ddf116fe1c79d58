package metrics

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// TestPools has series for the pools with the most devices alone, and counts the others.
func TestPools(t *testing.T) {
	m := sample()
	n, err := testutil.GatherAndCount(m.Registry, "exameter_pool_devices")
	if err != nil || n != 9*(1+maxUnpriced+4) {
		t.Errorf("%d series of pools' devices, %v", n, err)
	}
	s := &capacity.Snapshot{Pools: unpriced(maxPools + 5)}
	for i := range s.Pools {
		s.Pools[i].Cell.FreeHosts[8], s.Pools[i].Cell.FreeHosts[3] = 2, 5
	}
	got := map[string]int{}
	largest := 0.0
	collectPools(s, func(d *prometheus.Desc, v float64, labels ...string) {
		got[d.String()]++
		if d == poolDevicesDesc && labels[len(labels)-1] == "rated" {
			largest = max(largest, v)
			if v < 6 {
				t.Errorf("a pool of %g devices has series, and larger ones do not", v)
			}
		}
		if d == poolsUnlisted && v != 5 || d == poolGangsDesc && labels[7] == "8" && v != 2 || d == poolGangsDesc && labels[7] == "1" && v != 31 {
			t.Errorf("%s %v: %g", d, labels, v)
		}
		if d == poolFlopsDesc {
			t.Error("pools without a price are worth something")
		}
	})
	if got[poolDevicesDesc.String()] != 9*maxPools || got[poolGangsDesc.String()] != 2*maxPools || got[poolsUnlisted.String()] != 1 || largest != maxPools+5 {
		t.Errorf("%v, the largest of %g devices", got, largest)
	}
}

// TestPoolsOfOneName adds up what differs in its peak alone, so that no series stands twice.
func TestPoolsOfOneName(t *testing.T) {
	a := capacity.Pool{Centre: "c", Cluster: "d", Kind: telemetry.Accelerator, Vendor: "v", Model: "m", Class: capacity.Intelligent, Basis: "fp16", Domestic: telemetry.Known(false)}
	b := a
	a.Peaks, b.Peaks = a.Peaks.With("fp16", 1_000_000), b.Peaks.With("fp16", 3_000_000)
	cell := capacity.Cell{Devices: [5]int64{0, 2}, Units: [5]int64{0, 2 * capacity.UnitsPerDevice}}
	cell.FreeHosts[2] = 1
	s := &capacity.Snapshot{Pools: []capacity.PoolCell{{Pool: a, Cell: cell}, {Pool: b, Cell: cell}}}
	var said strings.Builder
	collectPools(s, func(d *prometheus.Desc, v float64, labels ...string) {
		if last := labels[max(len(labels)-1, 0):]; d == poolFlopsDesc && last[0] == "free" && (v != 8e12 || labels[6] != "no") || d == poolDevicesDesc && last[0] == "free" && v != 4 ||
			d == poolGangsDesc && last[0] == "1" && v != 4 {
			t.Errorf("%s %v: %g", d, labels, v)
		}
		said.WriteString(d.String())
	})
	if strings.Count(said.String(), "exameter_pool_hosts\"") != 2 {
		t.Errorf("a pool has not its two series of hosts: %s", said.String())
	}
}
