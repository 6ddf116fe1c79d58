package httpfeed

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/history"
)

// History is the answer to GET /v1/history.
type History struct {
	capacity.Head
	Scope  string          `json:"scope"`
	From   time.Time       `json:"from"`
	To     time.Time       `json:"to"`
	StepS  float64         `json:"step_s"`
	Points []history.Point `json:"points"`
}

// historyQuery is what of a history is asked for. Zero times are defaults.
type historyQuery struct {
	scope    string
	from, to time.Time
	step     time.Duration
	format   string
}

// history answers GET /v1/history.
func (src Source) history(w http.ResponseWriter, r *http.Request) {
	q, err := parseHistory(r.URL.RawQuery)
	if err != nil {
		refuse(w, err)
		return
	}
	s := src.snapshot(w)
	if s == nil {
		return
	}
	if q.to.IsZero() {
		q.to = s.AsOf.UTC()
	}
	if q.from.IsZero() {
		q.from = q.to.Add(-history.Kept)
	}
	if q.from.After(q.to) {
		refuse(w, &badParameter{"from", fmt.Errorf("%s is after to, %s", q.from.Format(time.RFC3339), q.to.Format(time.RFC3339))})
		return
	}
	if fresh(w, r, weakTag(s)) {
		return
	}
	head, err := s.Head(capacity.Query{})
	if err != nil {
		refuse(w, err)
		return
	}
	rendered(q.format, &History{
		Head:  head,
		Scope: q.scope, From: q.from, To: q.to, StepS: q.step.Seconds(), Points: src.Past.Points(q.scope, q.from, q.to, q.step),
	}, writeHistoryCSV).write(w, r)
}

// pointColumns are the figures of a point: those of every CSV, apart from what no point keeps.
var pointColumns = slices.DeleteFunc(slices.Clone(figureColumns), func(c column) bool {
	return strings.HasPrefix(c.name, "origin_") || strings.HasPrefix(c.name, "age_")
})

// writeHistoryCSV writes one row a point, with the revision that it was of.
func writeHistoryCSV(w io.Writer, doc *History) {
	out := csv.NewWriter(w)
	row := []string{"scope", "at"}
	for _, c := range pointColumns {
		row = append(row, c.name)
	}
	_ = out.Write(append(row, "precision", "revision")) // the writer keeps an error until Flush
	for i := range doc.Points {
		p := &doc.Points[i]
		g := capacity.Group{Figure: capacity.Figure{
			Devices: p.Devices, Eflops: p.Eflops, Utilisation: p.Utilisation, PowerW: p.PowerW, PowerDevices: p.PowerDevices, Hosts: p.Hosts, Coverage: p.Coverage,
		}}
		row = append(row[:0], doc.Scope, p.At.Format(time.RFC3339Nano))
		for _, c := range pointColumns {
			row = append(row, c.of(&g))
		}
		_ = out.Write(append(row, doc.Precision, strconv.FormatInt(p.Revision, 10)))
	}
	out.Flush()
}

// parseHistory reads the parameters of /v1/history.
func parseHistory(raw string) (q historyQuery, err error) {
	p, err := readParameters(raw)
	if err != nil {
		return q, err
	}
	q = historyQuery{scope: history.Province, step: time.Minute, format: p.format()}
	if v, given := p.one("scope"); given {
		q.scope = v
		p.fail("scope", history.ValidScope(v))
	}
	q.from, q.to = p.moment("from"), p.moment("to")
	if v, given := p.one("step"); given {
		q.step, err = time.ParseDuration(v)
		if least := history.Tiers[0].Step; err != nil || q.step < least || q.step > history.Kept || q.step%least != 0 {
			p.fail("step", fmt.Errorf("%q is not a multiple of %s up to %s, such as 10s, 5m or 1h", clipped(v), least, history.Kept))
		}
	}
	return q, p.done()
}

// moment is a time as RFC 3339 has it, zero where it is not given.
func (p *parameters) moment(name string) time.Time {
	v, given := p.one(name)
	if !given {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		p.fail(name, fmt.Errorf("%q is not a time such as 2026-11-23T08:00:00Z", clipped(v)))
	}
	return t.UTC()
}
