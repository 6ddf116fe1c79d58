package drm

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// maxEntries bounds what is read of a folder of sysfs.
const maxEntries = 1 << 14

// found is a PCI device that one of the drivers shows as a card.
type found struct{ pci, driver string }

// vendors by the name of the kernel driver. Hygon's is a relative of AMD's, under the name hydcu, later hycu.
var vendors = map[string]string{"amdgpu": "amd", "hydcu": "hygon", "hycu": "hygon"}

// The numbers of the makers on the PCI bus.
const (
	pciAMD   = 0x1002
	pciHygon = 0x1d94
)

var (
	cardName   = regexp.MustCompile(`^card[0-9]{1,5}$`)
	pciAddress = regexp.MustCompile(`^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$`)
)

// look lists the cards of the drivers, each once, by PCI address. A card has several entries in the class: one for
// display and one for rendering, and connectors; only those named card<N> are looked at. Partitions of a card have entries of
// their own, which lead to platform devices (amdgpu_xcp_<N>) and not to the PCI bus: they are no cards.
func look(sys string) ([]found, error) {
	dir := filepath.Join(sys, "class/drm")
	names, err := children(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing graphics devices: %w", err)
	}
	var list []found
	for _, name := range names {
		if !cardName.MatchString(name) {
			continue
		}
		device := filepath.Join(dir, name, "device")
		at, err := os.Readlink(device)
		pci := filepath.Base(at)
		if err != nil || !pciAddress.MatchString(pci) {
			continue
		}
		driver, err := os.Readlink(filepath.Join(device, "driver"))
		if err != nil || vendors[filepath.Base(driver)] == "" {
			continue
		}
		list = append(list, found{pci, filepath.Base(driver)})
	}
	slices.SortFunc(list, func(a, b found) int { return cmp.Or(cmp.Compare(a.pci, b.pci), cmp.Compare(a.driver, b.driver)) })
	return slices.Compact(list), nil
}

// leastDisplay is the memory from which a card with a display counts as an accelerator: smaller ones are there for
// their picture.
const leastDisplay = 8 << 30

// accelerator says whether a device of AMD's driver is there to compute. Hygon's driver has no others.
//
// It is not where the driver shows the voltage of a north bridge, "vddnb": it does so for the graphics inside a processor,
// and for nothing else. The MI300A, a processor too, has none: amdgpu_pm.c leaves it out for the multi-die parts. Nor is
// a card with a display (PCI class 03 00) and little memory.
func (c *card) accelerator(class uint64) bool {
	if c.info.Vendor != "amd" {
		return true
	}
	if c.hwmon.has("in1_input") {
		return false
	}
	const vga = 0x0300
	return class>>8 != vga || c.info.Memory.Value >= leastDisplay
}

// computes says whether a PCI class is one of devices that compute: display and 3D controllers, processing accelerators,
// and co-processors, which is what a Hygon K100 AI calls itself.
func computes(class uint64) bool {
	return class>>16 == 0x03 || class>>16 == 0x12 || class>>8 == 0x0b40
}

// undriven tells of accelerators on the PCI bus that no driver drives. AMD's and Hygon's numbers stand on much of the rest
// of their boards as well, and a driver for virtual machines (vfio-pci) has taken a card on purpose.
func undriven(sys string) []poll.Notice {
	dir := filepath.Join(sys, "bus/pci/devices")
	names, err := children(dir)
	if err != nil {
		return nil
	}
	count := 0
	for _, name := range names {
		at := filepath.Join(dir, name)
		vendor, _ := hexNumber(filepath.Join(at, "vendor"))
		class, _ := hexNumber(filepath.Join(at, "class"))
		const display = 0x03
		wanted := vendor == pciHygon && computes(class) || vendor == pciAMD && computes(class) && class>>8 != display<<8
		if !wanted {
			continue
		}
		if _, err := os.Readlink(filepath.Join(at, "driver")); errors.Is(err, fs.ErrNotExist) {
			count++
		}
	}
	if count == 0 {
		return nil
	}
	return []poll.Notice{{
		Key:    "drm-driver-absent",
		Text:   fmt.Sprintf("the PCI bus shows %d AMD or Hygon accelerators without a driver; they are not counted", count),
		Remedy: "install and load the driver: amdgpu for AMD, Hygon's own for a DCU",
	}}
}

// children lists the names in a folder. A folder of more than maxEntries is not believed.
func children(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(maxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(names) > maxEntries {
		return nil, fmt.Errorf("%s has more than %d entries", dir, maxEntries)
	}
	return names, nil
}

// hexNumber reads a file that holds a number such as 0x74a1.
func hexNumber(path string) (uint64, error) {
	b, err := kernelfile.Head(path, 32)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(string(b)), "0x"), 16, 32)
	if err != nil {
		return 0, fmt.Errorf("%s: want a hexadecimal number: %w", path, err)
	}
	return v, nil
}

// memory reads a size in bytes. Zero is what a driver says that does not know.
func memory(path string) telemetry.Opt[telemetry.Bytes] {
	v, err := kernelfile.ReadUint(path)
	if err != nil || v == 0 || v > maxMemory {
		return telemetry.Opt[telemetry.Bytes]{}
	}
	return telemetry.Known(telemetry.Bytes(v))
}
