package exporter

import (
	"math"
	"strings"
	"testing"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// evidence is what an exposition holds, read without this package: by expfmt, a line at a time.
type evidence struct {
	numbers map[string][]float64 // by name of the metric as served
	texts   map[string]bool      // values of labels
	byLabel map[string]map[string]bool
}

func gather(text string) *evidence {
	e := &evidence{numbers: map[string][]float64{}, texts: map[string]bool{}, byLabel: map[string]map[string]bool{}}
	for line := range strings.Lines(text) {
		s, ok := reference(strings.TrimRight(line, " \t\n"))
		if !ok {
			continue
		}
		e.numbers[s.name] = append(e.numbers[s.name], s.value)
		for _, l := range s.labels {
			e.texts[strings.TrimSpace(l.value)] = true
			if e.byLabel[l.name] == nil {
				e.byLabel[l.name] = map[string]bool{}
			}
			e.byLabel[l.name][l.value] = true
		}
	}
	return e
}

// told says whether a text stands among the labels, as it is or as f writes it.
func (e *evidence) told(text string, f func(string) string) bool {
	if e.texts[text] {
		return true
	}
	for t := range e.texts {
		if f != nil && f(t) == text {
			return true
		}
	}
	return false
}

// identity says whether an id is made of what was served.
func (e *evidence) identity(vendor string, d *telemetry.DeviceInfo) bool {
	joined := func(s string) string { return strings.Join(strings.Fields(s), "-") }
	if e.told(d.ID, joined) || e.told(d.ID, pciAddress) {
		return true
	}
	serial := vendor + "-" + d.Serial
	return d.Serial != "" && (d.ID == serial || strings.HasPrefix(d.ID, serial+"-"))
}

// factor is what a unit is in that of the wire; of the one that may be two, the larger.
func factor(q quantity, unit string) float64 { return units[q][unit] }

// most is the most that the numbers of some metrics can add up to, in the unit of the wire.
func (e *evidence) most(p *Profile, name string) (total float64) {
	for _, d := range p.Readings[name] {
		for _, metric := range d.metrics() {
			for _, prefix := range p.Prefixes {
				for _, n := range e.numbers[prefix+metric] {
					if d.Combine == "count" {
						total++
					} else if n > 0 && !math.IsInf(n, 0) {
						total += n*factor(readings[name], d.Unit) + 0.5
					}
				}
			}
		}
	}
	return total
}

// served says whether a value is one of the numbers served for it, converted and rounded; a share of one, where boards
// share; or at most their sum, where they are added up.
func (e *evidence) served(p *Profile, name string, v int64) bool {
	for _, d := range p.Readings[name] {
		if d.Combine == "sum" || d.Combine == "count" || len(d.Sum) > 0 || name == "power" && len(p.Boards) > 0 {
			if float64(v) <= e.most(p, name) {
				return true
			}
			continue
		}
		for _, prefix := range p.Prefixes {
			for _, n := range e.numbers[prefix+d.Metric] {
				f := factor(readings[name], d.Unit)
				near := func(x float64) bool { return math.Abs(x-float64(v)) <= 0.5+math.Abs(x)*1e-15 }
				if near(n*f) || d.Unit == wattsOrMilliwatts && near(n) {
					return true
				}
			}
		}
	}
	return false
}

// amounts are the readings of a device by the names that profiles have for them.
func amounts(d *poll.DeviceReading) map[string]int64 {
	out := map[string]int64{}
	put(out, "utilisation", d.Utilization)
	put(out, "sm_activity", d.SMActivity)
	put(out, "tensor_activity", d.TensorActivity)
	put(out, "memory_utilisation", d.MemoryUtilization)
	put(out, "memory_used", d.MemoryUsed)
	put(out, "memory_total", d.Info.Memory)
	put(out, "power", d.Power)
	put(out, "temperature", d.Temperature)
	put(out, "sm_clock", d.SMClock)
	put(out, "memory_clock", d.MemoryClock)
	put(out, "ecc_corrected", d.ECCCorrected)
	put(out, "ecc_uncorrected", d.ECCUncorrected)
	put(out, "processes", d.Processes)
	for _, x := range d.XIDs {
		out["xid"] = x
	}
	return out
}

func put[T ~int64](to map[string]int64, name string, o telemetry.Opt[T]) {
	if o.OK {
		to[name] = int64(o.Value)
	}
}

// boards are a 300I of four chips and a 300I Duo of two, each of which shows the power of its board.
const boards = `machine_npu_nums 4
machine_card_nums 2
npu_chip_info_power{id="0",model_name="310-Ascend-V1",vdie_id="A1040C10-00000001",pcie_bus_info="0000:01:00.0"} 61
npu_chip_info_power{id="1",model_name="310-Ascend-V1",vdie_id="A1040C10-00000002",pcie_bus_info="0000:02:00.0"} 61
npu_chip_info_power{id="2",model_name="310P3-Ascend-V1",vdie_id="A1040C10-00000003",pcie_bus_info="0000:81:00.0"} 73
npu_chip_info_power{id="3",model_name="310P3-Ascend-V1",vdie_id="A1040C10-00000004",pcie_bus_info="0000:81:00.0"} 73
`

// FuzzServed reads whatever an exporter may serve by each profile and holds the devices to what was served: every
// identity, text and amount stands in it, there are no more devices than it names, and no total is larger than what it
// holds.
func FuzzServed(f *testing.F) {
	all := BuiltIn()
	for i, p := range all {
		text := exposition(f, p.Name)
		f.Add(uint8(i), text)
		if n := strings.Index(text, "# HELP"); n >= 0 {
			// A short one for each, which the fuzzer changes more of.
			lines := strings.SplitAfter(text, "\n")
			short := ""
			for j, line := range lines {
				if j%5 == 2 && !strings.HasPrefix(line, "#") {
					short += line
				}
			}
			f.Add(uint8(i), short)
		}
	}
	for i, p := range all {
		if p.Name == "huawei-npu-exporter" {
			f.Add(uint8(i), boards)
		}
	}
	sys := f.TempDir()
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		p := all[int(which)%len(all)]
		one := Profiles{p}
		wanted := one.metrics()
		series, err := parse(strings.NewReader(text), func(name []byte) bool { return wanted[string(name)] })
		if err != nil {
			return
		}
		found, err := one.detect(series, true)
		if err != nil {
			return
		}
		devices, err := p.read(found.prefix, series, surroundings{source: "exporter", named: true, now: t0, maxAge: DefaultMaxAge, bus: bus{sys}})
		if err != nil && len(err.Error()) > 20<<10 {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
		e := gather(text)
		names := 0
		for _, l := range p.Key {
			names += len(e.byLabel[l])
		}
		if len(devices) > names || len(devices) > telemetry.MaxDevices {
			t.Fatalf("%d devices of %d names", len(devices), names)
		}
		ids := map[string]bool{}
		totals := map[string]float64{}
		for i := range devices {
			d := &devices[i]
			if ids[d.Info.ID] {
				t.Fatalf("%s twice", d.Info.ID)
			}
			ids[d.Info.ID] = true
			hold(t, e, p, d)
			for name, v := range amounts(d) {
				totals[name] += float64(v)
			}
		}
		for _, name := range []string{"power", "memory_used", "memory_total", "processes", "ecc_corrected", "ecc_uncorrected"} {
			if most := e.most(p, name); totals[name] > most {
				t.Fatalf("%s adds up to %v, and %v was served", name, totals[name], most)
			}
		}
	})
}

// hold holds one device to the evidence.
func hold(t *testing.T, e *evidence, p *Profile, d *poll.DeviceReading) {
	t.Helper()
	i := &d.Info
	if !e.identity(p.Vendor, i) {
		t.Fatalf("identity %q was not served", i.ID)
	}
	for _, text := range []string{i.Name, i.Serial, i.Driver, i.Firmware} {
		if text != "" && !e.told(text, nil) {
			t.Fatalf("%q was not served", text)
		}
	}
	if i.PCI != "" && !e.told(i.PCI, pciAddress) {
		t.Fatalf("address %q was not served", i.PCI)
	}
	if i.Vendor != p.Vendor || i.Source != "exporter" {
		t.Fatalf("vendor %q, source %q", i.Vendor, i.Source)
	}
	for name, v := range amounts(d) {
		if !e.served(p, name, v) {
			t.Fatalf("%s of %s is %d, which was not served", name, i.ID, v)
		}
		if b := bounds[readings[name]]; float64(v) < b[0] || float64(v) > b[1] {
			t.Fatalf("%s of %s is %d, outside of %v", name, i.ID, v, b)
		}
	}
	if d.Fault != "" {
		complaint := false
		for j := range p.Health {
			h := &p.Health[j]
			for _, prefix := range p.Prefixes {
				for _, n := range e.numbers[prefix+h.Metric] {
					complaint = complaint || !h.fine(n)
				}
			}
		}
		if !complaint {
			t.Fatalf("fault %q, and no complaint was served", d.Fault)
		}
	}
}
