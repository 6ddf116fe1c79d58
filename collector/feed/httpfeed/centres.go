package httpfeed

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/registry"
)

// Centres is the answer to GET /v1/centres.
type Centres struct {
	capacity.Head
	// Described is the revision of the registry that names, statuses, declarations and targets are from: the one of the collector that
	// answers. It stands here where it is not the one by which the figures were made.
	Described *string  `json:"described_by,omitempty"`
	Province  Province `json:"province"`
	Centres   []Centre `json:"centres"`
}

// Province is the plan for all centres together, and what is observed of it.
type Province struct {
	registry.Province
	Statuses Statuses        `json:"statuses"`
	Observed Observed        `json:"observed"`
	Capacity capacity.Figure `json:"capacity"`
}

// Statuses counts centres by status; those that the registry does not have are operating.
type Statuses struct {
	Planned   int `json:"planned"`
	Building  int `json:"building"`
	Operating int `json:"operating"`
}

// Centre is one centre: what the registry says of it, and what is observed.
type Centre struct {
	registry.Centre
	Registered bool             `json:"registered"` // whether the registry has it
	Observed   Observed         `json:"observed"`
	Capacity   *capacity.Figure `json:"capacity"` // null where none of its devices is known
}

// Observed holds what is measured against what was said, for the kind of devices that the question is about.
type Observed struct {
	Declared *AgainstDeclared `json:"declared"` // the declaration in force; null where there is none
	Target   *AgainstTarget   `json:"target"`   // null where there is none
}

// AgainstDeclared compares with the latest declaration that is not later than as_of, at the precision of the declaration.
type AgainstDeclared struct {
	registry.Declaration
	Measured
}

// AgainstTarget compares with a target, each device by its class's precision.
type AgainstTarget struct {
	registry.Target
	Precision capacity.Precision `json:"precision"`
	Measured
	ShortBy capacity.Flops `json:"short_by"` // what rated lacks of it; zero where it has been reached
}

// Measured is what is there, and the share of what was said that it is. Unpriced devices are worth nothing in it: with some, the shares
// are too low by what nobody knows.
type Measured struct {
	Rated       capacity.Flops `json:"rated"`
	Online      capacity.Flops `json:"online"`
	RatedShare  float64        `json:"rated_share"`
	OnlineShare float64        `json:"online_share"`
	Unpriced    int64          `json:"unpriced"` // devices
}

// centres answers GET /v1/centres.
func (src Source) centres(w http.ResponseWriter, r *http.Request) {
	q, err := parseCentres(r.URL.RawQuery)
	if err != nil {
		refuse(w, err)
		return
	}
	s := src.snapshot(w)
	if s == nil || fresh(w, r, weakTag(s)) {
		return
	}
	answer, err := centresOf(s, src.Registry(), q)
	if err != nil {
		refuse(w, err)
		return
	}
	jsonAnswer(answer).write(w, r)
}

// parseCentres reads the parameters of /v1/centres.
func parseCentres(raw string) (q capacity.Query, err error) {
	p, err := readParameters(raw)
	if err != nil {
		return q, err
	}
	q.Precision, q.Kind = p.precision(), p.kind()
	return q, p.done()
}

// centresOf puts what a snapshot has beside what a registry says.
func centresOf(s *capacity.Snapshot, reg *registry.Registry, q capacity.Query) (*Centres, error) {
	head, err := s.Head(q)
	if err != nil {
		return nil, err
	}
	o := observer{s: s, kind: head.Kind, docs: map[capacity.Precision]*capacity.Document{}}
	doc := o.document(capacity.Precision(head.Precision))
	answer := &Centres{Head: head, Province: Province{Province: reg.Province, Capacity: doc.Total}, Centres: make([]Centre, 0, len(reg.Centres)+len(doc.Groups))}
	if reg.Revision != head.Registry {
		answer.Described = &reg.Revision
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
	for i := range answer.Centres {
		c := &answer.Centres[i]
		c.Observed = Observed{Declared: o.declared(c), Target: o.target(c.Target, c.ID)}
		switch c.Status {
		case registry.Planned:
			answer.Province.Statuses.Planned++
		case registry.Building:
			answer.Province.Statuses.Building++
		default:
			answer.Province.Statuses.Operating++
		}
	}
	answer.Province.Observed.Target = o.target(reg.Province.Target, "")
	slices.SortFunc(answer.Centres, func(a, b Centre) int { return strings.Compare(a.ID, b.ID) })
	return answer, nil
}

// observer measures against what was said, each precision worked out once.
type observer struct {
	s    *capacity.Snapshot
	kind string
	docs map[capacity.Precision]*capacity.Document
}

// document is the capacity by centre at a precision.
func (o *observer) document(p capacity.Precision) *capacity.Document {
	if o.docs[p] == nil {
		doc, err := o.s.Document(capacity.Query{By: []capacity.Dimension{capacity.ByCentre}, Precision: p, Kind: o.kind})
		if err != nil {
			doc = &capacity.Document{} // precision and kind were checked, the former when the registry was read
		}
		o.docs[p] = doc
	}
	return o.docs[p]
}

// measure compares what a centre has, or the province where it is empty, with so many Eflops.
func (o *observer) measure(centre string, p capacity.Precision, said capacity.Flops) Measured {
	doc := o.document(p)
	fig := &doc.Total
	if centre != "" {
		fig = &capacity.Figure{}
		if i := slices.IndexFunc(doc.Groups, func(g capacity.Group) bool { return g.Centre == centre }); i >= 0 {
			fig = &doc.Groups[i].Figure
		}
	}
	m := Measured{Rated: fig.Eflops.Rated, Online: fig.Eflops.Online, Unpriced: fig.Devices.Unpriced}
	if said > 0 {
		m.RatedShare, m.OnlineShare = float64(m.Rated)/float64(said), float64(m.Online)/float64(said)
	}
	return m
}

// declared compares with the declaration in force. A declaration is in force from the beginning of its day, in UTC, until the next one is.
func (o *observer) declared(c *Centre) *AgainstDeclared {
	var last *registry.Declaration
	for i := range c.Declared {
		if d := &c.Declared[i]; !d.Date.After(o.s.AsOf.UTC().Truncate(24 * time.Hour)) {
			last = d
		}
	}
	if last == nil {
		return nil
	}
	return &AgainstDeclared{*last, o.measure(c.ID, cmp.Or(last.Precision, capacity.ByClass), last.Eflops.Flops)}
}

// target compares with a target of a centre, or of the province where it is empty.
func (o *observer) target(t *registry.Target, centre string) *AgainstTarget {
	if t == nil {
		return nil
	}
	m := o.measure(centre, capacity.ByClass, t.Eflops.Flops)
	return &AgainstTarget{*t, capacity.ByClass, m, max(t.Eflops.Flops-m.Rated, 0)}
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
