package httpfeed

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/registry"
)

// Centres is the answer to GET /v1/centres.
type Centres struct {
	Revision  int64             `json:"revision"`
	AsOf      time.Time         `json:"as_of"`
	Precision string            `json:"precision"`
	Kind      string            `json:"kind"`
	Province  registry.Province `json:"province"`
	Centres   []Centre          `json:"centres"`
}

// Centre is one centre: what the registry says of it, and what is observed.
type Centre struct {
	registry.Centre
	Registered bool             `json:"registered"` // whether the registry has it
	Capacity   *capacity.Figure `json:"capacity"`   // null where none of its devices is known
}

// centres answers GET /v1/centres.
func (src Source) centres(w http.ResponseWriter, r *http.Request) {
	q, _, err := parse(r.URL.RawQuery, []string{"precision", "kind"})
	if err != nil {
		refuse(w, err)
		return
	}
	s := src.snapshot(w)
	if s == nil || fresh(w, r, s, true) {
		return
	}
	q.By = []capacity.Dimension{capacity.ByCentre}
	doc, err := s.Document(q)
	if err != nil {
		refuse(w, err)
		return
	}
	reg := src.Registry()
	answer := Centres{
		Revision: doc.Revision, AsOf: doc.AsOf, Precision: doc.Precision, Kind: doc.Kind,
		Province: reg.Province, Centres: make([]Centre, 0, len(reg.Centres)+len(doc.Groups)),
	}
	for _, c := range reg.Centres {
		answer.Centres = append(answer.Centres, Centre{Centre: plain(c), Registered: true})
	}
	for i := range doc.Groups {
		g := &doc.Groups[i]
		at := slices.IndexFunc(answer.Centres, func(c Centre) bool { return c.ID == g.Centre })
		if at < 0 {
			// Its topics exist, so it operates, whatever the registry does not say.
			at = len(answer.Centres)
			answer.Centres = append(answer.Centres, Centre{Centre: plain(registry.Centre{ID: g.Centre, Status: registry.Operating})})
		}
		answer.Centres[at].Capacity = &g.Figure
	}
	slices.SortFunc(answer.Centres, func(a, b Centre) int { return strings.Compare(a.ID, b.ID) })
	w.Header().Set("Content-Type", "application/json")
	writeJSON(w, answer)
}

// plain makes empty lists of absent ones, so that clients need not tell the two apart.
func plain(c registry.Centre) registry.Centre {
	if c.Declared == nil {
		c.Declared = []registry.Declaration{}
	}
	if c.Clusters == nil {
		c.Clusters = []registry.Cluster{}
	}
	return c
}
