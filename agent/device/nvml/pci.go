package nvml

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/exameter/exameter/agent/poll"
)

// undriven tells of the NVIDIA cards on the PCI bus, which nobody drives for the reason that the error gives.
func (c *Config) undriven(err error, remedy string) []poll.Notice {
	if !c.nvidia() {
		return nil
	}
	n := countPCI(c.SysRoot)
	if n == 0 {
		return nil
	}
	return []poll.Notice{{
		Key:    "nvidia-driver-absent",
		Text:   fmt.Sprintf("the PCI bus shows %d NVIDIA devices, but %v; they are not counted", n, rootless(err)),
		Remedy: remedy,
	}}
}

// rootless drops the sentinel from the words of an error.
func rootless(err error) string {
	s, tail := err.Error(), ": "+poll.ErrAbsent.Error()
	if n := len(s) - len(tail); n > 0 && s[n:] == tail {
		return s[:n]
	}
	return s
}

// countPCI counts the NVIDIA display and compute devices on the PCI bus.
func countPCI(sys string) int {
	dir := filepath.Join(sys, "bus/pci/devices")
	f, err := os.Open(dir)
	if err != nil {
		return 0
	}
	defer f.Close()
	names, _ := f.Readdirnames(1 << 16)
	n := 0
	for _, name := range names {
		if attribute(dir, name, "vendor") == "0x10de" && strings.HasPrefix(attribute(dir, name, "class"), "0x03") {
			n++
		}
	}
	return n
}

func attribute(dir, device, name string) string {
	f, err := os.Open(filepath.Join(dir, device, name))
	if err != nil {
		return ""
	}
	defer f.Close()
	var b [32]byte
	n, _ := io.ReadFull(f, b[:])
	return strings.TrimSpace(string(b[:n]))
}
