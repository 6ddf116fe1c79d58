package capacity

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/telemetry"
)

// benchSnapshot is a province of 150,000 hosts in 50 centres of five clusters: each host has eight accelerators and processors,
// which makes 500 pools.
func benchSnapshot() *Snapshot {
	const centres, clusters, hosts, devices, cores = 50, 5, 600, 8, 128
	s := &Snapshot{Revision: 1, AsOf: time.Unix(1_800_000_000, 0), Catalogue: "bench", StaleAfter: 30 * time.Second, Parts: Parts{Total: 150, Current: 150}}
	rnd := rand.New(rand.NewPCG(1, 2))
	for centre := range centres {
		for cluster := range clusters {
			model := (centre + cluster) % 30
			p := Pool{
				Centre: fmt.Sprintf("centre-%02d", centre), Cluster: fmt.Sprintf("train-%d", cluster), Kind: telemetry.Accelerator,
				Vendor: fmt.Sprintf("vendor-%d", model%12), Model: fmt.Sprintf("vendor-model-%d", model), Class: Intelligent, Basis: catalog.FP16,
				Peaks:    catalog.Peaks{}.With(catalog.FP16, int64(100+model)*1_000_000).With(catalog.FP64, 1_000_000).With(catalog.INT8, 640_000_000),
				Domestic: telemetry.Known(model%10 > 0), Memory: telemetry.Known(telemetry.Bytes(32+8*model) << 30),
			}
			cpu := p
			cpu.Kind, cpu.Vendor, cpu.Model, cpu.Class, cpu.Basis = telemetry.CPU, "intel", "xeon-8480", General, catalog.FP32
			cpu.Peaks, cpu.Memory = catalog.Peaks{}.With(catalog.FP32, 128_000), telemetry.Opt[telemetry.Bytes]{}
			var c, d Cell
			sh := Shape{Pools: []int{len(s.Pools), len(s.Pools) + 1}, Rated: hosts, Online: hosts - 3}
			for range sh.Online {
				free := rnd.IntN(devices + 1)
				c.FreeHosts[free]++
				c.Devices[Free] += int64(free)
				c.Devices[Busy] += int64(devices - free)
				d.FreeHosts[0]++
				d.Devices[Busy]++
				busy := rnd.Int64N(cores + 1)
				d.Units[Busy] += busy
				d.Units[Free] += cores - busy
				sh.Ages.Observe(rnd.Int64N(10_000), 30_000)
			}
			c.Devices[Stale], d.Devices[Stale], d.Units[Stale] = 3*devices, 3, 3*cores
			for state, n := range c.Devices {
				c.Units[state] = n * UnitsPerDevice
			}
			c.SM = c.Devices[Busy] + c.Devices[Free]
			c.KnownUnits, c.ActiveUnits, c.PowerMW, c.PowerDevices = c.SM*UnitsPerDevice, c.SM*UnitsPerDevice*400, c.SM*350_000, c.SM
			s.Pools, s.Shapes = append(s.Pools, PoolCell{p, c}, PoolCell{cpu, d}), append(s.Shapes, sh)
		}
	}
	s.Sort()
	return s
}

// BenchmarkDocument makes the capacity document of a province of 500 pools, and encodes it.
func BenchmarkDocument(b *testing.B) {
	s := benchSnapshot()
	for name, q := range map[string]Query{
		"total": {}, "centre": {By: []Dimension{ByCentre}}, "vendor,class": {By: []Dimension{ByVendor, ByClassOf}, Kind: KindAll},
		"pool": {By: []Dimension{ByCentre, ByCluster, ByKind, ByModel}, Kind: KindAll},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				doc, err := s.Document(q)
				if err != nil {
					b.Fatal(err)
				}
				encode(b, doc)
			}
		})
	}
}

// BenchmarkList works out once what questions about single pools need.
func BenchmarkList(b *testing.B) {
	s := benchSnapshot()
	b.ReportAllocs()
	for b.Loop() {
		s.List()
	}
}

// BenchmarkMatch holds a request against a province of 500 pools and encodes the answer: ten pools of 250 that it lets in.
func BenchmarkMatch(b *testing.B) {
	l := benchSnapshot().List()
	for name, r := range map[string]Request{
		"fits":  {Count: 512, PerHost: 8, Domestic: []string{"yes"}, Memory: 64 << 30, PreferCentre: []string{"centre-07"}},
		"short": {Hosts: 10_000, PerHost: 8},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, err := l.Match(r)
				if err != nil {
					b.Fatal(err)
				}
				encode(b, m)
			}
		})
	}
}

// BenchmarkPools lists 500 pools, and encodes them.
func BenchmarkPools(b *testing.B) {
	l := benchSnapshot().List()
	b.ReportAllocs()
	for b.Loop() {
		doc, err := l.Answer(PoolQuery{Query: Query{Kind: KindAll}})
		if err != nil {
			b.Fatal(err)
		}
		encode(b, doc)
	}
}

func encode(b *testing.B, v any) {
	if err := json.NewEncoder(io.Discard).Encode(v); err != nil {
		b.Fatal(err)
	}
}
