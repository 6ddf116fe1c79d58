package capacity

import (
	"cmp"
	"time"
)

// Head is what every answer begins with: what it was worked out from, and how it counts. Its fields are those of Document.
type Head struct {
	Revision  int64     `json:"revision"`
	AsOf      time.Time `json:"as_of"`
	Catalogue string    `json:"catalogue"`
	Registry  string    `json:"registry"`
	Rule      string    `json:"rule"`
	Precision string    `json:"precision"`
	Kind      string    `json:"kind"`
	Parts     Parts     `json:"parts"`
}

// head is the head of an answer from the snapshot.
func (s *Snapshot) head(precision Precision, kind string) Head {
	return Head{
		Revision: s.Revision, AsOf: s.AsOf.UTC(), Catalogue: s.Catalogue, Registry: s.Registry, Rule: cmp.Or(s.Rule, Rule),
		Precision: string(precision), Kind: kind, Parts: s.Parts,
	}
}
