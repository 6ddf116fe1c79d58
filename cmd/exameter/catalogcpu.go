package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/exameter/exameter/catalog"
)

// listCPUs prints the microarchitectures whose id or name has name in it, by operations per cycle and core.
func (f *catalogFlags) listCPUs(out io.Writer, cat *catalog.Catalog, name string) error {
	name = strings.ToLower(name)
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
		if f.vendor != "" && u.Vendor != strings.ToLower(f.vendor) || !strings.Contains(strings.ToLower(u.ID+" "+u.Name), name) {
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
	said := error(nil)
	if len(entries) == 0 {
		said = errSaid
	}
	if f.output.value == "json" {
		return errors.Join(writeJSON(out, entries), said)
	}
	if err := t.write(out, coloured(out)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s, operations per cycle and physical core, - unknown; catalogue %s\n", plural(int64(len(entries)), "microarchitecture"), cat.Version()); err != nil {
		return err
	}
	return said
}
