package catalog

import (
	"math"
	"strconv"
	"testing"

	"github.com/exameter/exameter/telemetry"
)

// machine is one row of testdata/top500.csv.
type machine struct {
	name, list  string
	rpeak       float64 // Tflop/s of FP64, as the list publishes it
	cpu         telemetry.CPUInfo
	cores       int64
	accelerator string // a model's id, empty for none
	devices     int64
	off         float64 // percent
	reason      string
}

// machines reads the table.
func machines(t *testing.T) []machine {
	t.Helper()
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	id := func(s string) (v telemetry.Opt[int64]) {
		if s != "" {
			v = telemetry.Known(int64(number(s)))
		}
		return v
	}
	var out []machine
	for _, c := range testdata(t, "top500.csv") {
		m := machine{name: c[0], list: c[1], rpeak: number(c[3]), cores: int64(number(c[10])), accelerator: c[11], off: number(c[13]), reason: c[14]}
		m.cpu = telemetry.CPUInfo{
			Vendor: c[4], Family: id(c[5]), Model: id(c[6]), Part: c[7], Name: c[8],
			BaseClock: telemetry.Known(telemetry.Megahertz(number(c[9]))), Cores: telemetry.Known(m.cores),
		}
		m.devices = id(c[12]).Value
		out = append(out, m)
	}
	return out
}

// peak computes a machine's FP64 peak in Tflop/s from the catalogue.
func (m *machine) peak(t *testing.T, c *Catalog) float64 {
	t.Helper()
	cpu, priced := c.CPU(m.cpu)
	core, ok := cpu.PerCore.Get(FP64)
	if !priced || !ok {
		t.Fatalf("%s: its processor is unpriced: %+v", m.name, cpu)
	}
	total := core * m.cores
	if m.accelerator != "" {
		model, ok := c.Model(m.accelerator)
		if !ok {
			t.Fatalf("%s: no model %s", m.name, m.accelerator)
		}
		device, ok := model.Peaks.Get(FP64)
		if !ok {
			t.Fatalf("%s: %s has no FP64 peak", m.name, m.accelerator)
		}
		total += device * m.devices
	}
	return float64(total) / 1e6
}

// The theoretical peaks that the Top500 lists publish come out of the catalogue within a twentieth, counted by the list's
// convention; where they do not, the table says why and how far they are off.
func TestTop500(t *testing.T) {
	c, err := Load("../examples/catalogue/top500.csv")
	if err != nil {
		t.Fatal(err)
	}
	within := 0
	for _, m := range machines(t) {
		off := 100 * (m.peak(t, c)/m.rpeak - 1)
		t.Logf("%-28s %-14s %12.1f Tflop/s, %+.1f %% %s", m.name, m.list, m.rpeak, off, m.reason)
		if math.Abs(off-m.off) > 0.1 {
			t.Errorf("%s, %s: %.2f %% off, the table says %.1f", m.name, m.list, off, m.off)
		}
		switch far := math.Abs(off) > 5; {
		case far && m.reason == "":
			t.Errorf("%s, %s: %.1f %% off without a reason", m.name, m.list, off)
		case !far && m.reason != "":
			t.Errorf("%s, %s: %.1f %% off needs no reason, and the table gives one: %s", m.name, m.list, off, m.reason)
		case !far:
			within++
		}
	}
	if within < 10 {
		t.Errorf("%d machines are within 5 %%, want at least 10", within)
	}
}

// By the catalogue's own convention, which counts matrix units too, AMD's machines are worth about twice their Rpeak.
func TestTop500CountsVectorUnits(t *testing.T) {
	c := must(t)
	for _, m := range machines(t) {
		if m.accelerator != "amd-mi250x" && m.accelerator != "amd-mi300a" {
			continue
		}
		if ratio := m.peak(t, c) / m.rpeak; ratio < 1.7 || ratio > 2.2 {
			t.Errorf("%s, %s: %.2f of Rpeak with matrix units", m.name, m.list, ratio)
		}
	}
}
