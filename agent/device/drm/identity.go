package drm

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/telemetry"
)

// identify makes the cards that are accelerators of what was found. Numbers are given in the order of PCI addresses, as
// AMD's tools do, over all devices of a driver.
func identify(sys string, list []found, shared map[string]bool) []*card {
	var cards []*card
	next := map[string]int64{}
	for _, f := range list {
		c := newCard(filepath.Join(sys, "bus/pci/devices", f.pci), f)
		c.info.Driver = line(filepath.Join(sys, "module", f.driver, "version"))
		c.info.Index = telemetry.Known(next[c.info.Vendor])
		next[c.info.Vendor]++
		class, _ := hexNumber(filepath.Join(c.dir, "class"))
		if c.accelerator(class) {
			cards = append(cards, c)
		}
	}
	name(cards, shared)
	return cards
}

// newCard reads what does not change of a card.
func newCard(dir string, f found) *card {
	c := &card{dir: dir, slot: f.pci[:strings.LastIndexByte(f.pci, '.')], hwmon: findHwmon(dir)}
	c.info = telemetry.DeviceInfo{
		Vendor: vendors[f.driver], PCI: f.pci, Source: "drm",
		Name:     c.model(),
		Serial:   serial(line(filepath.Join(dir, "serial_number"))),
		Firmware: line(filepath.Join(dir, "vbios_version")),
		Memory:   memory(filepath.Join(dir, "mem_info_vram_total")),
	}
	c.open()
	return c
}

// name gives every card its identity: the number that is burnt into the chip, else the serial number of the board, else
// the PCI address. What two cards share is the identity of neither, also when one of them has gone: the two dies of an
// MI250 have one board and one serial number.
func name(cards []*card, shared map[string]bool) {
	claims := make([][2]string, len(cards))
	claimed := map[string]bool{}
	for i, c := range cards {
		claims[i] = [2]string{chip(line(filepath.Join(c.dir, "unique_id"))), labelled(c.info.Vendor, c.info.Serial)}
		for _, id := range claims[i] {
			shared[id] = shared[id] || claimed[id]
			claimed[id] = true
		}
	}
	for i, c := range cards {
		c.info.ID = c.info.PCI
		for _, id := range claims[i] {
			if id != "" && !shared[id] {
				c.info.ID = id
				break
			}
		}
	}
}

func labelled(vendor, serial string) string {
	if serial == "" {
		return ""
	}
	return vendor + "-" + serial
}

// chip makes a UUID of unique_id, sixteen hexadecimal digits, in the form in which AMD's and Hygon's tools and runtimes
// give it: GPU-0cee36ddc4255115. See docs.kernel.org/gpu/amdgpu/driver-misc.html.
func chip(unique string) string {
	unique = strings.ToLower(unique)
	if len(unique) != 16 || strings.Trim(unique, "0123456789abcdef") != "" || strings.Trim(unique, "0") == "" || strings.Trim(unique, "f") == "" {
		return ""
	}
	return "GPU-" + unique
}

// serial leaves out what stands for "none".
func serial(s string) string {
	if strings.Trim(s, "0") == "" || strings.EqualFold(s, "N/A") {
		return ""
	}
	return s
}

// amdNames are the names of accelerators by PCI device id, as amdgpu.ids of libdrm gives them, from where AMD's tools take
// them: a virtual function, and a card whose board has no readable memory of its own, have no product_name. 740c is either of
// two models, whose peaks differ, and its name says so.
var amdNames = map[uint64]string{
	0x738c: "AMD Instinct MI100", 0x738e: "AMD Instinct MI100",
	0x7408: "AMD Instinct MI250X", 0x740c: "AMD Instinct MI250X / MI250", 0x740f: "AMD Instinct MI210",
	0x74a0: "AMD Instinct MI300A", 0x74a1: "AMD Instinct MI300X", 0x74a9: "AMD Instinct MI300X HF", 0x74b5: "AMD Instinct MI300X VF",
	0x74a2: "AMD Instinct MI308X", 0x74a8: "AMD Instinct MI308X HF", 0x74b6: "AMD Instinct MI308X",
	0x74a5: "AMD Instinct MI325X",
	0x75a0: "AMD Instinct MI350X", 0x75b0: "AMD Instinct MI350X VF", 0x75a3: "AMD Instinct MI355X", 0x75b3: "AMD Instinct MI355X VF",
}

// model is what the card is called. AMD's cards for servers name themselves in product_name. What Hygon's driver writes
// there is not documented, while the PCI device id is certain and every known one stands in the catalogue: it is the name of
// a DCU. Any other card is called by that id as well, which says what it is to whoever prices it.
func (c *card) model() string {
	id, err := hexNumber(filepath.Join(c.dir, "device"))
	vendor, _ := hexNumber(filepath.Join(c.dir, "vendor"))
	if vendor != pciHygon {
		if name := line(filepath.Join(c.dir, "product_name")); name != "" && !strings.EqualFold(name, "N/A") {
			return name
		}
		if name := amdNames[id]; name != "" && vendor == pciAMD {
			return name
		}
	}
	if err != nil {
		return ""
	}
	return fmt.Sprintf("0x%04x", id)
}

// line reads a text of one line; empty where there is none. The backslash has a meaning on the wire.
func line(path string) string {
	s, err := kernelfile.Line(path)
	if err != nil || strings.ContainsRune(s, '\\') {
		return ""
	}
	return s
}
