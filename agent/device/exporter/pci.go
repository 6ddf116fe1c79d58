package exporter

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// pciForm is a PCI address as vendors print it: with or without domain, in either case.
var pciForm = regexp.MustCompile(`^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$`)

// pciAddress brings the spellings of a PCI address together: domain:bus:device.function in lower case, the domain with
// four digits where four are enough. It is empty where the text is none.
func pciAddress(s string) string {
	m := pciForm.FindStringSubmatch(strings.ToLower(strings.TrimSpace(s)))
	if m == nil {
		return ""
	}
	domain := strings.TrimLeft(m[1], "0")
	for len(domain) < 4 {
		domain = "0" + domain
	}
	return domain + ":" + m[2] + ":" + m[3] + "." + m[4]
}

// bus is what sysfs says of the PCI bus.
type bus struct{ sys string }

// accelerators lists the addresses of a vendor's devices that compute or display, in order. Bridges and network
// functions of the same vendor are none.
func (b bus) accelerators(vendor string) (out []string) {
	dir, err := os.Open(filepath.Join(b.sys, "bus/pci/devices"))
	if err != nil {
		return nil
	}
	defer dir.Close()
	var display []string
	addresses, _ := dir.Readdirnames(1 << 16)
	for _, a := range addresses {
		if pciAddress(a) == "" || b.attribute(a, "vendor") != vendor {
			continue
		}
		// Processing accelerator, co-processor, and display; https://pci-ids.ucw.cz/read/PD
		switch class := b.attribute(a, "class"); {
		case strings.HasPrefix(class, "0x12"), strings.HasPrefix(class, "0x0b40"):
			out = append(out, pciAddress(a))
		case strings.HasPrefix(class, "0x03"):
			display = append(display, pciAddress(a))
		}
	}
	if len(out) == 0 {
		out = display // else the display is the server's own, as on Huawei's
	}
	slices.Sort(out)
	return out
}

// product returns the device id of an address, as 0x6210; empty where it is not known.
func (b bus) product(address string) string {
	if id := b.attribute(address, "device"); pciVendorForm.MatchString(id) {
		return id
	}
	return ""
}

func (b bus) attribute(address, name string) string {
	f, err := os.Open(filepath.Join(b.sys, "bus/pci/devices", address, name))
	if err != nil {
		return ""
	}
	defer f.Close()
	var buf [16]byte
	n, _ := io.ReadFull(f, buf[:])
	return strings.TrimSpace(string(buf[:n]))
}
