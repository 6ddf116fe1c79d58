// Package nvml reads accelerators through NVML, the management library of NVIDIA's driver, and those of other vendors
// whose library has the same functions. It loads the library itself: see docs/nvml.md.
package nvml

import (
	"log/slog"
	"time"

	"github.com/exameter/exameter/telemetry"
)

const (
	defaultLibrary    = "libnvidia-ml.so.1"
	defaultVendor     = "nvidia"
	defaultRetryEvery = 10 * time.Second

	// defaultMIGFloor is the memory of a MIG device above which it is in use although no process can be seen: an empty
	// one has some tens of MiB taken.
	defaultMIGFloor = 256 << 20
)

// Config says where the driver is and how it is asked. The zero value reads NVIDIA's driver of this host.
type Config struct {
	Library        string           // path or name of the library, libnvidia-ml.so.1 where empty
	Vendor         string           // vendor of the devices, nvidia where empty
	ProcRoot       string           // /proc where empty: the NVIDIA kernel driver's version and its list of cards
	SysRoot        string           // /sys where empty: NVIDIA PCI devices without a driver, its loaded kernel module
	Log            *slog.Logger     // slog.Default() where nil
	Now            func() time.Time // time.Now where nil
	RetryEvery     time.Duration    // time between two attempts to reach a driver that is not there, 10 s where zero
	MIGMemoryFloor telemetry.Bytes  // memory in use from which a MIG device without visible process is busy, 256 MiB where zero
}

// fill puts the defaults where nothing was said.
func (c *Config) fill() {
	if c.Library == "" {
		c.Library = defaultLibrary
	}
	if c.Vendor == "" {
		c.Vendor = defaultVendor
	}
	if c.ProcRoot == "" {
		c.ProcRoot = "/proc"
	}
	if c.SysRoot == "" {
		c.SysRoot = "/sys"
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.RetryEvery <= 0 {
		c.RetryEvery = defaultRetryEvery
	}
	if c.MIGMemoryFloor <= 0 {
		c.MIGMemoryFloor = defaultMIGFloor
	}
}

// nvidia reports whether this is NVIDIA's own library. What the kernel says of NVIDIA's driver, the numbers of its XID
// errors and its PCI devices mean nothing for another vendor's.
func (c *Config) nvidia() bool { return c.Vendor == defaultVendor }

// maker is the vendor in words.
func (c *Config) maker() string {
	if c.nvidia() {
		return "NVIDIA"
	}
	return c.Vendor
}

// Name is "nvml", with the vendor behind it where that is not NVIDIA.
func (s *Source) Name() string {
	if s.nvidia() {
		return "nvml"
	}
	return "nvml-" + s.Vendor
}
