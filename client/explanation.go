package client

import "encoding/json"

// Explanation is how a figure came about, a chain from the province down to devices. It is for people and for the record: its
// shape follows the rules of accounting, and the answer is kept as the collector gave it.
type Explanation struct {
	Head
	Answer json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer beside its head.
func (e *Explanation) UnmarshalJSON(b []byte) error {
	e.Answer = append(json.RawMessage(nil), b...)
	return json.Unmarshal(b, &e.Head)
}

// MarshalJSON gives the answer as it came.
func (e *Explanation) MarshalJSON() ([]byte, error) { return e.Answer, nil }
