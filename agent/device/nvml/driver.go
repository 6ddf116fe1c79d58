package nvml

import "fmt"

// driver is the part of NVML that a Source uses: one library, loaded and initialised. Its methods, and those of its
// devices, are called from one goroutine at a time; only the events have a goroutine of their own.
type driver interface {
	// file is the path of the loaded library.
	file() string
	version() (string, code)
	count() (int, code)
	device(index int) (device, code)
	events() (events, code)
	// shutdown ends NVML, which closes its device files, and unloads the library. Nothing may be called after it.
	shutdown() error
}

// device is one card, or one device of a partitioned card.
type device interface {
	// key tells handles apart: two handles of one device have the same.
	key() uintptr

	uuid() (string, code)
	serial() (string, code)
	name() (string, code)
	vbios() (string, code)
	pci() (pciAddress, code)

	memory() (memory, code)
	utilization() (gpu, memory uint32, c code) // per cent
	power() (uint32, code)                     // mW
	energy() (uint64, code)                    // mJ
	temperature() (uint32, code)               // °C
	clock(which uint32) (uint32, code)         // MHz
	throttle() (uint64, code)
	ecc(which uint32) (uint64, code)
	remapped() (pending, failed uint32, c code)
	// processes appends the pids of the processes in one of the driver's lists.
	processes(list processList, pids []uint32) ([]uint32, code)
	gpm() (gpm, code)

	migMode() (uint32, code)
	maxMIGDevices() (uint32, code)
	profileSlices(profile uint32) (uint32, code) // compute slices of a GPU instance profile
	migDevice(index uint32) (device, code)

	// Of a MIG device: the GPU instance it lies in, and the compute slices of that instance.
	gpuInstance() (uint32, code)
	instanceSlices() (uint32, code)
}

// gpm reads the activity of a card between two samples of its counters.
type gpm interface {
	// next takes a sample and returns the activity since the one before, in per cent. The first call has none
	// before it and answers errNoData.
	next() (sm, tensor float64, c code)
	free()
}

// events delivers what the driver reports of its own accord.
type events interface {
	// register asks for the XID errors of a device.
	register(d device) code
	// wait blocks until an XID error comes or the time, in milliseconds, has passed, which is errTimeout.
	wait(ms uint32) (key uintptr, xid uint64, c code)
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

// Values of NVML's enumerations.
const (
	clockSM     = 1
	clockMemory = 2

	eccCorrected   = 0
	eccUncorrected = 1

	profileCount = 0x12 // GPU instance profiles
)

// code is what an NVML call returns.
type code int32

const (
	success             code = 0
	errUninitialized    code = 1
	errInvalidArgument  code = 2
	errNotSupported     code = 3
	errNoPermission     code = 4
	errNotFound         code = 6
	errInsufficientSize code = 7
	errDriverNotLoaded  code = 9
	errTimeout          code = 10
	errLibraryNotFound  code = 12
	errFunctionNotFound code = 13
	errLost             code = 15
	errResetRequired    code = 16
	errVersionMismatch  code = 18
	errInUse            code = 19
	errNoData           code = 21
	errArgumentVersion  code = 25
	errDeprecated       code = 26
	errNotReady         code = 27
	errGPUNotFound      code = 28
	errUnknown          code = 999
)

// words are NVML's own, as nvidia-smi prints them. They are kept here because the library that could be asked may be
// the one that failed to load.
var words = map[code]string{
	errUninitialized:    "NVML is not initialised",
	errInvalidArgument:  "invalid argument",
	errNotSupported:     "not supported",
	errNoPermission:     "no permission",
	5:                   "already initialised",
	errNotFound:         "not found",
	errInsufficientSize: "insufficient size",
	8:                   "external power cables are not attached",
	errDriverNotLoaded:  "driver not loaded",
	errTimeout:          "timeout",
	11:                  "interrupt request issue",
	errLibraryNotFound:  "library not found",
	errFunctionNotFound: "function not found",
	14:                  "infoROM is corrupted",
	errLost:             "GPU is lost",
	errResetRequired:    "GPU requires reset",
	17:                  "the operating system blocks the device",
	errVersionMismatch:  "driver and library version mismatch",
	errInUse:            "in use by another client",
	20:                  "insufficient memory",
	errNoData:           "no data",
	22:                  "not available with ECC enabled",
	23:                  "insufficient resources",
	24:                  "frequency not supported",
	errArgumentVersion:  "argument version mismatch",
	errDeprecated:       "deprecated",
	errNotReady:         "not ready",
	errGPUNotFound:      "no GPU found",
	29:                  "invalid state",
	30:                  "reset type not supported",
	errUnknown:          "unknown error",
}

// Error makes a code an error; success is not one and is never returned as such.
func (c code) Error() string {
	if w, ok := words[c]; ok {
		return w
	}
	return fmt.Sprintf("NVML error %d", int32(c))
}
