package metrics

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/feed/kafkafeed"
	"github.com/exameter/exameter/collector/feed/linefeed"
	"github.com/exameter/exameter/collector/feed/streamfeed"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/quarantine"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/telemetry"
)

// plan says something of one of two centres.
var plan = &registry.Registry{
	Province: registry.Province{Target: target(2)},
	Centres: []registry.Centre{{
		ID: "guian", Name: registry.Name{Zh: "贵安", En: "Gui'an"}, Status: registry.Building, Target: target(1),
		Declared: []registry.Declaration{
			{Date: date("2020-01-01"), Eflops: eflops(5), Precision: catalog.FP16},
			{Date: date("2026-11-18"), Eflops: eflops(6), Precision: catalog.FP16}, // the day of as_of, in UTC
			{Date: date("2026-11-19"), Eflops: eflops(7), Precision: catalog.FP16},
		},
	}},
}

func date(s string) registry.Date {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return registry.Date{Time: t}
}

func eflops(n int64) registry.Eflops {
	return registry.Eflops{Flops: capacity.Eflop * capacity.Flops(n)}
}

func target(n int64) *registry.Target {
	return &registry.Target{Date: date("2027-12-31"), Eflops: eflops(n)}
}

// sample has a value for every metric.
func sample() *Metrics {
	p := capacity.Pool{
		Centre: "guian", Cluster: "default", Kind: telemetry.Accelerator, Vendor: "nvidia", Model: "m", Class: capacity.Intelligent,
		Basis: catalog.FP16, Peaks: catalog.Peaks{}.With(catalog.FP16, 989_500_000), Domestic: telemetry.Known(true),
	}
	c := capacity.Cell{Devices: [5]int64{3, 2, 1, 2, 0}, SM: 5, KnownUnits: 50400, ActiveUnits: 24_192_000, PowerMW: 3_500_500, PowerDevices: 7}
	for s, n := range c.Devices {
		c.Units[s] = n * capacity.UnitsPerDevice
	}
	s := &capacity.Snapshot{
		Revision: 41, AsOf: time.UnixMilli(1_795_000_000_250), StaleAfter: 30 * time.Second,
		Pools: []capacity.PoolCell{{Pool: p, Cell: c}}, Shapes: []capacity.Shape{{Pools: []int{0}, Rated: 2, Online: 1}},
	}
	s.Pools = append(s.Pools, unpriced(maxUnpriced+3)...)
	s.Pools = append(s.Pools, capacity.PoolCell{ // of which its tool says no name
		Pool: capacity.Pool{Centre: "zunyi", Cluster: "default", Kind: telemetry.Accelerator, Class: capacity.Intelligent, Basis: catalog.FP16},
		Cell: capacity.Cell{Devices: [5]int64{0, 0, 0, 0, 500}},
	})
	s.Shapes[0].Ages.Observe(2_000, 30_000)
	heard := fleet.Stats{QueuedRecords: 6, FailingHosts: 1}
	heard.Faults[1] = 2
	m := New("1.2.3", Source{
		Snapshot: func() *capacity.Snapshot { return s },
		Registry: func() *registry.Registry { return plan },
		Centres:  func() map[string]fleet.Stats { return map[string]fleet.Stats{"guian": heard} },
		Fleet: func() fleet.Stats {
			return fleet.Stats{UninventoriedHosts: 1, UninventoriedDevices: 2, ContestedDevices: 3, SkewedHosts: 4}
		},
		Consume: func() consume.Stats {
			return consume.Stats{
				Reconnects: 1, Stalls: 2, OffsetsLost: 3, Corrupt: 4, Failing: 5, ProducerTime: []string{"exameter.v1.telemetry.guian"},
				Partitions: []consume.Status{{Partition: consume.Partition{Topic: "exameter.v1.telemetry.guian", Number: 3}, Lag: 17}},
			}
		},
		Quarantine: func() quarantine.Stats { return quarantine.Stats{Written: 1, Suppressed: 2, Failed: 3} },
		Parts:      func() Parts { return Parts{Owned: 2, Generation: 7, Rebalances: 3, Published: 5, Claims: 9, Shared: 1} },
		Ready:      func() bool { return true },
		Feed:       func() kafkafeed.Stats { return kafkafeed.Stats{Records: 7, Failed: 1, Office: true} },
		Lines:      func() linefeed.Stats { return linefeed.Stats{Written: 8, Failed: 2, Dropped: 1} },
		Stream:     func() streamfeed.Stats { return streamfeed.Stats{Watchers: 4, Queries: 2, Events: 99, Slow: 1} },
	})
	m.Records.WithLabelValues("telemetry", "applied").Inc()
	m.Rejected.WithLabelValues("syntax").Inc()
	m.Dropped.WithLabelValues("guian").Add(3)
	m.XIDs.WithLabelValues("guian").Add(2)
	m.Requests.WithLabelValues("/v1/capacity", "200").Inc()
	m.Reloads.WithLabelValues("ok").Inc()
	m.Partials.WithLabelValues("folded").Inc()
	return m
}

// unpriced are so many pools of models that the catalogue does not know, the first with the most devices.
func unpriced(n int) (pools []capacity.PoolCell) {
	for i := range n {
		p := capacity.Pool{Centre: "zunyi", Cluster: "default", Kind: telemetry.Accelerator, Vendor: "new", Model: "Card " + strconv.Itoa(i), Class: capacity.Intelligent, Basis: catalog.FP16}
		pools = append(pools, capacity.PoolCell{Pool: p, Cell: capacity.Cell{Devices: [5]int64{0, 0, 0, 0, int64(n - i)}}})
	}
	return pools
}

// TestUnpriced names models without a peak as their tools print them, as many as may be, and counts the rest, with those that have no name.
func TestUnpriced(t *testing.T) {
	families, err := sample().Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if f.GetName() == "exameter_model_devices_unpriced" {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if l.GetName() == "model" {
						got[l.GetValue()] = m.GetGauge().GetValue()
					}
				}
			}
		}
	}
	if len(got) != maxUnpriced || got["Card 0"] != maxUnpriced+3 || got["Card 98"] != 5 || got[""] != 500+4+3+2+1 {
		t.Errorf("%d series: %v", len(got), got)
	}
}

func TestValues(t *testing.T) {
	m := sample()
	want := `
# HELP exameter_capacity_flops Peak throughput in flop/s by class and state, each device by its class's precision.
# TYPE exameter_capacity_flops gauge
exameter_capacity_flops{class="intelligent",state="busy"} 2.9685e+15
exameter_capacity_flops{class="intelligent",state="drained"} 9.895e+14
exameter_capacity_flops{class="intelligent",state="faulty"} 1.979e+15
exameter_capacity_flops{class="intelligent",state="free"} 1.979e+15
exameter_capacity_flops{class="intelligent",state="healthy"} 4.9475e+15
exameter_capacity_flops{class="intelligent",state="online"} 7.916e+15
exameter_capacity_flops{class="intelligent",state="rated"} 7.916e+15
exameter_capacity_flops{class="intelligent",state="stale"} 0
# HELP exameter_coverage_ratio Online hosts ÷ rated hosts, by centre.
# TYPE exameter_coverage_ratio gauge
exameter_coverage_ratio{centre="guian"} 0.5
# HELP exameter_power_watts Measured power of online devices, by class.
# TYPE exameter_power_watts gauge
exameter_power_watts{class="intelligent"} 3500.5
# HELP exameter_utilisation_ratio Busy-weighted nameplate by class: share of the peak of healthy devices with known activity.
# TYPE exameter_utilisation_ratio gauge
exameter_utilisation_ratio{class="intelligent"} 0.48
# HELP exameter_partition_lag_records Records of a partition that are not read yet, as of the last fetch.
# TYPE exameter_partition_lag_records gauge
exameter_partition_lag_records{partition="3",topic="exameter.v1.telemetry.guian"} 17
# HELP exameter_self_checks_total Recounts of a part, by whether they gave the incremental figures. A difference is a defect.
# TYPE exameter_self_checks_total counter
exameter_self_checks_total{result="different"} 0
exameter_self_checks_total{result="equal"} 0
# HELP exameter_target_flops Planned peak throughput in flop/s; of the province where centre is empty.
# TYPE exameter_target_flops gauge
exameter_target_flops{centre=""} 2e+18
exameter_target_flops{centre="guian"} 1e+18
# HELP exameter_target_timestamp_seconds The day by which the target shall be met; of the province where centre is empty.
# TYPE exameter_target_timestamp_seconds gauge
exameter_target_timestamp_seconds{centre=""} 1.8302112e+09
exameter_target_timestamp_seconds{centre="guian"} 1.8302112e+09
# HELP exameter_declared_flops Peak throughput in flop/s by the centre's declaration in force, at the precision it declares.
# TYPE exameter_declared_flops gauge
exameter_declared_flops{centre="guian",precision="fp16"} 6e+18
# HELP exameter_declared_rated_flops Rated peak throughput in flop/s of the accelerators of a centre, at the precision that it declares.
# TYPE exameter_declared_rated_flops gauge
exameter_declared_rated_flops{centre="guian",precision="fp16"} 7.916e+15
# HELP exameter_centre_info Always 1; the labels tell the names and the status of a centre.
# TYPE exameter_centre_info gauge
exameter_centre_info{centre="guian",name_en="Gui'an",name_zh="贵安",status="building"} 1
exameter_centre_info{centre="zunyi",name_en="zunyi",name_zh="zunyi",status="operating"} 1
# HELP exameter_origin_flops Rated peak throughput in flop/s by class and by where the models are designed (domestic, foreign, unknown).
# TYPE exameter_origin_flops gauge
exameter_origin_flops{class="intelligent",origin="domestic"} 7.916e+15
exameter_origin_flops{class="intelligent",origin="foreign"} 0
exameter_origin_flops{class="intelligent",origin="unknown"} 0
# HELP exameter_measured_flops Peak throughput in flop/s of the online devices that have a price and whose power is measured, by centre and class.
# TYPE exameter_measured_flops gauge
exameter_measured_flops{centre="guian",class="intelligent"} 6.9265e+15
# HELP exameter_measured_watts Power of the online devices that have a price and whose power is measured, by centre and class.
# TYPE exameter_measured_watts gauge
exameter_measured_watts{centre="guian",class="intelligent"} 3500.5
# HELP exameter_centre_power_watts Measured power of a centre's online devices by class.
# TYPE exameter_centre_power_watts gauge
exameter_centre_power_watts{centre="guian",class="intelligent"} 3500.5
# HELP exameter_devices_faulty Faulty devices of hosts of this collector's parts that report, by centre and reason; those without a reason have none.
# TYPE exameter_devices_faulty gauge
exameter_devices_faulty{centre="guian",reason="missing"} 2
# HELP exameter_agent_queued_records Records that wait in the agents of hosts of this collector's parts that report, by centre.
# TYPE exameter_agent_queued_records gauge
exameter_agent_queued_records{centre="guian"} 6
`
	names := []string{
		"exameter_capacity_flops", "exameter_coverage_ratio", "exameter_power_watts", "exameter_utilisation_ratio", "exameter_partition_lag_records",
		"exameter_self_checks_total", "exameter_target_flops", "exameter_target_timestamp_seconds", "exameter_declared_flops", "exameter_declared_rated_flops",
		"exameter_centre_info", "exameter_origin_flops", "exameter_measured_flops", "exameter_measured_watts", "exameter_centre_power_watts", "exameter_devices_faulty",
		"exameter_agent_queued_records",
	}
	if err := testutil.GatherAndCompare(m.Registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	problems, err := testutil.GatherAndLint(m.Registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	strict := prometheus.NewPedanticRegistry()
	strict.MustRegister(reader{src: Source{
		Snapshot: func() *capacity.Snapshot { return nil }, Fleet: func() fleet.Stats { return fleet.Stats{} }, Consume: func() consume.Stats { return consume.Stats{} },
		Quarantine: func() quarantine.Stats { return quarantine.Stats{} }, Parts: func() Parts { return Parts{} }, Ready: func() bool { return false },
		Stream: func() streamfeed.Stats { return streamfeed.Stats{} }, Feed: func() kafkafeed.Stats { return kafkafeed.Stats{} },
		Lines: func() linefeed.Stats { return linefeed.Stats{} }, Centres: func() map[string]fleet.Stats { return nil },
	}})
	if _, err := strict.Gather(); err != nil {
		t.Errorf("before the first fold: %v", err)
	}
}

// TestDocumented finds every metric in docs/metrics.md, and nothing there that does not exist.
func TestDocumented(t *testing.T) {
	families, err := sample().Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "exameter_") {
			have = append(have, f.GetName())
		}
	}
	doc, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(exameter_[a-z_]+)").FindAllSubmatch(doc, -1) {
		written = append(written, string(m[1]))
	}
	for _, n := range have {
		if !slices.Contains(written, n) {
			t.Errorf("%s does not stand in docs/metrics.md", n)
		}
	}
	for _, n := range written {
		if !slices.Contains(have, n) {
			t.Errorf("docs/metrics.md has %s, which does not exist", n)
		}
	}
}
