//go:build linux && cgo

package nvml

import (
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// failure makes an error of what NVML returned. nvml.SUCCESS is none and is never made one.
type failure nvml.Return

// words are NVML's own, as nvidia-smi prints them. They are kept here because the library that could be asked may be
// the one that failed to load; go-nvml, unless it loaded the library itself, knows the names of the constants alone.
var words = map[nvml.Return]string{
	nvml.ERROR_UNINITIALIZED:             "NVML is not initialised",
	nvml.ERROR_INVALID_ARGUMENT:          "invalid argument",
	nvml.ERROR_NOT_SUPPORTED:             "not supported",
	nvml.ERROR_NO_PERMISSION:             "no permission",
	nvml.ERROR_ALREADY_INITIALIZED:       "already initialised",
	nvml.ERROR_NOT_FOUND:                 "not found",
	nvml.ERROR_INSUFFICIENT_SIZE:         "insufficient size",
	nvml.ERROR_INSUFFICIENT_POWER:        "external power cables are not attached",
	nvml.ERROR_DRIVER_NOT_LOADED:         "driver not loaded",
	nvml.ERROR_TIMEOUT:                   "timeout",
	nvml.ERROR_IRQ_ISSUE:                 "interrupt request issue",
	nvml.ERROR_LIBRARY_NOT_FOUND:         "library not found",
	nvml.ERROR_FUNCTION_NOT_FOUND:        "function not found",
	nvml.ERROR_CORRUPTED_INFOROM:         "infoROM is corrupted",
	nvml.ERROR_GPU_IS_LOST:               "GPU is lost",
	nvml.ERROR_RESET_REQUIRED:            "GPU requires reset",
	nvml.ERROR_OPERATING_SYSTEM:          "the operating system blocks the device",
	nvml.ERROR_LIB_RM_VERSION_MISMATCH:   "driver and library version mismatch",
	nvml.ERROR_IN_USE:                    "in use by another client",
	nvml.ERROR_MEMORY:                    "insufficient memory",
	nvml.ERROR_NO_DATA:                   "no data",
	nvml.ERROR_VGPU_ECC_NOT_SUPPORTED:    "not available with ECC enabled",
	nvml.ERROR_INSUFFICIENT_RESOURCES:    "insufficient resources",
	nvml.ERROR_FREQ_NOT_SUPPORTED:        "frequency not supported",
	nvml.ERROR_ARGUMENT_VERSION_MISMATCH: "argument version mismatch",
	nvml.ERROR_DEPRECATED:                "deprecated",
	nvml.ERROR_NOT_READY:                 "not ready",
	nvml.ERROR_GPU_NOT_FOUND:             "no GPU found",
	nvml.ERROR_INVALID_STATE:             "invalid state",
	nvml.ERROR_RESET_TYPE_NOT_SUPPORTED:  "reset type not supported",
	nvml.ERROR_UNKNOWN:                   "unknown error",
}

func (f failure) Error() string {
	if w, ok := words[nvml.Return(f)]; ok {
		return w
	}
	return fmt.Sprintf("NVML error %d", int32(f))
}
