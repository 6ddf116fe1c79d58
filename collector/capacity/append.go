package capacity

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// groupSize is what a group takes in JSON, roughly.
const groupSize = 900

// AppendJSON appends the document as encoding/json writes it, without escapes for HTML, several times as fast: a province's has
// thousands of numbers, and many ask for it. A test holds it to encoding/json's.
func (d *Document) AppendJSON(b []byte) []byte {
	b = slices.Grow(b, 1024+groupSize*len(d.Groups))
	b = append(b, `{"revision":`...)
	b = strconv.AppendInt(b, d.Revision, 10)
	b = append(b, `,"as_of":`...)
	b = appendAny(b, d.AsOf)
	b = appendText(append(b, `,"catalogue":`...), d.Catalogue)
	b = appendText(append(b, `,"registry":`...), d.Registry)
	b = appendText(append(b, `,"rule":`...), d.Rule)
	b = appendText(append(b, `,"precision":`...), d.Precision)
	b = appendText(append(b, `,"kind":`...), d.Kind)
	b = appendAny(append(b, `,"by":`...), d.By)
	b = appendAny(append(b, `,"parts":`...), d.Parts)
	b = append(b, `,"total":{`...)
	b = d.Total.appendFields(b)
	b = append(b, `},"groups":`...)
	if d.Groups == nil {
		return append(b, "null}"...)
	}
	b = append(b, '[')
	for i := range d.Groups {
		if i > 0 {
			b = append(b, ',')
		}
		b = d.Groups[i].appendJSON(b)
	}
	return append(b, "]}"...)
}

func (g *Group) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for _, f := range [...]struct{ name, value string }{
		{`"centre":`, g.Centre},
		{`"cluster":`, g.Cluster},
		{`"kind":`, g.Kind},
		{`"vendor":`, g.Vendor},
		{`"model":`, g.Model},
		{`"class":`, g.Class},
		{`"domestic":`, g.Domestic},
		{`"identifier":`, g.Identifier},
	} {
		if f.value != "" {
			b = append(appendText(append(b, f.name...), f.value), ',')
		}
	}
	return append(g.Figure.appendFields(b), '}')
}

// appendFields appends the fields of a figure, without braces.
func (f *Figure) appendFields(b []byte) []byte {
	whole := func(name string, n int64) { b = strconv.AppendInt(append(b, name...), n, 10) }
	flops := func(name string, v Flops) { b = v.AppendEflops(append(b, name...)) }
	d, e, o := &f.Devices, &f.Eflops, &f.Origin
	whole(`"devices":{"rated":`, d.Rated)
	whole(`,"online":`, d.Online)
	whole(`,"healthy":`, d.Healthy)
	whole(`,"busy":`, d.Busy)
	whole(`,"free":`, d.Free)
	whole(`,"drained":`, d.Drained)
	whole(`,"faulty":`, d.Faulty)
	whole(`,"stale":`, d.Stale)
	whole(`,"unpriced":`, d.Unpriced)
	flops(`},"eflops":{"rated":`, e.Rated)
	flops(`,"online":`, e.Online)
	flops(`,"healthy":`, e.Healthy)
	flops(`,"busy":`, e.Busy)
	flops(`,"free":`, e.Free)
	flops(`,"drained":`, e.Drained)
	flops(`,"faulty":`, e.Faulty)
	flops(`,"stale":`, e.Stale)
	whole(`},"origin":{"devices":{"domestic":`, o.Devices.Domestic)
	whole(`,"foreign":`, o.Devices.Foreign)
	whole(`,"unknown":`, o.Devices.Unknown)
	flops(`},"eflops":{"domestic":`, o.Eflops.Domestic)
	flops(`,"foreign":`, o.Eflops.Foreign)
	flops(`,"unknown":`, o.Eflops.Unknown)
	b = appendMaybe(append(b, `}},"utilisation":`...), f.Utilisation)
	whole(`,"activity":{"sm":`, f.Activity.SM)
	whole(`,"utilisation":`, f.Activity.Utilisation)
	whole(`,"unknown":`, f.Activity.Unknown)
	b = appendFloat(append(b, `},"power_w":`...), f.PowerW)
	whole(`,"power_devices":`, f.PowerDevices)
	whole(`,"hosts":{"rated":`, f.Hosts.Rated)
	whole(`,"online":`, f.Hosts.Online)
	b = appendMaybe(append(b, `},"coverage":`...), f.Coverage)
	b = append(b, `,"age_s":`...)
	if f.Age == nil {
		return append(b, "null"...)
	}
	b = appendFloat(append(b, `{"p50":`...), f.Age.P50)
	b = appendFloat(append(b, `,"p99":`...), f.Age.P99)
	return append(appendFloat(append(b, `,"max":`...), f.Age.Max), '}')
}

func appendMaybe(b []byte, v *float64) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	return appendFloat(b, *v)
}

// appendFloat writes numbers of the usual sizes as encoding/json does, and leaves the others to it.
func appendFloat(b []byte, v float64) []byte {
	if abs := math.Abs(v); v == 0 || abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	}
	return appendAny(b, v)
}

// appendText writes plain text itself, and leaves what has to be escaped to encoding/json.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf || c == 0x7f {
			return appendAny(b, s)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendAny writes what is written once in a while.
func appendAny(b []byte, v any) []byte {
	buf := bytes.NewBuffer(b)
	e := json.NewEncoder(buf)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return append(b, "null"...) // a number that is none: no document holds one
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
