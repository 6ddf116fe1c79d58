// Package stub is a collector for the tests of those who ask one: it answers every question of the API, from a province of five
// pools that a test can change. Its answers are held against the API's own document. It stands in for a collector where a
// test wants to say what is there; what is measured is tested against collectors.
package stub

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exameter/exameter/client"
)

// Collector is a stub of a collector.
type Collector struct {
	URL string

	mu       sync.Mutex
	pools    []client.Pool
	revision int64
	changed  chan struct{} // closed when the revision is no longer the last one
	asked    []string
}

// Start starts a stub that ends with the test.
func Start(t testing.TB) *Collector {
	t.Helper()
	c := New()
	s := httptest.NewServer(c)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	c.URL = s.URL
	return c
}

// New makes a stub that is served by the caller.
func New() *Collector {
	c := &Collector{revision: 812_345, changed: make(chan struct{})}
	for _, p := range []struct {
		centre, cluster, vendor, model, domestic, identifier string
		memory, fp16                                         float64
		hosts, full, busy                                    int64
	}{
		{"guian-north", "train", "huawei", "huawei-ascend-910b2", "yes", "52-0001-01", 64, 376, 70, 61, 4},
		{"guian-north", "train", "nvidia", "nvidia-h200-sxm", "no", "52-0001-01", 141, 989.5, 16, 5, 9},
		{"guian-south", "default", "huawei", "huawei-ascend-910b2", "yes", "", 64, 376, 40, 12, 28},
		{"guian-south", "default", "hygon", "hygon-k100-ai", "yes", "", 64, 196, 20, 0, 18},
		{"guiyang-west", "default", "newcomer", "Newcomer X1", "unknown", "", 0, 0, 4, 4, 0},
	} {
		c.pools = append(c.pools, pool(p.centre, p.cluster, p.vendor, p.model, p.domestic, p.identifier, p.memory, p.fp16, p.hosts, p.full, p.busy))
	}
	return c
}

// pool has hosts of eight devices: so many wholly free, so many wholly busy, and the others half and half.
func pool(centre, cluster, vendor, model, domestic, identifier string, memory, fp16 float64, hosts, full, busy int64) client.Pool {
	half := hosts - full - busy
	p := client.Pool{PoolName: client.PoolName{
		Dimensions: client.Dimensions{Centre: centre, Cluster: cluster, Kind: "accelerator", Vendor: vendor, Model: model, Class: "intelligent", Domestic: domestic},
		Identifier: identifier,
	}, PeakTflops: map[string]float64{}}
	if memory > 0 {
		p.MemoryGiB = &memory
	}
	free, n := 8*full+4*half, 8*hosts
	p.Devices = client.Devices{Rated: n, Online: n, Healthy: n, Busy: n - free, Free: free}
	peak := client.Flops(fp16 * 1e6)
	if fp16 > 0 {
		p.PeakTflops["fp16"] = fp16
	} else {
		p.Devices.Unpriced = n
	}
	rated, worth := client.Flops(n)*peak, client.Flops(free)*peak
	p.Eflops = client.Eflops{Rated: rated, Online: rated, Healthy: rated, Busy: rated - worth, Free: worth}
	switch domestic {
	case "yes":
		p.Origin.Devices.Domestic, p.Origin.Eflops.Domestic = n, rated
	case "no":
		p.Origin.Devices.Foreign, p.Origin.Eflops.Foreign = n, rated
	default:
		p.Origin.Devices.Unknown, p.Origin.Eflops.Unknown = n, rated
	}
	used, all := 0.41, 1.0
	p.Utilisation, p.Coverage, p.Activity.SM = &used, &all, n
	p.PowerW, p.PowerDevices, p.Hosts = float64(n)*310, n, client.Hosts{Rated: hosts, Online: hosts}
	p.Age = &client.Age{P50: 2.125, P99: 9.8, Max: 10}
	p.FreeHosts = make([]int64, 17)
	p.FreeHosts[0], p.FreeHosts[4], p.FreeHosts[8] = busy, half, full
	return p
}

// Set makes a pool have so many wholly free hosts, all others being wholly busy, and with that a new revision.
func (c *Collector) Set(centre, model string, full int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.pools {
		if p := &c.pools[i]; p.Centre == centre && p.Model == model {
			memory := 0.0
			if p.MemoryGiB != nil {
				memory = *p.MemoryGiB
			}
			*p = pool(p.Centre, p.Cluster, p.Vendor, p.Model, p.Domestic, p.Identifier, memory, p.PeakTflops["fp16"], p.Hosts.Rated, full, p.Hosts.Rated-full)
		}
	}
	c.revision++
	close(c.changed)
	c.changed = make(chan struct{})
}

// Asked are the questions so far.
func (c *Collector) Asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

// ServeHTTP answers.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.asked = append(c.asked, r.URL.String())
	c.mu.Unlock()
	var doc any
	switch r.URL.Path {
	case "/v1/capacity":
		doc, _ = c.capacity(r)
	case "/v1/pools":
		doc = c.listPools(r)
	case "/v1/match":
		doc = c.match(r)
	case "/v1/hosts":
		doc = c.hosts(r)
	case "/v1/centres":
		doc = c.centres(r)
	case "/v1/history":
		doc = c.history(r)
	case "/v1/explain":
		doc = c.explain(r)
	case "/v1/stream":
		c.stream(w, r)
		return
	default:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(client.Problem{
			Type: "about:blank", Title: "Not Found", Status: http.StatusNotFound, Detail: fmt.Sprintf("there is nothing at %.100q", r.URL.Path),
		})
		return
	}
	if r.FormValue("format") == "csv" {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
		rows(w, doc)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	h := doc.(interface{ at() int64 })
	w.Header().Set("ETag", fmt.Sprintf(`"%d"`, h.at()))
	w.Header().Set("Cache-Control", "no-cache")
	_ = json.NewEncoder(w).Encode(doc)
}

func (c *Collector) head(r *http.Request) client.Head {
	kind, precision := r.FormValue("kind"), r.FormValue("precision")
	if kind == "" {
		kind = "accelerator"
	}
	if precision == "" {
		precision = "class"
	}
	return client.Head{
		Revision: c.revision, AsOf: time.Now().UTC().Truncate(time.Millisecond), Catalogue: "2026.11", Registry: "5f2a9c01", Rule: "dense-nameplate/1",
		Precision: precision, Kind: kind, Parts: client.Parts{Total: 12, Current: 12, OldestS: 0.412},
	}
}

// chosen are the pools that the filters let in.
func (c *Collector) chosen(r *http.Request) (out []client.Pool) {
	q := r.URL.Query()
	for _, p := range c.pools {
		in := true
		for _, d := range []string{"centre", "cluster", "vendor", "model", "class", "domestic"} {
			in = in && (len(q[d]) == 0 || slices.Contains(q[d], p.Get(d)))
		}
		if in {
			out = append(out, p)
		}
	}
	return out
}

func number(r *http.Request, name string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(r.FormValue(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}

func add(to, f *client.Figure) {
	if to.Devices.Rated == 0 {
		*to = *f
		return
	}
	a, b := &to.Devices, &f.Devices
	a.Rated, a.Online, a.Healthy, a.Busy, a.Free, a.Unpriced = a.Rated+b.Rated, a.Online+b.Online, a.Healthy+b.Healthy, a.Busy+b.Busy, a.Free+b.Free, a.Unpriced+b.Unpriced
	e, g := &to.Eflops, &f.Eflops
	e.Rated, e.Online, e.Healthy, e.Busy, e.Free = e.Rated+g.Rated, e.Online+g.Online, e.Healthy+g.Healthy, e.Busy+g.Busy, e.Free+g.Free
	o, p := &to.Origin, &f.Origin
	o.Devices.Domestic, o.Devices.Foreign, o.Devices.Unknown = o.Devices.Domestic+p.Devices.Domestic, o.Devices.Foreign+p.Devices.Foreign, o.Devices.Unknown+p.Devices.Unknown
	o.Eflops.Domestic, o.Eflops.Foreign, o.Eflops.Unknown = o.Eflops.Domestic+p.Eflops.Domestic, o.Eflops.Foreign+p.Eflops.Foreign, o.Eflops.Unknown+p.Eflops.Unknown
	to.Activity.SM += f.Activity.SM
	to.PowerW, to.PowerDevices = to.PowerW+f.PowerW, to.PowerDevices+f.PowerDevices
	to.Hosts.Rated, to.Hosts.Online = to.Hosts.Rated+f.Hosts.Rated, to.Hosts.Online+f.Hosts.Online
}

func dimensions(r *http.Request) (by []string) {
	if r.FormValue("by") == "" {
		return nil
	}
	for d := range strings.SplitSeq(r.FormValue("by"), ",") {
		if d == "pool" {
			by = append(by, "centre", "cluster", "kind", "model")
			continue
		}
		by = append(by, d)
	}
	return by
}

// only keeps the dimensions asked for.
func only(d client.Dimensions, by []string) (out client.Dimensions) {
	for name, to := range map[string]*string{
		"centre": &out.Centre, "cluster": &out.Cluster, "kind": &out.Kind, "vendor": &out.Vendor, "model": &out.Model, "class": &out.Class, "domestic": &out.Domestic,
	} {
		if slices.Contains(by, name) {
			*to = d.Get(name)
		}
	}
	return out
}

// capacity answers, and says when the answer is no longer the last one.
func (c *Collector) capacity(r *http.Request) (answer, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	doc := &client.Capacity{Head: c.head(r), Groups: []client.Group{}}
	doc.By = dimensions(r)
	for _, p := range c.chosen(r) {
		add(&doc.Total, &p.Figure)
		name := only(p.Dimensions, doc.By)
		at := slices.IndexFunc(doc.Groups, func(g client.Group) bool { return g.Dimensions == name })
		if at < 0 {
			at = len(doc.Groups)
			doc.Groups = append(doc.Groups, client.Group{Dimensions: name})
		}
		add(&doc.Groups[at].Figure, &p.Figure)
	}
	if len(doc.By) == 0 {
		doc.Groups = []client.Group{}
	}
	by := doc.By
	if by == nil {
		by = []string{}
	}
	return capacityAnswer{doc, by}, c.changed
}

// capacityAnswer has its dimensions also where there are none.
type capacityAnswer struct {
	*client.Capacity
	By []string `json:"by"`
}
