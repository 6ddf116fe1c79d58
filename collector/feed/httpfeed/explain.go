package httpfeed

import (
	"net/http"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/hosts"
)

// maxExamples bounds the hosts of an explanation.
const maxExamples = 100

// Explanation is the answer to GET /v1/explain. Hosts and Missing stand in it where example hosts were asked for.
type Explanation struct {
	*capacity.Explanation
	Hosts   []hosts.Host    `json:"hosts,omitempty"`
	Missing []hosts.Missing `json:"missing,omitempty"`
}

// explain answers GET /v1/explain.
func (src Source) explain(w http.ResponseWriter, r *http.Request) {
	q, n, err := parseExplain(r.URL.RawQuery)
	if err != nil {
		refuse(w, err)
		return
	}
	s := src.snapshot(w)
	if s == nil || n == 0 && fresh(w, r, weakTag(s)) {
		return
	}
	var cat *catalog.Catalog
	if src.Catalogue != nil {
		cat = src.Catalogue()
	}
	answer := Explanation{}
	if answer.Explanation, err = s.Explain(q, cat); err != nil {
		refuse(w, err)
		return
	}
	if n > 0 {
		ask, err := hosts.Query{Pools: q, Limit: n}.Normal()
		if err != nil {
			refuse(w, err)
			return
		}
		page, ok := src.page(w, r, ask)
		if !ok {
			return
		}
		answer.Hosts, answer.Missing = page.Hosts, page.Missing
		w.Header().Set("Cache-Control", "no-store")
	}
	jsonAnswer(answer).write(w, r)
}

// parseExplain reads the parameters of /v1/explain: the filters, and how many example hosts are wanted.
func parseExplain(raw string) (q capacity.Query, examples int, err error) {
	p, err := readParameters(raw)
	if err != nil {
		return q, 0, err
	}
	q, examples = p.filters(), int(p.integer("hosts", maxExamples))
	q.Kind = p.kind()
	return q, examples, p.done()
}
