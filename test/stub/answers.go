package stub

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sort"
	"time"

	"github.com/exameter/exameter/client"
)

// answer is a document with its revision.
type answer = interface{ at() int64 }

func (a capacityAnswer) at() int64 { return a.Revision }

type listed[T any] struct {
	doc      T
	revision int64
}

func (l listed[T]) at() int64                    { return l.revision }
func (l listed[T]) MarshalJSON() ([]byte, error) { return json.Marshal(l.doc) }

func (c *Collector) listPools(r *http.Request) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	doc := &client.Pools{Head: c.head(r), Pools: c.chosen(r)}
	if r.FormValue("sort") == "free" {
		sort.SliceStable(doc.Pools, func(i, j int) bool { return doc.Pools[i].Devices.Free > doc.Pools[j].Devices.Free })
	}
	doc.Of = int64(len(doc.Pools))
	from := number(r, "cursor", 0)
	to := min(from+number(r, "limit", 1000), doc.Of)
	doc.Pools = doc.Pools[min(from, doc.Of):to]
	if to < doc.Of {
		doc.Next = fmt.Sprint(to)
	}
	return listed[any]{doc, doc.Revision}
}

func (c *Collector) match(r *http.Request) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	head := c.head(r)
	doc := &client.Match{Head: head, Request: client.MatchRequest{
		Kind: head.Kind, Unit: "device", Precision: head.Precision, Count: number(r, "count", 0), PerHost: number(r, "per_host", 1), Hosts: number(r, "hosts", 0), Order: "pack", Limit: 10,
	}, Pools: []client.MatchPool{}}
	size := doc.Request.PerHost
	need := max(doc.Request.Hosts, doc.Request.Count/size)
	best := int64(0)
	for _, p := range c.chosen(r) {
		if slices.Contains(r.URL.Query()["exclude_centre"], p.Centre) {
			continue
		}
		gangs, hosts := p.Gangs(int(size)), int64(0)
		for free, n := range p.FreeHosts {
			if int64(free) >= size {
				hosts += n
			}
		}
		m := client.MatchPool{
			PoolName: p.PoolName, Fits: gangs >= need, DevicesFree: p.Devices.Free, HostsFree: &hosts, Gangs: gangs, DevicesUsable: gangs * size,
			GangsNeeded: &need, Hosts: p.Hosts, Coverage: p.Coverage, Age: p.Age, Reasons: []string{},
		}
		if p.Devices.Unpriced == 0 {
			worth := p.Eflops.Free / client.Flops(max(p.Devices.Free, 1)) * client.Flops(gangs*size)
			m.EflopsUsable = &worth
		}
		if m.Fits {
			doc.Fitting++
			m.HostsNeeded, m.Reasons = &need, []string{"fits"}
		} else {
			m.Short = fmt.Sprintf("needs %d hosts with %d free; it has %d", need, size, gangs)
		}
		best = max(best, gangs)
		doc.Pools = append(doc.Pools, m)
	}
	sort.SliceStable(doc.Pools, func(i, j int) bool { return doc.Pools[i].Gangs > doc.Pools[j].Gangs })
	for i := range doc.Pools {
		doc.Pools[i].Rank = i + 1
	}
	doc.Candidates = int64(len(doc.Pools))
	if doc.Fits = doc.Fitting > 0; !doc.Fits {
		doc.Short = fmt.Sprintf("it fits in none of %d pools; the best needs %d hosts with %d free and has %d", len(doc.Pools), need, size, best)
	}
	return listed[matchAnswer]{matchAnswer{doc, doc.Candidates, doc.Fitting}, doc.Revision}
}

// matchAnswer has its counts also where they are zero.
type matchAnswer struct {
	*client.Match
	Candidates int64 `json:"candidates"`
	Fitting    int64 `json:"fitting"`
}

// rows writes the first columns of what collectors give as CSV.
func rows(w io.Writer, doc any) {
	switch doc := doc.(type) {
	case listed[matchAnswer]:
		fmt.Fprintln(w, "rank,centre,model,fits,short,revision")
		for _, p := range doc.doc.Pools {
			fmt.Fprintf(w, "%d,%s,%s,%v,%s,%d\n", p.Rank, p.Centre, p.Model, p.Fits, p.Short, doc.revision)
		}
	case capacityAnswer:
		fmt.Fprintln(w, "centre,devices_free,revision")
		for _, g := range doc.Groups {
			fmt.Fprintf(w, "%s,%d,%d\n", g.Centre, g.Devices.Free, doc.Revision)
		}
	case listed[any]:
		listedRows(w, doc)
	}
}

func listedRows(w io.Writer, doc listed[any]) {
	switch list := doc.doc.(type) {
	case *client.Pools:
		fmt.Fprintln(w, "centre,model,devices_free,revision")
		for _, p := range list.Pools {
			fmt.Fprintf(w, "%s,%s,%d,%d\n", p.Centre, p.Model, p.Devices.Free, doc.revision)
		}
	case *client.HostList:
		fmt.Fprintln(w, "centre,host,device,state,revision")
		for _, h := range list.Hosts {
			for _, d := range h.Devices {
				fmt.Fprintf(w, "%s,%s,%s,%s,%d\n", h.Centre, h.Host, d.ID, d.State, doc.revision)
			}
		}
	case *client.History:
		fmt.Fprintln(w, "scope,at,devices_free,revision")
		for _, p := range list.Points {
			fmt.Fprintf(w, "%s,%s,%d,%d\n", list.Scope, p.At.Format(time.RFC3339Nano), p.Devices.Free, p.Revision)
		}
	}
}

// hosts are two for each pool: the first wholly free, the second with a faulty device and silent.
func (c *Collector) hosts(r *http.Request) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	doc := &client.HostList{Head: c.head(r), Reasons: []client.Reason{}, Hosts: []client.Host{}, Matching: 0, Missing: []client.Missing{{Centre: "guiyang-west", Part: 3, Owner: "collector-2", Why: "it did not answer within 2 s"}}}
	fresh, old := 2.1, 95.0
	for i, p := range c.chosen(r) {
		for j, age := range []*float64{&fresh, &old} {
			h := client.Host{Centre: p.Centre, Cluster: p.Cluster, Host: fmt.Sprintf("%032x", 16*i+j), Name: fmt.Sprintf("%s-%03d", p.Vendor, 10*i+j), Online: j == 0, AgeS: age, Free: 8 - 8*j, Pools: []client.HostPool{}}
			h.Pools = append(h.Pools, client.HostPool{Cluster: p.Cluster, Kind: p.Kind, Vendor: p.Vendor, Model: p.Model, Class: p.Class, Domestic: p.Domestic, Devices: 8, Free: h.Free})
			for k := range 8 {
				d := client.Device{ID: fmt.Sprintf("GPU-%04d-%d", 10*i+j, k), Kind: p.Kind, Vendor: p.Vendor, Name: p.Model, Model: p.Model, Class: p.Class, State: "free"}
				switch {
				case j == 1 && k == 3:
					d.State, d.Reason = "faulty", "uncorrectable ECC error"
				case j == 1:
					d.State = "stale"
				}
				h.Devices = append(h.Devices, d)
			}
			doc.Hosts = append(doc.Hosts, h)
			doc.Matching++
		}
	}
	return listed[any]{doc, doc.Revision}
}

func (c *Collector) centres(r *http.Request) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	eflop := client.Eflop
	doc := &client.Centres{Head: c.head(r), Province: client.Province{Name: client.Name{Zh: "示例省", En: "Example province"}, Target: &client.Target{Date: "2027-12-31", Eflops: 260 * eflop}}}
	names := map[string]client.Name{"guian-north": {Zh: "贵安北", En: "Gui'an North"}, "guian-south": {Zh: "贵安南", En: "Gui'an South"}, "guiyang-west": {}}
	for _, id := range []string{"guian-north", "guian-south", "guiyang-west"} {
		ce := client.Centre{ID: id, Name: names[id], Status: "operating", Declared: []client.Declaration{}, Clusters: []client.Cluster{}, Registered: true, Capacity: &client.Figure{}}
		for _, p := range c.pools {
			if p.Centre == id {
				add(ce.Capacity, &p.Figure)
			}
		}
		if id == "guian-north" {
			ce.Identifier = "52-0001"
			ce.Declared = []client.Declaration{{Date: "2026-06-30", Eflops: eflop / 2, Precision: "fp16"}}
			ce.Target = &client.Target{Date: "2027-06-30", Eflops: 30 * eflop}
			rated := ce.Capacity.Eflops.Rated
			measured := client.Measured{Rated: rated, Online: rated, RatedShare: rated.Float() / 0.5, OnlineShare: rated.Float() / 0.5}
			ce.Observed.Declared = &client.AgainstDeclared{Declaration: ce.Declared[0], Measured: measured}
			measured.RatedShare, measured.OnlineShare = rated.Float()/30, rated.Float()/30
			ce.Observed.Target = &client.AgainstTarget{Target: *ce.Target, Precision: "class", Measured: measured, ShortBy: ce.Target.Eflops - rated}
			ce.Clusters = []client.Cluster{{ID: "train", Identifier: "52-0001-01"}}
		}
		doc.Centres = append(doc.Centres, ce)
	}
	for _, p := range c.pools {
		add(&doc.Province.Capacity, &p.Figure)
	}
	rated := doc.Province.Capacity.Eflops.Rated
	doc.Province.Statuses = client.Statuses{Planned: 1, Operating: 3}
	doc.Province.Observed.Target = &client.AgainstTarget{
		Target: *doc.Province.Target, Precision: "class", ShortBy: 260*eflop - rated,
		Measured: client.Measured{Rated: rated, Online: rated, RatedShare: rated.Float() / 260, OnlineShare: rated.Float() / 260, Unpriced: 32},
	}
	doc.Centres = append(doc.Centres, client.Centre{ID: "zunyi", Name: client.Name{Zh: "遵义", En: "Zunyi"}, Status: "planned", Declared: []client.Declaration{}, Clusters: []client.Cluster{}, Registered: true})
	return listed[any]{doc, doc.Revision}
}

func (c *Collector) history(r *http.Request) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	doc := &client.History{Head: c.head(r), Scope: r.FormValue("scope"), Points: []client.Point{}}
	if doc.Scope == "" {
		doc.Scope = "province"
	}
	var total client.Figure
	for _, p := range c.pools {
		add(&total, &p.Figure)
	}
	for i := range 3 {
		total.Devices.Busy, total.Devices.Free = total.Devices.Busy+8, total.Devices.Free-8
		doc.From, doc.To, doc.StepS = doc.AsOf.Add(-24*time.Hour), doc.AsOf, 60
		doc.Points = append(doc.Points, client.Point{
			At: doc.AsOf.Add(time.Duration(i-3) * time.Minute), Revision: c.revision - int64(3-i)*60, Devices: total.Devices, Eflops: total.Eflops,
			Utilisation: total.Utilisation, Coverage: total.Coverage, PowerW: total.PowerW, PowerDevices: total.PowerDevices, Hosts: total.Hosts,
		})
	}
	return listed[any]{doc, doc.Revision}
}

func (c *Collector) explain(r *http.Request) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	doc := &client.Explanation{Head: c.head(r), Centres: []client.ExplainedCentre{}, Rules: []client.ExplainedRule{{ID: "dense", Text: "Peaks are dense, without sparsity."}}}
	for _, p := range c.chosen(r) {
		var f client.Figure
		add(&f, &p.Figure)
		e := client.ExplainedPool{
			Cluster: p.Cluster, Identifier: p.Identifier, Kind: p.Kind, Vendor: p.Vendor, Model: p.Model, Class: p.Class, Domestic: p.Domestic,
			Counted:  client.Counted{Devices: p.Devices, Eflops: p.Eflops},
			Units:    client.Units{Of: "slice", PerDevice: 10080, Rated: 10080 * p.Devices.Rated, Busy: 10080 * p.Devices.Busy, Free: 10080 * p.Devices.Free},
			Equation: fmt.Sprintf("%d devices × no fp16 peak = unpriced", p.Devices.Rated),
		}
		if peak := p.PeakTflops["fp16"]; peak > 0 {
			e.Peak = &client.Peak{Precision: "fp16", Of: "device", Mflops: int64(peak * 1e6), Tflops: peak}
			e.Catalogue = &client.CatalogueRow{ID: p.Model, Name: "Model of " + p.Vendor, Confidence: "datasheet", Source: "the vendor's data sheet", Version: "2026.11"}
			e.Equation = fmt.Sprintf("%d devices × %v Tflop/s = %s Eflops", p.Devices.Rated, peak, p.Eflops.Rated)
		}
		at := slices.IndexFunc(doc.Centres, func(x client.ExplainedCentre) bool { return x.Centre == p.Centre })
		if at < 0 {
			at = len(doc.Centres)
			doc.Centres = append(doc.Centres, client.ExplainedCentre{Centre: p.Centre})
		}
		ce := &doc.Centres[at]
		sum := client.Figure{Devices: ce.Devices, Eflops: ce.Eflops}
		add(&sum, &f)
		ce.Devices, ce.Eflops, ce.Pools = sum.Devices, sum.Eflops, append(ce.Pools, e)
		sum = client.Figure{Devices: doc.Total.Devices, Eflops: doc.Total.Eflops}
		add(&sum, &f)
		doc.Total = client.Counted{Devices: sum.Devices, Eflops: sum.Eflops}
	}
	unpriced := doc.Total.Devices.Unpriced
	doc.Founded = []client.Founded{
		{Confidence: "datasheet", Devices: doc.Total.Devices.Rated - unpriced, Eflops: doc.Total.Eflops.Rated}, {Confidence: "unpriced", Devices: unpriced},
	}
	doc.NotCounted = []client.NotCounted{{What: "unpriced", Scope: "figure", Devices: &unpriced, Models: []string{"Newcomer X1"}, Why: "the catalogue has no peak for the model"}}
	return listed[any]{doc, c.revision}
}

// stream tells the figure whole at every revision.
func (c *Collector) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	flush := http.NewResponseController(w)
	for {
		doc, changed := c.capacity(r)
		b, err := json.Marshal(doc)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(w, "id: %d\nevent: snapshot\ndata: %s\n\n", doc.at(), b)
		if flush.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
	}
}
