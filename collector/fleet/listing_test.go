package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/hosts"
)

// pages lists what answers a question, page by page, as a collector does.
func pages(t interface{ Fatalf(string, ...any) }, f *Fleet, q hosts.Query, now time.Time, wins func(string, string, bool, string) bool) (out []hosts.Host) {
	q, err := q.Normal()
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	for range 1000 {
		s := &Search{Query: q, Now: now, Wins: wins}
		r := hosts.NewRanking(&q)
		for next, more := uint32(0), true; more; {
			next, more = f.Rank(s, r, 0, 0, next, 3)
		}
		list, upto := r.List()
		for _, p := range list {
			h := f.Hosts(s, p.Key.Centre, []string{p.Key.Host})[0]
			if h == nil {
				t.Fatalf("%s was ranked and is not there", p.Key.Host)
			}
			out = append(out, *h)
		}
		if upto == nil {
			if int(r.Matching) != len(out) {
				t.Fatalf("%d hosts match, %d were listed", r.Matching, len(out))
			}
			listed := map[string]int64{}
			for _, h := range out {
				for _, d := range h.Devices {
					if d.Reason != "" && d.NotCounted != hosts.Uninventoried {
						listed[d.Reason]++
					}
				}
			}
			if !maps.Equal(listed, r.Reasons) {
				t.Fatalf("devices were counted by reason as %v, and listed as %v", r.Reasons, listed)
			}
			return out
		}
		if q.After = upto; len(list) == 0 {
			t.Fatalf("an empty page, and more to come")
		}
	}
	t.Fatalf("no end of pages")
	return nil
}

// TestListing holds what is listed against what is counted, after random records: the devices of all hosts add up to the cells, and a
// question with filters lists of that what the filters say.
func TestListing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := New(Options{StaleAfter: stale, Pricing: testPricing(1)})
		d := &drawer{t: t, now: start, seqs: map[string]int64{}}
		centre, host := rapid.SampledFrom([]string{"a", "b"}), rapid.SampledFrom([]string{"h0", "h1", "h2", "h3"})
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
			case op < 4:
				inv := d.inventory(host.Draw(t, "host"))
				inv.Name = rapid.SampledFrom([]string{"", "gpu-1", "gpu-12"}).Draw(t, "name")
				f.ApplyInventory(centre.Draw(t, "centre"), inv, d.now)
			case op < 8:
				f.ApplyReport(centre.Draw(t, "centre"), d.report(host.Draw(t, "host")), d.now)
			case op < 9:
				f.Retire(centre.Draw(t, "centre"), host.Draw(t, "host"))
			default:
				d.now = d.now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second)
			}
		}
		order := rapid.SampledFrom([]hosts.Order{hosts.ByPlace, hosts.ByFree, hosts.ByAge})
		everything := hosts.Query{Pools: capacity.Query{Kind: capacity.KindAll}, Sort: order.Draw(t, "sort"), Limit: rapid.IntRange(1, 9).Draw(t, "limit")}
		all := pages(t, f, everything, d.now, nil)
		addUp(t, f.Fold(d.now), all)
		losers, elsewhere := 0, 0
		for _, c := range []*claims{&f.devices, &f.sets} {
			for _, r := range c.rivals {
				losers += len(r.slots) - 1
			}
		}
		for i := range all {
			elsewhere += all[i].Elsewhere
		}
		if losers != elsewhere {
			t.Fatalf("%d devices count on another host than one that claims them, %d are listed as elsewhere", losers, elsewhere)
		}

		q := everything
		q.Pools.Kind = rapid.SampledFrom([]string{capacity.KindAll, capacity.KindAccelerator, capacity.KindCPU}).Draw(t, "kind")
		if rapid.Bool().Draw(t, "by model") {
			q.Pools.Model = []string{rapid.SampledFrom([]string{"m0", "m1", "m9", "cpu"}).Draw(t, "model")}
		}
		if rapid.Bool().Draw(t, "by state") {
			q.States = rapid.SliceOfNDistinct(rapid.SampledFrom(hosts.StateNames[:]), 1, 3, rapid.ID[string]).Draw(t, "states")
		}
		if rapid.Bool().Draw(t, "by online") {
			on := rapid.Bool().Draw(t, "online")
			q.Online = &on
		}
		q.Host = rapid.SampledFrom([]string{"", "h", "h1", "h11"}).Draw(t, "prefix")
		q.Name = rapid.SampledFrom([]string{"", "", "gpu-1", "gpu-1*", "*"}).Draw(t, "wanted")
		q.FreeMin = rapid.IntRange(0, 2).Draw(t, "free_min")
		want := []hosts.Host{}
		for _, h := range all {
			if picked := pick(&q, h); picked != nil {
				want = append(want, *picked)
			}
		}
		got := pages(t, f, q, d.now, nil)
		if q.Sort == hosts.ByFree { // the free devices of other pools have no part in the order then
			byPlace := func(a, b hosts.Host) int { return strings.Compare(a.Centre+"/"+a.Host, b.Centre+"/"+b.Host) }
			slices.SortFunc(got, byPlace)
			slices.SortFunc(want, byPlace)
		}
		if diff := cmp.Diff(plainly(want), plainly(got)); diff != "" {
			t.Fatalf("%+v (-want +got):\n%s", q, diff)
		}
	})
}

// plainly leaves out what a list of everything does not tell: how many of a host's devices are elsewhere by pool, and hosts that have no
// others. Pools are compared with devices in addUp.
func plainly(list []hosts.Host) []hosts.Host {
	out := []hosts.Host{}
	for _, h := range list {
		if len(h.Devices) > 0 || h.Elsewhere == 0 {
			h.Elsewhere, h.Pools = 0, nil
			out = append(out, h)
		}
	}
	return out
}

// addUp compares the devices of all hosts with the cells of their fleet.
func addUp(t *rapid.T, s *capacity.Snapshot, all []hosts.Host) {
	t.Helper()
	count, listed := map[string]int64{}, map[string]int64{}
	name := func(centre, cluster, kind, model string, state int) string {
		return fmt.Sprint(centre, cluster, kind, model, hosts.StateNames[state])
	}
	for i := range s.Pools {
		p := &s.Pools[i].Pool
		for state, n := range s.Pools[i].Cell.Devices {
			if n > 0 {
				count[name(p.Centre, p.Cluster, string(p.Kind), p.Model, state)] += n
			}
		}
	}
	for i := range all {
		h, pools := &all[i], 0
		if i > 0 && all[i-1].Centre == h.Centre && all[i-1].Host == h.Host {
			t.Fatalf("%s is listed twice", h.Host)
		}
		for _, d := range h.Devices {
			if d.NotCounted == "" {
				listed[name(h.Centre, h.Cluster, d.Kind, d.Model, slices.Index(hosts.StateNames[:], d.State))]++
				pools++
			}
		}
		for _, p := range h.Pools {
			pools -= p.Devices
		}
		if pools != 0 {
			t.Fatalf("%+v has %d devices more than its pools", h, pools)
		}
	}
	if diff := cmp.Diff(count, listed); diff != "" {
		t.Fatalf("devices by pool and state (-cells +listed):\n%s", diff)
	}
}

// pick is what a question lists of a host, by what a list of everything says of it.
func pick(q *hosts.Query, h hosts.Host) *hosts.Host {
	name := h.Name == q.Name || q.Name == "" || strings.HasSuffix(q.Name, "*") && strings.HasPrefix(h.Name, q.Name[:len(q.Name)-1])
	if q.Online != nil && *q.Online != h.Online || !strings.HasPrefix(h.Host, q.Host) || !name {
		return nil
	}
	kind := func(d *hosts.Device) bool { return q.Pools.Kind == capacity.KindAll || q.Pools.Kind == d.Kind }
	bare := q.Bare()
	had := len(h.Devices) > 0
	all := h.Devices
	h.Devices, h.Free, h.Pools = []hosts.Device{}, 0, nil
	for _, d := range all {
		if !kind(&d) {
			continue
		}
		if d.NotCounted == hosts.Uninventoried {
			if bare {
				h.Devices = append(h.Devices, d)
			}
			continue
		}
		if len(q.Pools.Model) > 0 && !slices.Contains(q.Pools.Model, d.Model) {
			continue
		}
		if d.State == "free" {
			h.Free++
		}
		if len(q.States) == 0 || slices.Contains(q.States, d.State) {
			h.Devices = append(h.Devices, d)
		}
	}
	return keep(q, h, bare, had)
}

// keep decides whether a host is listed at all. What it has elsewhere is of all pools in a list of everything, so that it is left to the
// listing where a question is about some of them.
func keep(q *hosts.Query, h hosts.Host, bare, had bool) *hosts.Host {
	switch {
	case h.Free < q.FreeMin:
		return nil
	case len(h.Devices) > 0:
		return &h
	case !bare:
		return nil
	case h.NotCounted != "" || h.Elsewhere > 0:
		return &h
	case q.Pools.Kind == capacity.KindAll && !had:
		return &h
	default:
		return nil
	}
}
