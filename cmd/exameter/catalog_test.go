package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCatalogLooksUpWhatToolsPrint(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		says   []string
	}{
		{[]string{"NVIDIA H200"}, 0, []string{"nvidia-h200-sxm", "989.5 Tflop/s", "141 GiB", "not domestic", "datasheet"}},
		{[]string{"AMD Instinct MI300X OAM"}, 0, []string{"fp64         163.4 Tflop/s (matrix units 163.4, vector units 81.7)"}},
		{[]string{"NVIDIA RTX A6000"}, 0, []string{"fp64         0.6 Tflop/s\n", "fp32         38.7 Tflop/s\n"}},
		{[]string{"910B2"}, 0, []string{"huawei-ascend-910b2", "376 Tflop/s", ", domestic"}},
		{[]string{"nvidia-h20"}, 0, []string{"nvidia-h20", "148 Tflop/s"}},
		{[]string{"K100", "--vendor", "Hygon"}, 0, []string{"hygon-k100 "}},
		{[]string{"K100"}, 1, []string{"not the name of one model", "hygon-k100", "kunlunxin-k100", "--vendor"}},
		{[]string{"MLU590-M9"}, 0, []string{"cambricon-mlu590", "unpriced"}},
		{[]string{"Gizmo 9000"}, 1, []string{`"Gizmo 9000" is unpriced`, "worth no Eflops", "catalog verify"}},
		{[]string{"NVIDIA H200", "--vendor", "amd"}, 1, []string{"unpriced"}},
		{nil, 0, []string{"nvidia-h200-sxm", "hygon-bw1000", "models, dense peaks"}},
		{[]string{"--vendor", "metax"}, 0, []string{"metax-c500"}},
		{[]string{"--cpu"}, 0, []string{"huawei-kunpeng-920", "per cycle"}},
		{[]string{"--cpu", "zen 3"}, 0, []string{"amd-zen3", "1 microarchitecture,"}},
		{[]string{"--cpu", "abacus"}, 1, []string{"0 microarchitectures"}},
	} {
		out, said, status := exameter(t, append([]string{"catalog"}, c.args...)...)
		if status != c.status || said != "" {
			t.Errorf("catalog %q: status %d, want %d; said %q", c.args, status, c.status, said)
		}
		for _, s := range c.says {
			if !strings.Contains(out, s) {
				t.Errorf("catalog %q does not say %q:\n%s", c.args, s, out)
			}
		}
	}
}

// Every name that a vendor's tool prints leads to its model, with peaks or the word unpriced, source and confidence.
func TestCatalogKnowsEveryName(t *testing.T) {
	f, err := os.Open("../../catalog/testdata/names.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 200 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		args := []string{"catalog", row[2]}
		switch word, gib, _ := strings.Cut(row[3], " "); word {
		case "vendor":
			args = append(args, "--vendor", row[1])
		case "memory":
			args = append(args, "--memory", gib+"GiB")
		}
		out, said, status := exameter(t, args...)
		if status != 0 || said != "" || !strings.HasPrefix(out, "model        "+row[4]+" (") {
			t.Errorf("%q: status %d, %s%s", args, status, said, out)
		}
		for _, want := range []string{"\nvendor       " + row[1], "\nfp16 ", "\nconfidence   ", "\nsource       "} {
			if !strings.Contains(out, want) {
				t.Errorf("%q: no %q in\n%s", args, want, out)
			}
		}
	}
}

func TestCatalogForPrograms(t *testing.T) {
	var m struct {
		ID    string
		Peaks map[string]int64 `json:"peak_mflops"`
		TDP   *int64           `json:"tdp_mw"`
	}
	out, _, status := exameter(t, "catalog", "NVIDIA H200", "-o", "json")
	if err := json.Unmarshal([]byte(out), &m); err != nil || status != 0 || m.ID != "nvidia-h200-sxm" || m.Peaks["fp16"] != 989_500_000 || m.TDP == nil || *m.TDP != 700_000 || !strings.Contains(out, `"fp64_vector_mflops":33500000,"fp64_tensor_mflops":66900000`) {
		t.Errorf("status %d, %v: %s", status, err, out)
	}
	out, _, status = exameter(t, "catalog", "910B1", "-o", "json")
	if !strings.Contains(out, `"tdp_mw":null`) || strings.Contains(out, "fp8") || status != 0 {
		t.Errorf("what is unknown does not stand out: %s", out)
	}
	var none struct {
		Unpriced bool
		Similar  []string
	}
	out, _, status = exameter(t, "catalog", "K100", "-o", "json")
	if err := json.Unmarshal([]byte(out), &none); err != nil || status != 1 || !none.Unpriced || len(none.Similar) != 2 {
		t.Errorf("status %d, %v: %s", status, err, out)
	}
	var all []struct{ ID string }
	out, _, status = exameter(t, "catalog", "-o", "json")
	if err := json.Unmarshal([]byte(out), &all); err != nil || status != 0 || len(all) < 100 {
		t.Errorf("status %d, %v, %d models", status, err, len(all))
	}
}

func TestCatalogOverride(t *testing.T) {
	file := filepath.Join(t.TempDir(), "prices.csv")
	if err := os.WriteFile(file, []byte("id,vendor,name,patterns,fp16_tflops,confidence,source\ngizmo-9000,gizmo,Gizmo 9000,Gizmo 9000,12.5,unsure,a test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, said, status := exameter(t, "catalog", "Gizmo 9000", "--override", file)
	if status != 0 || !strings.Contains(out, "12.5 Tflop/s") || !strings.Contains(out, "+override.") {
		t.Errorf("status %d, %s%s", status, out, said)
	}
	if err := os.WriteFile(file, []byte("id,vendor,patterns,fp16_tflops\ngizmo-9000,gizmo,Gizmo 9000,many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, said, status := exameter(t, "catalog", "Gizmo 9000", "--override", file); status != 1 || !strings.Contains(said, file+":2") {
		t.Errorf("status %d, %s", status, said)
	}
}
