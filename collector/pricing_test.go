package collector

import (
	"strings"
	"testing"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/telemetry"
)

func TestPricing(t *testing.T) {
	reg, err := registry.Read(strings.NewReader("centres:\n  - id: a\n    clusters: [{id: hpc, class: super}]\n"), "r.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := Pricing(catalog.Default(), reg)
	if p.Catalogue != catalog.Default().Version() {
		t.Errorf("catalogue = %q", p.Catalogue)
	}
	h200 := fleet.Source{Centre: "a", Cluster: "default", Kind: telemetry.Accelerator, Vendor: "nvidia", Name: "NVIDIA H200"}
	pool := p.Pool(h200)
	if fp16, ok := pool.Peaks.Get(catalog.FP16); !ok || fp16 != 989_500_000 || pool.Class != capacity.Intelligent || pool.Basis != catalog.FP16 || pool.Model == "NVIDIA H200" || pool.Domestic != telemetry.Known(false) || pool.Memory != telemetry.Known(telemetry.Bytes(141<<30)) {
		t.Errorf("an H200 is %+v", pool)
	}
	h200.Cluster = "hpc"
	if pool := p.Pool(h200); pool.Class != capacity.Super || pool.Basis != catalog.FP64 {
		t.Errorf("an H200 of a super cluster is %+v", pool)
	}
	if pool := p.Pool(fleet.Source{Centre: "a", Cluster: "default", Kind: telemetry.Accelerator, Vendor: "huawei", Name: "910B2-Ascend-V1"}); pool.Domestic != telemetry.Known(true) {
		t.Errorf("an Ascend 910B2 is %+v, want domestic", pool)
	}
	unknown := p.Pool(fleet.Source{Centre: "a", Cluster: "default", Kind: telemetry.Accelerator, Vendor: "nvidia", Name: "NVIDIA Z9000"})
	if unknown.Model != "NVIDIA Z9000" || !unknown.Peaks.Empty() || unknown.Domestic.OK || unknown.Memory.OK {
		t.Errorf("an unknown card is %+v", unknown)
	}
	cpu := fleet.Source{Centre: "a", Cluster: "default", Kind: telemetry.CPU, CPU: telemetry.CPUInfo{
		Vendor: "GenuineIntel", Name: "Intel(R) Xeon(R) Platinum 8480+", Family: telemetry.Known(int64(6)), Model: telemetry.Known(int64(143)),
		Stepping: telemetry.Known(int64(8)), Cores: telemetry.Known(int64(112)), BaseClock: telemetry.Known(telemetry.Megahertz(2000)),
		Flags: "amx_bf16 amx_int8 amx_tile avx2 avx512f fma",
	}}
	priced := p.Pool(cpu)
	if fp32, ok := priced.Peaks.Get(catalog.FP32); !ok || fp32 != 64*2000 || priced.Class != capacity.General || priced.Basis != catalog.FP32 || priced.Domestic != telemetry.Known(false) {
		t.Errorf("a processor set is %+v, want 64 operations a cycle at 2000 MHz a core", priced)
	}
	cpu.CPU.Cores = telemetry.Opt[int64]{}
	if p := p.Pool(cpu); !p.Peaks.Empty() {
		t.Errorf("processors of an unknown number of cores are priced: %+v", p)
	}
}
