package drm

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/exameter/exameter/agent/kernelfile"
)

// hwmon is the sensors of a card, as docs.kernel.org/gpu/amdgpu/thermal.html describes them. A sensor that a card does
// not have is nil.
type hwmon struct {
	names []string // of the files there

	power       *kernelfile.File // µW
	temperature *kernelfile.File // m°C
	clock       *kernelfile.File // Hz
	memoryClock *kernelfile.File // Hz
}

var hwmonName = regexp.MustCompile(`^hwmon[0-9]{1,5}$`)

// findHwmon finds the sensors of a PCI device.
func findHwmon(device string) (h hwmon) {
	dirs, err := children(filepath.Join(device, "hwmon"))
	if err != nil {
		return h
	}
	slices.Sort(dirs)
	for _, name := range dirs {
		if !hwmonName.MatchString(name) {
			continue
		}
		dir := filepath.Join(device, "hwmon", name)
		if h.names, err = children(dir); err != nil || !slices.ContainsFunc(h.names, isSensor) {
			continue
		}
		// The mean of a second, else the value of the moment: cards since RDNA 3, and kernels since 6.6, have either.
		for _, f := range []string{"power1_average", "power1_input"} {
			if h.power == nil && h.has(f) {
				h.power = kernelfile.New(filepath.Join(dir, f), 64)
			}
		}
		// The edge of the die, which is what NVIDIA's sensor measures; the MI300 series has its hottest point alone.
		h.temperature = h.labelled(dir, "temp", "edge", "junction")
		if h.temperature == nil && h.has("temp1_input") && !h.has("temp1_label") {
			h.temperature = kernelfile.New(filepath.Join(dir, "temp1_input"), 64)
		}
		h.clock = h.labelled(dir, "freq", "sclk")
		h.memoryClock = h.labelled(dir, "freq", "mclk")
		return h
	}
	return h
}

func isSensor(name string) bool {
	return strings.HasSuffix(name, "_input") || strings.HasSuffix(name, "_average")
}

func (h *hwmon) has(name string) bool { return slices.Contains(h.names, name) }

// labelled returns the sensor of a kind with the first of the labels that one has.
func (h *hwmon) labelled(dir, kind string, labels ...string) *kernelfile.File {
	for _, want := range labels {
		for _, name := range h.names {
			base, ok := strings.CutSuffix(name, "_label")
			if ok && strings.HasPrefix(base, kind) && h.has(base+"_input") && line(filepath.Join(dir, name)) == want {
				return kernelfile.New(filepath.Join(dir, base+"_input"), 64)
			}
		}
	}
	return nil
}

func (h *hwmon) files() (out []*kernelfile.File) {
	for _, f := range []*kernelfile.File{h.power, h.temperature, h.clock, h.memoryClock} {
		if f != nil {
			out = append(out, f)
		}
	}
	return out
}
