package telemetry

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// shape is one measurement of the schema: its tag, what its line says, and how to give a record such a line.
type shape struct {
	measurement string
	tag         string // beside those of the origin
	doc         string
	report      func(*Report) any // adds the line to a report and returns a pointer to its fields
	inventory   func(*Inventory) any
}

// shapes are the measurements of schema 1 in the order of their lines.
var shapes = []shape{
	{
		measurement: inventoryHost, doc: "The host. The first line of every inventory.",
		inventory: func(inv *Inventory) any { return &inv.HostInfo },
	},
	{
		measurement: inventoryCPU, doc: "The processors of the host, which together are one device of kind cpu. At most one line.",
		inventory: func(inv *Inventory) any { inv.CPU.OK = true; return &inv.CPU.Value },
	},
	{
		measurement: inventoryDevice, tag: "device", doc: "One accelerator a line, each with at least one field.",
		inventory: func(inv *Inventory) any { inv.Devices = []DeviceInfo{{ID: "d0"}}; return &inv.Devices[0] },
	},
	{
		measurement: reportHost, doc: "The host. The first line of every report.",
		report: func(r *Report) any { return &r.HostStatus },
	},
	{
		measurement: reportCPU, doc: "The load of the processors. At most one line.",
		report: func(r *Report) any { r.CPU.OK = true; return &r.CPU.Value },
	},
	{
		measurement: reportMemory, doc: "The use of the host's memory. At most one line.",
		report: func(r *Report) any { r.Memory.OK = true; return &r.Memory.Value },
	},
	{
		measurement: reportPower, tag: "domain", doc: "One power domain a line: package-0, dram-0, psys, node. Domains may contain each other and are not to be added up blindly.",
		report: func(r *Report) any { r.Power = []PowerStatus{{Domain: "d0"}}; return &r.Power[0] },
	},
	{
		measurement: reportDevice, tag: "device", doc: "One accelerator a line.",
		report: func(r *Report) any { r.Devices = []DeviceStatus{{ID: "d0"}}; return &r.Devices[0] },
	},
	{
		measurement: reportSource, tag: "source", doc: "One source of the agent a line.",
		report: func(r *Report) any { r.Sources = []SourceStatus{{Source: "d0"}}; return &r.Sources[0] },
	},
}

// field is one tagged field of a struct.
type field struct {
	name, unit, doc string
	text            bool // bounded by MaxText
	required        bool
	lo, hi          int64 // of an integer
	kind            string
	value           reflect.Value
}

// fieldsOf returns the tagged fields of the struct at p.
func fieldsOf(p any) []field {
	v := reflect.ValueOf(p).Elem()
	var all []field
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		name, ok := tag.Lookup("lp")
		if !ok {
			continue
		}
		f := field{name: name, unit: tag.Get("unit"), doc: tag.Get("doc"), value: v.Field(i)}
		f.describe(tag.Get("max"))
		all = append(all, f)
	}
	return all
}

// describe sets the field's type on the wire and its bounds.
func (f *field) describe(limit string) {
	switch inner := f.value.Interface().(type) {
	case State:
		f.kind, f.required = "string", true
	case string:
		f.kind, f.text = "string", limit == "text"
	case bool:
		f.kind, f.required = "boolean", true
	case Opt[bool]:
		f.kind = "boolean"
	default:
		f.kind, f.hi = "integer", math.MaxInt64
		number := reflect.ValueOf(inner).FieldByName("Value").Interface()
		if u, ok := number.(interface{ limits() (int64, int64) }); ok {
			f.lo, f.hi = u.limits()
		} else if limit != "" {
			n, err := strconv.ParseInt(limit, 10, 64)
			if err != nil {
				panic(fmt.Sprintf("field %s: max %q: %v", f.name, limit, err))
			}
			f.hi = n
		}
	}
}

// set makes the field known, with a value that depends on n.
func (f *field) set(n int64) {
	switch f.value.Interface().(type) {
	case State:
		f.value.SetString(string(Busy))
	case string:
		f.value.SetString("value " + strconv.FormatInt(n, 10))
	case bool:
		f.value.SetBool(true)
	case Opt[bool]:
		f.value.Set(reflect.ValueOf(Known(n%2 == 0)))
	default:
		f.value.FieldByName("Value").SetInt(n)
		f.value.FieldByName("OK").SetBool(true)
	}
}

// wire returns what the field, which is known, looks like in a line.
func (f *field) wire() string {
	switch v := f.value.Interface().(type) {
	case State, string:
		return fmt.Sprintf("%s=%q", f.name, v)
	case bool:
		return fmt.Sprintf("%s=%t", f.name, v)
	case Opt[bool]:
		return fmt.Sprintf("%s=%t", f.name, v.Value)
	}
	return fmt.Sprintf("%s=%di", f.name, f.value.FieldByName("Value").Int())
}
