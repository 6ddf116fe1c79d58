package partial

import (
	"encoding/json"
	"fmt"
)

// Owner says that a collector takes a part over. Whoever reads it reads nothing of an earlier owner behind it, so that the new
// owner, once it has read it back, knows what the log will say of the part for as long as it owns it.
type Owner struct {
	Schema     int    `json:"schema"`
	Instance   string `json:"instance"`
	Address    string `json:"address"`
	Generation int32  `json:"generation"`
	Sequence   int64  `json:"sequence"`
}

const ownerSuffix = "owner"

// OwnerKey is the Kafka key of a part's owner.
func OwnerKey(centre string, number int) string { return Key(centre, number) + "/" + ownerSuffix }

// Encode writes a record's value.
func (o *Owner) Encode() ([]byte, error) {
	o.Schema = Schema
	b, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode owner: %w", err)
	}
	return b, nil
}

// DecodeOwner reads a record's value.
func DecodeOwner(value []byte) (*Owner, error) {
	o := &Owner{}
	if err := json.Unmarshal(value, o); err != nil {
		return nil, fmt.Errorf("decode owner: %w", err)
	}
	if o.Schema != Schema {
		return nil, fmt.Errorf("decode owner: schema %d: %w", o.Schema, ErrSchema)
	}
	if o.Generation < 0 {
		return nil, fmt.Errorf("decode owner: generation %d", o.Generation)
	}
	return o, nil
}
