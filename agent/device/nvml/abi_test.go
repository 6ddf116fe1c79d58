//go:build linux && cgo

package nvml

import (
	"reflect"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// layout lists the offset and size of every number in a structure.
func layout(t reflect.Type, at uintptr, into [][2]uintptr) [][2]uintptr {
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
	return append(into, [2]uintptr{at, t.Size()})
}

// withHandles is a structure of go-nvml with handles, which are one pointer in C, in the place of its interfaces.
func withHandles(t reflect.Type) reflect.Type {
	var fields []reflect.StructField
	for f := range t.Fields() {
		if f.Type.Kind() == reflect.Interface {
			f.Type = reflect.TypeFor[uintptr]()
		}
		fields = append(fields, reflect.StructField{Name: f.Name, Type: f.Type})
	}
	return reflect.StructOf(fields)
}

// The two structures that are ours have the layout of go-nvml's.
func TestLayouts(t *testing.T) {
	for _, tt := range []struct{ ours, theirs reflect.Type }{
		{reflect.TypeFor[eventData](), reflect.TypeFor[nvml.EventData]()},
		{reflect.TypeFor[gpmMetrics](), reflect.TypeFor[nvml.GpmMetricsGetType]()},
	} {
		ours, theirs := layout(tt.ours, 0, nil), layout(withHandles(tt.theirs), 0, nil)
		if tt.ours.Size() != withHandles(tt.theirs).Size() || !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%v has layout %v, %v has %v", tt.ours, ours, tt.theirs, theirs)
		}
	}
}

// go-nvml counts a structure's version out with a call, and we with a constant.
func TestVersions(t *testing.T) {
	if want := nvml.STRUCT_VERSION(nvml.Memory_v2{}, 2); memoryV2Version != want {
		t.Errorf("memory: %#x, want %#x", memoryV2Version, want)
	}
	if want := nvml.STRUCT_VERSION(nvml.Temperature{}, 1); temperatureVersion != want {
		t.Errorf("temperature: %#x, want %#x", temperatureVersion, want)
	}
}

// Every code that go-nvml knows has its words, and one that it does not know its number.
func TestWords(t *testing.T) {
	known := 0
	for c := nvml.Return(1); c < 2000; c++ {
		if strings.HasPrefix(c.Error(), "ERROR_") {
			known++
			if words[c] == "" {
				t.Errorf("%v (%d) has no words", c, int32(c))
			}
		} else if words[c] != "" {
			t.Errorf("%d has words and go-nvml does not know it", int32(c))
		}
	}
	if known < 31 {
		t.Errorf("go-nvml knows %d codes: the test asks it wrongly", known)
	}
	if got := failure(1234).Error(); got != "NVML error 1234" {
		t.Errorf("unknown code: %q", got)
	}
}

// go-nvml, which reads the library through the prototypes of nvml.h, reads the same from it. Last, it shows why it is
// not what the agent uses: a library it has called stays for as long as the process.
func TestAgainstGoNVML(t *testing.T) {
	w := simulate(t, "h200-mixed")
	s := w.source()
	w.read(s)
	lib := nvml.New(nvml.WithLibraryPath(w.library))
	if ret := lib.Init(); ret != nvml.SUCCESS {
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
		for what, f := range map[string]func(device) (any, nvml.Return){
			"uuid":        func(d device) (any, nvml.Return) { return wrap(d.uuid()) },
			"serial":      func(d device) (any, nvml.Return) { return wrap(d.serial()) },
			"name":        func(d device) (any, nvml.Return) { return wrap(d.name()) },
			"vbios":       func(d device) (any, nvml.Return) { return wrap(d.vbios()) },
			"pci":         func(d device) (any, nvml.Return) { return wrap(d.pci()) },
			"memory":      func(d device) (any, nvml.Return) { return wrap(d.memory()) },
			"power":       func(d device) (any, nvml.Return) { return wrap(d.power()) },
			"temperature": func(d device) (any, nvml.Return) { return wrap(d.temperature()) },
			"SM clock":    func(d device) (any, nvml.Return) { return wrap(d.clock(nvml.CLOCK_SM)) },
			"mem clock":   func(d device) (any, nvml.Return) { return wrap(d.clock(nvml.CLOCK_MEM)) },
			"throttle":    func(d device) (any, nvml.Return) { return wrap(d.throttle()) },
			"corrected":   func(d device) (any, nvml.Return) { return wrap(d.ecc(nvml.MEMORY_ERROR_TYPE_CORRECTED)) },
			"processes":   func(d device) (any, nvml.Return) { return wrap(d.processes(computeProcesses, nil)) },
			"MIG mode":    func(d device) (any, nvml.Return) { return wrap(d.migMode()) },
			"MIG devices": func(d device) (any, nvml.Return) { return wrap(d.maxMIGDevices()) },
			"profile":     func(d device) (any, nvml.Return) { return wrap(d.profileSlices(4)) },
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
	if ret := lib.Shutdown(); ret != nvml.SUCCESS {
		t.Errorf("go-nvml: shutdown: %d", ret)
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	if !mapped(t, w.library) {
		t.Error("go-nvml lets go of its library by now: docs/nvml.md says that it does not")
	}
}

func wrap[T any](v T, c nvml.Return) (any, nvml.Return) { return v, c }
