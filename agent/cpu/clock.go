package cpu

import (
	"path/filepath"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/telemetry"
)

// maxMHz is beyond any processor.
const maxMHz = 20_000

// clocks returns the base clock of the first CPU and the highest clock of any. Drivers state the base clock in few
// places: intel_pstate as base_frequency in kHz, ACPI CPPC as nominal_freq in MHz. Where neither does, it is unknown:
// the number in a model name is the catalogue's to read.
//
// They are not read by sysfs.SystemCpufreq: it knows no base clock, reads some fifteen files of every CPU, some of which wake
// it up to measure its clock, and fails as a whole where one of them makes no sense.
func (s *Source) clocks(cpus []int) (base, highest telemetry.Opt[telemetry.Megahertz]) {
	for i, n := range cpus {
		dir := s.cpu(n)
		if i == 0 {
			base = clock(filepath.Join(dir, "cpufreq/base_frequency"), 1000)
			if !base.OK {
				base = clock(filepath.Join(dir, "acpi_cppc/nominal_freq"), 1)
			}
		}
		c := clock(filepath.Join(dir, "cpufreq/cpuinfo_max_freq"), 1000)
		if !c.OK {
			break // without a driver none of them has one
		}
		highest = telemetry.Known(max(highest.Value, c.Value))
	}
	return base, highest
}

// clock reads a clock rate of which perMHz make one megahertz.
func clock(path string, perMHz uint64) telemetry.Opt[telemetry.Megahertz] {
	v, err := kernelfile.ReadUint(path)
	if err != nil || v > maxMHz*perMHz {
		return telemetry.Opt[telemetry.Megahertz]{}
	}
	mhz := (v + perMHz/2) / perMHz
	if mhz == 0 {
		return telemetry.Opt[telemetry.Megahertz]{}
	}
	return telemetry.Known(telemetry.Megahertz(mhz))
}
