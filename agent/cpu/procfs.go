package cpu

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/prometheus/procfs"

	"github.com/exameter/exameter/telemetry"
)

// identity returns what /proc/cpuinfo says of the first processor, by procfs where its parser fits: in an agent built for
// x86, of an x86 machine. On arm64 it makes one text of variant and revision, and has no word for a part.
func identity(procRoot string) (telemetry.CPUInfo, error) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "386" {
		return telemetry.CPUInfo{}, errors.ErrUnsupported
	}
	first, err := firstProcessor(procRoot)
	if err != nil {
		return telemetry.CPUInfo{}, err
	}
	var p cpuinfoParser
	for _, f := range []struct{ key, value string }{
		{"vendor_id", first.VendorID},
		{"cpu family", first.CPUFamily},
		{"model", first.Model},
		{"model name", first.ModelName},
		{"stepping", first.Stepping},
	} {
		p.identity(f.key, strings.TrimSpace(f.value))
	}
	p.flags("flags", first.Flags)
	if p.info.Vendor == "" {
		return telemetry.CPUInfo{}, errors.New("no x86 processor is identified in it")
	}
	return p.info, nil
}

// firstProcessor guards procfs, whose parser panics at a first line without a blank after its colon. No kernel prints
// that, but sandboxes print files of their own.
func firstProcessor(procRoot string) (first procfs.CPUInfo, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("parsing %s/cpuinfo: %v", procRoot, p)
		}
	}()
	proc, err := procfs.NewFS(procRoot)
	if err != nil {
		return procfs.CPUInfo{}, err
	}
	all, err := proc.CPUInfo()
	if err != nil {
		return procfs.CPUInfo{}, err
	}
	if len(all) == 0 {
		return procfs.CPUInfo{}, errors.New("no processor in it")
	}
	return all[0], nil
}
