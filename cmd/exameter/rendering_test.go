package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/feed/httpfeed"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/telemetry"
)

// renderFarm is a centre with a rendering cluster of workstation cards and processors beside a training cluster, priced
// by the catalogue and the registry, behind the collector's API. It returns the API's address.
func renderFarm(t *testing.T, clusters string) string {
	t.Helper()
	reg, err := registry.Read(strings.NewReader("centres:\n  - id: guian\n    clusters: "+clusters+"\n"), "registry.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pricing := collector.Pricing(catalog.Default(), reg)
	cpu := telemetry.CPUInfo{
		Vendor: "AuthenticAMD", Family: telemetry.Known[int64](25), Model: telemetry.Known[int64](1),
		Name: "AMD EPYC 7763 64-Core Processor", Cores: telemetry.Known[int64](128),
	}
	s := &capacity.Snapshot{Revision: 1, AsOf: time.Now(), Catalogue: pricing.Catalogue, StaleAfter: 30 * time.Second}
	for _, d := range []struct {
		source fleet.Source
		n      int64 // devices
		units  int64 // parts of one: cores, or 10080
	}{
		{fleet.Source{Cluster: "render", Kind: telemetry.Accelerator, Vendor: "nvidia", Name: "NVIDIA RTX A6000"}, 10, capacity.UnitsPerDevice},
		{fleet.Source{Cluster: "render", Kind: telemetry.Accelerator, Vendor: "nvidia", Name: "NVIDIA GeForce RTX 4090"}, 4, capacity.UnitsPerDevice},
		{fleet.Source{Cluster: "render", Kind: telemetry.CPU, CPU: cpu}, 2, 128},
		{fleet.Source{Cluster: "training", Kind: telemetry.Accelerator, Vendor: "huawei", Name: "910B2-Ascend-V1"}, 8, capacity.UnitsPerDevice},
	} {
		d.source.Centre = "guian"
		p := capacity.PoolCell{Pool: pricing.Pool(d.source)}
		p.Cell.Devices[capacity.Free], p.Cell.Units[capacity.Free] = d.n, d.n*d.units
		s.Pools = append(s.Pools, p)
		s.Shapes = append(s.Shapes, capacity.Shape{Pools: []int{len(s.Pools) - 1}, Rated: 1, Online: 1})
	}
	metrics := prometheus.NewRegistry()
	server := httptest.NewServer(httpfeed.Handler(httpfeed.Source{
		Snapshot: func() *capacity.Snapshot { return s }, Registry: func() *registry.Registry { return reg },
		Ready: func() (bool, string) { return true, "" }, Metrics: metrics,
		Requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests"}, []string{"path", "code"}),
	}))
	t.Cleanup(server.Close)
	if resp, err := http.Get(server.URL + "/v1/centres"); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	return server.URL
}

// Workstation cards are counted by FP32 as well as by FP16, and a rendering cluster by FP32 where the registry says so.
func TestRenderingInFP32(t *testing.T) {
	url := renderFarm(t, "[{id: render, precision: fp32}]")
	gpus := capacity.Flops(10*38_700_000 + 4*82_600_000) // Mflop/s
	cpus := capacity.Flops(2 * 128 * 32 * 2450)
	for _, c := range []struct {
		args           string
		want, unpriced capacity.Flops
		devices        int64
	}{
		{"--precision fp32 --cluster render", gpus, 0, 14},
		{"--precision fp32 --cluster render --kind all", gpus + cpus, 0, 16},
		{"--precision fp16 --cluster render", 10*154_800_000 + 4*165_200_000, 0, 14},
		{"--cluster render", gpus, 0, 14}, // class: what the registry prefers for the cluster
		{"--cluster render --kind all --centre guian", gpus + cpus, 0, 16},
		{"--cluster training", 8 * 376_000_000, 0, 8}, // class: FP16 as ever
		{"--precision fp32 --cluster training", 0, 8, 8},
		{"", gpus + 8*376_000_000, 0, 22},
	} {
		out, said, status := exameter(t, append([]string{"capacity", "--collector", url, "-o", "json"}, strings.Fields(c.args)...)...)
		var doc capacity.Document
		if err := json.Unmarshal([]byte(out), &doc); err != nil || status != 0 {
			t.Fatalf("%s: status %d, %v, %s%s", c.args, status, err, out, said)
		}
		if got := doc.Total.Eflops.Free; got != c.want || doc.Total.Devices.Rated != c.devices || doc.Total.Devices.Unpriced != int64(c.unpriced) {
			t.Errorf("%s: %s Eflops of %+v, want %s", c.args, got.Eflops(), doc.Total.Devices, c.want.Eflops())
		}
	}
	if got := gpus.Eflops(); got != "0.0007174" { // 10 × 38.7 + 4 × 82.6 Tflop/s, by hand
		t.Errorf("the cluster is worth %s Eflops", got)
	}
	out, _, _ := exameter(t, "capacity", "--collector", url, "--precision", "fp32", "--cluster", "render", "--by", "model")
	for _, want := range []string{"nvidia-rtx-4090   0.00033", "nvidia-rtx-a6000  0.00039", "precision fp32"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestIdentifiersAreTold has the registry's identifier of a cluster in what commands print for programs.
func TestIdentifiersAreTold(t *testing.T) {
	url := renderFarm(t, "[{id: render, identifier: CN-52-0001/render}]")
	for _, args := range []string{"capacity --by pool", "pools", "match --count 1 --cluster render", "explain", "centres"} {
		for _, format := range []string{"json", "csv"} {
			out, said, status := exameter(t, append(strings.Fields(args), "--collector", url, "-o", format)...)
			// The rows of centres are of centres alone.
			if want := args != "centres" || format == "json"; status != 0 && !strings.HasPrefix(args, "match") || strings.Contains(out, "CN-52-0001/render") != want {
				t.Errorf("%s -o %s: status %d, %s%s", args, format, status, out, said)
			}
		}
	}
}
