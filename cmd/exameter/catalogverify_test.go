package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCatalogVerify(t *testing.T) {
	write := func(content string) string {
		path := filepath.Join(t.TempDir(), "prices.csv")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("id,vendor,patterns,fp16_tflops,source\nkunlunxin-p800,kunlunxin,P800|P800 OAM,345,acceptance test\ngizmo-9000,gizmo,Gizmo 9000,12.5,its box\n")
	out, said, status := exameter(t, "catalog", "verify", good)
	if status != 0 || said != "" {
		t.Errorf("status %d, said %q", status, said)
	}
	for _, want := range []string{
		"warning: " + good + `:3:vendor: gizmo-9000: "gizmo" is the vendor of no other model`,
		"kunlunxin-p800  fp16_tflops        unknown  345",
		"gizmo-9000      patterns           new      Gizmo 9000",
		"1 row would change, 1 row would be added; 1 warning; catalogue 2026.11.1+override.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}

	bad := write("id,vendor,fp16_tflops\na-1,acme,-1\nb-1,acme,many\n")
	out, said, status = exameter(t, "catalog", "verify", good, bad)
	want := bad + `:2:fp16_tflops: "-1" is negative` + "\n" + bad + `:3:fp16_tflops: "many": want a decimal number such as 989.5` + "\nRefused: 2 mistakes. A collector would not start with this.\n"
	if status != 1 || said != "" || out != want {
		t.Errorf("status %d, said %q, printed\n%s", status, said, out)
	}

	var report struct {
		Catalogue string
		Mistakes  []struct {
			File, Column, Text string
			Line               int
		}
		Warnings []any
		Changes  []struct{ ID, Column, From, To string }
	}
	out, _, status = exameter(t, "catalog", "verify", bad, "-o", "json")
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != 1 || len(report.Mistakes) != 2 || report.Mistakes[1].Line != 3 || report.Mistakes[1].Column != "fp16_tflops" || report.Changes == nil {
		t.Errorf("status %d, %v: %s", status, err, out)
	}
	out, _, status = exameter(t, "catalog", "verify", good, "-o", "json")
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != 0 || len(report.Mistakes) != 0 || report.Changes[0].To != "345" {
		t.Errorf("status %d, %v: %s", status, err, out)
	}
	if _, said, status = exameter(t, "catalog", "verify"); status != 2 || !strings.Contains(said, "0 arguments, want at least 1") {
		t.Errorf("no files: status %d, %s", status, said)
	}
	if out, _, status = exameter(t, "catalog", "verify", "/nonexistent.csv"); status != 1 || !strings.HasPrefix(out, "/nonexistent.csv: no such file") {
		t.Errorf("no such file: status %d, %s", status, out)
	}
}
