package catalog

import (
	"strings"
	"testing"

	"github.com/exameter/exameter/telemetry"
)

// gib is a memory reading.
func gib(n int64) telemetry.Opt[telemetry.Bytes] {
	return telemetry.Known(telemetry.Bytes(n << 30))
}

// Names that lie close to each other must not catch one another. An empty id means that nothing is found.
func TestCollisions(t *testing.T) {
	c := must(t)
	for _, test := range []struct{ vendor, name, id string }{
		{"nvidia", "NVIDIA A2", "nvidia-a2"},
		{"nvidia", "NVIDIA RTX A2000", ""},
		{"nvidia", "NVIDIA A10", "nvidia-a10"},
		{"nvidia", "NVIDIA A10G", "nvidia-a10g"},
		{"nvidia", "NVIDIA A10M", ""},
		{"nvidia", "NVIDIA A100", ""}, // no NVIDIA tool prints this
		{"nvidia", "NVIDIA A16", "nvidia-a16"},
		{"nvidia", "NVIDIA A16-4Q", ""}, // a virtual GPU is not the card
		{"nvidia", "NVIDIA A40", "nvidia-a40"},
		{"nvidia", "NVIDIA RTX A4000", "nvidia-rtx-a4000"},
		{"nvidia", "NVIDIA L2", "nvidia-l2"},
		{"nvidia", "NVIDIA L20", "nvidia-l20"},
		{"nvidia", "NVIDIA L4", "nvidia-l4"},
		{"nvidia", "NVIDIA L40", "nvidia-l40"},
		{"nvidia", "NVIDIA L40S", "nvidia-l40s"},
		{"nvidia", "NVIDIA H20", "nvidia-h20"},
		{"nvidia", "NVIDIA H20-3e", "nvidia-h20-3e"},
		{"nvidia", "NVIDIA H200", "nvidia-h200-sxm"},
		{"nvidia", "NVIDIA H200 NVL", "nvidia-h200-nvl"},
		{"nvidia", "NVIDIA H100 80GB HBM3", "nvidia-h100-sxm"},
		{"nvidia", "NVIDIA H100 PCIe", "nvidia-h100-pcie"},
		{"nvidia", "NVIDIA H100 NVL", "nvidia-h100-nvl"},
		{"nvidia", "NVIDIA GH200 480GB", "nvidia-gh200"},
		{"nvidia", "NVIDIA B200", "nvidia-b200-sxm"},
		{"nvidia", "NVIDIA GB200", "nvidia-gb200"},
		{"nvidia", "NVIDIA GeForce RTX 4090", "nvidia-rtx-4090"},
		{"nvidia", "NVIDIA GeForce RTX 4090 D", "nvidia-rtx-4090-d"},
		{"nvidia", "NVIDIA GeForce RTX 4090 Laptop GPU", ""},
		{"nvidia", "NVIDIA GeForce RTX 3090 Ti", "nvidia-rtx-3090-ti"},
		{"nvidia", "NVIDIA GeForce RTX 3080", "nvidia-rtx-3080"},
		{"nvidia", "NVIDIA GeForce RTX 3080 Ti", "nvidia-rtx-3080-ti"},
		{"nvidia", "NVIDIA GeForce RTX 3080 Laptop GPU", ""},
		{"nvidia", "NVIDIA GeForce RTX 4080", "nvidia-rtx-4080"},
		{"nvidia", "NVIDIA GeForce RTX 4080 SUPER", "nvidia-rtx-4080-super"},
		{"nvidia", "NVIDIA GeForce RTX 5080", "nvidia-rtx-5080"},
		{"nvidia", "NVIDIA GeForce RTX 5070", ""},
		{"nvidia", "NVIDIA GeForce RTX 2080", ""},
		{"nvidia", "Tesla V100-SXM2-16GB", "nvidia-v100-sxm2"},
		{"nvidia", "Tesla V100-SXM2-32GB", "nvidia-v100-sxm2"},
		{"nvidia", "Tesla V100-PCIE-32GB", "nvidia-v100-pcie"},
		{"nvidia", "Tesla V100S-PCIE-32GB", "nvidia-v100s-pcie"},
		{"nvidia", "Tesla T4", "nvidia-t4"},
		{"nvidia", "NVIDIA T4G", ""},
		{"nvidia", "NVIDIA T400", ""},
		{"nvidia", "NVIDIA T400 4GB", ""},
		{"nvidia", "Quadro RTX 6000", "nvidia-quadro-rtx-6000"},
		{"nvidia", "Quadro RTX 5000", "nvidia-quadro-rtx-5000"},
		{"nvidia", "Quadro RTX 5000 with Max-Q Design", ""},
		{"nvidia", "NVIDIA RTX 5000 Ada Generation", "nvidia-rtx-5000-ada"},
		{"nvidia", "NVIDIA RTX 4000 Ada Generation", "nvidia-rtx-4000-ada"},
		{"nvidia", "NVIDIA RTX 4000 SFF Ada Generation", ""},
		{"nvidia", "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", ""},
		{"nvidia", "NVIDIA A100-SXM-64GB", "nvidia-a100-sxm-64gb"},
		{"amd", "AMD Radeon RX 7800 XT", "amd-rx-7800-xt"},
		{"amd", "Navi 32 [Radeon RX 7700 XT / 7800 XT]", ""}, // memory decides: see TestLookupMemory
		{"intel", "Intel(R) Arc(TM) A580", ""},
		{"nvidia", "NVIDIA RTX 6000 Ada Generation", "nvidia-rtx-6000-ada"},
		{"nvidia", "NVIDIA RTX A6000", "nvidia-rtx-a6000"},
		{"nvidia", "NVIDIA RTX 6000D", "nvidia-rtx-6000d"},
		{"nvidia", "NVIDIA RTX PRO 6000 Blackwell Server Edition", "nvidia-rtx-pro-6000-server"},
		{"hygon", "K100", "hygon-k100"},
		{"hygon", "K100_AI", "hygon-k100-ai"},
		{"kunlunxin", "K100", "kunlunxin-k100"},
		{"kunlunxin", "K100_AI", ""},
		{"enflame", "Enflame S60", "enflame-s60"},
		{"moorethreads", "MTT S60", "moorethreads-s60"},
		{"moorethreads", "Enflame S60", ""},
		{"hygon", "BW1000", "hygon-bw1000"},
		{"hygon", "BW100", "hygon-bw100"},
		{"hygon", "BW10", "hygon-bw10"},
		{"hygon", "Z100", "hygon-z100"},
		{"hygon", "Z100L", "hygon-z100l"},
		{"cambricon", "MLU370-X4", "cambricon-mlu370-x4"},
		{"cambricon", "MLU370-X8", "cambricon-mlu370-x8"},
		{"huawei", "910B4", "huawei-ascend-910b4"},
		{"huawei", "910B4-1", "huawei-ascend-910b4-1"},
		{"huawei", "910B", ""}, // which of the B bins is not said
		{"kunlunxin", "R200-8F", "kunlunxin-r200-8f"},
		{"kunlunxin", "R200", "kunlunxin-r200"},
		{"amd", "AMD Instinct MI250X", "amd-mi250x"},
		{"amd", "AMD Instinct MI250", "amd-mi250"},
		{"amd", "AMD Instinct MI250X/MI250", ""},
		{"t-head", "NVIDIA H200", ""},
		{"nvidia", "", ""},
		{"", "", ""},
		{"nobody", "NVIDIA H200", ""},
	} {
		m, ok := c.Lookup(test.vendor, test.name)
		if got := idOf(m); got != test.id || ok != (test.id != "") {
			t.Errorf("Lookup(%q, %q) = %q, want %q", test.vendor, test.name, got, test.id)
		}
	}
}

func TestLookupMemory(t *testing.T) {
	c := must(t)
	for _, test := range []struct {
		vendor, name string
		memory       telemetry.Opt[telemetry.Bytes]
		id           string
	}{
		{"huawei", "Ascend910", gib(32), "huawei-ascend-910a"},
		{"huawei", "Ascend910", gib(64), "huawei-ascend-910c"},
		{"huawei", "Ascend910", gib(61), "huawei-ascend-910c"},
		{"huawei", "Ascend910", gib(45), ""},
		{"huawei", "Ascend910", gib(0), ""},
		{"huawei", "Ascend910", telemetry.Opt[telemetry.Bytes]{}, ""},
		{"", "Ascend910", gib(32), "huawei-ascend-910a"},
		{"amd", "Navi 32 [Radeon RX 7700 XT / 7800 XT]", telemetry.Known[telemetry.Bytes](17163091968), "amd-rx-7800-xt"},
		{"amd", "Navi 32 [Radeon RX 7700 XT / 7800 XT]", gib(12), "amd-rx-7700-xt"},
		{"huawei", "910_9599", gib(128), "huawei-ascend-950pr"},
		{"huawei", "910_9599", gib(144), "huawei-ascend-950dt"},
		{"huawei", "910_9599", telemetry.Known(telemetry.Bytes(-1)), ""},
		// A name that only one model has is that model, whatever memory is soldered on.
		{"nvidia", "NVIDIA GeForce RTX 4090", gib(48), "nvidia-rtx-4090"},
		{"nvidia", "Tesla V100-SXM2-16GB", gib(16), "nvidia-v100-sxm2"},
	} {
		m, ok := c.LookupMemory(test.vendor, test.name, test.memory)
		if got := idOf(m); got != test.id || ok != (test.id != "") {
			t.Errorf("LookupMemory(%q, %q, %v) = %q, want %q", test.vendor, test.name, test.memory, got, test.id)
		}
	}
}

// Without a vendor a name is found only where one vendor claims it.
func TestLookupAnyVendor(t *testing.T) {
	c := must(t)
	for name, id := range map[string]string{
		"NVIDIA H200": "nvidia-h200-sxm", "MXC500": "metax-c500", "910B3": "huawei-ascend-910b3", "S60": "enflame-s60",
		"MTT S60": "moorethreads-s60", "K100": "", "K100_AI": "hygon-k100-ai", "Ascend910": "", "GTX 480": "",
	} {
		m, ok := c.Lookup("", name)
		if got := idOf(m); got != id || ok != (id != "") {
			t.Errorf("Lookup(\"\", %q) = %q, want %q", name, got, id)
		}
	}
}

func TestSearch(t *testing.T) {
	c := must(t)
	for name, want := range map[string]string{
		"nvidia-h200-sxm": "nvidia-h200-sxm",
		"NVIDIA H200":     "nvidia-h200-sxm",
		"K100":            "hygon-k100 kunlunxin-k100",
		"ascend910":       "huawei-ascend-910a huawei-ascend-910c",
		"c500 oam":        "metax-c500-oam",
		"MLU370":          "cambricon-mlu370-s4 cambricon-mlu370-x4 cambricon-mlu370-x8 cambricon-mlu370-m8",
		"GTX 480":         "",
		"  ":              "",
	} {
		var ids []string
		for _, m := range c.Search(name) {
			ids = append(ids, m.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("Search(%q) = %q, want %q", name, got, want)
		}
	}
}

// The figures of a board that is listed as several devices are those of one device.
func TestBoards(t *testing.T) {
	c := must(t)
	for _, test := range []struct {
		id    string
		n     int
		board int64 // FP16 of the board, Mflop/s
	}{
		{"nvidia-a16", 4, 71_600_000},
		{"amd-mi250", 2, 362_100_000},
		{"amd-mi250x", 2, 383_000_000},
		{"cambricon-mlu370-x8", 2, 96_000_000},
		{"iluvatar-bi-v150", 2, 192_000_000},
		{"kunlunxin-k200", 2, 64_000_000},
		{"huawei-ascend-910c", 2, 752_000_000},
		{"huawei-ascend-310", 4, 32_000_000},
	} {
		m, ok := c.Model(test.id)
		if !ok {
			t.Errorf("%s is gone", test.id)
			continue
		}
		if fp16, _ := m.Peaks.Get(FP16); m.DevicesPerBoard != test.n || fp16*int64(test.n) != test.board {
			t.Errorf("%s: %d devices of %d, want %d of together %d", test.id, m.DevicesPerBoard, fp16, test.n, test.board)
		}
	}
}

// A precision that nobody published stays unknown.
func TestUnpriced(t *testing.T) {
	c := must(t)
	for _, id := range []string{
		"nvidia-p40", "intel-gaudi-2", "kunlunxin-p800", "metax-c550", "t-head-ppu-zw810e", "cambricon-mlu590",
		"moorethreads-s5000", "biren-br106m", "hygon-z100", "enflame-s60",
	} {
		m, ok := c.Model(id)
		if !ok {
			t.Errorf("%s is gone", id)
			continue
		}
		if v, priced := m.Peaks.Get(FP16); priced {
			t.Errorf("%s has an FP16 peak of %d", id, v)
		}
	}
}

// idOf returns the id of a model, empty for none.
func idOf(m *Model) string {
	if m == nil {
		return ""
	}
	return m.ID
}

func FuzzLookup(f *testing.F) {
	f.Add("nvidia", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", int64(5<<30))
	f.Add("huawei", "Ascend910-Ascend-V1", int64(64<<30))
	f.Add("", "K100", int64(0))
	f.Add("hygon", "\xff\x00 DCU ", int64(-1))
	f.Fuzz(func(t *testing.T, vendor, name string, memory int64) {
		c := Default()
		m, ok := c.LookupMemory(vendor, name, telemetry.Known(telemetry.Bytes(memory)))
		if ok != (m != nil) {
			t.Fatalf("%v, %t", m, ok)
		}
		if ok && vendor != "" && m.Vendor != strings.ToLower(vendor) {
			t.Fatalf("a %s for vendor %q", m.ID, vendor)
		}
		// Spelling does not matter, and without a memory no more is found than with one.
		again, _ := c.LookupMemory(vendor, "  "+strings.ReplaceAll(name, " ", "  ")+" ", telemetry.Known(telemetry.Bytes(memory)))
		if again != m && len(name) < telemetry.MaxName/2-2 {
			t.Fatalf("%q: %v with other blanks, else %v", name, idOf(again), idOf(m))
		}
		if bare, found := c.Lookup(vendor, name); found && bare != m {
			t.Fatalf("%q: %s without memory, %s with", name, bare.ID, idOf(m))
		}
		c.Search(name)
	})
}

func BenchmarkLookup(b *testing.B) {
	c := Default()
	for _, bench := range []struct{ name, vendor, model string }{
		{"exact", "nvidia", "NVIDIA H100 80GB HBM3"},
		{"glob", "huawei", "310P1-Ascend-V1"},
		{"unknown", "nvidia", "NVIDIA X9000"},
		{"any-vendor", "", "NVIDIA H100 80GB HBM3"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Lookup(bench.vendor, bench.model)
			}
		})
	}
}
