package partial

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
)

// Buckets is how many records the claims of a part are spread over, by the first bits of their hashes, so that a device that comes
// or goes costs a small record.
const Buckets = len(bucketDigits)

const bucketDigits = "0123456789abcdef"

// BucketOf returns the bucket of a claim.
func BucketOf(claim uint64) int { return int(claim >> 60) }

// ClaimsKey is the Kafka key of one bucket of a part's claims.
func ClaimsKey(centre string, number, bucket int) string {
	return Key(centre, number) + "/" + bucketDigits[bucket:bucket+1]
}

// Claims announces which devices hosts of a part claim, in one bucket. A device counts in a part once its announcement was read back and
// no other part was found to claim it too.
type Claims struct {
	Schema     int    `json:"schema"`
	Instance   string `json:"instance"`
	Generation int32  `json:"generation"`
	Sequence   int64  `json:"sequence"`
	Held       Hashes `json:"held"`  // announced before
	Asked      Hashes `json:"asked"` // announced by this record
}

// Hashes are claims, ascending. In JSON they are base64 of eight bytes each, the first being the highest.
type Hashes []uint64

// MarshalJSON writes them.
func (h Hashes) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 8*len(h))
	for _, v := range h {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return json.Marshal(b)
}

// UnmarshalJSON reads them, and refuses those that are not ascending.
func (h *Hashes) UnmarshalJSON(text []byte) error {
	var b []byte // encoding/json reads base64 into bytes
	if err := json.Unmarshal(text, &b); err != nil {
		return fmt.Errorf("hashes: %w", err)
	}
	if len(b)%8 != 0 {
		return fmt.Errorf("hashes: %d bytes are not a number of hashes", len(b))
	}
	out := make(Hashes, 0, len(b)/8)
	for ; len(b) > 0; b = b[8:] {
		v := binary.BigEndian.Uint64(b)
		if n := len(out); n > 0 && out[n-1] >= v {
			return fmt.Errorf("hashes: %016x does not come after %016x", v, out[n-1])
		}
		out = append(out, v)
	}
	*h = out
	return nil
}

// Has reports whether a claim is among them.
func (h Hashes) Has(claim uint64) bool {
	i := sort.Search(len(h), func(i int) bool { return h[i] >= claim })
	return i < len(h) && h[i] == claim
}

// With returns the hashes with others, which must be ascending, among them.
func (h Hashes) With(others Hashes) Hashes {
	if len(others) == 0 {
		return h
	}
	out := make(Hashes, 0, len(h)+len(others))
	for len(h) > 0 && len(others) > 0 {
		switch {
		case h[0] < others[0]:
			out, h = append(out, h[0]), h[1:]
		case h[0] > others[0]:
			out, others = append(out, others[0]), others[1:]
		default:
			h = h[1:]
		}
	}
	return append(append(out, h...), others...)
}

// Without returns the hashes that gone does not report.
func (h Hashes) Without(gone func(uint64) bool) Hashes {
	if !slices.ContainsFunc(h, gone) {
		return h
	}
	out := make(Hashes, 0, len(h))
	for _, v := range h {
		if !gone(v) {
			out = append(out, v)
		}
	}
	return out
}

// Encode writes a record's value.
func (c *Claims) Encode() ([]byte, error) {
	c.Schema = Schema
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode claims: %w", err)
	}
	return b, nil
}

// DecodeClaims reads a record's value.
func DecodeClaims(value []byte, bucket int) (*Claims, error) {
	c := &Claims{}
	if err := json.Unmarshal(value, c); err != nil {
		return nil, fmt.Errorf("decode claims: %w", err)
	}
	if c.Schema != Schema {
		return nil, fmt.Errorf("decode claims: schema %d: %w", c.Schema, ErrSchema)
	}
	if c.Generation < 0 {
		return nil, fmt.Errorf("decode claims: generation %d", c.Generation)
	}
	for _, list := range []Hashes{c.Held, c.Asked} {
		if n := len(list); n > 0 && (BucketOf(list[0]) != bucket || BucketOf(list[n-1]) != bucket) {
			return nil, fmt.Errorf("decode claims: a hash does not belong to bucket %d", bucket)
		}
	}
	return c, nil
}
