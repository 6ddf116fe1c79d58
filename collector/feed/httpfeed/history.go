package httpfeed

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/history"
)

// History is the answer to GET /v1/history.
type History struct {
	Revision  int64           `json:"revision"`
	AsOf      time.Time       `json:"as_of"`
	Catalogue string          `json:"catalogue"`
	Registry  string          `json:"registry"`
	Rule      string          `json:"rule"`
	Precision string          `json:"precision"`
	Kind      string          `json:"kind"`
	Parts     capacity.Parts  `json:"parts"`
	Scope     string          `json:"scope"`
	From      time.Time       `json:"from"`
	To        time.Time       `json:"to"`
	StepS     float64         `json:"step_s"`
	Points    []history.Point `json:"points"`
}

var historyParameters = []string{"scope", "from", "to", "step"}

// historyQuery is what of a history is asked for. Zero times are defaults.
type historyQuery struct {
	scope    string
	from, to time.Time
	step     time.Duration
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
	if fresh(w, r, s, true) {
		return
	}
	doc, err := s.Document(capacity.Query{})
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	writeJSON(w, History{
		Revision: doc.Revision, AsOf: doc.AsOf, Catalogue: doc.Catalogue, Registry: doc.Registry, Rule: doc.Rule, Precision: doc.Precision, Kind: doc.Kind, Parts: doc.Parts,
		Scope: q.scope, From: q.from, To: q.to, StepS: q.step.Seconds(), Points: src.Past.Points(q.scope, q.from, q.to, q.step),
	})
}

// parseHistory reads the parameters.
func parseHistory(raw string) (historyQuery, error) {
	q := historyQuery{scope: history.Province, step: time.Minute}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, &badParameter{"query", fmt.Errorf("%.100q cannot be parsed", raw)}
	}
	for _, name := range sortedNames(values) {
		if !slices.Contains(historyParameters, name) {
			return q, &badParameter{clipped(name), fmt.Errorf("is not a parameter: want %s", strings.Join(historyParameters, ", "))}
		}
		if n := len(values[name]); n > 1 {
			return q, &badParameter{name, fmt.Errorf("is given %d times, want once", n)}
		}
		if err := q.read(name, values[name][0]); err != nil {
			return q, &badParameter{name, err}
		}
	}
	return q, nil
}

func (q *historyQuery) read(name, v string) (err error) {
	switch name {
	case "scope":
		q.scope, err = v, history.ValidScope(v)
	case "from":
		q.from, err = moment(v)
	case "to":
		q.to, err = moment(v)
	case "step":
		q.step, err = time.ParseDuration(v)
		if least := history.Tiers[0].Step; err != nil || q.step < least || q.step > history.Kept || q.step%least != 0 {
			err = fmt.Errorf("%q is not a multiple of %s up to %s, such as 10s, 5m or 1h", clipped(v), least, history.Kept)
		}
	}
	return err
}

// moment reads a time as RFC 3339 has it.
func moment(v string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, v)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return t, fmt.Errorf("%q is not a time such as 2026-11-23T08:00:00Z", clipped(v))
	}
	return t.UTC(), nil
}
