package drm

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// Bounds of what is believed. Beyond them a value is a sentinel, or as little worth, and unknown.
const (
	maxMemory      = uint64(telemetry.MaxMemory)
	maxPower       = 20_000_000 // mW
	maxTemperature = 250        // °C
	maxClock       = 20_000     // MHz
	maxCounter     = 1 << 62
)

// card is one accelerator.
type card struct {
	dir   string // its folder on the PCI bus
	slot  string // its PCI address without the function
	info  telemetry.DeviceInfo
	hwmon hwmon

	busy, memoryBusy, used *kernelfile.File
	files                  []*kernelfile.File // all that are kept open

	slices                 telemetry.Opt[int64]
	corrected, uncorrected telemetry.Opt[int64]
}

// open names the files that are read every time. Nothing is opened yet.
func (c *card) open() {
	for _, f := range []struct {
		to   **kernelfile.File
		name string
	}{
		{&c.busy, "gpu_busy_percent"}, {&c.memoryBusy, "mem_busy_percent"}, {&c.used, "mem_info_vram_used"},
	} {
		*f.to = kernelfile.New(filepath.Join(c.dir, f.name), 64)
		c.files = append(c.files, *f.to)
	}
	c.files = append(c.files, c.hwmon.files()...)
}

func (c *card) close() error {
	var errs []error
	for _, f := range c.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// read takes one sample. The error names files that hold what they should not.
func (c *card) read(r *poll.DeviceReading) error {
	r.Info = c.info
	r.ECCCorrected, r.ECCUncorrected = c.corrected, c.uncorrected
	var errs []error
	each := func(f *kernelfile.File, take func(v int64)) {
		v, ok, err := number(f)
		if errs = append(errs, err); ok {
			take(v)
		}
	}
	each(c.busy, func(v int64) { r.Utilization = upTo(telemetry.Permille(v*10), 1000) })
	each(c.memoryBusy, func(v int64) { r.MemoryUtilization = upTo(telemetry.Permille(v*10), 1000) })
	each(c.used, func(v int64) { r.MemoryUsed = upTo(telemetry.Bytes(v), telemetry.Bytes(c.info.Memory.Value)) })
	each(c.hwmon.temperature, func(v int64) { r.Temperature = upTo(telemetry.Celsius(v/1000), maxTemperature) })
	each(c.hwmon.clock, func(v int64) { r.SMClock = upTo(telemetry.Megahertz(v/1_000_000), maxClock) })
	each(c.hwmon.memoryClock, func(v int64) { r.MemoryClock = upTo(telemetry.Megahertz(v/1_000_000), maxClock) })
	// A card that works draws power: a zero is that of a die whose board is measured elsewhere, or of a virtual function.
	each(c.hwmon.power, func(v int64) {
		if mw := (v + 500) / 1000; mw > 0 {
			r.Power = upTo(telemetry.Milliwatts(mw), maxPower)
		}
	})
	return errors.Join(errs...)
}

// readSlow reads memory errors and how the card is partitioned; nodes are its devices in the compute driver.
func (c *card) readSlow(nodes []int64) {
	c.corrected, c.uncorrected = telemetry.Opt[int64]{}, telemetry.Opt[int64]{}
	// ras/aca_umc is the same file on cards of the MI300 series under kernels of 2024 and later.
	for _, name := range []string{"ras/umc_err_count", "ras/aca_umc"} {
		if b, err := kernelfile.Head(filepath.Join(c.dir, name), 4096); err == nil {
			c.uncorrected, c.corrected = memoryErrors(b)
			break
		}
	}
	c.slices = partitions(line(filepath.Join(c.dir, "current_compute_partition")), len(nodes))
}

// partitions returns into how many parts a card is cut, unknown for a whole one, and where only its mode is known and
// the mode does not say: CPX makes a partition of every compute die, of which models have four to eight. See
// rocm.docs.amd.com, "GPU partitioning".
func partitions(mode string, nodes int) telemetry.Opt[int64] {
	fixed := map[string]int64{"DPX": 2, "TPX": 3, "QPX": 4}[mode]
	switch {
	case mode == "" || mode == "SPX" || mode == "UNKNOWN":
		return telemetry.Opt[int64]{}
	case nodes > 1:
		return telemetry.Known(int64(nodes))
	case fixed > 0:
		return telemetry.Known(fixed)
	}
	return telemetry.Opt[int64]{}
}

// memoryErrors reads lines such as "ue: 0" and "ce: 3": uncorrectable and correctable errors of device memory since the
// driver was loaded. Others, of deferred errors (de), are left out: what they come to counts as one of these later.
func memoryErrors(b []byte) (uncorrected, corrected telemetry.Opt[int64]) {
	for text := range bytes.Lines(b) {
		key, value, ok := bytes.Cut(text, []byte(":"))
		if !ok {
			continue
		}
		v, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 64)
		if err != nil || v > maxCounter {
			continue
		}
		switch string(bytes.TrimSpace(key)) {
		case "ue":
			uncorrected = telemetry.Known(int64(v))
		case "ce":
			corrected = telemetry.Known(int64(v))
		}
	}
	return uncorrected, corrected
}

// number reads a decimal number of at least zero. A file that is not there, or that the driver will not answer now, makes
// the value unknown: amdgpu refuses with EPERM while a card is reset, with EINVAL, ENODATA or EOPNOTSUPP what it does not have.
// Anything else is an error.
func number(f *kernelfile.File) (int64, bool, error) {
	if f == nil {
		return 0, false, nil
	}
	b, err := f.Read()
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENODATA),
		errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENODEV):
		return 0, false, nil
	default:
		return 0, false, err
	}
	v, err := kernelfile.Uint(b)
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", f.Path(), err)
	}
	if v > maxCounter {
		return 0, false, nil
	}
	return int64(v), true, nil
}

func upTo[T ~int64](v, limit T) telemetry.Opt[T] {
	if v < 0 || v > limit {
		return telemetry.Opt[T]{}
	}
	return telemetry.Known(v)
}
