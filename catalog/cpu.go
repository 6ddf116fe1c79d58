package catalog

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/exameter/exameter/telemetry"
)

// CPU finds what a host's processors are and what one of their physical cores can do at its base clock. The model is
// never nil; priced reports whether it has peaks. An unpriced model still has an id and a name, and its Notes begin
// with the reason.
func (c *Catalog) CPU(info telemetry.CPUInfo) (model *CPUModel, priced bool) {
	id := newIdentity(info)
	m := &CPUModel{Name: foldName(info.Name), Confidence: Unsure}
	u := c.microarchitecture(id)
	if u == nil {
		m.ID = unknownCPU(id)
		m.Notes = "Unpriced: the catalogue does not know this microarchitecture."
		return m, false
	}
	m.Vendor, m.Microarchitecture, m.Entry, m.Domestic = u.Vendor, u.Name, u.ID, u.Domestic
	m.Confidence, m.Source, m.Notes = u.Confidence, u.Source, u.Notes
	nominal, nominalSource := c.nominalClock(id)
	mhz, source := pickClock(info, u, nominal, nominalSource)
	m.ID = cpuID(id, u, mhz, nominal)
	if mhz != 0 {
		m.ClockMHz, m.ClockSource = telemetry.Known(mhz), source
	}
	switch {
	case u.PerCycle.Empty():
		m.Notes = reason("no floating-point width is published for "+u.Name, u.Notes)
	case mhz == 0:
		m.Notes = reason("the base clock is not known", u.Notes)
	default:
		m.PerCore = u.PerCycle.times(int64(mhz))
	}
	return m, !m.PerCore.Empty()
}

// times multiplies operations per cycle by a clock in MHz, which makes Mflop/s.
func (k Peaks) times(mhz int64) Peaks {
	for i := range k.mflops {
		k.mflops[i].Value *= mhz
	}
	return k
}

// reason puts why a processor is unpriced before the notes of its row.
func reason(why, notes string) string { return strings.TrimSpace("Unpriced: " + why + ". " + notes) }

// microarchitecture returns the first row that means the processor.
func (c *Catalog) microarchitecture(id identity) *Microarchitecture {
	for _, u := range c.uarchs {
		if u.match.matches(id) {
			return u
		}
	}
	return nil
}

// pickClock chooses the clock that peaks count with: the base clock the host reports, else the nominal one of the
// model, else the highest clock of a processor that has no boost. It returns 0 where none is known. A report within
// a hundredth of the nominal clock is the nominal clock, so that hosts of one model have one peak.
func pickClock(info telemetry.CPUInfo, u *Microarchitecture, nominal telemetry.Megahertz, source string) (telemetry.Megahertz, string) {
	base, ok := info.BaseClock.Get()
	if ok = ok && plausible(base); ok {
		if off := base - nominal; off*100 < -nominal || off*100 > nominal {
			return base, "base clock that the host reports"
		}
	}
	if nominal != 0 {
		return nominal, source
	}
	if highest, ok := info.MaxClock.Get(); ok && plausible(highest) && u.match.maxIsBase {
		return highest, "highest clock that the host reports; this processor has no boost"
	}
	return 0, ""
}

// plausible keeps readings that cannot be clocks out of the peaks.
func plausible(mhz telemetry.Megahertz) bool { return mhz >= 100 && mhz <= maxClockMHz }

// inName finds the clock in "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz".
var inName = regexp.MustCompile(`@ ?([0-9]{1,4}(?:\.[0-9]{1,3})?) ?([GM])[Hh]z`)

// nominalClock returns the base clock that the model has by its name, and where that is from; 0 where it has none.
func (c *Catalog) nominalClock(id identity) (telemetry.Megahertz, string) {
	if found := inName.FindStringSubmatch(foldName(id.info.Name)); found != nil {
		scale := 3
		if found[2] == "M" {
			scale = 0
		}
		if mhz, err := decimal(found[1], scale, maxClockMHz); err == nil && plausible(telemetry.Megahertz(mhz)) {
			return telemetry.Megahertz(mhz), "clock in the model name"
		}
	}
	if id.name == "" {
		return 0, ""
	}
	for _, k := range c.clocks {
		for _, p := range k.names {
			if globMatch(p, id.name) {
				return k.mhz, "clock table: " + k.source
			}
		}
	}
	return 0, ""
}

// cpuID names a processor at a clock: by its model name where that tells a model, else by its microarchitecture. The
// clock joins where the name does not fix it, and so does the microarchitecture where a hypervisor hides features of
// the model, so that hosts with one id have one peak.
func cpuID(id identity, u *Microarchitecture, mhz, nominal telemetry.Megahertz) string {
	name, suffix := u.ID, ""
	if bare := bareName(id.info.Name); tellsModel(bare) {
		name = Slug(bare)
		if len(u.match.without) > 0 {
			suffix = "-" + u.ID
		}
		if mhz != nominal {
			suffix += fmt.Sprintf("-%dmhz", mhz)
		}
	} else if mhz != 0 {
		suffix = fmt.Sprintf("-%dmhz", mhz)
	}
	if room := maxID - len(suffix); len(name) > room {
		name = strings.TrimRight(name[:max(room, 0)], "-")
	}
	return name + suffix
}

// unknownCPU names a processor that no row means, so that different ones stay different.
func unknownCPU(id identity) string {
	if bare := bareName(id.info.Name); tellsModel(bare) {
		return Slug(bare)
	}
	parts := []string{"cpu", id.vendor, id.info.Part}
	for _, n := range []telemetry.Opt[int64]{id.info.Family, id.info.Model} {
		if v, ok := n.Get(); ok {
			parts = append(parts, strconv.FormatInt(v, 10))
		}
	}
	if name := bareName(id.info.Name); name != "" {
		parts = append(parts, name)
	}
	if len(strings.Join(parts, "")) == len("cpu") {
		return "cpu-unknown"
	}
	return Slug(strings.Join(parts, " "))
}

// maxID is the length of the longest id that telemetry.ValidID admits.
const maxID = 63

// Slug turns a name into an id: letters and digits in lower case, everything else one hyphen, a plus spelt out; at
// most 63 characters, empty where name has no letter or digit of ASCII. It gives models that the catalogue does not
// know a stable id.
func Slug(name string) string {
	var b strings.Builder
	hyphen := func() {
		if n := b.Len(); n > 0 && b.String()[n-1] != '-' {
			b.WriteByte('-')
		}
	}
	for i := 0; i < len(name) && b.Len() < maxID; i++ {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			b.WriteByte(c)
		case c >= 'A' && c <= 'Z':
			b.WriteByte(c - 'A' + 'a')
		case c == '+':
			hyphen()
			b.WriteString("plus-")
		default:
			hyphen()
		}
	}
	s := b.String()
	return strings.Trim(s[:min(len(s), maxID)], "-")
}
