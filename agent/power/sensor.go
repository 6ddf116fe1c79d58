package power

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// sensor is a power reading in microwatts of a hwmon chip: see Documentation/hwmon/sysfs-interface.rst.
type sensor struct {
	name, method string
	value        *kernelfile.File
	maxWatts     uint64
}

// The chips that are known to measure a whole server or a whole processor.
const (
	acpiMeter = "power_meter" // ACPI 4.0 power meters: the server, or what their OEM text says
	xgene     = "apm_xgene"   // Ampere Altra and APM X-Gene: one of their powers is labelled "CPU power"
)

// accelerators are chips that measure a card, which is the business of its own source.
var accelerators = []string{"amdgpu", "hycu", "hydcu", "radeon", "nouveau", "i915", "xe"}

var (
	powerFile = regexp.MustCompile(`^power[0-9]+_(average|input)$`)
	// graceSocket is the OEM text of the meter of a whole NVIDIA Grace processor with its memory. Its neighbours
	// "CPU Power Socket 0" and "SysIO Power Socket 0" are parts of it, and "Module Power Socket 0" contains a GPU.
	graceSocket = regexp.MustCompile(`^Grace Power Socket ([0-9]{1,4})$`)
)

// sensors lists the hwmon chips that are known to measure the server or a processor. They are read here and not by
// sysfs.GetPowerMeters: it looks for the files of ACPI meters in the folder of their device, and recent kernels have
// them in that of the chip; it reads every attribute of every meter for one value, some of which ask the management
// controller; and it fails as a whole where one attribute cannot be read. It knows no other chips. The other chips that measure a
// power are returned as left out: what they measure is the mainboard maker's secret, so they are never added up.
func sensors(sysRoot string) (found []meter, leftOut []string) {
	dir := filepath.Join(sysRoot, "class/hwmon")
	var servers, processors []meter
	for _, entry := range children(dir) {
		c, ok := newChip(filepath.Join(dir, entry))
		if !ok || slices.Contains(accelerators, c.name) {
			continue
		}
		m := c.meter()
		switch {
		case m == nil:
			leftOut = append(leftOut, fmt.Sprintf("%s (%s)", c.dir, c.name))
		case m.method == methodHwmon:
			processors = append(processors, m)
		case m.name == node:
			servers = append(servers, m)
		default:
			found = append(found, m)
		}
	}
	// Of two meters without a word about what they measure, neither is known to measure the whole.
	for _, alike := range [][]meter{servers, processors} {
		if len(alike) == 1 {
			found = append(found, alike...)
			continue
		}
		for _, m := range alike {
			leftOut = append(leftOut, fmt.Sprintf("%s (one of %d alike)", m.path(), len(alike)))
		}
	}
	return found, leftOut
}

// chip is a hwmon chip that measures a power.
type chip struct {
	name  string
	dir   string   // where its files are
	files []string // its power readings
}

// newChip looks for power readings in the folder of a hwmon chip, or in that of its device, where older drivers put
// their files.
func newChip(dir string) (chip, bool) {
	for _, d := range []string{dir, filepath.Join(dir, "device")} {
		c := chip{dir: d}
		for _, f := range children(d) {
			if powerFile.MatchString(f) {
				c.files = append(c.files, f)
			}
		}
		if len(c.files) == 0 {
			continue
		}
		for _, at := range []string{dir, d} {
			if name, err := kernelfile.Line(filepath.Join(at, "name")); err == nil && name != "" {
				c.name = name
				return c, true
			}
		}
	}
	return chip{}, false
}

// meter returns the sensor of a chip that is known, nil for others.
func (c chip) meter() *sensor {
	switch c.name {
	case acpiMeter:
		file := "power1_average"
		if !slices.Contains(c.files, file) {
			file = "power1_input"
		}
		domain := c.acpiDomain()
		if domain == "" || !slices.Contains(c.files, file) {
			return nil
		}
		return c.sensor(file, domain, methodACPI)
	case xgene:
		for _, f := range c.files {
			label, err := kernelfile.Line(filepath.Join(c.dir, strings.TrimSuffix(f, "_input")+"_label"))
			if err == nil && label == "CPU power" {
				return c.sensor(f, "package-0", methodHwmon)
			}
		}
	}
	return nil
}

// acpiDomain tells what an ACPI power meter measures: the server, unless its OEM text names a part of it. Empty means
// that it is not known, or a battery.
func (c chip) acpiDomain() string {
	if v, err := kernelfile.ReadUint(filepath.Join(c.dir, "power1_is_battery")); err == nil && v != 0 {
		return ""
	}
	text, err := kernelfile.Line(filepath.Join(c.dir, "power1_oem_info"))
	if err != nil && !os.IsNotExist(err) {
		return ""
	}
	if m := graceSocket.FindStringSubmatch(text); m != nil {
		return "package-" + m[1]
	}
	if strings.Contains(strings.ToLower(text), "socket") {
		return ""
	}
	return node
}

func (c chip) sensor(file, domain, method string) *sensor {
	s := &sensor{name: domain, method: method, value: kernelfile.New(filepath.Join(c.dir, file), 64), maxWatts: maxPackageWatts}
	if domain == node {
		s.maxWatts = maxNodeWatts
	}
	return s
}

func (s *sensor) domain() string { return s.name }
func (s *sensor) path() string   { return filepath.Dir(s.value.Path()) }
func (s *sensor) close() error   { return s.value.Close() }

// read takes the meter's own value, which is a mean over a time of its own choice. It counts no energy. A server that
// runs cannot draw nothing, so a zero is a meter that does not measure.
func (s *sensor) read(time.Time) (poll.PowerReading, error) {
	r := poll.PowerReading{Domain: s.name, Method: s.method}
	b, err := s.value.Read()
	if err != nil {
		return r, err
	}
	microwatts, err := kernelfile.Uint(b)
	switch {
	case err != nil:
		return r, fmt.Errorf("%s: %w", s.value.Path(), err)
	case microwatts == 0, microwatts > s.maxWatts*1_000_000:
		return r, fmt.Errorf("%s: %d µW %w", s.value.Path(), microwatts, errImplausible)
	}
	r.Power = telemetry.Known(telemetry.Milliwatts((microwatts + 500) / 1000))
	return r, nil
}
