package httpfeed

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/telemetry"
)

// dispatch is a province to dispatch to: two pools of one domestic model, a foreign one, one without a price, processors.
func dispatch() *capacity.Snapshot {
	ascend := capacity.Pool{
		Kind: telemetry.Accelerator, Vendor: "huawei", Model: "huawei-ascend-910b3", Class: capacity.Intelligent, Basis: catalog.FP16,
		Peaks: catalog.Peaks{}.With(catalog.FP16, 313_000_000).With(catalog.INT8, 640_000_000), Domestic: telemetry.Known(true), Memory: telemetry.Known(telemetry.Bytes(64 << 30)),
	}
	h20 := capacity.Pool{
		Kind: telemetry.Accelerator, Vendor: "nvidia", Model: "nvidia-h20", Class: capacity.Intelligent, Basis: catalog.FP16,
		Peaks: catalog.Peaks{}.With(catalog.FP16, 148_000_000), Domestic: telemetry.Known(false), Memory: telemetry.Known(telemetry.Bytes(96 << 30)),
	}
	newcomer := capacity.Pool{Kind: telemetry.Accelerator, Vendor: "newcomer", Model: "=Newcomer, X1", Class: capacity.Intelligent, Basis: catalog.FP16}
	kunpeng := capacity.Pool{Kind: telemetry.CPU, Vendor: "huawei", Model: "kunpeng-920-2600mhz", Class: capacity.General, Basis: catalog.FP32, Peaks: catalog.Peaks{}.With(catalog.FP32, 41_600), Domestic: telemetry.Known(true)}
	s := &capacity.Snapshot{
		Revision: 812, AsOf: time.Date(2026, 11, 23, 8, 0, 0, 250e6, time.UTC), Catalogue: "2026.11", Registry: "1f2e3d4c", StaleAfter: 30 * time.Second,
		Parts: capacity.Parts{Total: 3, Current: 3, OldestS: 0.4},
	}
	put := func(p capacity.Pool, centre, cluster string, busy, silent int64, hosts map[int]int64, ageMS int64) {
		p.Centre, p.Cluster = centre, cluster
		c := capacity.Cell{Devices: [5]int64{busy, 0, 1, 1, 8 * silent}}
		online := int64(0)
		for free, n := range hosts {
			c.FreeHosts[min(free, capacity.MaxFree)] += n
			c.Devices[capacity.Free] += int64(free) * n
			online += n
		}
		for state, n := range c.Devices {
			c.Units[state] = n * capacity.UnitsPerDevice
			if p.Kind == telemetry.CPU {
				c.Units[state] = n * 128
			}
		}
		sh := capacity.Shape{Pools: []int{len(s.Pools)}, Rated: online + silent, Online: online}
		for range online {
			sh.Ages.Observe(ageMS, 30_000)
		}
		s.Pools, s.Shapes = append(s.Pools, capacity.PoolCell{Pool: p, Cell: c}), append(s.Shapes, sh)
	}
	ascend.Identifier = "CN-52-0001"
	put(ascend, "guian-north", "train-1", 400, 2, map[int]int64{8: 61, 5: 7, 0: 10}, 9_800)
	put(ascend, "guian-south", "train-1", 100, 0, map[int]int64{8: 80, 3: 4}, 4_100)
	put(h20, "guian-south", "infer-1", 60, 1, map[int]int64{16: 3, 20: 2, 24: 1, 4: 9}, 10_000)
	put(newcomer, "zunyi-east", "default", 0, 0, map[int]int64{8: 2}, 31)
	put(kunpeng, "zunyi-east", "general", 20, 3, map[int]int64{1: 30, 0: 22}, 6_000)
	// Six busy cards of the H20 pool are partitioned, with most of their slices free.
	s.Pools[2].Cell.Units[capacity.Busy] -= 6 * 4 * capacity.UnitsPerDevice / 7
	s.Pools[2].Cell.Units[capacity.Free] += 6 * 4 * capacity.UnitsPerDevice / 7
	s.Sort()
	return s
}

func TestMatchAnswers(t *testing.T) {
	h := handler(t, dispatch(), true)
	const js, cs = "application/json", "text/csv; charset=utf-8; header=present"
	for _, tc := range []struct{ target, file, kind string }{
		{"/v1/match?count=512&per_host=8&domestic=yes", "match-fits.json", js},
		{"/v1/match?count=512&per_host=8&domestic=yes&centre=guian-north", "match-short.json", js},
		{"/v1/match?hosts=64&per_host=8&precision=fp16&order=spread&prefer_centre=guian-south&exclude_cluster=default&limit=2", "match-spread.json", js},
		{"/v1/match?eflops=0.01&memory_gib=64.5&max_age_s=10", "match-eflops.json", js},
		{"/v1/match?kind=cpu&count=1024&per_host=64", "match-cores.json", js},
		{"/v1/match?kind=cpu&hosts=30", "match-processors.json", js},
		{"/v1/match?count=96&per_host=32&model=nvidia-h20", "match-inexact.json", js},
		{"/v1/match?count=1&centre=nowhere", "match-nowhere.json", js},
		{"/v1/match?count=16&per_host=8&model=%3DNewcomer,%20X1&model=nvidia-h20&format=csv", "match.csv", cs},
		{"/v1/match?count=600&per_host=2&format=csv", "match-all.csv", cs},
		{"/v1/pools", "pools.json", js},
		{"/v1/pools?kind=all&sort=free&domestic=yes,unknown&precision=int8", "pools-free.json", js},
		{"/v1/pools?kind=all&format=csv&sort=eflops", "pools.csv", cs},
		{"/v1/pools?kind=cpu&sort=age", "pools-cpu.json", js},
	} {
		w := get(h, "GET", tc.target)
		if w.Code != 200 || w.Header().Get("Content-Type") != tc.kind || w.Header().Get("ETag") != `"812"` || w.Header().Get("Content-Length") != fmt.Sprint(w.Body.Len()) {
			t.Errorf("%s: %d, headers %v", tc.target, w.Code, w.Header())
		}
		golden(t, tc.file, w.Body.Bytes())
		// Asked again, it is taken from what was kept, and is the same.
		if again := get(h, "GET", tc.target); again.Body.String() != w.Body.String() || again.Header().Get("Content-Type") != tc.kind {
			t.Errorf("%s: the second answer is another one", tc.target)
		}
		if w := get(h, "GET", tc.target, "If-None-Match", `"812"`); w.Code != 304 || w.Body.Len() != 0 {
			t.Errorf("%s: with If-None-Match: %d", tc.target, w.Code)
		}
	}
}

func TestMatchProblems(t *testing.T) {
	h := handler(t, dispatch(), true)
	for _, tc := range []struct {
		target, parameter, detail string
		code                      int
	}{
		{"/v1/match", "count", "want one of count, hosts and eflops", 400},
		{"/v1/match?count=8&colour=red", "colour", "is not a parameter: want centre, class, cluster, count", 400},
		{"/v1/match?count=8&by=centre", "by", "is not a parameter", 400},
		{"/v1/match?count=0", "count", `"0" is not a whole number from 1`, 400},
		{"/v1/match?count=-8", "count", `"-8" is not a whole number`, 400},
		{"/v1/match?count=8.0", "count", "is not a whole number", 400},
		{"/v1/match?count=%2B8", "count", "is not a whole number", 400},
		{"/v1/match?count=1e3", "count", "is not a whole number", 400},
		{"/v1/match?count=0x10", "count", "is not a whole number", 400},
		{"/v1/match?count=", "count", "is not a whole number", 400},
		{"/v1/match?count=9223372036854775808", "count", "is not a whole number", 400},
		{"/v1/match?count=" + strings.Repeat("9", 5000), "count", "is not a whole number", 400},
		{"/v1/match?count=8&count=8", "count", "is given 2 times", 400},
		{"/v1/match?count=8&hosts=1", "hosts", "contradicts count", 400},
		{"/v1/match?count=9&per_host=8", "count", "is not a multiple of per_host", 400},
		{"/v1/match?count=8&per_host=65537", "per_host", "from 1 to 65536", 400},
		{"/v1/match?hosts=10000001", "hosts", "from 1 to 10000000", 400},
		{"/v1/match?eflops=1e9", "eflops", "is not a decimal number", 400},
		{"/v1/match?eflops=-1", "eflops", "is not a decimal number", 400},
		{"/v1/match?eflops=0", "eflops", "above 0", 400},
		{"/v1/match?eflops=1000001", "eflops", "up to 1000000", 400},
		{"/v1/match?eflops=0.0000000000001", "eflops", "is not a decimal number", 400},
		{"/v1/match?count=1&memory_gib=NaN", "memory_gib", "is not a decimal number", 400},
		{"/v1/match?count=1&memory_gib=Inf", "memory_gib", "is not a decimal number", 400},
		{"/v1/match?count=1&max_age_s=90000", "max_age_s", "up to 86400", 400},
		{"/v1/match?count=1&kind=all", "kind", `"all" is not one of accelerator, cpu`, 400},
		{"/v1/match?count=1&kind=cpu&memory_gib=8", "memory_gib", "processors have none", 400},
		{"/v1/match?hosts=1&kind=cpu&per_host=8", "per_host", "not counted by host", 400},
		{"/v1/match?count=1&order=best", "order", `"best" is not one of pack, spread`, 400},
		{"/v1/match?count=1&limit=1001", "limit", "from 1 to 1000", 400},
		{"/v1/match?count=1&precision=" + strings.Repeat("f", 3000), "precision", "is not a precision", 400},
		{"/v1/match?count=1&class=fast", "class", `"fast" is not one of`, 400},
		{"/v1/match?count=1&domestic=maybe", "domestic", `"maybe" is not one of`, 400},
		{"/v1/match?count=1&centre=a,B", "centre", "want letters", 400},
		{"/v1/match?count=1&prefer_centre=a%20b", "prefer_centre", "want letters", 400},
		{"/v1/match?count=1&prefer_centre=a&exclude_centre=b,a", "exclude_centre", `"a" is preferred by prefer_centre`, 400},
		{"/v1/match?count=1&cluster=a&exclude_cluster=a", "exclude_cluster", `"a" is asked for by cluster`, 400},
		{"/v1/match?count=1&centre=a&prefer_centre=b", "prefer_centre", `"b" is left out by centre`, 400},
		{"/v1/match?count=1&model=" + strings.Repeat("m,", 100), "", "", 200}, // one value, and an empty one
		{"/v1/match?count=1&model=" + manyNames(65), "model", "more than 64 values", 400},
		{"/v1/match?count=1&format=xml", "format", `"xml" is not one of json, csv`, 400},
		{"/v1/match?count=1&x=%zz", "query", "cannot be parsed", 400},
		{"/v1/match?" + strings.Repeat("x", 1_000_000), "query", "has 1000000 characters", 400},
		{"/v1/pools?" + strings.Repeat("x=1&", 250_000), "query", "has 1000000 characters", 400},
		{"/v1/capacity?" + strings.Repeat("x", 1_000_000), "query", "has 1000000 characters", 400},
		{"/v1/pools?count=1", "count", "is not a parameter: want centre, class, cluster, cursor", 400},
		{"/v1/pools?sort=colour", "sort", `"colour" is not one of name, free, eflops, age`, 400},
		{"/v1/pools?limit=0", "limit", "from 1 to 1000", 400},
		{"/v1/pools?limit=1000000", "limit", "from 1 to 1000", 400},
		{"/v1/pools?cursor=", "cursor", "is none that an answer gave", 400},
		{"/v1/pools?cursor=AAAA", "cursor", "is none that an answer gave", 400},
		{"/v1/pools?cursor=" + strings.Repeat("_", 4000), "cursor", "is none that an answer gave", 400},
	} {
		w := get(h, "GET", tc.target)
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Errorf("%.80s: %v in %s", tc.target, err, w.Body)
			continue
		}
		if w.Code != tc.code || tc.code != 200 && (p.Status != tc.code || p.Parameter != tc.parameter || !strings.Contains(p.Detail, tc.detail)) {
			t.Errorf("%.80s: %d %+v, want %d %s: %s", tc.target, w.Code, p, tc.code, tc.parameter, tc.detail)
		}
		if tc.code != 200 && w.Body.Len() > 1024 {
			t.Errorf("%.80s: a problem of %d bytes", tc.target, w.Body.Len())
		}
	}
}

func manyNames(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("m", i)
	}
	return strings.Join(names, ",")
}

// changing is a handler whose snapshot a test can change.
func changing(t *testing.T) (http.Handler, *atomic.Pointer[capacity.Snapshot]) {
	t.Helper()
	var now atomic.Pointer[capacity.Snapshot]
	now.Store(dispatch())
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests", Help: "by path and code"}, []string{"path", "code"})
	return Handler(Source{
		Snapshot: now.Load, Registry: func() *registry.Registry { return &registry.Registry{} },
		Ready: func() (bool, string) { return true, "" }, Metrics: prometheus.NewRegistry(), Requests: requests,
	}), &now
}

// later is a snapshot of another revision, with one more free device somewhere.
func later(s *capacity.Snapshot, revision int64) *capacity.Snapshot {
	next := *s
	next.Revision = revision
	next.Pools = append([]capacity.PoolCell{}, s.Pools...)
	next.Pools[0].Cell.Devices[capacity.Free] += revision - s.Revision
	return &next
}

// TestPages walks the pools in pages while revisions come and go: every page is of the first one's revision, until that is gone.
func TestPages(t *testing.T) {
	h, now := changing(t)
	whole := get(h, "GET", "/v1/pools?kind=all&sort=free")
	var want capacity.Pools
	if err := json.Unmarshal(whole.Body.Bytes(), &want); err != nil || want.Next != "" || want.Of != 5 || len(want.Pools) != 5 {
		t.Fatalf("%v, %+v", err, want)
	}
	target, seen := "/v1/pools?kind=all&sort=free&limit=2", 0
	var first string
	for target != "" {
		w := get(h, "GET", target)
		var page capacity.Pools
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 || page.Revision != 812 || w.Header().Get("ETag") != `"812"` {
			t.Fatalf("%s: %d %v %s", target, w.Code, err, w.Body)
		}
		for _, p := range page.Pools {
			if p.PoolName.Model != want.Pools[seen].Model || p.Devices != want.Pools[seen].Devices {
				t.Errorf("place %d is %+v, want %+v", seen, p.PoolName, want.Pools[seen].PoolName)
			}
			seen++
		}
		link := w.Header().Get("Link")
		if (page.Next == "") != (link == "") {
			t.Errorf("next %q, link %q", page.Next, link)
		}
		target = ""
		if page.Next != "" {
			target = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
			first = "/v1/pools?kind=all&sort=free&limit=2&cursor=" + page.Next
		}
		now.Store(later(now.Load(), now.Load().Revision+1))
	}
	if seen != 5 {
		t.Errorf("%d pools on all pages", seen)
	}
	// A cursor is of one question.
	if w := get(h, "GET", strings.Replace(first, "sort=free", "sort=age", 1)); w.Code != 400 || !strings.Contains(w.Body.String(), "another question") {
		t.Errorf("a cursor of another question: %d %s", w.Code, w.Body)
	}
	// Others page through later revisions, until there is no room for this one.
	for range maxPinned {
		now.Store(later(now.Load(), now.Load().Revision+1))
		get(h, "GET", "/v1/pools?limit=1")
	}
	w := get(h, "GET", first)
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 410 || p.Parameter != "cursor" || !strings.Contains(p.Detail, "is gone") {
		t.Errorf("a revision that is gone: %d %s", w.Code, w.Body)
	}
}

// TestKeptAnswers: while the snapshot changes under many readers, no answer is another revision's, and what is kept is bounded.
func TestKeptAnswers(t *testing.T) {
	h, now := changing(t)
	base := now.Load()
	var done atomic.Bool
	var readers sync.WaitGroup
	for i := range 4 {
		readers.Go(func() {
			last := int64(0)
			for n := 0; !done.Load() || n < 100; n++ {
				w := get(h, "GET", fmt.Sprintf("/v1/match?count=1&centre=guian-north&limit=%d", 1+(n+i)%3))
				var m capacity.Match
				if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || w.Code != 200 {
					t.Errorf("%d %v", w.Code, err)
					return
				}
				if want := base.Pools[0].Cell.Devices[capacity.Free] + m.Revision - base.Revision; m.Pools[0].DevicesFree != want || m.Revision < last || w.Header().Get("ETag") != fmt.Sprintf(`"%d"`, m.Revision) {
					t.Errorf("revision %d after %d, tag %s: %d free, want %d", m.Revision, last, w.Header().Get("ETag"), m.Pools[0].DevicesFree, want)
					return
				}
				last = m.Revision
			}
		})
	}
	for n := range int64(300) {
		now.Store(later(base, base.Revision+n+1))
		time.Sleep(100 * time.Microsecond)
	}
	done.Store(true)
	readers.Wait()
}

// TestPinsExpire opens a page and never asks for the next: after a while the revision is let go, and the cursor says so.
func TestPinsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := dispatch()
		k := &kept{src: Source{Snapshot: func() *capacity.Snapshot { return s }, Ready: func() (bool, string) { return true, "" }}}
		h := k.handler(k.poolsQuestion)
		page := func(query string) (int, string) {
			w := get(h, "GET", "/v1/pools?limit=1"+query)
			var doc capacity.Pools
			_ = json.Unmarshal(w.Body.Bytes(), &doc) // of a problem there is no next page
			return w.Code, doc.Next
		}
		_, next := page("")
		s = later(s, 900)
		time.Sleep(pinnedFor - time.Second)
		if code, _ := page("&cursor=" + next); code != 200 {
			t.Errorf("the next page within %s: %d", pinnedFor, code)
		}
		s = later(s, 901)
		time.Sleep(pinnedFor + time.Second)
		get(k.handler(matchQuestion), "GET", "/v1/match?count=1")
		if len(k.pinned) != 0 {
			t.Errorf("%d revisions are kept of which nobody asked for a page for %s", len(k.pinned), pinnedFor)
		}
		if code, _ := page("&cursor=" + next); code != 410 {
			t.Errorf("a page of a revision that was let go: %d", code)
		}
	})
}

// TestKeptIsBounded asks more questions than are kept.
func TestKeptIsBounded(t *testing.T) {
	s := dispatch()
	k := &kept{src: Source{Snapshot: func() *capacity.Snapshot { return s }, Ready: func() (bool, string) { return true, "" }}}
	h := k.handler(matchQuestion)
	for n := range maxKept + 50 {
		get(h, "GET", fmt.Sprintf("/v1/match?count=%d", n+1))
	}
	get(h, "GET", "/v1/match?count=1&model="+url.QueryEscape(strings.Repeat("m", maxKeptQuery)))
	if len(k.answers) != maxKept || k.bytes > maxKeptBytes {
		t.Errorf("%d answers of %d bytes are kept", len(k.answers), k.bytes)
	}
	s = later(s, 900)
	get(h, "GET", "/v1/match?count=1")
	if len(k.answers) != 1 {
		t.Errorf("%d answers are kept of the next snapshot", len(k.answers))
	}
}
