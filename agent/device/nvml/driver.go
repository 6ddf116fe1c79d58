//go:build linux && cgo

package nvml

import (
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// driver is the part of NVML that a Source uses: one library, loaded and initialised. Its methods, and those of its
// devices, are called from one goroutine at a time; only the events have a goroutine of their own.
type driver interface {
	// file is the path of the loaded library.
	file() string
	version() (string, nvml.Return)
	count() (int, nvml.Return)
	device(index int) (device, nvml.Return)
	events() (events, nvml.Return)
	// shutdown ends NVML, which closes its device files, and unloads the library. Nothing may be called after it.
	shutdown() error
}

// device is one card, or one device of a partitioned card.
type device interface {
	// key tells handles apart: two handles of one device have the same.
	key() uintptr

	uuid() (string, nvml.Return)
	serial() (string, nvml.Return)
	name() (string, nvml.Return)
	vbios() (string, nvml.Return)
	pci() (pciAddress, nvml.Return)

	memory() (memory, nvml.Return)
	utilization() (gpu, memory uint32, c nvml.Return) // per cent
	power() (uint32, nvml.Return)                     // mW
	energy() (uint64, nvml.Return)                    // mJ
	temperature() (uint32, nvml.Return)               // °C
	clock(which nvml.ClockType) (uint32, nvml.Return) // MHz
	throttle() (uint64, nvml.Return)
	ecc(which nvml.MemoryErrorType) (uint64, nvml.Return)
	remapped() (pending, failed uint32, c nvml.Return)
	// processes appends the pids of the processes in one of the driver's lists.
	processes(list processList, pids []uint32) ([]uint32, nvml.Return)
	gpm() (gpm, nvml.Return)

	migMode() (uint32, nvml.Return)
	maxMIGDevices() (uint32, nvml.Return)
	profileSlices(profile uint32) (uint32, nvml.Return) // compute slices of a GPU instance profile
	migDevice(index uint32) (device, nvml.Return)

	// Of a MIG device: the GPU instance it lies in, and the compute slices of that instance.
	gpuInstance() (uint32, nvml.Return)
	instanceSlices() (uint32, nvml.Return)
}

// gpm reads the activity of a card between two samples of its counters.
type gpm interface {
	// next takes a sample and returns the activity since the one before, in per cent. The first call has none
	// before it and answers nvml.ERROR_NO_DATA.
	next() (sm, tensor float64, c nvml.Return)
	free()
}

// events delivers what the driver reports of its own accord.
type events interface {
	// register asks for the XID errors of a device.
	register(d device) nvml.Return
	// wait blocks until an XID error comes or the time, in milliseconds, has passed, which is nvml.ERROR_TIMEOUT.
	wait(ms uint32) (key uintptr, xid uint64, c nvml.Return)
	free()
}

// memory is the memory of a card in bytes. Where the driver tells them apart, used leaves out what driver and firmware
// keep for themselves.
type memory struct{ total, used uint64 }

// pciAddress is where a card is plugged in. NVML names no function: it is 0.
type pciAddress struct{ domain, bus, device uint32 }

func (p pciAddress) String() string {
	return fmt.Sprintf("%04x:%02x:%02x.0", p.domain, p.bus, p.device)
}

// processList names a list of processes that the driver keeps.
type processList uint8

const (
	computeProcesses processList = iota
	mpsProcesses
)
