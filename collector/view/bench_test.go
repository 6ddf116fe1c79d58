package view

import (
	"fmt"
	"testing"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/partial"
	"github.com/exameter/exameter/telemetry"
)

// BenchmarkProvince folds the sums of a part into a view of 144 parts with 12 pools each, and sums it up.
func BenchmarkProvince(b *testing.B) {
	values := map[string][]byte{}
	var keys []string
	for centre := range 12 {
		for number := range 12 {
			s := &capacity.Snapshot{AsOf: start, Catalogue: "1", StaleAfter: staleMS * time.Millisecond}
			for model := range 12 {
				p := capacity.Pool{Centre: fmt.Sprint("centre-", centre), Cluster: "default", Kind: telemetry.Accelerator, Vendor: "v", Model: fmt.Sprint("model-", model), Class: capacity.Intelligent, Basis: catalog.FP16}
				p.Peaks = p.Peaks.With(catalog.FP16, 1000)
				s.Pools = append(s.Pools, capacity.PoolCell{Pool: p, Cell: capacity.Cell{Devices: [5]int64{100, 50}, Units: [5]int64{100 * capacity.UnitsPerDevice, 50 * capacity.UnitsPerDevice}}})
				s.Shapes = append(s.Shapes, capacity.Shape{Pools: []int{model}, Rated: 20, Online: 20})
			}
			s.Sort()
			p := partial.Partial{Instance: "one", Generation: 1}
			p.Fill(s)
			p.Sequence = 1
			v, err := p.Encode()
			if err != nil {
				b.Fatal(err)
			}
			key := partial.Key(fmt.Sprint("centre-", centre), number)
			keys, values[key] = append(keys, key), v
		}
	}
	v := New()
	offset := int64(0)
	at := start
	// Each round is of a later time, so that records of one sequence number are not fenced.
	apply := func(key string) {
		at = at.Add(time.Minute)
		if outcome, err := v.Apply([]byte(key), values[key], offset, at); outcome != Folded {
			b.Fatal(outcome, err)
		}
		offset++
	}
	for range 3 {
		for _, key := range keys {
			apply(key)
		}
	}
	b.Run("apply", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			apply(keys[i%len(keys)])
		}
	})
	b.Run("snapshot", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v.Snapshot(nil)
		}
	})
	s := v.Snapshot(nil)
	b.Run("delta", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c, err := s.Changes(capacity.Query{By: []capacity.Dimension{capacity.ByCentre, capacity.ByModel}})
			if err != nil {
				b.Fatal(err)
			}
			if c.Delta(s.Revision, nil) == nil {
				b.Fatal("no delta")
			}
		}
	})
}
