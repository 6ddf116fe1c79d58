package httpfeed

import (
	"encoding/csv"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/exameter/exameter/collector/capacity"
)

// Limits of what a request may ask of devices: far beyond what there is.
const (
	mostGiB    = 1 << 20
	mostEflops = 1_000_000
)

// matchQuestion reads a question to GET /v1/match.
func matchQuestion(raw string) (question, error) {
	p, err := readParameters(raw)
	if err != nil {
		return nil, err
	}
	r := p.request()
	format := p.format()
	if err := p.done(); err != nil {
		return nil, err
	}
	if r, err = r.Normal(); err != nil {
		var wrong *capacity.RequestError
		if errors.As(err, &wrong) {
			err = &badParameter{wrong.Field, wrong.Err}
		}
		return nil, err
	}
	return func(l *capacity.Listing) (*answer, error) {
		doc, err := l.Match(r)
		if err != nil {
			return nil, err
		}
		return rendered(format, doc, writeMatchCSV), nil
	}, nil
}

// request takes the parameters of a request for capacity.
func (p *parameters) request() (r capacity.Request) {
	q := p.filters()
	r.Centre, r.Cluster, r.Vendor, r.Model, r.Class, r.Domestic, r.Precision = q.Centre, q.Cluster, q.Vendor, q.Model, q.Class, q.Domestic, q.Precision
	r.Kind = p.enum("kind", capacity.KindAccelerator, capacity.KindCPU)
	r.Count, r.PerHost, r.Hosts = p.integer("count", capacity.MaxCount), p.integer("per_host", capacity.MaxPerHost), p.integer("hosts", capacity.MaxHosts)
	if text, _ := p.decimal("eflops", mostEflops); text != "" {
		var err error
		r.Eflops, err = capacity.ParseEflops(text)
		p.fail("eflops", err)
	}
	_, gib := p.decimal("memory_gib", mostGiB)
	r.Memory = capacity.GiB(math.Ceil(gib * (1 << 30)))
	_, r.MaxAgeS = p.decimal("max_age_s", capacity.LongestAgeS)
	r.PreferCentre, r.PreferCluster = p.ids("prefer_centre"), p.ids("prefer_cluster")
	r.ExcludeCentre, r.ExcludeCluster = p.ids("exclude_centre"), p.ids("exclude_cluster")
	r.Order = capacity.Order(p.enum("order", string(capacity.Pack), string(capacity.Spread)))
	r.Limit = int(p.integer("limit", capacity.MaxLimit))
	return r
}

// matchColumns are the columns of a match's CSV between the pool's name and the head.
var matchColumns = []string{
	"fits", "devices_free", "hosts_free", "gangs", "devices_usable", "eflops_usable", "gangs_needed", "hosts_needed", "hosts_free_at_most", "gangs_at_most",
	"hosts_rated", "hosts_online", "coverage", "age_p50_s", "age_p99_s", "age_max_s", "reasons", "short",
}

// writeMatchCSV writes one row a pool. What is not known is empty.
func writeMatchCSV(w io.Writer, doc *capacity.Match) {
	out := csv.NewWriter(w)
	header := append(append([]string{"rank"}, nameColumns...), matchColumns...)
	_ = out.Write(append(header, headColumns...)) // the writer keeps an error until Flush
	whole := func(n *int64) string {
		if n == nil {
			return ""
		}
		return strconv.FormatInt(*n, 10)
	}
	for i := range doc.Pools {
		m := &doc.Pools[i]
		row := append([]string{strconv.Itoa(m.Rank)}, nameRow(&m.PoolName)...)
		eflops := ""
		if m.EflopsUsable != nil {
			eflops = m.EflopsUsable.Eflops()
		}
		g := capacity.Group{Figure: capacity.Figure{Age: m.Age}}
		row = append(row,
			strconv.FormatBool(m.Fits), whole(&m.DevicesFree), whole(m.HostsFree), whole(&m.Gangs), whole(&m.DevicesUsable), eflops,
			whole(m.GangsNeeded), whole(m.HostsNeeded), whole(m.HostsFreeAtMost), whole(m.GangsAtMost),
			whole(&m.Hosts.Rated), whole(&m.Hosts.Online), number(m.Coverage),
			ageOf(&g, func(a *capacity.Age) *float64 { return &a.P50 }), ageOf(&g, func(a *capacity.Age) *float64 { return &a.P99 }),
			ageOf(&g, func(a *capacity.Age) *float64 { return &a.Max }), strings.Join(m.Reasons, "; "), m.Short,
		)
		_ = out.Write(append(row, headRow(&doc.Head)...))
	}
	out.Flush()
}
