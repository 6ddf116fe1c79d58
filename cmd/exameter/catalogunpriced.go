package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/collector/capacity"
)

// unpricedModel is one model whose devices have no peak at the precision asked for.
type unpricedModel struct {
	Kind    string           `json:"kind"`
	Vendor  string           `json:"vendor"`
	Model   string           `json:"model"` // what the vendor's tool prints, or the catalogue's id where it knows the model
	Class   string           `json:"class"`
	Known   bool             `json:"known"` // the catalogue has the model, without this peak
	Devices int64            `json:"devices"`
	Centres []centreUnpriced `json:"centres"`
}

type centreUnpriced struct {
	Centre  string `json:"centre"`
	Devices int64  `json:"devices"`
}

// listUnpriced asks a collector which models have no peak, and prints them.
func (f *catalogFlags) listUnpriced(ctx context.Context, out io.Writer, c *client.Client, cat *catalog.Catalog) error {
	doc, err := c.Capacity(ctx, client.CapacityQuery{By: []string{"kind", "vendor", "model", "class", "centre"}, Filter: client.Filter{Kind: f.kind, Precision: f.precision}})
	if err != nil {
		return err
	}
	models := unpriced(doc, cat, f.vendor)
	switch f.output.value {
	case "json":
		return writeJSON(out, struct {
			Revision  int64           `json:"revision"`
			AsOf      time.Time       `json:"as_of"`
			Catalogue string          `json:"catalogue"`
			Precision string          `json:"precision"`
			Unpriced  []unpricedModel `json:"unpriced"`
		}{doc.Revision, doc.AsOf, doc.Catalogue, doc.Precision, models})
	case "csv":
		return writeUnpricedCSV(out, doc, models, cat)
	default:
		return writeUnpriced(out, doc, models)
	}
}

// unpriced gathers the models of a document, grouped by kind, vendor, model, class and centre, that have devices without
// a peak: most devices first.
func unpriced(doc *client.Capacity, cat *catalog.Catalog, vendor string) []unpricedModel {
	out := []unpricedModel{}
	for i := range doc.Groups {
		g := &doc.Groups[i]
		if g.Devices.Unpriced == 0 || vendor != "" && g.Vendor != strings.ToLower(vendor) {
			continue
		}
		at := slices.IndexFunc(out, func(m unpricedModel) bool {
			return m.Kind == g.Kind && m.Vendor == g.Vendor && m.Model == g.Model && m.Class == g.Class
		})
		if at < 0 {
			m, known := cat.Model(g.Model)
			at = len(out)
			out = append(out, unpricedModel{Kind: g.Kind, Vendor: g.Vendor, Model: g.Model, Class: g.Class, Known: known && m.Vendor == g.Vendor})
		}
		out[at].Devices += g.Devices.Unpriced
		out[at].Centres = append(out[at].Centres, centreUnpriced{g.Centre, g.Devices.Unpriced})
	}
	slices.SortStableFunc(out, func(a, b unpricedModel) int { return cmp.Compare(b.Devices, a.Devices) })
	return out
}

// writeUnpriced prints them for people.
func writeUnpriced(out io.Writer, doc *client.Capacity, models []unpricedModel) error {
	var b strings.Builder
	if len(models) > 0 {
		t := &table{head: []string{"VENDOR", "MODEL", "KIND", "CLASS", "CATALOGUE", "CENTRES", "DEVICES"}, left: 6}
		for _, m := range models {
			why := "does not know it"
			switch {
			case m.Known:
				why = "has no peak" + precisionName(doc.Precision, look{})
			case m.Kind == capacity.KindCPU:
				why = "lacks its width, clock or cores"
			}
			t.add(printable(m.Vendor), printable(m.Model), m.Kind, m.Class, why, centresOf(m), strconv.FormatInt(m.Devices, 10))
		}
		if err := t.write(&b, coloured(out)); err != nil {
			return err
		}
		b.WriteString("-o csv prints rows for an override file; exameter-agent check says on a host why its processors are unpriced.\n")
	}
	var devices int64
	for _, m := range models {
		devices += m.Devices
	}
	fmt.Fprintf(&b, "%s of %d unpriced, %s, precision %s; as of %s, revision %d, catalogue %s\n", plural(devices, "device"), doc.Total.Devices.Rated,
		plural(int64(len(models)), "model"), doc.Precision, stamp(doc.AsOf), doc.Revision, printable(doc.Catalogue))
	_, err := io.WriteString(out, b.String())
	return err
}

// centresOf names the centres of a model with their devices.
func centresOf(m unpricedModel) string {
	names := make([]string, len(m.Centres))
	for i, c := range m.Centres {
		names[i] = fmt.Sprintf("%s (%d)", printable(c.Centre), c.Devices)
	}
	return strings.Join(names, ", ")
}
