package catalog

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/exameter/exameter/telemetry"
)

// must loads the embedded catalogue and fails the test where Default would hide a mistake in it.
func must(t testing.TB) *Catalog {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if c != Default() {
		t.Fatal("Load without overrides is not the default catalogue")
	}
	return c
}

func TestEmbedded(t *testing.T) {
	c := must(t)
	if got := c.Version(); got != release {
		t.Errorf("version %q", got)
	}
	if w := c.Warnings(); len(w) > 0 {
		t.Errorf("the embedded tables give warnings:\n%s", strings.Join(w, "\n"))
	}
	if n := len(c.Models()); n != 174 {
		t.Errorf("%d models, want 174: change the number with the table", n)
	}
	ids := make(map[string]bool)
	for _, m := range c.Models() {
		if ids[m.ID] {
			t.Errorf("%s stands twice", m.ID)
		}
		ids[m.ID] = true
		if got, ok := c.Model(m.ID); !ok || got != m {
			t.Errorf("Model(%q) = %v", m.ID, got)
		}
		if !strings.HasPrefix(m.ID, m.Vendor+"-") {
			t.Errorf("%s: the id does not begin with the vendor %s", m.ID, m.Vendor)
		}
		if m.Source == "" || m.Name == "" {
			t.Errorf("%s: no source or no name", m.ID)
		}
		foreign := m.Vendor == "nvidia" || m.Vendor == "amd" || m.Vendor == "intel"
		if d, ok := m.Domestic.Get(); !ok || d == foreign {
			t.Errorf("%s: domestic is %v", m.ID, m.Domestic)
		}
	}
}

// Every pattern leads to its own row, a glob with something after it too.
func TestEveryPattern(t *testing.T) {
	c := must(t)
	for _, m := range c.Models() {
		for _, p := range m.Patterns {
			name := strings.ReplaceAll(p, "*", "zz")
			if got, ok := c.LookupMemory(m.Vendor, name, m.Memory); !ok || got != m {
				t.Errorf("%s: %q finds %v", m.ID, name, got)
			}
		}
	}
}

// What must hold between the figures of a card, whatever they are.
func TestSanity(t *testing.T) {
	c := must(t)
	for _, m := range c.Models() {
		fp64, ok := m.Peaks.Get(FP64)
		if v := max(m.FP64Vector.Value, m.FP64Tensor.Value); v != fp64 || ok != (m.FP64Vector.OK || m.FP64Tensor.OK) {
			t.Errorf("%s: fp64 is %d, of %v and %v", m.ID, fp64, m.FP64Vector, m.FP64Tensor)
		}
		for _, p := range Precisions() {
			if v, ok := m.Peaks.Get(p); ok && (v < 50_000 || v > 6_000_000_000) {
				t.Errorf("%s: %s of %d Mflop/s is out of this world", m.ID, p, v)
			}
		}
		fp32, _ := m.Peaks.Get(FP32)
		if v := m.FP64Vector; v.OK && fp32 > 0 && v.Value > fp32 {
			t.Errorf("%s: vector fp64 of %d is above fp32 of %d", m.ID, v.Value, fp32)
		}
		if w := m.TDP; w.OK && (w.Value < 8_000 || w.Value > 1_400_000) {
			t.Errorf("%s: TDP of %d mW", m.ID, w.Value)
		}
		if b := m.BandwidthGBs; b.OK && (b.Value < 50 || b.Value > 10_000) {
			t.Errorf("%s: %g GB/s", m.ID, b.Value)
		}
	}
}

// override writes a file and loads it.
func override(t testing.TB, name, content string) (*Catalog, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func TestOverride(t *testing.T) {
	c, err := override(t, "prices.csv", "\ufeffid,vendor,patterns,fp16_tflops,memory_gib\n"+
		"# measured by ourselves\n"+
		"kunlunxin-p800,kunlunxin,P800|P800 OAM,345,\n"+
		"acme-x1,acme,Acme X1*,12.5,16\n")
	if err != nil {
		t.Fatal(err)
	}
	if v := c.Version(); !strings.HasPrefix(v, release+"+override.") || len(v) != len(release+"+override.")+8 {
		t.Errorf("version %q", v)
	}
	p800, ok := c.Lookup("kunlunxin", "P800 OAM")
	if !ok {
		t.Fatal("P800 is gone")
	}
	if fp16, _ := p800.Peaks.Get(FP16); fp16 != 345_000_000 {
		t.Errorf("fp16 %d", fp16)
	}
	if p800.Memory.OK {
		t.Errorf("an empty cell left memory %d", p800.Memory.Value)
	}
	if p800.TDP.Value != 400_000 || p800.Name != "Kunlunxin P800" {
		t.Errorf("columns that the file lacks were changed: %+v", p800)
	}
	x1, ok := c.Lookup("ACME", "acme  x1-16g")
	want := &Model{
		ID: "acme-x1", Vendor: "acme", Name: "acme-x1", Patterns: []string{"Acme X1*"}, Peaks: Peaks{}.With(FP16, 12_500_000),
		Memory: telemetry.Known(telemetry.Bytes(16 << 30)), DevicesPerBoard: 1, Confidence: Unsure,
	}
	if diff := cmp.Diff(want, x1, cmp.AllowUnexported(Peaks{})); !ok || diff != "" {
		t.Errorf("acme-x1 (-want +got):\n%s", diff)
	}
	// The embedded catalogue stays as it was.
	if m, _ := must(t).Model("kunlunxin-p800"); m.Peaks != (Peaks{}) || !m.Memory.OK {
		t.Errorf("the override changed the embedded row: %+v", m)
	}
}

func TestOverrideVersion(t *testing.T) {
	load := func(content string) string {
		c, err := override(t, "o.csv", content)
		if err != nil {
			t.Fatal(err)
		}
		return c.Version()
	}
	a, b := load("id,fp16_tflops\nkunlunxin-p800,345\n"), load("id,fp16_tflops\nkunlunxin-p800,346\n")
	if a == b || a != load("id,fp16_tflops\nkunlunxin-p800,345\n") {
		t.Errorf("versions %q and %q do not tell the contents apart", a, b)
	}
}

// A processor row of an override stands before the embedded ones, and a clock row too.
func TestOverrideProcessors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c, err := Load("",
		write("cpus.csv", "id,vendor,microarchitecture,vendor_ids,parts,fp64_per_cycle,max_is_base\nsite-920b,huawei,TaiShan v200,0x48,0xd02,16,true\n"),
		write("clocks.csv", "id,names,base_mhz\nsite-9654,AMD EPYC 9654*,2350\n"))
	if err != nil {
		t.Fatal(err)
	}
	m, ok := c.CPU(telemetry.CPUInfo{Vendor: "0x48", Part: "0xd02", MaxClock: telemetry.Known[telemetry.Megahertz](2900)})
	if v, _ := m.PerCore.Get(FP64); !ok || v != 16*2900 || m.ID != "site-920b-2900mhz" {
		t.Errorf("920B: %+v", m)
	}
	m, ok = c.CPU(x86("AuthenticAMD", 25, 17, "AMD EPYC 9654 96-Core Processor"))
	if v, _ := m.PerCore.Get(FP64); !ok || v != 16*2350 {
		t.Errorf("9654: %+v", m)
	}
}

func TestOverrideErrors(t *testing.T) {
	const header = "id,vendor,patterns,fp16_tflops,memory_gib,devices_per_board,domestic,confidence\n"
	tests := []struct{ name, content, want string }{
		{"empty", "", "o.csv:1: empty file"},
		{"unknown column", "id,vendor,fp17_tflops\n", `o.csv:1:"fp17_tflops": no such column`},
		{"column twice", "id,vendor,vendor\n", "o.csv:1:vendor: column stands twice"},
		{"no id", "vendor,fp16_tflops\n", "o.csv:1:id: column is missing"},
		{"bad id", header + "Acme X,acme,,,,,,\n", "o.csv:2:id: id"},
		{"id twice", header + "a-1,acme,,1,,,,\na-1,acme,,2,,,,\n", `o.csv:3:id: "a-1" stands in line 2 already`},
		{"no vendor", header + "a-1,,,,,,,\n", "o.csv:2:vendor: id"},
		{"negative", header + "# x\na-1,acme,,-3,,,,\n", `o.csv:3:fp16_tflops: "-3" is negative`},
		{"zero", header + "a-1,acme,,0.0,,,,\n", "o.csv:2:fp16_tflops: \"0.0\": what is unknown is left empty"},
		{"not a number", header + "a-1,acme,,1e3,,,,\n", "o.csv:2:fp16_tflops: \"1e3\": want a decimal number"},
		{"NaN", header + "a-1,acme,,NaN,,,,\n", "o.csv:2:fp16_tflops: \"NaN\": want a decimal number"},
		{"too fine", header + "a-1,acme,,1.0000001,,,,\n", "o.csv:2:fp16_tflops: \"1.0000001\": want at most 6 decimals"},
		{"Mflops for TFLOPS", header + "a-1,acme,,989500000,,,,\n", "o.csv:2:fp16_tflops: \"989500000\" is beyond 1000000"},
		{"huge", header + "a-1,acme,,99999999999999999999,,,,\n", "is beyond 1000000"},
		{"memory", header + "a-1,acme,,,64 GB,,,\n", "o.csv:2:memory_gib: \"64 GB\": want a decimal number"},
		{"half a device", header + "a-1,acme,,,,1.5,,\n", "o.csv:2:devices_per_board: \"1.5\": want at most 0 decimals"},
		{"bool", header + "a-1,acme,,,,,yes,\n", "o.csv:2:domestic: \"yes\": want true, false or nothing"},
		{"confidence", header + "a-1,acme,,,,,,high\n", "o.csv:2:confidence: \"high\": want datasheet"},
		{"inner star", header + "a-1,acme,A*1,,,,,\n", "o.csv:2:patterns: \"A*1\": a star stands for the end"},
		{"only star", header + "a-1,acme,*,,,,,\n", "o.csv:2:patterns: \"*\": a star stands for the end"},
		{"only vendor", header + "a-1,nvidia,NVIDIA *,,,,,\n", "o.csv:2:patterns: \"NVIDIA *\" of a-1 says nothing beyond the vendor"},
		{"pattern taken", header + "a-1,nvidia,h200,,141,,,\n", "o.csv:2:patterns: \"h200\" of a-1 is a pattern of nvidia-h200-sxm already"},
		{"cells", header + "a-1,acme\n", "o.csv:2: wrong number of fields"},
		{"quotes", "id,vendor\na-1,\"acme\n", "o.csv:"},
		{"not UTF-8", "id,vendor\na-1,ac\xffme\n", "o.csv:2:vendor: \"ac\\xffme\" is not UTF-8"},
		{"control character", "id,vendor\na-1,ac\x00me\n", "o.csv:2:vendor: "},
		{"long cell", "id,vendor,notes\na-1,acme," + strings.Repeat("x", 2000) + "\n", "o.csv:2:notes: 2000 bytes, want at most 1024"},
		{"many patterns", "id,vendor,patterns\na-1,acme," + strings.Repeat("x|", 65) + "\n", "o.csv:2:patterns: 65 patterns"},
		{"any processor", "id,vendor,microarchitecture\na-1,acme,x\n", "o.csv:2:vendor_ids: is empty"},
		{"range", "id,vendor,microarchitecture,models\na-1,acme,x,9-3\n", "o.csv:2:models: \"9-3\": want a number or a range"},
		{"no clock", "id,names,base_mhz\na-1,x,\n", "o.csv:2:base_mhz: is empty"},
		{"fast clock", "id,names,base_mhz\na-1,x,2400000\n", "o.csv:2:base_mhz: \"2400000\" is beyond 10000"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := override(t, "o.csv", test.content)
			if err == nil {
				t.Fatalf("no error, version %s", c.Version())
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q, want it to contain %q", err, test.want)
			}
		})
	}
}

func TestOverrideFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.csv")); err == nil || !strings.Contains(err.Error(), "none.csv") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("folder: %v", err)
	}
	big := filepath.Join(t.TempDir(), "big.csv")
	if err := os.WriteFile(big, []byte("id\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, maxOverrideBytes+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(big); err == nil || !strings.Contains(err.Error(), "want at most") {
		t.Errorf("big file: %v", err)
	}
}

// Figures that look like sparse ones are loaded, with a warning each.
func TestWarnings(t *testing.T) {
	c, err := override(t, "o.csv", "id,vendor,fp32_tflops,tf32_tflops,fp16_tflops,fp8_tflops,int8_tops\n"+
		"a-1,acme,60,120,240,480,480\n"+ // as it should be
		"a-2,acme,,,480,240,\n"+ // FP8 below FP16
		"a-3,acme,,120,480,,\n"+ // FP16 with sparsity beside dense TF32
		"a-4,acme,,,100,,800\n") // INT8 with sparsity
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, w := range c.Warnings() {
		ids = append(ids, w[:3])
	}
	if want := []string{"a-2", "a-3", "a-4"}; !slices.Equal(ids, want) {
		t.Errorf("warnings %q, want one each of %v", c.Warnings(), want)
	}
}

// A name moves from one row to another when the file changes both.
func TestOverrideMovesName(t *testing.T) {
	c, err := override(t, "o.csv", "id,patterns\nmetax-c500,\nmetax-c500-oam,MXC500|MetaX C500\n")
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := c.Lookup("metax", "MXC500"); idOf(m) != "metax-c500-oam" {
		t.Errorf("MXC500 is %q", idOf(m))
	}
}

// The example of the guide loads, without a warning, and does what the guide says.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "docs", "catalogue.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(guide), "```csv\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the guide has no example")
	}
	c, err := override(t, "prices.csv", example)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := c.Lookup("kunlunxin", "P800 OAM")
	if v, priced := m.Peaks.Get(FP16); !priced || v != 345_000_000 || len(c.Warnings()) > 0 {
		t.Errorf("P800 at %d, warnings %q", v, c.Warnings())
	}
}

// The fp64 of a replaced row follows its two columns.
func TestOverrideFP64(t *testing.T) {
	c, err := override(t, "o.csv", "id,fp64_tensor_tflops\namd-mi250x,\n")
	if err != nil {
		t.Fatal(err)
	}
	m, _ := c.Model("amd-mi250x")
	if v, ok := m.Peaks.Get(FP64); !ok || v != 23_950_000 {
		t.Errorf("fp64 %d, %t", v, ok)
	}
}

func TestPrecision(t *testing.T) {
	for _, p := range Precisions() {
		if got, err := ParsePrecision(strings.ToUpper(string(p))); err != nil || got != p {
			t.Errorf("%s: %v, %v", p, got, err)
		}
		k := Peaks{}.With(p, 7)
		for _, q := range Precisions() {
			v, ok := k.Get(q)
			if ok != (p == q) || ok && v != 7 {
				t.Errorf("With(%s).Get(%s) = %d, %t", p, q, v, ok)
			}
		}
	}
	for _, s := range []string{"", "class", "fp4", "fp16 "} {
		if p, err := ParsePrecision(s); err == nil {
			t.Errorf("ParsePrecision(%q) = %s", s, p)
		}
	}
	if v, ok := (Peaks{}).With("fp4", 1).Get("fp4"); ok {
		t.Errorf("fp4 has peak %d", v)
	}
	if !(Peaks{}).Empty() || (Peaks{}).With(FP8, 1).Empty() {
		t.Error("Empty is wrong")
	}
}

func FuzzOverride(f *testing.F) {
	for _, name := range []string{"accelerators.csv", "cpus.csv", "clocks.csv"} {
		data, err := tables.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		// The header with one row: longer seeds only make the fuzzer slow.
		f.Add([]byte(strings.Join(strings.SplitAfterN(string(data), "\n", 3)[:2], "")))
	}
	f.Add([]byte("id,vendor,patterns,fp16_tflops\na-1,acme,A*|B,1.5\n"))
	f.Add([]byte("id,vendor,microarchitecture,vendor_ids,models,fp32_per_cycle\na-1,acme,x,acme,1-9|12,8\n"))
	f.Add([]byte("id,fp64_tensor_tflops,memory_gib\namd-mi250x,,\n# x\nno such\n"))
	f.Add([]byte("id,names,base_mhz\na-1,x*,2400\na-1,,0\n"))
	f.Fuzz(fuzzOverride)
}

// fuzzOverride holds any file to what is promised of override files: what is wrong is said with its place, within bounds
// and whatever else is wrong; what is not refused keeps the promises of Model; and it changes what it is said to change
// and nothing else.
func fuzzOverride(t *testing.T, data []byte) {
	base := must(t)
	c := base.clone()
	c.origin = map[string]place{}
	mistakes := append(c.override("o.csv", data), c.finish()...)
	if len(mistakes) > 2*maxFindings {
		t.Fatalf("%d mistakes", len(mistakes))
	}
	lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 1
	for _, m := range mistakes {
		if m.File != "o.csv" || m.Line < 1 || m.Line > lines || m.Text == "" {
			t.Fatalf("%+v is not a place in a file of %d lines", m, lines)
		}
	}
	if len(mistakes) > 0 {
		return
	}
	// What loads holds the promises of Model: ids are ids, and no peak is zero or negative.
	for _, m := range c.Models() {
		if err := telemetry.ValidID(m.ID); err != nil {
			t.Fatal(err)
		}
		for _, p := range Precisions() {
			if v, ok := m.Peaks.Get(p); ok && v <= 0 {
				t.Fatalf("%s: %s is %d", m.ID, p, v)
			}
		}
		if m.DevicesPerBoard < 1 || !m.Confidence.valid() {
			t.Fatalf("%+v", m)
		}
	}
	for _, m := range c.models[len(base.models):] {
		for _, p := range m.Patterns {
			name := strings.ReplaceAll(p, "*", "z")
			if _, ok := c.LookupMemory(m.Vendor, name, m.Memory); !ok && len(name) <= telemetry.MaxName {
				t.Fatalf("%q of %s is not found", p, m.ID)
			}
		}
	}
	said := map[string]bool{}
	for _, change := range changes(base, c) {
		if change.From == change.To {
			t.Fatalf("%+v is no change", change)
		}
		said[change.ID] = true
	}
	for _, m := range c.models {
		if was, ok := base.Model(m.ID); !said[m.ID] && (!ok || was.Peaks != m.Peaks || was.Memory != m.Memory || !slices.Equal(was.Patterns, m.Patterns)) {
			t.Fatalf("%s is changed and nobody says so: %+v", m.ID, m)
		}
	}
	suspicions(base, c)
}

func ExampleCatalog_Lookup() {
	m, _ := Default().Lookup("nvidia", "NVIDIA H200")
	fp16, _ := m.Peaks.Get(FP16)
	fmt.Println(m.ID, fp16)
	// Output: nvidia-h200-sxm 989500000
}
