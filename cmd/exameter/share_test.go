package main

import (
	"strings"
	"testing"

	"github.com/exameter/exameter/client"
)

// fig is a figure of rated devices worth rated Eflops, of which unpriced are worth nothing.
func fig(devices, unpriced int64, rated client.Flops) client.Figure {
	return client.Figure{Devices: client.Devices{Rated: devices, Unpriced: unpriced}, Eflops: client.Eflops{Rated: rated}}
}

func TestShares(t *testing.T) {
	doc := &client.Capacity{Head: client.Head{By: []string{"centre", "vendor", "domestic"}}, Groups: []client.Group{
		{Dimensions: client.Dimensions{Centre: "a", Vendor: "huawei", Domestic: "yes"}, Figure: fig(3, 0, 3*client.Eflop)},
		{Dimensions: client.Dimensions{Centre: "a", Vendor: "nvidia", Domestic: "no"}, Figure: fig(1, 0, client.Eflop)},
		{Dimensions: client.Dimensions{Centre: "a", Vendor: "newcomer", Domestic: "unknown"}, Figure: fig(9, 9, 0)},
		{Dimensions: client.Dimensions{Centre: "b", Vendor: "nvidia", Domestic: "no"}, Figure: fig(1, 0, client.Eflop)},
		{Dimensions: client.Dimensions{Centre: "c", Vendor: "hygon", Domestic: "yes"}, Figure: fig(2, 2, 0)},
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
	doc := &client.Capacity{Head: client.Head{By: []string{"domestic"}, Precision: "fp16", Kind: "accelerator"}, Groups: []client.Group{
		{Dimensions: client.Dimensions{Domestic: "no"}, Figure: fig(1, 0, client.Eflop)},
		{Dimensions: client.Dimensions{Domestic: "yes"}, Figure: fig(3, 1, 3*client.Eflop)},
	}}
	doc.Total = fig(4, 1, 4*client.Eflop)
	print := func() string {
		text, err := documentText(doc, look{})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if out := print(); strings.Contains(out, "Origin:") {
		t.Errorf("an answer without the split by origin is taken for one of nothing:\n%s", out)
	}
	doc.Total.Origin = client.Origin{
		Devices: client.OriginDevices{Domestic: 3, Foreign: 1}, Eflops: client.OriginEflops{Domestic: 3 * client.Eflop, Foreign: client.Eflop},
	}
	out := print()
	for _, want := range []string{"DOMESTIC   SHARE", "no        25.0 %", "yes       75.0 %", "Origin: domestic 75.0 %, foreign 25.0 %, unknown 0.0 % of the rated Eflops; 3, 1 and 0 of the devices."} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
