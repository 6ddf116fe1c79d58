package linefeed

import (
	"fmt"
	"strings"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/exameter/exameter/collector/capacity"
)

// Measurement is the one that all lines are of.
const Measurement = "exameter_capacity"

// encode writes one line for the province and one for each centre, accelerators by class precision, with the names of the API's CSV. What
// is unknown is left out.
func encode(s *capacity.Snapshot) ([]byte, error) {
	doc, err := s.Document(capacity.Query{By: []capacity.Dimension{capacity.ByCentre}})
	if err != nil {
		return nil, err
	}
	var e lineprotocol.Encoder
	e.SetPrecision(lineprotocol.Nanosecond)
	line(&e, &capacity.Group{Figure: doc.Total}, doc)
	for i := range doc.Groups {
		line(&e, &doc.Groups[i], doc)
	}
	if err := e.Err(); err != nil {
		return nil, fmt.Errorf("encode line protocol: %w", err)
	}
	return e.Bytes(), nil
}

// line writes one line for a centre, or for the province where the group names none.
func line(e *lineprotocol.Encoder, g *capacity.Group, doc *capacity.Document) {
	f := &g.Figure
	e.StartLine(Measurement)
	scope := "province"
	if g.Centre != "" { // tags come in the order of their names
		e.AddTag("centre", g.Centre)
		scope = "centre"
	}
	// A tag cannot end with a backslash, which would stand before what comes next.
	if g.Identifier != "" && !strings.HasSuffix(g.Identifier, `\`) {
		e.AddTag("identifier", g.Identifier)
	}
	e.AddTag("scope", scope)
	count := func(name string, n int64) { e.AddField(name, lineprotocol.IntValue(n)) }
	number := func(name string, v *float64) {
		if v == nil {
			return
		}
		if value, ok := lineprotocol.FloatValue(*v); ok {
			e.AddField(name, value)
		}
	}
	d, x := &f.Devices, &f.Eflops
	for _, v := range []struct {
		state   string
		devices int64
		flops   capacity.Flops
	}{
		{"rated", d.Rated, x.Rated},
		{"online", d.Online, x.Online},
		{"healthy", d.Healthy, x.Healthy},
		{"busy", d.Busy, x.Busy},
		{"free", d.Free, x.Free},
		{"drained", d.Drained, x.Drained},
		{"faulty", d.Faulty, x.Faulty},
		{"stale", d.Stale, x.Stale},
	} {
		count("devices_"+v.state, v.devices)
		eflops := float64(v.flops) / float64(capacity.Eflop)
		number("eflops_"+v.state, &eflops)
	}
	count("devices_unpriced", d.Unpriced)
	number("utilisation", f.Utilisation)
	if f.PowerDevices > 0 {
		number("power_w", &f.PowerW)
	}
	count("power_devices", f.PowerDevices)
	count("hosts_rated", f.Hosts.Rated)
	count("hosts_online", f.Hosts.Online)
	number("coverage", f.Coverage)
	if f.Age != nil {
		number("age_p50_s", &f.Age.P50)
		number("age_p99_s", &f.Age.P99)
		number("age_max_s", &f.Age.Max)
	}
	count("revision", doc.Revision)
	e.EndLine(doc.AsOf)
}
