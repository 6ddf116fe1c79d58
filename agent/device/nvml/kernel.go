//go:build linux && cgo

package nvml

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// kernel identifies a load of the kernel driver. Either part is zero where it cannot be read.
type kernel struct {
	version string // what /proc/driver/nvidia/version says
	// module is the inode of /sys/module/nvidia. The kernel numbers the entries of sysfs upwards, so it tells a driver
	// that was unloaded and loaded again in the same version from one that stayed.
	module uint64
}

func (c *Config) readKernel() kernel {
	var k kernel
	if !c.nvidia() {
		return k
	}
	if f, err := os.Open(filepath.Join(c.ProcRoot, "driver/nvidia/version")); err == nil {
		var b [1024]byte
		n, _ := io.ReadFull(f, b[:])
		f.Close()
		line, _, _ := bytes.Cut(b[:n], []byte("\n"))
		k.version = string(line)
	}
	k.module = identify(filepath.Join(c.SysRoot, "module/nvidia")).inode
	return k
}

// fileID identifies a file, whatever its name; zero where there is none.
type fileID struct{ device, inode uint64 }

func identify(path string) fileID {
	var st syscall.Stat_t
	if !strings.Contains(path, "/") || syscall.Stat(path, &st) != nil {
		return fileID{}
	}
	return fileID{uint64(st.Dev), st.Ino}
}

// gpu is what the kernel driver says of a card. It says so of a card that fell off the bus, too.
type gpu struct{ pci, uuid, model, vbios string }

// maxGPUs bounds what is read of the kernel driver's list.
const maxGPUs = 256

func (c *Config) gpuNames() []string {
	if !c.nvidia() {
		return nil
	}
	f, err := os.Open(filepath.Join(c.ProcRoot, "driver/nvidia/gpus"))
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(maxGPUs)
	return names
}

func (c *Config) countGPUs() int { return len(c.gpuNames()) }

// listGPUs reads /proc/driver/nvidia/gpus/<PCI address>/information of every card.
func (c *Config) listGPUs() []gpu {
	var list []gpu
	for _, name := range c.gpuNames() {
		f, err := os.Open(filepath.Join(c.ProcRoot, "driver/nvidia/gpus", name, "information"))
		if err != nil {
			continue
		}
		g := parseGPU(io.LimitReader(f, 16<<10))
		f.Close()
		g.pci = lower(name)
		list = append(list, g)
	}
	return list
}

// parseGPU reads lines of "Key: value".
func parseGPU(r io.Reader) gpu {
	var g gpu
	for lines := bufio.NewScanner(r); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		switch strings.TrimSpace(key) {
		case "GPU UUID":
			g.uuid = uuidText(value)
		case "Model":
			g.model = text(value)
		case "Video BIOS":
			if v := text(value); !strings.Contains(v, "?") {
				g.vbios = v
			}
		}
	}
	return g
}
