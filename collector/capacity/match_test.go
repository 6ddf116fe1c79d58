package capacity_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
)

// drawRequest draws a request that is not refused.
func drawRequest(t *rapid.T) capacity.Request {
	some := func(label string, values ...string) []string {
		if rapid.IntRange(0, 3).Draw(t, label+" given") > 0 {
			return nil
		}
		return rapid.SliceOfNDistinct(rapid.SampledFrom(values), 1, 2, rapid.ID[string]).Draw(t, label)
	}
	for {
		r := capacity.Request{
			Kind:      rapid.SampledFrom([]string{capacity.KindAccelerator, capacity.KindAccelerator, capacity.KindCPU}).Draw(t, "kind"),
			Precision: rapid.SampledFrom([]capacity.Precision{"", capacity.ByClass, catalog.FP16, catalog.FP64}).Draw(t, "precision"),
			PerHost:   rapid.SampledFrom([]int64{0, 1, 2, 3, 4, 8, 8, 16, 17, 32}).Draw(t, "per host"),
			Order:     rapid.SampledFrom([]capacity.Order{"", capacity.Pack, capacity.Spread}).Draw(t, "order"),
			Model:     some("model", "big", "small", "foreign"), Domestic: some("domestic", "yes", "no", "unknown"), Vendor: some("vendor", "v1", "v2", "p"),
			Centre: some("centre", "a", "b", "c"), Cluster: some("cluster", "default", "train"),
			PreferCentre: some("prefer centre", "a", "b", "c"), PreferCluster: some("prefer cluster", "default", "train"),
			ExcludeCentre: some("exclude centre", "a", "b", "c"), ExcludeCluster: some("exclude cluster", "default", "train"),
			Limit: capacity.MaxLimit,
		}
		switch rapid.IntRange(0, 3).Draw(t, "asks for") {
		case 0:
			r.Hosts = rapid.Int64Range(1, 8).Draw(t, "hosts")
		case 1:
			r.Eflops = capacity.Flops(rapid.Int64Range(1, 20_000_000_000).Draw(t, "eflops"))
		case 2:
			r.Eflops = capacity.Flops(rapid.Int64Range(1, 20_000_000_000).Draw(t, "eflops"))
			fallthrough
		default:
			r.Count = rapid.Int64Range(1, 12).Draw(t, "count") * max(r.PerHost, 1)
		}
		if rapid.IntRange(0, 3).Draw(t, "memory given") == 0 {
			r.Memory = capacity.GiB(rapid.SampledFrom([]int64{32 << 30, 64<<30 - 1, 64 << 30, 64<<30 + 1, 200 << 30}).Draw(t, "memory"))
		}
		if rapid.IntRange(0, 3).Draw(t, "age given") == 0 {
			r.MaxAgeS = rapid.SampledFrom([]float64{3, 9.998, 9.999, 12.345, 30}).Draw(t, "max age")
		}
		if _, err := (&capacity.Snapshot{}).List().Match(r); err == nil {
			return r
		}
	}
}

// TestMatchIsExact holds match against a search over all servers, in some thousands of random provinces.
func TestMatchIsExact(t *testing.T) {
	for _, most := range []int{16, 40} {
		t.Run(fmt.Sprintf("hosts of up to %d cards", most), func(t *testing.T) {
			for range 20 {
				rapid.Check(t, func(t *rapid.T) {
					servers := drawProvince(t, most)
					list := snapshotOf(t, servers).List()
					for range 4 {
						r := drawRequest(t)
						got, err := list.Match(r)
						if err != nil {
							t.Fatal(err)
						}
						compareWith(t, got, search(servers, r), most <= capacity.MaxFree)
					}
				})
			}
		})
	}
}

// compareWith holds an answer against what a search found. Numbers that are said to be exact are, the others lie between their
// bounds, and where all are exact the whole answer is what was found.
func compareWith(t *rapid.T, got *capacity.Match, want []*lot, small bool) {
	r := &got.Request
	byName := map[string]*lot{}
	for _, l := range want {
		byName[l.pool.Centre+"/"+l.pool.Cluster+"/"+l.pool.Model] = l
	}
	if len(got.Pools) != len(want) || got.Candidates != len(want) {
		t.Fatalf("%d of %d pools, want %d", len(got.Pools), got.Candidates, len(want))
	}
	exact, fitting := true, 0
	for i := range got.Pools {
		m := &got.Pools[i]
		l := byName[m.Centre+"/"+m.Cluster+"/"+m.Model]
		if l == nil {
			t.Fatalf("%+v was not found", m)
		}
		compareLine(t, r, m, l, small)
		known := m.GangsAtMost == nil && m.HostsFreeAtMost == nil
		if !known && (r.Unit == capacity.UnitHost || r.PerHost == 1 || r.Unit == capacity.UnitDevice && small) {
			t.Fatalf("%+v is not exact", m)
		}
		exact = exact && known
		if m.Fits {
			fitting++
		}
	}
	if got.Fitting != fitting || got.Fits != (fitting > 0) || (got.Short == "") != got.Fits {
		t.Fatalf("fits %t, %d fitting, short %q: want %d fitting", got.Fits, got.Fitting, got.Short, fitting)
	}
	if !exact {
		return
	}
	for i, l := range want {
		if m := &got.Pools[i]; m.Centre != l.pool.Centre || m.Cluster != l.pool.Cluster || m.Model != l.pool.Model || m.Rank != i+1 {
			t.Fatalf("place %d has %s/%s %s, want %s; request %+v", i+1, m.Centre, m.Cluster, m.Model, l, r)
		}
	}
}

func compareLine(t *rapid.T, r *capacity.Request, m *capacity.MatchLine, l *lot, small bool) {
	between := func(what string, least int64, most *int64, want int64) {
		if want < least || most == nil && want != least || most != nil && (want > *most || *most <= least) {
			t.Fatalf("%s of %s: %d, at most %v; want %d; request %+v", what, l, least, most, want, r)
		}
	}
	between("gangs", m.Gangs, m.GangsAtMost, l.gangs)
	if r.Unit != capacity.UnitCore {
		between("hosts", *m.HostsFree, m.HostsFreeAtMost, l.hosts)
	} else if m.HostsFree != nil {
		t.Fatalf("%s: %d hosts free, of cores", l, *m.HostsFree)
	}
	known := m.GangsAtMost == nil && m.HostsFreeAtMost == nil
	if m.DevicesFree != l.units || m.Hosts.Rated != l.rated || m.Hosts.Online != l.online || (m.Age == nil) != (l.online == 0) || m.Age != nil && m.Age.Max != l.oldestS {
		t.Fatalf("%s: %+v, want %d free, %d of %d hosts, oldest %v", l, m, l.units, l.online, l.rated, l.oldestS)
	}
	if m.Fits && !l.fits || known && m.Fits != l.fits || m.Fits == (m.Short != "") {
		t.Fatalf("%s: fits %t, short %q; want %t; request %+v", l, m.Fits, m.Short, l.fits, r)
	}
	if (m.HostsNeeded != nil) != (m.Fits && r.Unit != capacity.UnitCore) || m.HostsNeeded != nil && (*m.HostsNeeded < l.fewest || small && *m.HostsNeeded != l.fewest) {
		t.Fatalf("%s: %v hosts needed, want %d; request %+v", l, m.HostsNeeded, l.fewest, r)
	}
	peak, priced := l.peak(*r)
	if (m.EflopsUsable != nil) != (priced && r.Unit != capacity.UnitHost) || m.EflopsUsable != nil && int64(*m.EflopsUsable) != peak*m.DevicesUsable {
		t.Fatalf("%s: %v Eflops usable, of %d devices", l, m.EflopsUsable, m.DevicesUsable)
	}
	usable := l.gangs
	if r.Hosts > 0 {
		usable = l.hosts
	}
	if usable *= r.PerHost; m.DevicesUsable > usable || known && m.DevicesUsable != usable {
		t.Fatalf("%s: %d usable, want %d", l, m.DevicesUsable, usable)
	}
	if unknown := r.Eflops > 0 && !priced; (m.GangsNeeded == nil) != unknown || !unknown && *m.GangsNeeded != l.need {
		t.Fatalf("%s: %v gangs needed, want %d", l, m.GangsNeeded, l.need)
	}
}

func TestRequestRefuses(t *testing.T) {
	for _, tc := range []struct {
		r             capacity.Request
		field, detail string
	}{
		{capacity.Request{}, "count", "want one of count, hosts and eflops"},
		{capacity.Request{Count: 8, Hosts: 1}, "hosts", "contradicts count"},
		{capacity.Request{Count: 9, PerHost: 8}, "count", "not a multiple"},
		{capacity.Request{Count: -1}, "count", "between 1 and"},
		{capacity.Request{Count: 1 << 62}, "count", "between 1 and"},
		{capacity.Request{Count: 8, PerHost: 1 << 40}, "per_host", "between 1 and"},
		{capacity.Request{Hosts: 1 << 40}, "hosts", "between 1 and"},
		{capacity.Request{Eflops: -1}, "eflops", "below zero"},
		{capacity.Request{Count: 1, Memory: -1}, "memory_gib", "below zero"},
		{capacity.Request{Count: 1, MaxAgeS: -1}, "max_age_s", "between"},
		{capacity.Request{Count: 1, Limit: -3}, "limit", "between"},
		{capacity.Request{Count: 1, Kind: capacity.KindAll}, "kind", "ask for one of them"},
		{capacity.Request{Count: 1, Precision: "fp12"}, "precision", "is not a precision"},
		{capacity.Request{Count: 1, Order: "best"}, "order", "not pack or spread"},
		{capacity.Request{Count: 1, Kind: capacity.KindCPU, Memory: 1}, "memory_gib", "processors have none"},
		{capacity.Request{Hosts: 1, Kind: capacity.KindCPU, PerHost: 4}, "per_host", "want count and per_host"},
		{capacity.Request{Hosts: 1, Kind: capacity.KindCPU, Eflops: 4}, "eflops", "want count and eflops"},
		{capacity.Request{Count: 1, Centre: []string{"a"}, ExcludeCentre: []string{"b", "a"}}, "exclude_centre", `"a" is asked for by centre`},
		{capacity.Request{Count: 1, PreferCluster: []string{"a"}, ExcludeCluster: []string{"a"}}, "exclude_cluster", `"a" is preferred`},
		{capacity.Request{Count: 1, PreferCentre: []string{"b"}, Centre: []string{"a"}}, "prefer_centre", `"b" is left out by centre`},
	} {
		_, err := (&capacity.Snapshot{}).List().Match(tc.r)
		var wrong *capacity.RequestError
		if !errors.As(err, &wrong) || wrong.Field != tc.field || !strings.Contains(err.Error(), tc.detail) {
			t.Errorf("%+v: %v, want %s: …%s…", tc.r, err, tc.field, tc.detail)
		}
	}
}
