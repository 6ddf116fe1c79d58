package partial

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/fleet"
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
		Peaks: catalog.Peaks{}.With(catalog.FP16, 989_500_000).With(catalog.FP64, 0), Domestic: telemetry.Known(false), Memory: telemetry.Known(telemetry.Bytes(141 << 30)),
		Entry: "row", Identifier: "CN-52-001/hpc", CentreIdentifier: "编号 1",
	}
	cpu := capacity.Pool{Centre: "guian", Cluster: "hpc", Kind: telemetry.CPU, Vendor: "hygon", Model: "=1,\"2\"", Class: capacity.Super, Basis: catalog.FP64, Domestic: telemetry.Known(true)}
	unknown := capacity.Pool{Centre: "guian", Cluster: "hpc", Kind: telemetry.CPU, Vendor: "?", Class: capacity.General, Basis: catalog.FP32}
	s := &capacity.Snapshot{
		AsOf: time.UnixMilli(1_795_420_800_123), Catalogue: "2026.11+override", Registry: "1f2e3d4c", Rule: capacity.Rule, StaleAfter: 30 * time.Second,
		Pools:  []capacity.PoolCell{{Pool: pool, Cell: cell}, {Pool: cpu, Cell: capacity.Cell{Devices: [5]int64{0, 0, 0, 0, 1}}}, {Pool: unknown}},
		Shapes: []capacity.Shape{{Pools: []int{0, 1}, Rated: 7, Online: 3}, {Pools: []int{1}, Rated: 1}},
	}
	s.Contenders = []capacity.Contender{{Host: "h", Online: true, AgeMS: 12, InventoryMS: 13, Devices: []capacity.Contest{
		{Pool: 0, Leaf: capacity.Leaf{State: capacity.Busy, Units: 10080, Busy: 2520, PowerMW: -1, Activity: 970, SM: true}, Claim: fleet.ClaimOf(false, "GPU-1"), ID: "GPU-1", PresentMS: 5},
		{Pool: 1, Leaf: capacity.Leaf{State: capacity.Stale, Units: 64, PowerMW: 1, Activity: -1}, Claim: fleet.ClaimOf(true, "h"), ID: "h", Set: true},
	}}}
	for _, age := range []int64{0, 12, 29_999} {
		s.Shapes[0].Ages.Observe(age, 30_000)
	}
	// A field that pools get later and that is not carried would be lost for everybody.
	for f := range reflect.ValueOf(pool).NumField() {
		if reflect.ValueOf(pool).Field(f).IsZero() {
			t.Errorf("pool.%s is not told from nothing here", reflect.TypeOf(pool).Field(f).Name)
		}
	}
	p := &Partial{Instance: "one:8470", Address: "one:8470", Generation: 7, Sequence: 8, Offsets: Offsets{-1, 41}, Stats: Stats{1, 2, 3, 4, 5, 6}, Seen: 77, Released: Hashes{3, 1 << 63}}
	p.Fill(s)
	if p.Catalogue != s.Catalogue || p.Registry != s.Registry || p.Rule != s.Rule {
		t.Errorf("made by %s, %s, %s", p.Catalogue, p.Registry, p.Rule)
	}
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
	for i, d := range s.Contenders[0].Devices {
		if leaf := got.Contenders[0].Devices[i].LeafOf(); leaf != d.Leaf {
			t.Errorf("leaf %d is %+v, was %+v", i, leaf, d.Leaf)
		}
	}
	for i := range s.Shapes {
		if a := got.Shapes[i].AgesOf(); a != s.Shapes[i].Ages {
			t.Errorf("ages of shape %d are %+v, were %+v", i, a, s.Shapes[i].Ages)
		}
	}
}

// TestDecodeRefuses refuses sums that no collector makes, each beside one that is taken.
func TestDecodeRefuses(t *testing.T) {
	for _, tc := range []struct {
		fields string
		fine   bool
	}{
		{`"pools":[{"peaks":{"fp16":1000000000000}}]`, true},
		{`"pools":[{"peaks":{"fp16":1000000000001}}]`, false},
		{`"pools":[{"peaks":{"fp64":1,"fp16":-1}}]`, false},
		{`"shapes":[{"ages":[[0,1],[3,2147483648]]}]`, true},
		{`"shapes":[{"ages":[[3,2147483648],[3,2147483648]]}]`, false},
		{`"shapes":[{"ages":[[3,1],[2,1]]}]`, false},
	} {
		_, err := Decode([]byte(`{"schema":1,"stale_after_ms":30000,` + tc.fields + `}`))
		if (err == nil) != tc.fine {
			t.Errorf("%s: %v", tc.fields, err)
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
		for i := range p.Contenders {
			for _, d := range p.Contenders[i].Devices {
				if l := d.LeafOf(); l.Units < 0 || l.Busy < 0 || l.Busy > l.Units || l.State > capacity.Stale || d.Leaf[0] >= int64(len(p.Pools)) {
					t.Fatalf("a leaf of %+v", l)
				}
			}
		}
	})
}

// TestClaims writes claims and reads them, and refuses those that are not in order.
func TestClaims(t *testing.T) {
	c := &Claims{Instance: "one", Generation: 3, Sequence: 4, Held: Hashes{0x1000000000000001, 0x1fffffffffffffff}, Asked: Hashes{0x1000000000000002}}
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeClaims(b, 1); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("read %+v, %v; wrote %+v", got, err, c)
	}
	if _, err := DecodeClaims(b, 2); err == nil {
		t.Error("claims of another bucket were taken")
	}
	for _, bad := range []string{
		`{"schema":1,"held":"AAAAAAAAAAI="}`, `{"schema":1,"held":"EAAAAAAAAAIQAAAAAAAAAQ=="}`, `{"schema":1,"held":"EAAAAAAAAA=="}`, `{"schema":2}`, `{`, `{"schema":1,"held":3}`,
	} {
		if got, err := DecodeClaims([]byte(bad), 1); err == nil {
			t.Errorf("%s was read as %+v", bad, got)
		}
	}
}

func TestHashes(t *testing.T) {
	list := rapid.SliceOfDistinct(rapid.Uint64Range(0, 40), rapid.ID[uint64])
	rapid.Check(t, func(t *rapid.T) {
		a, b := Hashes(list.Draw(t, "a")), Hashes(list.Draw(t, "b"))
		slices.Sort(a)
		slices.Sort(b)
		both := a.With(b)
		rest := both.Without(b.Has)
		for v := range uint64(41) {
			if both.Has(v) != (slices.Contains(a, v) || slices.Contains(b, v)) || rest.Has(v) != (slices.Contains(a, v) && !slices.Contains(b, v)) {
				t.Fatalf("%v with %v is %v, without the latter %v", a, b, both, rest)
			}
		}
		if !slices.IsSorted(both) || len(slices.Compact(slices.Clone(both))) != len(both) {
			t.Fatalf("%v is not ascending", both)
		}
	})
}

func TestKey(t *testing.T) {
	for _, want := range []struct {
		key    string
		kind   Kind
		bucket int
	}{
		{Key("guian-north", 12), Sums, 0},
		{OwnerKey("guian-north", 12), Takeover, 0},
		{ClaimsKey("guian-north", 12, 0), Claiming, 0},
		{ClaimsKey("guian-north", 12, 15), Claiming, 15},
	} {
		if centre, n, kind, bucket, ok := ParseKey(want.key); !ok || centre != "guian-north" || n != 12 || kind != want.kind || bucket != want.bucket {
			t.Errorf("%s: %s %d %d %d %t", want.key, centre, n, kind, bucket, ok)
		}
	}
	for _, bad := range []string{"", "guian", "guian/", "guian/-1", "guian/01", "GUIAN/1", "/1", "guian/1/", "guian/1/g", "guian/1/00", "guian/1/owner/"} {
		if _, _, _, _, ok := ParseKey(bad); ok {
			t.Errorf("%q was taken for a key", bad)
		}
	}
}
