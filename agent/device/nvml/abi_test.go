//go:build linux && cgo

package nvml

import (
	"fmt"
	"reflect"
	"testing"

	upstream "github.com/NVIDIA/go-nvml/pkg/nvml"
)

// layout lists the offset and size of every number in a structure.
func layout(t reflect.Type, at uintptr, into []string) []string {
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			into = layout(f.Type, at+f.Offset, into)
		}
		return into
	case reflect.Array:
		for i := range t.Len() {
			into = layout(t.Elem(), at+uintptr(i)*t.Elem().Size(), into)
		}
		return into
	}
	return append(into, fmt.Sprintf("%d:%d", at, t.Size()))
}

// Every structure that crosses into C has the layout that go-nvml generated from nvml.h.
func TestLayouts(t *testing.T) {
	// go-nvml exports these three with Go interfaces in the place of handles, which are one pointer in C.
	type event struct {
		_    *byte
		_, _ uint64
		_, _ uint32
	}
	type gpmMetricsGet struct {
		_, _ uint32
		_, _ *byte
		_    [len(upstream.GpmMetricsGetType{}.Metrics)]upstream.GpmMetric
	}
	for _, tt := range []struct{ ours, theirs any }{
		{abiMemory{}, upstream.Memory{}},
		{abiMemoryV2{}, upstream.Memory_v2{}},
		{abiUtilization{}, upstream.Utilization{}},
		{abiPCI{}, upstream.PciInfo{}},
		{abiTemperature{}, upstream.Temperature{}},
		{abiProcessV1{}, upstream.ProcessInfo_v1{}},
		{abiProcess{}, upstream.ProcessInfo{}},
		{abiProcess{}, upstream.ProcessInfo_v2{}},
		{abiProfile{}, upstream.GpuInstanceProfileInfo{}},
		{abiAttributes{}, upstream.DeviceAttributes{}},
		{abiGPMSupport{}, upstream.GpmSupport{}},
		{abiGPMMetric{}, upstream.GpmMetric{}},
		{abiEvent{}, event{}},
		{abiGPM{}, gpmMetricsGet{}},
	} {
		ours, theirs := reflect.TypeOf(tt.ours), reflect.TypeOf(tt.theirs)
		if ours.Size() != theirs.Size() || !reflect.DeepEqual(layout(ours, 0, nil), layout(theirs, 0, nil)) {
			t.Errorf("%v has layout %v of %d bytes, %v has %v of %d", ours, layout(ours, 0, nil), ours.Size(), theirs, layout(theirs, 0, nil), theirs.Size())
		}
	}
}

func TestConstants(t *testing.T) {
	for _, tt := range []struct {
		name         string
		ours, theirs int64
	}{
		{"memory version", memoryV2Version, int64(upstream.STRUCT_VERSION(upstream.Memory_v2{}, 2))},
		{"temperature version", temperatureVersion, int64(upstream.STRUCT_VERSION(upstream.Temperature{}, 1))},
		{"GPM support version", gpmSupportVersion, upstream.GPM_SUPPORT_VERSION},
		{"GPM metrics version", gpmVersion, upstream.GPM_METRICS_GET_VERSION},
		{"GPM metrics", gpmMetrics, int64(upstream.GPM_METRIC_MAX)},
		{"GPM SM", gpmSMUtil, int64(upstream.GPM_METRIC_SM_UTIL)},
		{"GPM tensor", gpmAnyTensor, int64(upstream.GPM_METRIC_ANY_TENSOR_UTIL)},
		{"XID event", eventXID, upstream.EventTypeXidCriticalError},
		{"SM clock", clockSM, int64(upstream.CLOCK_SM)},
		{"memory clock", clockMemory, int64(upstream.CLOCK_MEM)},
		{"corrected", eccCorrected, int64(upstream.MEMORY_ERROR_TYPE_CORRECTED)},
		{"uncorrected", eccUncorrected, int64(upstream.MEMORY_ERROR_TYPE_UNCORRECTED)},
		{"volatile", 0, int64(upstream.VOLATILE_ECC)},
		{"temperature sensor", 0, int64(upstream.TEMPERATURE_GPU)},
		{"profiles", profileCount, upstream.GPU_INSTANCE_PROFILE_COUNT},
		{"MIG enabled", 1, upstream.DEVICE_MIG_ENABLE},
		{"success", int64(success), int64(upstream.SUCCESS)},
		{"uninitialised", int64(errUninitialized), int64(upstream.ERROR_UNINITIALIZED)},
		{"invalid argument", int64(errInvalidArgument), int64(upstream.ERROR_INVALID_ARGUMENT)},
		{"not supported", int64(errNotSupported), int64(upstream.ERROR_NOT_SUPPORTED)},
		{"no permission", int64(errNoPermission), int64(upstream.ERROR_NO_PERMISSION)},
		{"not found", int64(errNotFound), int64(upstream.ERROR_NOT_FOUND)},
		{"insufficient size", int64(errInsufficientSize), int64(upstream.ERROR_INSUFFICIENT_SIZE)},
		{"driver not loaded", int64(errDriverNotLoaded), int64(upstream.ERROR_DRIVER_NOT_LOADED)},
		{"timeout", int64(errTimeout), int64(upstream.ERROR_TIMEOUT)},
		{"library not found", int64(errLibraryNotFound), int64(upstream.ERROR_LIBRARY_NOT_FOUND)},
		{"function not found", int64(errFunctionNotFound), int64(upstream.ERROR_FUNCTION_NOT_FOUND)},
		{"lost", int64(errLost), int64(upstream.ERROR_GPU_IS_LOST)},
		{"reset required", int64(errResetRequired), int64(upstream.ERROR_RESET_REQUIRED)},
		{"version mismatch", int64(errVersionMismatch), int64(upstream.ERROR_LIB_RM_VERSION_MISMATCH)},
		{"in use", int64(errInUse), int64(upstream.ERROR_IN_USE)},
		{"no data", int64(errNoData), int64(upstream.ERROR_NO_DATA)},
		{"argument version", int64(errArgumentVersion), int64(upstream.ERROR_ARGUMENT_VERSION_MISMATCH)},
		{"deprecated", int64(errDeprecated), int64(upstream.ERROR_DEPRECATED)},
		{"not ready", int64(errNotReady), int64(upstream.ERROR_NOT_READY)},
		{"GPU not found", int64(errGPUNotFound), int64(upstream.ERROR_GPU_NOT_FOUND)},
		{"unknown", int64(errUnknown), int64(upstream.ERROR_UNKNOWN)},
	} {
		if tt.ours != tt.theirs {
			t.Errorf("%s: %d, in nvml.h %d", tt.name, tt.ours, tt.theirs)
		}
	}
}

// go-nvml, which reads the library through the prototypes of nvml.h, reads the same from it. Last, it shows why it is
// not what the agent uses: a library it has called stays for as long as the process.
func TestAgainstGoNVML(t *testing.T) {
	w := simulate(t, "h200-mixed")
	s := w.source()
	w.read(s)
	lib := upstream.New(upstream.WithLibraryPath(w.library))
	if ret := lib.Init(); ret != upstream.SUCCESS {
		t.Fatalf("go-nvml: init: %d", ret)
	}
	theirs := theirDriver{lib}
	for i := range 3 {
		a, _ := s.ses.drv.device(i)
		b, _ := theirs.device(i)
		same := func(what string, ours, theirs any) {
			t.Helper()
			if !reflect.DeepEqual(ours, theirs) {
				t.Errorf("card %d: %s: %v, go-nvml %v", i, what, ours, theirs)
			}
		}
		for what, f := range map[string]func(device) (any, code){
			"uuid":        func(d device) (any, code) { return wrap(d.uuid()) },
			"serial":      func(d device) (any, code) { return wrap(d.serial()) },
			"name":        func(d device) (any, code) { return wrap(d.name()) },
			"vbios":       func(d device) (any, code) { return wrap(d.vbios()) },
			"pci":         func(d device) (any, code) { return wrap(d.pci()) },
			"memory":      func(d device) (any, code) { return wrap(d.memory()) },
			"power":       func(d device) (any, code) { return wrap(d.power()) },
			"temperature": func(d device) (any, code) { return wrap(d.temperature()) },
			"SM clock":    func(d device) (any, code) { return wrap(d.clock(clockSM)) },
			"mem clock":   func(d device) (any, code) { return wrap(d.clock(clockMemory)) },
			"throttle":    func(d device) (any, code) { return wrap(d.throttle()) },
			"corrected":   func(d device) (any, code) { return wrap(d.ecc(eccCorrected)) },
			"processes":   func(d device) (any, code) { return wrap(d.processes(computeProcesses, nil)) },
			"MIG mode":    func(d device) (any, code) { return wrap(d.migMode()) },
			"MIG devices": func(d device) (any, code) { return wrap(d.maxMIGDevices()) },
			"profile":     func(d device) (any, code) { return wrap(d.profileSlices(4)) },
		} {
			x, xc := f(a)
			y, yc := f(b)
			same(what, x, y)
			same(what+" code", xc, yc)
		}
		xg, xm, _ := a.utilization()
		yg, ym, _ := b.utilization()
		same("utilisation", [2]uint32{xg, xm}, [2]uint32{yg, ym})
	}
	if ret := lib.Shutdown(); ret != upstream.SUCCESS {
		t.Errorf("go-nvml: shutdown: %d", ret)
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	if !mapped(t, w.library) {
		t.Error("go-nvml lets go of its library by now: docs/nvml.md says that it does not")
	}
}

func wrap[T any](v T, c code) (any, code) { return v, c }
