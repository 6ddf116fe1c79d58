//go:build linux && cgo

package nvml

// Calls into NVML go through a table of addresses that dlsym filled when the library was loaded. go-nvml's calls, which
// the dynamic linker binds, have two faults here: a symbol that an older driver lacks kills the process; and the linker
// pins a library to which it has bound a call, so that after a driver upgrade the old library would answer for as long
// as the agent runs. Of go-nvml only types and constants are used.

/*
#cgo linux LDFLAGS: -ldl
#include "call.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/exameter/exameter/agent/poll"
)

// library is NVML, loaded and initialised. Its scratch memory takes what calls return; only the goroutine that reads
// uses it.
type library struct {
	dl     unsafe.Pointer
	path   string
	vendor string
	fn     [symbols]C.word
	*scratch
}

// scratch is memory that C writes to.
type scratch struct {
	text        [128]byte
	u           [4]uint32
	q           uint64
	handle      uintptr
	memory      nvml.Memory
	memoryV2    nvml.Memory_v2
	utilization nvml.Utilization
	pci         nvml.PciInfo
	temperature nvml.Temperature
	profile     nvml.GpuInstanceProfileInfo
	attributes  nvml.DeviceAttributes
	support     nvml.GpmSupport
	gpm         *gpmMetrics // from the first card with GPM on, until close
	processes   []nvml.ProcessInfo
	processesV1 []nvml.ProcessInfo_v1
}

// load opens the library and initialises NVML. The error wraps poll.ErrAbsent where there is no library, and a failure
// where NVML refuses.
func load(name, vendor string) (driver, error) {
	l := &library{vendor: vendor, scratch: &scratch{processes: make([]nvml.ProcessInfo, 64)}}
	if err := l.open(name); err != nil {
		return nil, err
	}
	c := nvml.ERROR_FUNCTION_NOT_FOUND
	switch {
	case l.fn[fnInit] != 0 && l.fn[fnShutdown] != 0:
		c = nvml.Return(C.exm_0(l.fn[fnInit]))
	default:
		return nil, errors.Join(fmt.Errorf("%s is no NVML library: it lacks nvmlInit or nvmlShutdown", l.path), l.close())
	}
	if c != nvml.SUCCESS {
		return nil, errors.Join(fmt.Errorf("initialise: %w", failure(c)), l.close())
	}
	return l, nil
}

func (l *library) open(name string) error {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	// dlerror answers for the thread that failed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var reason *C.char
	if l.dl = C.exm_open(cname, &reason); l.dl == nil {
		words := C.GoString(reason)
		if missing(name, words) {
			return fmt.Errorf("%s cannot be found: %w", name, poll.ErrAbsent)
		}
		return fmt.Errorf("load library %q: %s", name, words)
	}
	l.path = C.GoString(C.exm_file(l.dl))
	for i, names := range symbolNames {
		for _, n := range names {
			csym := C.CString(n)
			l.fn[i] = C.exm_symbol(l.dl, csym)
			C.free(unsafe.Pointer(csym))
			if l.fn[i] != 0 {
				break
			}
		}
	}
	return nil
}

// missing tells a library that is not there from one that cannot be loaded, such as one whose own dependencies are
// missing.
func missing(name, words string) bool {
	if strings.Contains(name, "/") {
		_, err := os.Stat(name)
		return errors.Is(err, os.ErrNotExist)
	}
	return strings.HasPrefix(words, name+": cannot open shared object file")
}

func (l *library) close() error {
	C.free(unsafe.Pointer(l.gpm))
	l.gpm = nil
	if C.dlclose(l.dl) != 0 {
		return fmt.Errorf("unload library %q", l.path)
	}
	l.dl, l.fn = nil, [symbols]C.word{}
	return nil
}

func (l *library) shutdown() error {
	c := nvml.Return(C.exm_0(l.fn[fnShutdown]))
	if c != nvml.SUCCESS && c != nvml.ERROR_UNINITIALIZED {
		return errors.Join(fmt.Errorf("shut down: %w", failure(c)), l.close())
	}
	return l.close()
}

func (l *library) file() string { return l.path }

func (l *library) version() (string, nvml.Return) {
	if l.fn[fnDriverVersion] == 0 {
		return "", nvml.ERROR_FUNCTION_NOT_FOUND
	}
	clear(l.text[:])
	c := C.exm_pu(l.fn[fnDriverVersion], unsafe.Pointer(&l.text[0]), C.u32(len(l.text)-1))
	return l.string(), nvml.Return(c)
}

func (l *library) count() (int, nvml.Return) {
	if l.fn[fnCount] == 0 {
		return 0, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.u[0] = 0
	c := nvml.Return(C.exm_p(l.fn[fnCount], unsafe.Pointer(&l.u[0])))
	if c != nvml.SUCCESS || l.u[0] == allOnes32 {
		return 0, c
	}
	return int(l.u[0]), c
}

func (l *library) device(i int) (device, nvml.Return) {
	if l.fn[fnHandle] == 0 {
		return nil, nvml.ERROR_FUNCTION_NOT_FOUND
	}
	l.handle = 0
	c := nvml.Return(C.exm_up(l.fn[fnHandle], C.u32(i), unsafe.Pointer(&l.handle)))
	if c != nvml.SUCCESS {
		return nil, c
	}
	if l.handle == 0 {
		return nil, nvml.ERROR_UNKNOWN
	}
	return &handle{l, C.word(l.handle)}, nvml.SUCCESS
}

// string takes what C wrote into the text.
func (l *library) string() string {
	b := l.text[:len(l.text)-1]
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
