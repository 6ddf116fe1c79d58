package telemetry

import (
	"fmt"
	"reflect"
)

// canonicalReport returns a copy of r as it is after a journey: unknown values are zero, texts are cut and clean, and
// parts of which nothing is known are gone.
func canonicalReport(r *Report) *Report {
	c := *r
	c.Time = c.Time.UTC()
	canonicalFields(&c.HostStatus)
	c.CPU = canonicalPart(r.CPU)
	c.Memory = canonicalPart(r.Memory)
	c.Power, c.Devices, c.Sources = nil, nil, nil
	for _, p := range r.Power {
		if canonicalFields(&p) > 0 {
			c.Power = append(c.Power, p)
		}
	}
	for _, s := range r.Devices {
		canonicalFields(&s)
		c.Devices = append(c.Devices, s)
	}
	for _, s := range r.Sources {
		canonicalFields(&s)
		c.Sources = append(c.Sources, s)
	}
	return &c
}

// canonicalInventory does the same for an inventory.
func canonicalInventory(inv *Inventory) *Inventory {
	c := *inv
	c.Time = c.Time.UTC()
	canonicalFields(&c.HostInfo)
	c.CPU = canonicalPart(inv.CPU)
	c.Devices = nil
	for _, s := range inv.Devices {
		canonicalFields(&s)
		c.Devices = append(c.Devices, s)
	}
	return &c
}

func canonicalPart[T any](o Opt[T]) Opt[T] {
	if !o.OK || canonicalFields(&o.Value) == 0 {
		return Opt[T]{}
	}
	return o
}

// canonicalFields makes the fields of the struct at p canonical and returns how many are known.
func canonicalFields(p any) (known int) {
	for _, f := range fieldsOf(p) {
		switch v := f.value; v.Kind() {
		case reflect.String:
			if f.text {
				v.SetString(string(appendText(nil, v.String())))
			}
			if v.String() != "" {
				known++
			}
		case reflect.Bool:
			known++
		case reflect.Struct:
			if v.FieldByName("OK").Bool() {
				known++
			} else {
				v.SetZero()
			}
		default:
			panic(fmt.Sprintf("field %s is a %s", f.name, v.Kind()))
		}
	}
	return known
}
