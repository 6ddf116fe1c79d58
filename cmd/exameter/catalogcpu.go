package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/telemetry"
)

// cpuJSON is a processor for programs. Peaks are in Mflop/s for one physical core.
type cpuJSON struct {
	ID                string                      `json:"id"`
	Vendor            string                      `json:"vendor,omitempty"`
	Microarchitecture string                      `json:"microarchitecture,omitempty"`
	Priced            bool                        `json:"priced"`
	ClockMHz          *telemetry.Megahertz        `json:"clock_mhz"`
	PerCore           map[catalog.Precision]int64 `json:"peak_mflops_per_core"`
	Domestic          *bool                       `json:"domestic"`
	Confidence        catalog.Confidence          `json:"confidence"`
	Source            string                      `json:"source"`
	Notes             string                      `json:"notes"`
	Catalogue         string                      `json:"catalogue"`
}

// showCPU prints what one core of a processor can do, as far as its name alone tells.
func (f *catalogFlags) showCPU(out io.Writer, cat *catalog.Catalog, name string) error {
	m, priced := cat.CPU(telemetry.CPUInfo{Name: name})
	if f.output.value == "json" {
		j := cpuJSON{
			ID: m.ID, Vendor: m.Vendor, Microarchitecture: m.Microarchitecture, Priced: priced, ClockMHz: pointer(m.ClockMHz), PerCore: map[catalog.Precision]int64{},
			Domestic: pointer(m.Domestic), Confidence: m.Confidence, Source: m.Source, Notes: m.Notes, Catalogue: cat.Version(),
		}
		for _, p := range catalog.Precisions() {
			if v, ok := m.PerCore.Get(p); ok {
				j.PerCore[p] = v
			}
		}
		if err := writeJSON(out, j); err != nil {
			return err
		}
	} else if err := writeCPU(out, m, cat.Version()); err != nil {
		return err
	}
	if !priced {
		return errSaid
	}
	return nil
}

func writeCPU(out io.Writer, m *catalog.CPUModel, version string) error {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s%s\n", label, fmt.Sprintf(format, args...))
	}
	line("model", "%s", m.ID)
	if m.Microarchitecture != "" {
		line("cores", "%s %s", m.Vendor, m.Microarchitecture)
	}
	if v, ok := m.ClockMHz.Get(); ok {
		line("clock", "%d MHz, %s", v, m.ClockSource)
	}
	for _, p := range catalog.Precisions() {
		if v, ok := m.PerCore.Get(p); ok {
			line(string(p), "%g Gflop/s a core", float64(v)/1e3)
		}
	}
	line("confidence", "%s", m.Confidence)
	if m.Source != "" {
		line("source", "%s", m.Source)
	}
	if m.Notes != "" {
		line("notes", "%s", m.Notes)
	}
	line("catalogue", "%s", version)
	_, err := io.WriteString(out, b.String())
	return err
}

// listCPUs prints the microarchitectures, by operations per cycle and core.
func (f *catalogFlags) listCPUs(out io.Writer, cat *catalog.Catalog) error {
	t := &table{head: []string{"ID", "VENDOR", "MICROARCHITECTURE", "FP64", "FP32", "FP16", "CONFIDENCE"}, left: 3}
	perCycle := func(k catalog.Peaks, p catalog.Precision) string {
		if v, ok := k.Get(p); ok {
			return fmt.Sprint(v)
		}
		return "-"
	}
	type entry struct {
		ID         string                      `json:"id"`
		Vendor     string                      `json:"vendor"`
		Name       string                      `json:"name"`
		PerCycle   map[catalog.Precision]int64 `json:"per_cycle"`
		Confidence catalog.Confidence          `json:"confidence"`
	}
	entries := []entry{}
	for _, u := range cat.CPUs() {
		if f.vendor != "" && u.Vendor != strings.ToLower(f.vendor) {
			continue
		}
		t.add(u.ID, u.Vendor, u.Name, perCycle(u.PerCycle, catalog.FP64), perCycle(u.PerCycle, catalog.FP32), perCycle(u.PerCycle, catalog.FP16), string(u.Confidence))
		e := entry{u.ID, u.Vendor, u.Name, map[catalog.Precision]int64{}, u.Confidence}
		for _, p := range catalog.Precisions() {
			if v, ok := u.PerCycle.Get(p); ok {
				e.PerCycle[p] = v
			}
		}
		entries = append(entries, e)
	}
	if f.output.value == "json" {
		return writeJSON(out, entries)
	}
	if err := t.write(out, coloured(out)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s, operations per cycle and physical core, - unknown; catalogue %s\n", plural(int64(len(entries)), "microarchitecture"), cat.Version())
	return err
}
