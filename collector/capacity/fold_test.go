package capacity

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/telemetry"
)

// drawSnapshot draws pools with cells as hosts could have filled them, and shapes over them.
func drawSnapshot(t *rapid.T) *Snapshot {
	s := &Snapshot{Revision: 7, AsOf: time.Unix(1_800_000_000, 0), Catalogue: "test", StaleAfter: 30 * time.Second}
	seen := map[Pool]bool{}
	for range rapid.IntRange(0, 12).Draw(t, "pools") {
		p := Pool{
			Centre:   rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "centre"),
			Cluster:  rapid.SampledFrom([]string{"default", "hpc"}).Draw(t, "cluster"),
			Kind:     rapid.SampledFrom([]telemetry.Kind{telemetry.Accelerator, telemetry.CPU}).Draw(t, "kind"),
			Vendor:   rapid.SampledFrom([]string{"nvidia", "huawei"}).Draw(t, "vendor"),
			Model:    rapid.SampledFrom([]string{"m", "n", "m n"}).Draw(t, "model"),
			Class:    rapid.SampledFrom([]Class{Intelligent, General, Super}).Draw(t, "class"),
			Domestic: rapid.SampledFrom([]telemetry.Opt[bool]{{}, telemetry.Known(true), telemetry.Known(false)}).Draw(t, "domestic"),
		}
		p.Basis = p.Class.Basis()
		for _, precision := range catalog.Precisions() {
			if rapid.Bool().Draw(t, "priced") {
				p.Peaks = p.Peaks.With(precision, rapid.Int64Range(1, 2_000_000_000).Draw(t, "peak"))
			}
		}
		if seen[p] {
			continue
		}
		seen[p] = true
		s.Pools = append(s.Pools, PoolCell{Pool: p, Cell: drawCell(t, &p)})
	}
	for range rapid.IntRange(0, 8).Draw(t, "shapes") {
		if len(s.Pools) == 0 {
			break
		}
		sh := Shape{Pools: rapid.SliceOfNDistinct(rapid.IntRange(0, len(s.Pools)-1), 1, len(s.Pools), rapid.ID[int]).Draw(t, "shape")}
		sh.Online = rapid.Int64Range(0, 50).Draw(t, "online")
		sh.Rated = sh.Online + rapid.Int64Range(0, 50).Draw(t, "silent")
		for range sh.Online {
			sh.Ages.Observe(rapid.Int64Range(0, 30_000).Draw(t, "age"), 30_000)
		}
		s.Shapes = append(s.Shapes, sh)
	}
	s.Sort()
	return s
}

func drawCell(t *rapid.T, p *Pool) (c Cell) {
	for st := range c.Devices {
		n := rapid.Int64Range(0, 100_000).Draw(t, "devices")
		c.Devices[st] = n
		c.Units[st] = n * p.units()
	}
	// Some busy cards are split.
	if c.Units[Busy] > 0 {
		moved := rapid.Int64Range(0, c.Units[Busy]).Draw(t, "split")
		c.Units[Busy] -= moved
		c.Units[Free] += moved
	}
	healthy := c.Devices[Busy] + c.Devices[Free]
	c.SM = rapid.Int64Range(0, healthy).Draw(t, "sm")
	c.Utilisation = rapid.Int64Range(0, healthy-c.SM).Draw(t, "utilisation")
	c.KnownUnits = (c.SM + c.Utilisation) * p.units()
	c.ActiveUnits = rapid.Int64Range(0, c.KnownUnits*1000).Draw(t, "active")
	c.PowerMW = rapid.Int64Range(0, 1e12).Draw(t, "power")
	return c
}

var allDimensions = []Dimension{ByCentre, ByCluster, ByKind, ByVendor, ByModel, ByClassOf, ByDomestic}

func TestPartsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSnapshot(t)
		q := Query{
			By:        rapid.SliceOfDistinct(rapid.SampledFrom(allDimensions), rapid.ID[Dimension]).Draw(t, "by"),
			Precision: rapid.SampledFrom(append(catalog.Precisions(), ByClass, "")).Draw(t, "precision"),
			Kind:      rapid.SampledFrom([]string{"", KindAll, KindCPU, KindAccelerator}).Draw(t, "kind"),
		}
		doc, err := s.Document(q)
		if err != nil {
			t.Fatal(err)
		}
		identities(t, &doc.Total)
		if len(q.By) == 0 {
			if len(doc.Groups) != 0 {
				t.Fatalf("%d groups, want none", len(doc.Groups))
			}
			return
		}
		var d Devices
		var e Eflops
		var o Origin
		for i := range doc.Groups {
			g := &doc.Groups[i]
			identities(t, &g.Figure)
			if g.Hosts.Rated > doc.Total.Hosts.Rated {
				t.Fatalf("a group has %d hosts, the total %d", g.Hosts.Rated, doc.Total.Hosts.Rated)
			}
			d.Rated, d.Online, d.Healthy, d.Busy, d.Free = d.Rated+g.Devices.Rated, d.Online+g.Devices.Online, d.Healthy+g.Devices.Healthy, d.Busy+g.Devices.Busy, d.Free+g.Devices.Free
			d.Drained, d.Faulty, d.Stale, d.Unpriced = d.Drained+g.Devices.Drained, d.Faulty+g.Devices.Faulty, d.Stale+g.Devices.Stale, d.Unpriced+g.Devices.Unpriced
			e.Rated, e.Online, e.Healthy, e.Busy, e.Free = e.Rated+g.Eflops.Rated, e.Online+g.Eflops.Online, e.Healthy+g.Eflops.Healthy, e.Busy+g.Eflops.Busy, e.Free+g.Eflops.Free
			o.Devices.Domestic, o.Devices.Foreign, o.Devices.Unknown = o.Devices.Domestic+g.Origin.Devices.Domestic, o.Devices.Foreign+g.Origin.Devices.Foreign, o.Devices.Unknown+g.Origin.Devices.Unknown
			o.Eflops.Domestic, o.Eflops.Foreign, o.Eflops.Unknown = o.Eflops.Domestic+g.Origin.Eflops.Domestic, o.Eflops.Foreign+g.Origin.Eflops.Foreign, o.Eflops.Unknown+g.Origin.Eflops.Unknown
			e.Drained, e.Faulty, e.Stale = e.Drained+g.Eflops.Drained, e.Faulty+g.Eflops.Faulty, e.Stale+g.Eflops.Stale
		}
		if d != doc.Total.Devices || e != doc.Total.Eflops || o != doc.Total.Origin {
			t.Fatalf("groups add up to %+v, %+v and %+v, the total is %+v", d, e, o, doc.Total)
		}
		if !slices.IsSortedFunc(doc.Groups, func(a, b Group) int { return strings.Compare(groupKey(&a, q.By), groupKey(&b, q.By)) }) {
			t.Fatal("groups are not sorted")
		}
	})
}

func groupKey(g *Group, by []Dimension) string {
	parts := map[Dimension]string{ByCentre: g.Centre, ByCluster: g.Cluster, ByKind: g.Kind, ByVendor: g.Vendor, ByModel: g.Model, ByClassOf: g.Class, ByDomestic: g.Domestic}
	var b strings.Builder
	for _, d := range by {
		b.WriteString(parts[d] + "\x00")
	}
	return b.String()
}

func identities(t *rapid.T, f *Figure) {
	t.Helper()
	d, e := f.Devices, f.Eflops
	if d.Rated != d.Online+d.Stale || d.Online != d.Healthy+d.Drained+d.Faulty || d.Healthy != d.Busy+d.Free {
		t.Fatalf("devices do not add up: %+v", d)
	}
	if e.Rated != e.Online+e.Stale || e.Online != e.Healthy+e.Drained+e.Faulty || e.Healthy != e.Busy+e.Free {
		t.Fatalf("eflops do not add up: %+v", e)
	}
	if o := f.Origin; d.Rated != o.Devices.Domestic+o.Devices.Foreign+o.Devices.Unknown || e.Rated != o.Eflops.Domestic+o.Eflops.Foreign+o.Eflops.Unknown {
		t.Fatalf("the parts by origin do not add up: %+v of %+v and %+v", o, d, e)
	}
	if d.Healthy != f.Activity.SM+f.Activity.Utilisation+f.Activity.Unknown || f.Activity.Unknown < 0 {
		t.Fatalf("activity does not add up: %+v of %d", f.Activity, d.Healthy)
	}
	if d.Unpriced > d.Rated || min(e.Busy, e.Free, e.Drained, e.Faulty, e.Stale) < 0 {
		t.Fatalf("a figure is out of its range: %+v %+v", d, e)
	}
	if u := f.Utilisation; u != nil && (*u < 0 || *u > 1) {
		t.Fatalf("utilisation is %v", *u)
	}
	if a := f.Age; a != nil && (a.P50 > a.P99 || a.P99 > a.Max) {
		t.Fatalf("ages are out of order: %+v", a)
	}
}

// TestSplittingDoesNotMoveRated: a card is worth the card, however its slices are split between busy and free.
func TestSplittingDoesNotMoveRated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		peak, devices := rapid.Int64Range(1, 1e11).Draw(t, "peak"), rapid.Int64Range(0, 1e6).Draw(t, "devices")
		var c Cell
		c.Units[Busy] = rapid.Int64Range(0, devices*UnitsPerDevice).Draw(t, "busy")
		c.Units[Free] = devices*UnitsPerDevice - c.Units[Busy]
		c.Units[Faulty] = rapid.Int64Range(0, 1e6).Draw(t, "faulty") * UnitsPerDevice
		f := c.leaves(peak, UnitsPerDevice)
		if got, want := f[Busy]+f[Free], Flops(devices*peak); got != want {
			t.Fatalf("busy + free = %d, want %d", got, want)
		}
		if got, want := f[Faulty], Flops(c.Units[Faulty]/UnitsPerDevice*peak); got != want {
			t.Fatalf("faulty = %d, want %d", got, want)
		}
		exact := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(c.Units[Busy]), big.NewInt(peak)), big.NewInt(UnitsPerDevice))
		off := exact.Sub(exact, new(big.Rat).SetInt64(int64(f[Busy])))
		if off.Abs(off).Cmp(big.NewRat(1, 2)) > 0 {
			t.Fatalf("busy is off by %s Mflop/s", off)
		}
	})
}

func TestPriceAtTheEdge(t *testing.T) {
	const most = 1<<63 - 1
	for _, tc := range []struct {
		n, peak, units int64
		want           Flops
	}{
		{0, 5, 1, 0}, {5, 0, 1, 0}, {1, 1, 2, 1}, {1, 1, 3, 0}, {2, 1, 3, 1}, {most, most, 1, most}, {most, most, UnitsPerDevice, most}, {most, 1, 1, most},
	} {
		if got := price(tc.n, tc.peak, tc.units); got != tc.want {
			t.Errorf("price(%d, %d, %d) = %d, want %d", tc.n, tc.peak, tc.units, got, tc.want)
		}
	}
}

// TestMIG: a seven-slice card with three slices at work is 3/7 busy and 4/7 free, to the last unit.
func TestMIG(t *testing.T) {
	if UnitsPerDevice%7 != 0 {
		t.Fatal("seven slices do not divide a device")
	}
	p := Pool{Centre: "a", Kind: telemetry.Accelerator, Class: Intelligent, Basis: catalog.FP16, Peaks: catalog.Peaks{}.With(catalog.FP16, 312_000_000)}
	var c Cell
	c.Devices[Busy] = 1
	c.Units[Busy], c.Units[Free] = UnitsPerDevice*3/7, UnitsPerDevice*4/7
	s := &Snapshot{Pools: []PoolCell{{p, c}}}
	doc, err := s.Document(Query{})
	if err != nil {
		t.Fatal(err)
	}
	if doc.Total.Devices.Busy != 1 || doc.Total.Devices.Free != 0 {
		t.Errorf("devices = %+v, want one busy card", doc.Total.Devices)
	}
	if e := doc.Total.Eflops; e.Busy != 133_714_286 || e.Free != 178_285_714 || e.Rated != 312_000_000 {
		t.Errorf("eflops = %+v", e)
	}
}

// TestUtilisationMixesUnits: cores and accelerators are weighed by what they can do.
func TestUtilisationMixesUnits(t *testing.T) {
	gpu := Pool{Kind: telemetry.Accelerator, Class: Intelligent, Basis: catalog.FP16, Peaks: catalog.Peaks{}.With(catalog.FP16, 900)}
	cpu := Pool{Kind: telemetry.CPU, Class: General, Basis: catalog.FP32, Peaks: catalog.Peaks{}.With(catalog.FP32, 10)}
	var g, c Cell
	g.Devices[Busy], g.Units[Busy], g.SM, g.KnownUnits, g.ActiveUnits = 1, UnitsPerDevice, 1, UnitsPerDevice, UnitsPerDevice*500
	c.Devices[Free], c.Units[Free], c.Utilisation, c.KnownUnits, c.ActiveUnits = 1, 10, 1, 10, 10*100
	s := &Snapshot{Pools: []PoolCell{{gpu, g}, {cpu, c}}}
	doc, err := s.Document(Query{Kind: KindAll})
	if err != nil {
		t.Fatal(err)
	}
	if u := doc.Total.Utilisation; u == nil || *u != 0.46 { // (900×0.5 + 100×0.1) ÷ 1000
		t.Errorf("utilisation = %v, want 0.46", *u)
	}
	if a := doc.Total.Activity; a != (Activity{SM: 1, Utilisation: 1}) {
		t.Errorf("activity = %+v", a)
	}
}

// TestHostsCountOnce: a host with two pools counts once in the total and in a group that holds both.
func TestHostsCountOnce(t *testing.T) {
	s := &Snapshot{
		StaleAfter: 30 * time.Second,
		Pools: []PoolCell{
			{Pool: Pool{Centre: "a", Kind: telemetry.Accelerator, Model: "m"}},
			{Pool: Pool{Centre: "a", Kind: telemetry.Accelerator, Model: "n"}},
			{Pool: Pool{Centre: "a", Kind: telemetry.CPU, Model: "c"}},
		},
		Shapes: []Shape{{Pools: []int{0, 1, 2}, Rated: 3, Online: 2}, {Pools: []int{0}, Rated: 5, Online: 5}, {Pools: []int{2}, Rated: 7}},
	}
	s.Shapes[0].Ages.Observe(1000, 30_000)
	s.Shapes[0].Ages.Observe(29_000, 30_000)
	hosts := func(q Query) []Hosts {
		doc, err := s.Document(q)
		if err != nil {
			t.Fatal(err)
		}
		out := []Hosts{doc.Total.Hosts}
		for _, g := range doc.Groups {
			out = append(out, g.Hosts)
		}
		return out
	}
	for _, tc := range []struct {
		q    Query
		want []Hosts
	}{
		{Query{By: []Dimension{ByModel}}, []Hosts{{8, 7}, {8, 7}, {3, 2}}},
		{Query{By: []Dimension{ByCentre}, Kind: KindAll}, []Hosts{{15, 7}, {15, 7}}},
		{Query{By: []Dimension{ByKind}, Kind: KindAll}, []Hosts{{15, 7}, {8, 7}, {10, 2}}},
		{Query{Kind: KindCPU}, []Hosts{{10, 2}}},
		{Query{Model: []string{"n"}}, []Hosts{{3, 2}}},
	} {
		if got := hosts(tc.q); !slices.Equal(got, tc.want) {
			t.Errorf("%+v: hosts %v, want %v", tc.q, got, tc.want)
		}
	}
	doc, err := s.Document(Query{Model: []string{"n"}})
	if err != nil {
		t.Fatal(err)
	}
	if a := doc.Total.Age; a == nil || a.Max != 29 || a.P99 != 29 || a.P50 < 1 || a.P50 > 1.2 {
		t.Errorf("age = %+v", a)
	}
}

// TestDomestic: what is domestic, what is not and what nobody knows are three things, in groups, filters and parts.
func TestDomestic(t *testing.T) {
	pool := func(model string, domestic telemetry.Opt[bool], peak int64, devices int64) PoolCell {
		p := PoolCell{Pool: Pool{Centre: "a", Kind: telemetry.Accelerator, Model: model, Class: Intelligent, Basis: catalog.FP16, Domestic: domestic}}
		if peak > 0 {
			p.Pool.Peaks = p.Pool.Peaks.With(catalog.FP16, peak)
		}
		p.Cell.Devices[Free], p.Cell.Units[Free] = devices, devices*UnitsPerDevice
		return p
	}
	s := &Snapshot{Pools: []PoolCell{
		pool("huawei", telemetry.Known(true), 376, 8), pool("unpriced", telemetry.Known(true), 0, 2),
		pool("nvidia", telemetry.Known(false), 990, 4), pool("newcomer", telemetry.Opt[bool]{}, 0, 3),
	}}
	doc, err := s.Document(Query{By: []Dimension{ByDomestic}})
	if err != nil {
		t.Fatal(err)
	}
	want := Origin{OriginDevices{10, 4, 3}, OriginEflops{8 * 376, 4 * 990, 0}}
	if doc.Total.Origin != want {
		t.Errorf("origin = %+v, want %+v", doc.Total.Origin, want)
	}
	var got []string
	for _, g := range doc.Groups {
		got = append(got, fmt.Sprintf("%s %d %d %d", g.Domestic, g.Devices.Rated, g.Devices.Unpriced, g.Eflops.Rated))
	}
	if want := []string{"no 4 0 3960", "unknown 3 3 0", "yes 10 2 3008"}; !slices.Equal(got, want) {
		t.Errorf("groups %q, want %q", got, want)
	}
	for filter, want := range map[string]int64{DomesticYes: 10, DomesticNo: 4, DomesticUnknown: 3} {
		doc, err := s.Document(Query{Domestic: []string{filter}})
		if err != nil || doc.Total.Devices.Rated != want {
			t.Errorf("domestic=%s: %d devices, want %d; %v", filter, doc.Total.Devices.Rated, want, err)
		}
	}
}

func TestUnpriced(t *testing.T) {
	p := Pool{Kind: telemetry.Accelerator, Class: Intelligent, Basis: catalog.FP16, Peaks: catalog.Peaks{}.With(catalog.FP16, 100)}
	var c Cell
	c.Devices[Free], c.Units[Free] = 4, 4*UnitsPerDevice
	s := &Snapshot{Pools: []PoolCell{{p, c}}}
	for precision, want := range map[Precision]Devices{
		ByClass:      {Rated: 4, Online: 4, Healthy: 4, Free: 4},
		catalog.INT8: {Rated: 4, Online: 4, Healthy: 4, Free: 4, Unpriced: 4},
	} {
		doc, err := s.Document(Query{Precision: precision})
		if err != nil {
			t.Fatal(err)
		}
		if doc.Total.Devices != want {
			t.Errorf("%s: %+v, want %+v", precision, doc.Total.Devices, want)
		}
	}
}

func TestQueryRefuses(t *testing.T) {
	for _, q := range []Query{{By: []Dimension{"colour"}}, {Precision: "fp12"}, {Kind: "gpu"}} {
		if _, err := (&Snapshot{}).Document(q); err == nil {
			t.Errorf("%+v is answered", q)
		}
	}
	by, err := ParseDimensions([]string{"pool", "vendor", "centre"})
	if err != nil || !slices.Equal(by, []Dimension{ByCentre, ByCluster, ByKind, ByModel, ByVendor}) {
		t.Errorf("ParseDimensions = %v, %v", by, err)
	}
}

// TestEmptyDocument has lists where there is nothing in them, and nulls where nothing is known.
func TestEmptyDocument(t *testing.T) {
	doc, err := (&Snapshot{Catalogue: "c"}).Document(Query{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"by":[]`, `"groups":[]`, `"utilisation":null`, `"coverage":null`, `"age_s":null`, `"precision":"class"`, `"kind":"accelerator"`, `"rated":0`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s lacks %s", b, want)
		}
	}
}

// TestEflopsText: what is printed is the exact value, at its shortest, and is read back.
func TestEflopsText(t *testing.T) {
	for f, want := range map[Flops]string{
		0: "0", 1: "0.000000000001", -1: "-0.000000000001", Eflop: "1", 10 * Eflop: "10", Eflop / 10: "0.1", 1_500_000_000_001: "1.500000000001",
		1<<63 - 1: "9223372.036854775807", -1 << 63: "-9223372.036854775808", 123_000_000_000: "0.123",
	} {
		if got := f.Eflops(); got != want {
			t.Errorf("%d is printed as %s, want %s", int64(f), got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		f := Flops(rapid.Int64().Draw(t, "flops"))
		s := f.Eflops()
		if got, err := ParseEflops(s); err != nil || got != f {
			t.Fatalf("%d is printed as %s and read as %d, %v", int64(f), s, int64(got), err)
		}
		if strings.Contains(s, ".") && (strings.HasSuffix(s, "0") || strings.HasSuffix(s, ".")) {
			t.Fatalf("%d is printed as %s", int64(f), s)
		}
	})
}
