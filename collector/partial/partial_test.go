package partial

import (
	"reflect"
	"testing"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// TestRoundTrip writes a snapshot and reads it: nothing that figures are made of may get lost.
func TestRoundTrip(t *testing.T) {
	cell := capacity.Cell{
		Devices: [5]int64{1, 2, 3, 4, 5}, Units: [5]int64{6, 7, 8, 9, 10}, SM: 11, Utilisation: 12, ActiveUnits: 13, KnownUnits: 14, PowerMW: 15, PowerDevices: 16,
	}
	cell.FreeHosts[0], cell.FreeHosts[capacity.MaxFree] = 17, 18
	pool := capacity.Pool{
		Centre: "guian", Cluster: "default", Kind: telemetry.Accelerator, Vendor: "nvidia", Model: "m", Class: capacity.Intelligent, Basis: catalog.FP16,
		Peaks: catalog.Peaks{}.With(catalog.FP16, 989_500_000).With(catalog.FP64, 0),
	}
	cpu := capacity.Pool{Centre: "guian", Cluster: "hpc", Kind: telemetry.CPU, Vendor: "hygon", Model: "=1,\"2\"", Class: capacity.Super, Basis: catalog.FP64}
	s := &capacity.Snapshot{
		AsOf: time.UnixMilli(1_795_420_800_123), Catalogue: "2026.11+override", StaleAfter: 30 * time.Second,
		Pools:  []capacity.PoolCell{{Pool: pool, Cell: cell}, {Pool: cpu, Cell: capacity.Cell{Devices: [5]int64{0, 0, 0, 0, 1}}}},
		Shapes: []capacity.Shape{{Pools: []int{0, 1}, Rated: 7, Online: 3}, {Pools: []int{1}, Rated: 1}},
	}
	for _, age := range []int64{0, 12, 29_999} {
		s.Shapes[0].Ages.Observe(age, 30_000)
	}
	p := &Partial{Instance: "one:8470", Address: "one:8470", Generation: 7, Sequence: 8, Offsets: Offsets{-1, 41}, Stats: Stats{1, 2, 3, 4, 5}}
	p.Fill(s)
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, p) {
		t.Errorf("read\n%+v, wrote\n%+v", got, p)
	}
	for i := range s.Pools {
		if pc := got.Pool("guian", i); pc != s.Pools[i] {
			t.Errorf("pool %d is %+v, was %+v", i, pc, s.Pools[i])
		}
	}
	for i := range s.Shapes {
		if a := got.Shapes[i].AgesOf(); a != s.Shapes[i].Ages {
			t.Errorf("ages of shape %d are %+v, were %+v", i, a, s.Shapes[i].Ages)
		}
	}
}

// FuzzDecode holds what is decoded to what Decode promises.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"schema":1,"stale_after_ms":30000,"pools":[{"devices":[1,0,0,0,0]}],"shapes":[{"pools":[0],"rated":1,"ages":[[3,1]]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		for i := range p.Pools {
			c := p.Pool("x", i).Cell
			for _, n := range append(c.Devices[:], c.FreeHosts[:]...) {
				if n < 0 {
					t.Fatalf("a count of %d", n)
				}
			}
		}
		for i := range p.Shapes {
			p.Shapes[i].AgesOf()
		}
	})
}

func TestKey(t *testing.T) {
	if centre, n, ok := ParseKey(Key("guian-north", 12)); !ok || centre != "guian-north" || n != 12 {
		t.Errorf("%s %d %t", centre, n, ok)
	}
}
