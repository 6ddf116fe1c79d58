package main

import (
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

// fig is a figure of rated devices worth rated Eflops, of which unpriced are worth nothing.
func fig(devices, unpriced int64, rated capacity.Flops) capacity.Figure {
	return capacity.Figure{Devices: capacity.Devices{Rated: devices, Unpriced: unpriced}, Eflops: capacity.Eflops{Rated: rated}}
}

func TestShares(t *testing.T) {
	doc := &capacity.Document{By: []string{"centre", "vendor", "domestic"}, Groups: []capacity.Group{
		{Centre: "a", Vendor: "huawei", Domestic: "yes", Figure: fig(3, 0, 3*capacity.Eflop)},
		{Centre: "a", Vendor: "nvidia", Domestic: "no", Figure: fig(1, 0, capacity.Eflop)},
		{Centre: "a", Vendor: "newcomer", Domestic: "unknown", Figure: fig(9, 9, 0)},
		{Centre: "b", Vendor: "nvidia", Domestic: "no", Figure: fig(1, 0, capacity.Eflop)},
		{Centre: "c", Vendor: "hygon", Domestic: "yes", Figure: fig(2, 2, 0)},
	}}
	var got []string
	for _, v := range shares(doc) {
		got = append(got, percent(v))
	}
	// Each within its centre; what has no price has no known share, and is not zero.
	if want := "75.0 %,25.0 %,-,100.0 %,-"; strings.Join(got, ",") != want {
		t.Errorf("shares %v, want %s", got, want)
	}
	doc.By = []string{"centre", "model"}
	if shares(doc) != nil {
		t.Error("shares of groups that neither vendor nor domestic tells apart")
	}
}

func TestCapacityByDomestic(t *testing.T) {
	doc := &capacity.Document{By: []string{"domestic"}, Precision: "fp16", Kind: "accelerator", Groups: []capacity.Group{
		{Domestic: "no", Figure: fig(1, 0, capacity.Eflop)},
		{Domestic: "yes", Figure: fig(3, 1, 3*capacity.Eflop)},
	}}
	doc.Total = fig(4, 1, 4*capacity.Eflop)
	print := func() string {
		var b strings.Builder
		if err := writeDocument(&b, doc, time.Time{}, false); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if out := print(); strings.Contains(out, "Origin:") {
		t.Errorf("an answer without the split by origin is taken for one of nothing:\n%s", out)
	}
	doc.Total.Origin = capacity.Origin{
		Devices: capacity.OriginDevices{Domestic: 3, Foreign: 1}, Eflops: capacity.OriginEflops{Domestic: 3 * capacity.Eflop, Foreign: capacity.Eflop},
	}
	out := print()
	for _, want := range []string{"DOMESTIC   SHARE", "no        25.0 %", "yes       75.0 %", "Origin: domestic 75.0 %, foreign 25.0 %, unknown 0.0 % of the rated Eflops; 3, 1 and 0 of the devices."} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
