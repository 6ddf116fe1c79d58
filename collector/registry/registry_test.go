package registry

import (
	"strings"
	"testing"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

const sample = `
province:
  name: {zh: 贵州省, en: Guizhou}
  target: {date: 2027-12-31, eflops: 260}
centres:
  - id: guian-sc
    name: {zh: 贵安超算, en: Gui'an supercomputing}
    status: operating
    identifier: GZ-001
    declared:
      - {date: 2026-06-30, eflops: "12.5", precision: fp16}
      - {date: 2025-12-31, eflops: 9.000000000001}
    clusters:
      - {id: hpc, class: super, identifier: "超算 1"}
      - {id: half, class: super, precision: fp32}
      - {id: tf, precision: bf16}
  - id: later
    status: planned
`

func TestRead(t *testing.T) {
	r, err := Read(strings.NewReader(sample), "registry.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := r.Centre("guian-sc")
	if c == nil || c.Name.Zh != "贵安超算" || c.Identifier != "GZ-001" || c.Status != Operating {
		t.Fatalf("centre = %+v", c)
	}
	if got := c.Declared[0].Eflops.Eflops(); got != "9.000000000001" {
		t.Errorf("oldest declaration = %s, want the exact decimal", got)
	}
	if c.Declared[0].Precision != capacity.ByClass || c.Declared[1].Precision != "fp16" {
		t.Errorf("declared = %+v", c.Declared)
	}
	if r.Province.Target.Eflops.Flops != 260*capacity.Eflop || r.Province.Target.Date.Format("2006-01-02") != "2027-12-31" {
		t.Errorf("target = %+v", r.Province.Target)
	}
	if ids := r.IDs(); len(ids) != 2 || ids[0] != "guian-sc" || ids[1] != "later" {
		t.Errorf("IDs = %v", ids)
	}
	if centre, cluster := r.Identifiers("guian-sc", "hpc"); centre != "GZ-001" || cluster != "超算 1" {
		t.Errorf("identifiers %q, %q", centre, cluster)
	}
	if centre, cluster := r.Identifiers("guian-sc", "default"); centre != "GZ-001" || cluster != "" {
		t.Errorf("identifiers %q, %q of a cluster that the registry does not have", centre, cluster)
	}
	again, _ := Read(strings.NewReader(sample), "elsewhere.yaml")
	other, _ := Read(strings.NewReader(sample+"# a remark\n"), "registry.yaml")
	if len(r.Revision) != 8 || again.Revision != r.Revision || other.Revision == r.Revision {
		t.Errorf("revisions %q, of the same bytes %q, of others %q", r.Revision, again.Revision, other.Revision)
	}
	for _, tc := range []struct {
		centre, cluster string
		kind            telemetry.Kind
		class           capacity.Class
		precision       capacity.Precision
	}{
		{"guian-sc", "default", telemetry.Accelerator, capacity.Intelligent, "fp16"},
		{"guian-sc", "default", telemetry.CPU, capacity.General, "fp32"},
		{"guian-sc", "hpc", telemetry.Accelerator, capacity.Super, "fp64"},
		{"guian-sc", "hpc", telemetry.CPU, capacity.Super, "fp64"},
		{"guian-sc", "half", telemetry.CPU, capacity.Super, "fp32"},
		{"guian-sc", "tf", telemetry.Accelerator, capacity.Intelligent, "bf16"},
		{"unknown", "hpc", telemetry.Accelerator, capacity.Intelligent, "fp16"},
	} {
		if class, p := r.Cluster(tc.centre, tc.cluster, tc.kind); class != tc.class || p != tc.precision {
			t.Errorf("Cluster(%s, %s, %s) = %s, %s; want %s, %s", tc.centre, tc.cluster, tc.kind, class, p, tc.class, tc.precision)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, tc := range []struct{ yaml, want string }{
		{"centres:\n  - id: Upper\n", "r.yaml:2: centres[0].id:"},
		{"centres:\n  - id: a\n  - id: a\n", "r.yaml:3: centres[1].id: \"a\" stands twice"},
		{"centres:\n  - id: a\n  - id: b\n  - id: a\n", "r.yaml:4: centres[2].id: \"a\" stands twice: see centres[0].id, line 2"},
		{"centres:\n  - id: a\n    identifier: CN-1\n  - id: b\n    identifier: CN-1\n", "r.yaml:5: centres[1].identifier: \"CN-1\" stands twice: see centres[0].identifier, line 3"},
		{
			"centres:\n  - id: a\n    clusters:\n      - {id: x, identifier: CN-1}\n  - id: b\n    clusters:\n      - id: x\n        identifier: CN-1\n",
			"r.yaml:8: centres[1].clusters[0].identifier: \"CN-1\" stands twice: see centres[0].clusters[0].identifier, line 4",
		},
		{"centres:\n  - id: a\n    identifier: CN-1\n    clusters: [{id: x, identifier: CN-1}]\n", "r.yaml:4: centres[0].clusters[0].identifier: \"CN-1\" stands twice: see centres[0].identifier, line 3"},
		{"centres:\n  - id: a\n    clusters:\n      - id: x\n      - id: x\n", "r.yaml:5: centres[0].clusters[1].id: \"x\" stands twice: see centres[0].clusters[0].id, line 4"},
		{"centres:\n  - id: a\n    status: open\n", "r.yaml:3: centres[0].status:"},
		{"centres:\n  - id: a\n    sttus: open\n", "r.yaml:3"},
		{"centres:\n  - id: a\n    clusters: [{id: x, class: general}]\n", "r.yaml:3: centres[0].clusters[0].class:"},
		{"centres:\n  - id: a\n    clusters: [{id: x, precision: class}]\n", "centres[0].clusters[0].precision:"},
		{"centres:\n  - id: a\n    declared: [{eflops: 1}]\n", "centres[0].declared[0].date: is missing"},
		{"centres:\n  - id: a\n    declared: [{date: 31.12.2026, eflops: 1}]\n", "not a date"},
		{"centres:\n  - id: a\n    declared: [{date: 2026-12-31, eflops: many}]\n", "not a number of Eflops"},
		{"centres:\n  - id: a\n    declared: [{date: 2026-12-31}]\n", "centres[0].declared[0].eflops: is missing"},
		{"province: {target: {date: 2026-12-31, eflops: -3}}\n", "not above zero"},
		{"province:\n  target: {date: 2026-12-31}\n", "r.yaml:2: province.target.eflops: is missing"},
		{"province:\n  target: {eflops: 3}\n", "r.yaml:2: province.target.date: is missing"},
		{"centres:\n  - id: a\n    target: {}\n", "r.yaml:3: centres[0].target.date: is missing"},
		{"centres:\n  - id: a\n    identifier: \"a\\tb\"\n", "r.yaml:3: centres[0].identifier:"},
		{"centres:\n  - id: a\n    identifier: \"a\\u200bb\"\n", "cannot be printed"},
		{"centres:\n  - id: a\n    identifier: ' a'\n", "begins or ends with a blank"},
		{"centres:\n  - id: a\n    identifier: " + strings.Repeat("号", 129) + "\n", "129 characters long: want at most 128"},
		{"centres:\n  - id: a\n    clusters: [{id: x, identifier: [1]}]\n", "r.yaml:3"},
		{"centres:\n  - id: a\n    clusters:\n      - id: x\n        identifier: \"\\e[31m\"\n", "r.yaml:5: centres[0].clusters[0].identifier:"},
	} {
		_, err := Read(strings.NewReader(tc.yaml), "r.yaml")
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: error %v, want %q in it", tc.yaml, err, tc.want)
		}
	}
}
