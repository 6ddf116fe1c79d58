package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exameter/exameter/telemetry"
)

const examples = "../examples/catalogue"

// The example overrides load, and price what their comments say, beginning with a name that a tool prints.
func TestExamples(t *testing.T) {
	device := func(vendor, name string, p Precision) func(*Catalog) (int64, bool) {
		return func(c *Catalog) (int64, bool) {
			m, ok := c.Lookup(vendor, name)
			if !ok {
				return 0, false
			}
			return m.Peaks.Get(p)
		}
	}
	core := func(info telemetry.CPUInfo, p Precision) func(*Catalog) (int64, bool) {
		return func(c *Catalog) (int64, bool) {
			m, _ := c.CPU(info)
			return m.PerCore.Get(p)
		}
	}
	loongson := telemetry.CPUInfo{Vendor: "Loongson", Name: "Loongson-3C6000/S", MaxClock: telemetry.Known[telemetry.Megahertz](2200)}
	tests := map[string][]struct {
		price    func(*Catalog) (int64, bool)
		from, to int64 // Mflop/s; 0 unpriced
	}{
		"top500.csv": {
			{device("amd", "AMD INSTINCT MI250X (MCM) OAM AC MBA", FP64), 47_850_000, 23_950_000},
			{device("amd", "AMD Instinct MI300X OAM", FP64), 163_400_000, 81_700_000},
			{device("amd", "AMD Instinct MI300X OAM", FP16), 1_307_400_000, 1_307_400_000},
			{device("intel", "Intel(R) Data Center GPU Max 1550", FP64), 52_400_000, 29_490_000},
			{device("nvidia", "NVIDIA A100-SXM4-40GB", FP64), 19_500_000, 19_500_000},
		},
		"ascend-cube-only.csv":   {{device("huawei", "910B2-Ascend-V1", FP16), 376_000_000, 353_900_000}},
		"ascend-with-vector.csv": {{device("huawei", "Ascend950PR", FP16), 378_000_000, 425_000_000}},
		"officially-counted.csv": {{device("t-head", "PPU-ZW810E", FP16), 0, 118_700_000}},
		"metax-oam.csv":          {{device("metax", "MXC500", FP16), 240_000_000, 280_000_000}},
		"geforce-fp16-accumulate.csv": {
			{device("nvidia", "NVIDIA GeForce RTX 3090", FP16), 71_000_000, 142_000_000},
			{device("nvidia", "NVIDIA GeForce RTX 4090", FP16), 165_200_000, 330_300_000},
			{device("nvidia", "NVIDIA GeForce RTX 4090", FP32), 82_600_000, 82_600_000},
		},
		"processors.csv": {
			{core(loongson, FP64), 16 * 2200, 24 * 2200},
			{core(x86("HygonGenuine", 24, 4, "Hygon C86 7390 32-core Processor"), FP32), 16 * 2700, 32 * 2700},
		},
		"clocks.csv": {{core(x86("AuthenticAMD", 25, 17, "AMD EPYC 9R14"), FP64), 0, 16 * 2600}},
	}
	files, err := filepath.Glob(filepath.Join(examples, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	guide, err := os.ReadFile("../docs/catalogue.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if len(tests[name]) == 0 || !strings.Contains(string(guide), name) {
			t.Errorf("%s is priced by no test, or docs/catalogue.md does not speak of it", name)
		}
		r, err := Verify(file)
		if err != nil || len(r.Mistakes) > 0 || len(r.Changes) == 0 {
			t.Fatalf("%s: %v, %v", name, r, err)
		}
		// Rates with FP16 accumulate double what is counted else, which is what the doubts are there to say.
		doubles := name == "geforce-fp16-accumulate.csv"
		for _, w := range r.Warnings {
			if !doubles || !strings.Contains(w.Text, "with sparsity, of a whole board") {
				t.Errorf("%s: %s", name, w)
			}
		}
		c, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, test := range tests[name] {
			from, priced := test.price(must(t))
			to, still := test.price(c)
			if from != test.from || priced != (test.from > 0) || to != test.to || still != (test.to > 0) {
				t.Errorf("%s, %d: from %d to %d, want from %d to %d", name, i, from, to, test.from, test.to)
			}
		}
	}
}

// All examples together are one override too.
func TestExamplesTogether(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examples, "*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(files...); err != nil {
		t.Error(err)
	}
}
