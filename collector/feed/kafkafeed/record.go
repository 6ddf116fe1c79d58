// Package kafkafeed writes the latest figures of the province, its centres and pools to a topic of Kafka, one collector at a time for
// all, and keeps their history there. See docs/feed.md.
package kafkafeed

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/history"
)

// Schema is the version of the records that this package writes.
const Schema = 1

// Writer says who wrote a record.
type Writer struct {
	Schema     int    `json:"schema"`
	Scope      string `json:"scope"`
	Instance   string `json:"instance"`   // the collector that wrote it
	Generation int32  `json:"generation"` // of the group, by which it was the one to write
}

// Record is the value of a scope's key: the head and the figure of the capacity document.
type Record struct {
	Writer
	Revision  int64          `json:"revision"`
	AsOf      time.Time      `json:"as_of"`
	Catalogue string         `json:"catalogue"`
	Registry  string         `json:"registry"`
	Rule      string         `json:"rule"`
	Precision string         `json:"precision"`
	Kind      string         `json:"kind"` // of a pool its own
	Parts     capacity.Parts `json:"parts"`

	// Of a centre and a pool: what tells it apart. Class and Domestic are left out of a pool of which parts say different things.
	Centre   string `json:"centre,omitempty"`
	Cluster  string `json:"cluster,omitempty"`
	Vendor   string `json:"vendor,omitempty"`
	Model    string `json:"model,omitempty"`
	Class    string `json:"class,omitempty"`
	Domestic string `json:"domestic,omitempty"`

	Identifier string `json:"identifier,omitempty"` // what the registry has for the cluster, else for the centre
	capacity.Figure
}

// Note is the value of a slot of a history.
type Note struct {
	Writer
	history.Point
}

// PoolScope is the scope of a pool. Names that tools print may hold anything, so they are escaped as in the path of a URL.
func PoolScope(centre, cluster, kind, vendor, model string) string {
	return strings.Join([]string{"pool", centre, cluster, kind, url.PathEscape(vendor), url.PathEscape(model)}, "/")
}

// maxValue bounds a record that is read back.
const maxValue = 64 << 10

// decode reads what of a record is needed of one that somebody else wrote.
func decode(value []byte, into any) error {
	if len(value) > maxValue {
		return fmt.Errorf("a record of %d bytes", len(value))
	}
	if err := json.Unmarshal(value, into); err != nil {
		return fmt.Errorf("decode a record of the feed: %w", err)
	}
	return nil
}

var errSchema = errors.New("the schema is not known")

// decodeNote reads a point of a history. What it returns is sound.
func decodeNote(value []byte) (history.Point, error) {
	var n Note
	if err := decode(value, &n); err != nil {
		return n.Point, err
	}
	if n.Schema != Schema {
		return n.Point, errSchema
	}
	d := &n.Devices
	for _, c := range []int64{n.Revision, d.Rated, d.Online, d.Healthy, d.Busy, d.Free, d.Drained, d.Faulty, d.Stale, d.Unpriced, n.PowerDevices, n.Hosts.Rated, n.Hosts.Online, int64(n.Eflops.Rated)} {
		if c < 0 {
			return n.Point, fmt.Errorf("a count of %d", c)
		}
	}
	if n.At.Year() < 2000 || n.At.Year() > 9999 {
		return n.Point, fmt.Errorf("a time of %s", n.At)
	}
	n.At = n.At.UTC()
	return n.Point, nil
}
