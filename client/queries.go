package client

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Filter says what counts. The zero value is all accelerators, each by its class's precision.
type Filter struct {
	Centre, Cluster, Vendor, Model, Class, Domestic []string

	Kind      string // accelerator, cpu or all
	Precision string // class, fp64, fp32, tf32, fp16, bf16, fp8 or int8
}

// Values are the filter as parameters of the API.
func (f *Filter) Values() url.Values {
	q := parameters{}
	f.into(q)
	return url.Values(q)
}

func (f *Filter) into(q parameters) {
	q.list("centre", f.Centre)
	q.list("cluster", f.Cluster)
	q.list("vendor", f.Vendor)
	q.list("model", f.Model)
	q.list("class", f.Class)
	q.list("domestic", f.Domestic)
	q.text("kind", f.Kind)
	q.text("precision", f.Precision)
}

// parameters are parameters of the API. What says nothing is left out.
type parameters url.Values

// list gives a parameter once for each value: a model's name may hold a comma.
func (q parameters) list(name string, values []string) {
	if len(values) > 0 {
		q[name] = values
	}
}

func (q parameters) text(name, v string) {
	if v != "" {
		q[name] = []string{v}
	}
}

func (q parameters) number(name string, v int64) {
	if v != 0 {
		q[name] = []string{strconv.FormatInt(v, 10)}
	}
}

// decimal gives at most the 12 places that a collector takes.
func (q parameters) decimal(name string, v float64) {
	if v != 0 {
		q[name] = []string{strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 12, 64), "0"), ".")}
	}
}

func (q parameters) time(name string, t time.Time) {
	if !t.IsZero() {
		q[name] = []string{t.UTC().Format(time.RFC3339)}
	}
}

// CapacityQuery asks for capacity, in one total or in groups.
type CapacityQuery struct {
	Filter
	By []string // centre, cluster, kind, vendor, model, class, domestic; or pool for centre, cluster, kind and model
}

// Values are the query as parameters of the API.
func (q *CapacityQuery) Values() url.Values {
	p := parameters{}
	q.into(p)
	p.text("by", strings.Join(q.By, ","))
	return url.Values(p)
}

// PoolsQuery asks for pools.
type PoolsQuery struct {
	Filter
	Sort   string // free, eflops, age or name
	Limit  int    // pools a page; 0 is the collector's default
	Cursor string // Next of the page before
}

// Values are the query as parameters of the API.
func (q *PoolsQuery) Values() url.Values {
	p := parameters{}
	q.into(p)
	p.text("sort", q.Sort)
	p.number("limit", int64(q.Limit))
	p.text("cursor", q.Cursor)
	return url.Values(p)
}

// MatchQuery asks where a job fits.
type MatchQuery struct {
	Filter // Centre and Cluster: only these

	Count     int64   // devices
	PerHost   int64   // devices of one gang, which share a host; 1 where 0
	Hosts     int64   // hosts, instead of Count
	MemoryGiB float64 // of a device, at least
	Eflops    float64 // at least

	PreferCentre, PreferCluster   []string
	ExcludeCentre, ExcludeCluster []string

	MaxAge time.Duration // of a pool's reports, in whole milliseconds
	Order  string        // pack or spread
	Limit  int           // pools in the answer; 0 is the collector's default
}

// Values are the query as parameters of the API.
func (q *MatchQuery) Values() url.Values {
	p := parameters{}
	q.into(p)
	p.number("count", q.Count)
	p.number("per_host", q.PerHost)
	p.number("hosts", q.Hosts)
	p.decimal("memory_gib", q.MemoryGiB)
	p.decimal("eflops", q.Eflops)
	p.list("prefer_centre", q.PreferCentre)
	p.list("prefer_cluster", q.PreferCluster)
	p.list("exclude_centre", q.ExcludeCentre)
	p.list("exclude_cluster", q.ExcludeCluster)
	p.decimal("max_age_s", float64(q.MaxAge.Milliseconds())/1000)
	p.text("order", q.Order)
	p.number("limit", int64(q.Limit))
	return url.Values(p)
}

// HostsQuery asks for single hosts.
type HostsQuery struct {
	Filter
	Host    string   // the id, or how it begins
	Name    string   // of the host
	State   []string // hosts with a device in one of these states: busy, free, drained, faulty, stale
	Online  *bool    // only hosts that are, or are not
	FreeMin int      // at least so many free devices
	Sort    string   // centre, free or age
	Limit   int      // hosts a page, at most 1,000; 0 is the collector's default
	Cursor  string   // Next of the page before
}

// Values are the query as parameters of the API.
func (q *HostsQuery) Values() url.Values {
	p := parameters{}
	q.into(p)
	p.text("host", q.Host)
	p.text("name", q.Name)
	p.list("state", q.State)
	if q.Online != nil {
		p.text("online", strconv.FormatBool(*q.Online))
	}
	p.number("free_min", int64(q.FreeMin))
	p.text("sort", q.Sort)
	p.number("limit", int64(q.Limit))
	p.text("cursor", q.Cursor)
	return url.Values(p)
}

// ExplainQuery asks how a figure came about.
type ExplainQuery struct {
	Filter
	Hosts int // so many example hosts a pool
}

// Values are the query as parameters of the API.
func (q *ExplainQuery) Values() url.Values {
	p := parameters{}
	q.into(p)
	p.number("hosts", int64(q.Hosts))
	return url.Values(p)
}

// HistoryQuery asks how a figure went.
type HistoryQuery struct {
	Scope    string        // province, or centre/<id>
	From, To time.Time     // the zero time is a day before To, and now
	Step     time.Duration // a multiple of 10 s; 0 is a minute
}

// Values are the query as parameters of the API.
func (q *HistoryQuery) Values() url.Values {
	p := parameters{}
	p.text("scope", q.Scope)
	p.time("from", q.From)
	p.time("to", q.To)
	if q.Step != 0 {
		p.text("step", strconv.FormatInt(int64(q.Step/time.Second), 10)+"s")
	}
	return url.Values(p)
}
