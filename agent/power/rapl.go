package power

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// zone is an energy counter of the kernel's powercap framework. Intel, AMD and Hygon processors all appear under the
// name intel-rapl: see Documentation/power/powercap/powercap.rst.
type zone struct {
	name   string
	energy *kernelfile.File
	count  counter
}

var (
	zoneName    = regexp.MustCompile(`^intel-rapl:[0-9]+(:[0-9]+)?$`)
	packageName = regexp.MustCompile(`^package-[0-9]{1,4}(-die-[0-9]{1,4})?$`)
)

// zones lists the RAPL zones that count: packages, their memory, and psys. Cores and uncore are parts of a package.
// The zones of intel-rapl-mmio are the same counters by another way, so they are not looked at. What has another name
// is returned as left out.
func zones(sysRoot string) (found []meter, leftOut []string) {
	dir := filepath.Join(sysRoot, "class/powercap")
	names := map[string]string{} // of the zones, by folder; parents come before their sub-zones
	for _, entry := range children(dir) {
		if !zoneName.MatchString(entry) {
			continue
		}
		path := filepath.Join(dir, entry)
		name, err := kernelfile.Line(filepath.Join(path, "name"))
		if err != nil {
			continue // it went away, or is none
		}
		names[entry] = name
		domain, contained := zoneDomain(name, names[parent(entry)])
		if contained {
			continue
		}
		if _, err := os.Stat(filepath.Join(path, "energy_uj")); err != nil || domain == "" {
			leftOut = append(leftOut, fmt.Sprintf("%s (%q)", path, name))
			continue
		}
		found = append(found, newZone(path, domain))
	}
	return found, leftOut
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

func newZone(path, domain string) *zone {
	z := &zone{name: domain, energy: kernelfile.New(filepath.Join(path, "energy_uj"), 64)}
	z.count.maxWatts = maxPackageWatts
	if domain == psys {
		z.count.maxWatts = maxNodeWatts
	}
	// A counter whose range is not stated cannot be followed around its end: it is taken to begin anew there.
	if v, err := kernelfile.ReadUint(filepath.Join(path, "max_energy_range_uj")); err == nil {
		z.count.top = v
	}
	return z
}

func (z *zone) domain() string { return z.name }
func (z *zone) path() string   { return filepath.Dir(z.energy.Path()) }
func (z *zone) close() error   { return z.energy.Close() }

func (z *zone) read(now time.Time) (poll.PowerReading, error) {
	r := poll.PowerReading{Domain: z.name, Method: methodRAPL}
	b, err := z.energy.Read()
	if err != nil {
		return r, err
	}
	v, err := kernelfile.Uint(b)
	if err != nil {
		return r, fmt.Errorf("%s: %w", z.energy.Path(), err)
	}
	if mean, ok := z.count.add(v, now); ok {
		r.Power = telemetry.Known(mean)
	}
	r.Energy = telemetry.Known(telemetry.Millijoules(z.count.total / 1000))
	return r, nil
}
