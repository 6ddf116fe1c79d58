package capacity

import (
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/catalog"
)

// TestExplanationAddsUp follows random figures down: the total is that of the document, centres add up to it, pools to their centre, and
// each pool's Eflops are its units times its peak, worked out again in fractions.
func TestExplanationAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSnapshot(t)
		q := Query{
			Kind:      rapid.SampledFrom([]string{KindAll, KindCPU, KindAccelerator}).Draw(t, "kind"),
			Precision: rapid.SampledFrom(append(catalog.Precisions(), ByClass)).Draw(t, "precision"),
		}
		if rapid.Bool().Draw(t, "filtered") {
			q.Centre, q.Model = []string{"a", "c"}, []string{"m", "m n"}
		}
		doc, err := s.Document(q)
		if err != nil {
			t.Fatal(err)
		}
		e, err := s.Explain(q, catalog.Default())
		if err != nil {
			t.Fatal(err)
		}
		if e.Total != (Counted{doc.Total.Devices, doc.Total.Eflops}) {
			t.Fatalf("total %+v, the document has %+v", e.Total, doc.Total)
		}
		var centres []Counted
		for i := range e.Centres {
			c := &e.Centres[i]
			var pools []Counted
			for j := range c.Pools {
				pools = append(pools, c.Pools[j].Counted)
				multiplied(t, &c.Pools[j])
			}
			if got := added(pools); got != c.Counted {
				t.Fatalf("pools of %s add up to %+v, the centre has %+v", c.Centre, got, c.Counted)
			}
			centres = append(centres, c.Counted)
		}
		if got := added(centres); got != e.Total {
			t.Fatalf("centres add up to %+v, the total is %+v", got, e.Total)
		}
		var founded Founded
		for _, f := range e.Founded {
			founded.Devices += f.Devices
			founded.Eflops += f.Eflops
		}
		if founded.Devices != e.Total.Devices.Rated || founded.Eflops != e.Total.Eflops.Rated || e.Founded[5].Devices != e.Total.Devices.Unpriced {
			t.Fatalf("%+v do not add up to what is rated: %+v", e.Founded, e.Total)
		}
		if *e.NotCounted[0].Devices != e.Total.Devices.Unpriced || *e.NotCounted[1].Devices != e.Total.Devices.Stale {
			t.Fatalf("not counted: %+v", e.NotCounted[:2])
		}
	})
}

// added adds up everything that is counted.
func added(all []Counted) (sum Counted) {
	for _, c := range all {
		d, f := &sum.Devices, &sum.Eflops
		for _, n := range []struct{ to, n *int64 }{
			{&d.Rated, &c.Devices.Rated},
			{&d.Online, &c.Devices.Online},
			{&d.Healthy, &c.Devices.Healthy},
			{&d.Busy, &c.Devices.Busy},
			{&d.Free, &c.Devices.Free},
			{&d.Drained, &c.Devices.Drained},
			{&d.Faulty, &c.Devices.Faulty},
			{&d.Stale, &c.Devices.Stale},
			{&d.Unpriced, &c.Devices.Unpriced},
		} {
			*n.to += *n.n
		}
		for _, n := range []struct{ to, n *Flops }{
			{&f.Rated, &c.Eflops.Rated},
			{&f.Online, &c.Eflops.Online},
			{&f.Healthy, &c.Eflops.Healthy},
			{&f.Busy, &c.Eflops.Busy},
			{&f.Free, &c.Eflops.Free},
			{&f.Drained, &c.Eflops.Drained},
			{&f.Faulty, &c.Eflops.Faulty},
			{&f.Stale, &c.Eflops.Stale},
		} {
			*n.to += *n.n
		}
	}
	return sum
}

// multiplied fails unless a pool's Eflops are its units times its peak.
func multiplied(t *rapid.T, p *ExplainedPool) {
	t.Helper()
	u := &p.Units
	if u.Rated != u.Busy+u.Free+u.Drained+u.Faulty+u.Stale {
		t.Fatalf("units %+v do not add up", u)
	}
	per := int64(1)
	if p.Kind != KindCPU {
		if per = u.PerDevice; u.Rated != p.Devices.Rated*per {
			t.Fatalf("%d devices are %d units", p.Devices.Rated, u.Rated)
		}
	}
	if p.Peak == nil {
		if p.Eflops != (Eflops{}) || p.Devices.Unpriced != p.Devices.Rated || !strings.HasSuffix(p.Equation, "= unpriced") {
			t.Fatalf("unpriced, and worth %+v: %s", p.Eflops, p.Equation)
		}
		return
	}
	worth := func(units int64) *big.Rat {
		r := new(big.Rat).SetInt(new(big.Int).Mul(big.NewInt(units), big.NewInt(p.Peak.Mflops)))
		return r.Quo(r, new(big.Rat).SetInt64(per))
	}
	if worth(u.Rated).Cmp(new(big.Rat).SetInt64(int64(p.Eflops.Rated))) != 0 {
		t.Fatalf("%d units × %d ÷ %d are not %d", u.Rated, p.Peak.Mflops, per, p.Eflops.Rated)
	}
	for _, state := range []struct {
		units int64
		f     Flops
	}{{u.Busy, p.Eflops.Busy}, {u.Free, p.Eflops.Free}, {u.Drained, p.Eflops.Drained}, {u.Faulty, p.Eflops.Faulty}, {u.Stale, p.Eflops.Stale}} {
		off := new(big.Rat).Sub(worth(state.units), new(big.Rat).SetInt64(int64(state.f)))
		if off.Abs(off).Cmp(big.NewRat(1, 1)) > 0 {
			t.Fatalf("%d units × %d ÷ %d are not %d", state.units, p.Peak.Mflops, per, state.f)
		}
	}
	// The equation is what people check by hand.
	f := strings.Fields(p.Equation) // 16 devices × 989.5 Tflop/s = 0.015832 Eflops
	n, ok := new(big.Rat).SetString(f[0])
	peak, ok2 := new(big.Rat).SetString(f[3])
	if !ok || !ok2 || f[6] != p.Eflops.Rated.Eflops() {
		t.Fatal(p.Equation)
	}
	right, _ := ParseEflops(f[6])
	if n.Mul(n, peak).Mul(n, big.NewRat(1e6, 1)).Cmp(new(big.Rat).SetInt64(int64(right))) != 0 {
		t.Fatalf("%s is wrong", p.Equation)
	}
}

// TestExplanationIsBounded leaves pools out of the list where there are more than anybody reads, and out of no sum.
func TestExplanationIsBounded(t *testing.T) {
	s := &Snapshot{}
	for i := range MaxExplained + 5 {
		s.Pools = append(s.Pools, PoolCell{Pool: Pool{Centre: "a", Kind: "accelerator", Model: "m" + strconv.Itoa(i)}, Cell: Cell{Devices: [5]int64{1}, Units: [5]int64{UnitsPerDevice}}})
	}
	s.Sort()
	e, err := s.Explain(Query{}, nil)
	if err != nil || len(e.Centres[0].Pools) != MaxExplained || e.PoolsLeft != 5 || e.Centres[0].Devices.Busy != MaxExplained+5 {
		t.Errorf("%d pools, %d left out, %v", len(e.Centres[0].Pools), e.PoolsLeft, err)
	}
	if u := e.NotCounted[0]; *u.Devices != MaxExplained+5 || len(u.Models) != maxModels {
		t.Errorf("%d devices unpriced, %d models named", *u.Devices, len(u.Models))
	}
}

// TestExplanationEntries looks peaks' sources up, and says so where the catalogue is not the one that the answer was priced by.
func TestExplanationEntries(t *testing.T) {
	cat := catalog.Default()
	s := &Snapshot{Catalogue: cat.Version(), Pools: []PoolCell{
		{Pool: Pool{Centre: "a", Kind: "accelerator", Model: "nvidia-h200-sxm", Entry: "nvidia-h200-sxm"}},
		{Pool: Pool{Centre: "a", Kind: "accelerator", Model: "gone", Entry: "gone"}},
		{Pool: Pool{Centre: "a", Kind: "accelerator", Model: "unknown"}},
		{Pool: Pool{Centre: "a", Kind: "cpu", Model: "intel-xeon", Entry: cat.CPUs()[0].ID}},
		{Pool: Pool{Centre: "a", Kind: "cpu", Model: "some", Entry: "gone"}},
	}}
	for range 2 {
		e, err := s.Explain(Query{Kind: KindAll}, cat)
		if err != nil {
			t.Fatal(err)
		}
		differs := s.Catalogue != cat.Version()
		pools := e.Centres[0].Pools
		if c := pools[0].Catalogue; c.Name != "NVIDIA H200 SXM" || c.Confidence != "datasheet" || c.Source == "" || c.Version != cat.Version() || c.Differs != differs || c.Missing {
			t.Errorf("%+v", c)
		}
		if c := pools[1].Catalogue; !c.Missing || c.Differs != differs || c.Source != "" {
			t.Errorf("%+v", c)
		}
		if pools[2].Catalogue != nil {
			t.Errorf("%+v", pools[2].Catalogue)
		}
		if c := pools[3].Catalogue; c.Name != cat.CPUs()[0].Name || c.Source == "" || c.Missing {
			t.Errorf("%+v", c)
		}
		if c := pools[4].Catalogue; !c.Missing {
			t.Errorf("%+v", c)
		}
		s.Catalogue = "2026.10, " + cat.Version() // while collectors read a new one
	}
}
