package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/client"
)

// unpricedDocument is what a collector answers by kind, vendor, model, class and centre.
func unpricedDocument() *client.Capacity {
	group := func(kind, vendor, model, class, centre string, rated, unpriced int64) client.Group {
		return client.Group{
			Dimensions: client.Dimensions{Kind: kind, Vendor: vendor, Model: model, Class: class, Centre: centre},
			Figure:     client.Figure{Devices: client.Devices{Rated: rated, Unpriced: unpriced}},
		}
	}
	return &client.Capacity{
		Head: client.Head{
			Revision: 41, AsOf: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), Catalogue: "2026.11.1", Precision: "class", Kind: "all",
			By: []string{"kind", "vendor", "model", "class", "centre"},
		},
		Total: client.Figure{Devices: client.Devices{Rated: 100, Unpriced: 59}},
		Groups: []client.Group{
			group("accelerator", "cambricon", "cambricon-mlu590", "intelligent", "guian-north", 8, 8),
			group("accelerator", "cambricon", "cambricon-mlu590", "intelligent", "zunyi-east", 16, 16),
			group("accelerator", "gizmo", "Gizmo 9000", "intelligent", "zunyi-east", 30, 30),
			group("accelerator", "nvidia", "nvidia-h200-sxm", "intelligent", "zunyi-east", 40, 0),
			group("cpu", "zhaoxin", "zhaoxin-kaisheng-kh-40000-16", "general", "zunyi-east", 5, 5),
		},
	}
}

// unpricedFrom serves a document to exameter catalog --unpriced.
func unpricedFrom(t *testing.T, doc *client.Capacity, args ...string) string {
	t.Helper()
	body, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "answer.json")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	url, asked := collectorOf(t, file)
	out, said, status := exameter(t, append([]string{"catalog", "--unpriced", "--collector", url}, args...)...)
	if status != 0 || said != "" {
		t.Fatalf("status %d, said %q", status, said)
	}
	if want := "/v1/capacity?by=kind%2Cvendor%2Cmodel%2Cclass%2Ccentre&kind=all&precision=class"; *asked.Load() != want {
		t.Errorf("asked %s, want %s", *asked.Load(), want)
	}
	return out
}

func TestCatalogUnpriced(t *testing.T) {
	out := unpricedFrom(t, unpricedDocument())
	for _, want := range []string{
		"gizmo      Gizmo 9000                    accelerator  intelligent  does not know it                 zunyi-east (30)                        30\n" +
			"cambricon  cambricon-mlu590              accelerator  intelligent  has no peak for their class      guian-north (8), zunyi-east (16)       24\n" +
			"zhaoxin    zhaoxin-kaisheng-kh-40000-16  cpu          general      lacks its width, clock or cores  zunyi-east (5)                          5\n",
		"59 devices of 100 unpriced, 3 models, precision class; as of 2026-11-23T08:00:00Z, revision 41, catalogue 2026.11.1\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "h200") {
		t.Errorf("a priced model is listed:\n%s", out)
	}
	var answer struct {
		Unpriced []unpricedModel
	}
	if err := json.Unmarshal([]byte(unpricedFrom(t, unpricedDocument(), "-o", "json")), &answer); err != nil || len(answer.Unpriced) != 3 || !answer.Unpriced[1].Known || answer.Unpriced[1].Centres[1].Devices != 16 {
		t.Errorf("%v: %+v", err, answer)
	}
	out = unpricedFrom(t, &client.Capacity{Head: client.Head{Precision: "class"}, Total: client.Figure{Devices: client.Devices{Rated: 7}}})
	if !strings.HasPrefix(out, "0 devices of 7 unpriced, 0 models") {
		t.Errorf("nothing is unpriced: %s", out)
	}
}

// What is printed can be pasted: it loads without a mistake, changes no figure by itself, and prices the devices once a
// peak is filled in.
func TestCatalogUnpricedRows(t *testing.T) {
	out := unpricedFrom(t, unpricedDocument(), "-o", "csv")
	for _, want := range []string{
		"# 30 devices in zunyi-east (30)\ngizmo-9000,gizmo,Gizmo 9000,Gizmo 9000,,,,,unsure,\n",
		"# 24 devices in guian-north (8), zunyi-east (16)\ncambricon-mlu590,cambricon,",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "zhaoxin") {
		t.Errorf("a processor stands in the table of accelerators:\n%s", out)
	}
	file := filepath.Join(t.TempDir(), "prices.csv")
	load := func(content string) *catalog.Report {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := catalog.Verify(file)
		if err != nil || len(r.Mistakes) > 0 {
			t.Fatalf("%v, %v", err, r.Mistakes)
		}
		return r
	}
	for _, c := range load(out).Changes {
		if c.ID != "gizmo-9000" || strings.Contains(c.Column, "flops") {
			t.Errorf("the rows change %+v", c)
		}
	}
	load(strings.Replace(out, "Gizmo 9000,,,,,unsure,", "Gizmo 9000,,,12.5,,unsure,its box", 1))
	if shown, _, status := exameter(t, "catalog", "Gizmo 9000", "--vendor", "gizmo", "--override", file); status != 0 || !strings.Contains(shown, "12.5 Tflop/s") {
		t.Errorf("status %d: %s", status, shown)
	}
}

// Names are a host's, and may be anything: whatever they are, the rows load.
func FuzzUnpricedRows(f *testing.F) {
	f.Add("gizmo", "Gizmo 9000")
	f.Add("hygon", "")
	f.Add("huawei", "Ascend910")
	f.Add("nvidia", "NVIDIA ")
	f.Add("nvidia", "H200 SXM")
	f.Add("gizmo", "=1+1|*\"x,y\"\n#")
	f.Add("Not An Id", "算力卡")
	f.Add("gizmo", " a|b")
	f.Fuzz(func(t *testing.T, vendor, model string) {
		doc := unpricedDocument()
		doc.Groups = append(doc.Groups, doc.Groups[0], doc.Groups[0])
		n := len(doc.Groups)
		doc.Groups[n-2].Vendor, doc.Groups[n-2].Model = vendor, model
		doc.Groups[n-1].Vendor, doc.Groups[n-1].Model, doc.Groups[n-1].Centre = vendor, model+"|", "a\nb"
		cat := catalog.Default()
		var b strings.Builder
		if err := writeUnpricedCSV(&b, doc, unpriced(doc, cat, ""), cat); err != nil {
			t.Fatal(err)
		}
		mistakes, err := catalog.Check("rows.csv", []byte(b.String()))
		if err != nil || len(mistakes) > 0 {
			t.Fatalf("%v %v in\n%s", err, mistakes, b.String())
		}
		for line := range strings.Lines(b.String()) {
			if strings.ContainsAny(line[:1], "=+-@") {
				t.Fatalf("%q is a formula", line)
			}
		}
	})
}
