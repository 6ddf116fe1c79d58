package power

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs/sysfs"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// zone is an energy counter of the kernel's powercap framework. Intel, AMD and Hygon processors all appear under the
// name intel-rapl: see Documentation/power/powercap/powercap.rst.
type zone struct {
	name  string
	rapl  sysfs.RaplZone
	count counter
}

// powercapDir holds a folder for every zone, below /sys. Sub-zones stand beside their parents.
const powercapDir = "class/powercap"

var (
	zoneName    = regexp.MustCompile(`^intel-rapl:[0-9]+(:[0-9]+)?$`)
	packageName = regexp.MustCompile(`^package-[0-9]{1,4}(-die-[0-9]{1,4})?$`)
)

// zones lists the RAPL zones that count: packages, their memory, and psys. Cores and uncore are parts of a package.
// The zones of intel-rapl-mmio are the same counters by another way, so they are not looked at. What has another name
// is returned as left out.
func zones(sysRoot string) (found []meter, leftOut []string) {
	all := listZones(sysRoot)
	names := map[string]string{} // by folder
	for _, z := range all {
		names[filepath.Base(z.Path)] = kernelName(z)
	}
	for _, z := range all {
		entry := filepath.Base(z.Path)
		if !zoneName.MatchString(entry) {
			continue
		}
		name := names[entry]
		domain, contained := zoneDomain(name, names[parent(entry)])
		if contained {
			continue
		}
		if _, err := os.Stat(filepath.Join(z.Path, "energy_uj")); err != nil || domain == "" {
			leftOut = append(leftOut, fmt.Sprintf("%s (%q)", z.Path, name))
			continue
		}
		found = append(found, newZone(z, domain))
	}
	return found, leftOut
}

// listZones lists the zones of the powercap framework. One zone that does not state its range makes GetRaplZones fail
// for all of them, as zones that count no energy do where other drivers have registered some. They are then listed
// one by one, and the ranges that are not stated are zero.
func listZones(sysRoot string) []sysfs.RaplZone {
	sys, err := sysfs.NewFS(sysRoot)
	if err != nil {
		return nil
	}
	zones, err := sysfs.GetRaplZones(sys)
	if err == nil {
		return zones
	}
	for _, entry := range children(filepath.Join(sysRoot, powercapDir)) {
		path := filepath.Join(sysRoot, powercapDir, entry)
		name, err := kernelfile.Line(filepath.Join(path, "name"))
		if err != nil {
			continue // it went away, or is none
		}
		z := sysfs.RaplZone{Name: name, Index: -1, Path: path} // the whole name, nothing made of it
		if v, err := kernelfile.ReadUint(filepath.Join(path, "max_energy_range_uj")); err == nil {
			z.MaxMicrojoules = v
		}
		zones = append(zones, z)
	}
	return zones
}

// kernelName returns the name of a zone as the kernel has it. Of a name such as package-1, procfs makes a name and an
// index; to a name without a number, such as dram, it gives as index how many of that name came before, which says
// nothing about the package that the memory belongs to: its folder does.
func kernelName(z sysfs.RaplZone) string {
	if z.Name == "package" {
		return "package-" + strconv.Itoa(z.Index)
	}
	return kernelfile.Clean(z.Name)
}

// parent returns the folder of a sub-zone's package: intel-rapl:0 of intel-rapl:0:1, and "" of a zone at the top.
func parent(entry string) string {
	i := strings.LastIndexByte(entry, ':')
	if strings.IndexByte(entry, ':') == i {
		return ""
	}
	return entry[:i]
}

// zoneDomain names the domain of a zone, empty if it is not known, or tells that another domain contains it.
func zoneDomain(name, parent string) (domain string, contained bool) {
	switch {
	case name == "core", name == "uncore":
		return "", true
	case name == psys, packageName.MatchString(name):
		return name, false
	case name == "dram" && packageName.MatchString(parent):
		return "dram" + strings.TrimPrefix(parent, "package"), false
	}
	return "", false
}

// newZone returns the meter of a zone. A counter whose range is not stated cannot be followed around its end: it is
// taken to begin anew there.
func newZone(rapl sysfs.RaplZone, domain string) *zone {
	z := &zone{name: domain, rapl: rapl, count: counter{top: rapl.MaxMicrojoules, maxWatts: maxPackageWatts}}
	if domain == psys {
		z.count.maxWatts = maxNodeWatts
	}
	return z
}

func (z *zone) domain() string { return z.name }
func (z *zone) path() string   { return z.rapl.Path }
func (z *zone) close() error   { return nil }

func (z *zone) read(now time.Time) (poll.PowerReading, error) {
	r := poll.PowerReading{Domain: z.name, Method: methodRAPL}
	v, err := z.rapl.GetEnergyMicrojoules()
	if err != nil {
		return r, fmt.Errorf("energy counter of %s: %w", z.rapl.Path, err)
	}
	if mean, ok := z.count.add(v, now); ok {
		r.Power = telemetry.Known(mean)
	}
	r.Energy = telemetry.Known(telemetry.Millijoules(z.count.total / 1000))
	return r, nil
}
