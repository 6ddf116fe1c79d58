package main

import (
	"slices"
	"strings"

	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/collector/capacity"
)

// shares returns each group's share of the rated Eflops of its level: of all groups that agree with it in every
// dimension but vendor, model and domestic. It is nil where groups are told apart by neither vendor nor domestic, and a
// share is nil where it is not known, as of a group without a price.
func shares(doc *client.Capacity) []*float64 {
	if !slices.Contains(doc.By, string(capacity.ByVendor)) && !slices.Contains(doc.By, string(capacity.ByDomestic)) {
		return nil
	}
	var level []string
	for _, d := range doc.By {
		if d != string(capacity.ByVendor) && d != string(capacity.ByModel) && d != string(capacity.ByDomestic) {
			level = append(level, d)
		}
	}
	of := func(g *client.Group) string { return strings.Join(labels(level, &g.Dimensions), "\x00") }
	whole := map[string]client.Flops{}
	for i := range doc.Groups {
		whole[of(&doc.Groups[i])] += doc.Groups[i].Eflops.Rated
	}
	out := make([]*float64, len(doc.Groups))
	for i := range doc.Groups {
		g := &doc.Groups[i]
		if g.Devices.Unpriced < g.Devices.Rated {
			out[i] = shareOf(g.Eflops.Rated, whole[of(g)])
		}
	}
	return out
}

// shareOf divides; a share of nothing is not known.
func shareOf(part, whole client.Flops) *float64 {
	if whole == 0 {
		return nil
	}
	v := float64(part) / float64(whole)
	return &v
}

// origins says in one line what of the total is domestic, what is not, and of what the catalogue does not say it; nothing
// where the answer has no such split.
func origins(f *client.Figure, l look) string {
	d, e := &f.Origin.Devices, &f.Origin.Eflops
	if d.Domestic+d.Foreign+d.Unknown != f.Devices.Rated || f.Devices.Rated == 0 {
		return ""
	}
	share := func(v client.Flops) string { return percent(shareOf(v, f.Eflops.Rated)) }
	return l.t("Origin: domestic %s, foreign %s, unknown %s of the rated Eflops; %d, %d and %d of the devices.",
		share(e.Domestic), share(e.Foreign), share(e.Unknown), d.Domestic, d.Foreign, d.Unknown)
}
