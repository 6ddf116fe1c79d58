package host

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/procfs/sysfs"
	"golang.org/x/sys/unix"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/agent/memory"
	"github.com/exameter/exameter/telemetry"
)

// Info describes the host. What cannot be read is left out of it: none of it is worth doing without a host.
func Info(roots Roots, agentVersion string) telemetry.HostInfo {
	board := readDMI(roots.Sys)
	info := telemetry.HostInfo{
		Name:    line(roots.Proc, "sys/kernel/hostname"),
		Agent:   agentVersion,
		OS:      osName(roots.Etc),
		Kernel:  line(roots.Proc, "sys/kernel/osrelease"),
		Arch:    arch(roots.Proc),
		Product: product(roots, board),
		Virtual: virtual(roots, board),
	}
	if total, err := memory.Total(roots.Proc); err == nil {
		info.Memory = telemetry.Known(total)
	}
	return info
}

// line reads the first line of a file, empty if it cannot.
func line(root, name string) string {
	s, err := kernelfile.Line(filepath.Join(root, name))
	if err != nil {
		return ""
	}
	return s
}

// arch returns the machine's architecture as the kernel names it. Kernels before 6.1 name it by uname(2) alone.
func arch(procRoot string) string {
	if a := line(procRoot, "sys/kernel/arch"); a != "" {
		return a
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Machine[:])
}

// osName returns the operating system's pretty name.
func osName(etcRoot string) string {
	f, err := os.Open(filepath.Join(etcRoot, "os-release"))
	if err != nil {
		return ""
	}
	name := parseOSRelease(f)
	if f.Close() != nil {
		return ""
	}
	return name
}

// osReleaseLimit is more than any os-release holds.
const osReleaseLimit = 64 << 10

// parseOSRelease returns PRETTY_NAME of an os-release file, or else NAME and VERSION: os-release(5).
func parseOSRelease(r io.Reader) string {
	values := map[string]string{}
	lines := bufio.NewScanner(io.LimitReader(r, osReleaseLimit))
	for lines.Scan() {
		key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if ok && slices.Contains([]string{"PRETTY_NAME", "NAME", "VERSION"}, key) {
			values[key] = kernelfile.Clean(unquote(value))
		}
	}
	if name := values["PRETTY_NAME"]; name != "" {
		return name
	}
	return kernelfile.Clean(values["NAME"] + " " + values["VERSION"])
}

// unquote undoes the quotes of a shell around one word.
func unquote(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '"' && s[0] != '\'' {
		return s
	}
	inner := s[1 : len(s)-1]
	if s[0] == '\'' {
		return inner
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' && i+1 < len(inner) && strings.IndexByte("\"\\$`", inner[i+1]) >= 0 {
			i++
		}
		b.WriteByte(inner[i])
	}
	return b.String()
}

// dmi is what the firmware's tables say of the machine. What they do not say is empty.
type dmi struct {
	vendor, product string
}

// readDMI reads the tables, which many machines that are not x86 do not have.
func readDMI(sysRoot string) dmi {
	sys, err := sysfs.NewFS(sysRoot)
	if err != nil {
		return dmi{}
	}
	class, err := sys.DMIClass()
	if err != nil {
		return dmi{}
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return kernelfile.Clean(*s)
	}
	return dmi{vendor: text(class.SystemVendor), product: text(class.ProductName)}
}

// placeholders are what mainboards say whose maker filled in nothing, in lower case.
var placeholders = []string{
	"to be filled by o.e.m.", "system product name", "default string", "not specified", "not applicable", "none", "n/a",
	"unknown", "oem", "o.e.m.", "product name", "0123456789",
}

// product returns the product name of the server: from DMI, or from the device tree where there is no DMI.
func product(roots Roots, board dmi) string {
	model := kernelfile.Clean(strings.Trim(line(roots.Sys, "firmware/devicetree/base/model"), "\x00"))
	for _, name := range []string{board.product, model} {
		if name != "" && !slices.Contains(placeholders, strings.ToLower(name)) {
			return name
		}
	}
	return ""
}
