package client

// Explanation is how a figure came about: the total is the sum of its centres, a centre that of its pools, and a pool a number
// of devices times a peak.
type Explanation struct {
	Head
	Total      Counted           `json:"total"`
	Founded    []Founded         `json:"founded"` // what is rated, by the confidence of its peaks
	Centres    []ExplainedCentre `json:"centres"`
	PoolsLeft  int               `json:"pools_left_out,omitempty"` // beyond what one answer holds; they are in the sums
	Rules      []ExplainedRule   `json:"rules"`
	NotCounted []NotCounted      `json:"not_counted"`
	Hosts      []Host            `json:"hosts,omitempty"` // examples
	Missing    []Missing         `json:"missing,omitempty"`
}

// Counted is what a figure counts.
type Counted struct {
	Devices Devices `json:"devices"`
	Eflops  Eflops  `json:"eflops"`
}

// Founded is what of a figure rests on peaks of one confidence: one of the catalogue's, unknown or unpriced.
type Founded struct {
	Confidence string `json:"confidence"`
	Devices    int64  `json:"devices"`
	Eflops     Flops  `json:"eflops"`
}

// ExplainedCentre is one centre's share.
type ExplainedCentre struct {
	Centre     string `json:"centre"`
	Identifier string `json:"identifier,omitempty"`
	Counted
	Pools []ExplainedPool `json:"pools"`
}

// ExplainedPool is one pool's share.
type ExplainedPool struct {
	Cluster    string `json:"cluster"`
	Identifier string `json:"identifier,omitempty"`
	Kind       string `json:"kind"`
	Vendor     string `json:"vendor"`
	Model      string `json:"model"`
	Class      string `json:"class"`
	Domestic   string `json:"domestic"`
	Counted
	Units     Units         `json:"units"`
	Peak      *Peak         `json:"peak"`      // nil where the pool is unpriced at the precision asked for
	Equation  string        `json:"equation"`  // the arithmetic of what is rated, for people
	Catalogue *CatalogueRow `json:"catalogue"` // nil where the catalogue does not know the model
}

// Units are what is multiplied.
type Units struct {
	Of        string `json:"of"`                   // slice or core
	PerDevice int64  `json:"per_device,omitempty"` // of accelerators
	Rated     int64  `json:"rated"`
	Busy      int64  `json:"busy"`
	Free      int64  `json:"free"`
	Drained   int64  `json:"drained"`
	Faulty    int64  `json:"faulty"`
	Stale     int64  `json:"stale"`
}

// Peak is what one device, or one core, is priced at.
type Peak struct {
	Precision string  `json:"precision"`
	Of        string  `json:"of"`     // device or core
	Mflops    int64   `json:"mflops"` // 1e6 operations a second
	Tflops    float64 `json:"tflops"`
}

// CatalogueRow is the row of the catalogue that a peak is from.
type CatalogueRow struct {
	ID         string `json:"id"`
	Name       string `json:"name,omitempty"`
	Confidence string `json:"confidence,omitempty"`
	Source     string `json:"source,omitempty"`
	Version    string `json:"version"`           // of the catalogue that this was looked up in
	Differs    bool   `json:"differs,omitempty"` // the answer was priced by another version
	Missing    bool   `json:"missing,omitempty"` // the catalogue has no such row
}

// ExplainedRule is a rule of accounting that had a part in the figure.
type ExplainedRule struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// NotCounted is something that is there and counts nowhere, or for nothing, and why.
type NotCounted struct {
	What    string   `json:"what"`             // unpriced, stale, uninventoried, contested or unsettled
	Scope   string   `json:"scope"`            // figure: of what was asked for; centres: of all that the centres asked for have
	Devices *int64   `json:"devices"`          // nil where it is not known
	Hosts   *int64   `json:"hosts"`            // nil where it is not known
	Eflops  *Flops   `json:"eflops,omitempty"` // what they are worth, where that is known
	Models  []string `json:"models,omitempty"` // the first of them
	Why     string   `json:"why"`
}
