package catalog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// verified writes files and verifies them.
func verified(t *testing.T, contents ...string) *Report {
	t.Helper()
	t.Chdir(t.TempDir())
	var names []string
	for i, content := range contents {
		name := string(rune('a'+i)) + ".csv"
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	r, err := Verify(names...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// texts prints findings, cut to the length of what is wanted of each.
func texts(list []Finding, want []string) []string {
	var out []string
	for i, f := range list {
		s := f.String()
		if i < len(want) && len(s) > len(want[i]) {
			s = s[:len(want[i])]
		}
		out = append(out, s)
	}
	return out
}

// Every mistake of every file is said, with its place, in the order of the lines.
func TestVerifySaysEveryMistake(t *testing.T) {
	r := verified(t,
		"id,vendor,patterns,fp16_tflops,fp17_tflops,memory_gib,domestic,confidence\n"+
			"# measured by ourselves\n"+
			"a-1,acme,Acme X1,-3,1,64 GB,yes,high\n"+
			"Acme X,acme,*,1,,,,\n"+
			"a-2,acme\n"+
			"a-1,acme,Acme X2,1,,,,\n"+
			"a-3,nvidia,h200,1,,141,,\n"+
			"a-4,acme,Acme X4,1,,,,\n",
		"names,base_mhz\nx,1\n",
		"id,names,base_mhz\nc-1,x,0\n\"",
	)
	want := []string{
		`a.csv:1:"fp17_tflops": no such column`,
		`a.csv:3:fp16_tflops: "-3" is negative`,
		`a.csv:3:memory_gib: "64 GB": want a decimal number`,
		`a.csv:3:domestic: "yes": want true, false`,
		`a.csv:3:confidence: "high": want datasheet`,
		`a.csv:4:id: id`,
		`a.csv:4:patterns: "*": a star stands for the end`,
		`a.csv:5: wrong number of fields`,
		`a.csv:6:id: "a-1" stands in line 3 already`,
		`b.csv:1:id: column is missing`,
		`c.csv:2:base_mhz: "0": what is unknown is left empty`,
		`c.csv:3: extraneous or missing " in quoted-field`,
		`a.csv:7:patterns: "h200" of a-3 is a pattern of nvidia-h200-sxm already`,
	}
	if got := texts(r.Mistakes, want); !slices.Equal(got, want) {
		t.Errorf("mistakes:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(r.Changes) > 0 || len(r.Warnings) > 0 || r.Catalogue != "" {
		t.Errorf("files that would be refused change something: %+v", r)
	}
}

// A row that takes away what tells two embedded rows apart is at fault, not the embedded row.
func TestVerifyNamesTheOverride(t *testing.T) {
	for _, content := range []string{"id,memory_gib\nhuawei-ascend-910a,64\n", "id,memory_gib\nhuawei-ascend-910c,32\n"} {
		r := verified(t, content)
		if len(r.Mistakes) != 1 || !strings.HasPrefix(r.Mistakes[0].String(), `a.csv:2:patterns: "Ascend910"`) {
			t.Errorf("%q: %v", content, r.Mistakes)
		}
	}
}

func TestVerifyWarns(t *testing.T) {
	r := verified(t,
		"id,vendor,patterns,fp16_tflops,fp8_tflops,source\n"+
			"metax-c500,metax,MXC500|MetaX C500,280,,ours are OAM\n"+ // nothing to say
			"huawei-ascend-910b3,huawei,910B3,626,,the brochure\n"+
			"kunlunxin-p800,kunlunxin,P800|P800 OAM,345,,\"third-party report that cites kunlunxin.com product pages; xpu_smi -m sample: P800 OAM, 98304 MiB\"\n"+
			"iluvatar-mr-v50,iluvatar,Iluvatar MR-V50,,,x\n"+
			"metax-c50,metax,,240,,x\n"+
			"acme-x1,acme,Acme X1,100,50,\n"+
			"acme-x2,acme,Acme X2,,,x\n")
	want := []string{
		"a.csv:3:fp16_tflops: huawei-ascend-910b3: goes from 313 to 626",
		"a.csv:4:source: kunlunxin-p800: has new figures with the source of the old ones",
		"a.csv:5:fp16_tflops: iluvatar-mr-v50: becomes unknown",
		"a.csv:6:patterns: metax-c50: is new and has no names",
		"a.csv:7:fp8_tflops: acme-x1: fp8 is 0.50 times fp16",
		`a.csv:7:vendor: acme-x1: "acme" is the vendor of no other model`,
		"a.csv:7:source: acme-x1: does not say where",
		`a.csv:8:vendor: acme-x2: "acme" is the vendor of no other model`,
		"a.csv:8:fp16_tflops: acme-x2: has no peak at any precision",
	}
	got := texts(r.Warnings, want)
	if !slices.Equal(got, want) || len(r.Mistakes) > 0 {
		t.Errorf("warnings:\n%s\nwant:\n%s\nmistakes %v", strings.Join(got, "\n"), strings.Join(want, "\n"), r.Mistakes)
	}
}

func TestVerifySaysWhatChanges(t *testing.T) {
	r := verified(t,
		"id,vendor,patterns,fp16_tflops,memory_gib\nkunlunxin-p800,kunlunxin,P800|P800 OAM,345.5,\nacme-x1,acme,Acme X1*,12.5,16\nmetax-c550,metax,MXC550|MetaX C550,,64\n",
		"id,vendor,microarchitecture,vendor_ids,parts,fp64_per_cycle\nhuawei-kunpeng-920-v200,huawei,Kunpeng 920 new series (TaiShan v200),0x48,0xd02|0xd03|0xd22,8\n",
		"id,names,base_mhz\namd-epyc-9654,AMD EPYC 9654*,2350\n")
	want := []Change{
		{"kunlunxin-p800", false, "fp16_tflops", "", "345.5"},
		{"kunlunxin-p800", false, "memory_gib", "96", ""},
		{"acme-x1", true, "vendor", "", "acme"},
		{"acme-x1", true, "patterns", "", "Acme X1*"},
		{"acme-x1", true, "fp16_tflops", "", "12.5"},
		{"acme-x1", true, "memory_gib", "", "16"},
		{"acme-x1", true, "devices_per_board", "", "1"},
		{"acme-x1", true, "confidence", "", "unsure"},
		{"huawei-kunpeng-920-v200", false, "fp64_per_cycle", "", "8"},
		{"amd-epyc-9654", false, "base_mhz", "2400", "2350"},
	}
	if !slices.Equal(r.Changes, want) {
		t.Errorf("changes:\n%+v\nwant:\n%+v", r.Changes, want)
	}
	if c, err := Load("a.csv", "b.csv", "c.csv"); err != nil || c.Version() != r.Catalogue {
		t.Errorf("the files load as %v, %v; verified as %s", c, err, r.Catalogue)
	}
}

func TestVerifyFiles(t *testing.T) {
	r, err := Verify(filepath.Join(t.TempDir(), "none.csv"), t.TempDir())
	if err != nil || len(r.Mistakes) != 2 || !strings.HasSuffix(r.Mistakes[0].String(), "none.csv: no such file or directory") || !strings.HasSuffix(r.Mistakes[1].String(), ": not a regular file") {
		t.Errorf("%v, %v", r.Mistakes, err)
	}
	if r, err := Verify(); err != nil || len(r.Mistakes)+len(r.Changes)+len(r.Warnings) > 0 || r.Catalogue != release {
		t.Errorf("no files: %+v, %v", r, err)
	}
	// What is wrong with a file of nothing but mistakes is bounded.
	many := verified(t, "id,fp16_tflops\n"+strings.Repeat("x,-1\n", 5000))
	if n := len(many.Mistakes); n < 100 || n > maxFindings+10 {
		t.Errorf("%d mistakes", n)
	}
}
