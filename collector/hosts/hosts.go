// Package hosts is the language of questions about single hosts: what is asked, in which order hosts are listed, and how the lists of
// several collectors become one page. It holds no host itself: those are in the fleets of the collectors that own their parts.
package hosts

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// Limits of a question and of its answer.
const (
	DefaultLimit = 100  // hosts of a page where the question does not say
	MaxLimit     = 1000 // hosts of a page
	// MaxLines bounds the devices and pools of a page: it ends before the host with which they would be more. A page has one host at least.
	MaxLines = 12_000
)

// Query asks for hosts. A host is listed with those of its devices that meet every filter, and not at all where none does.
type Query struct {
	Pools   capacity.Query `json:"pools"`    // devices of these pools alone, valued by its precision; By is not used
	Host    string         `json:"host"`     // the host's id, or how it begins
	Name    string         `json:"name"`     // the host's name; a star at its end stands for any rest
	States  []string       `json:"states"`   // devices in one of these states alone
	Online  *bool          `json:"online"`   // only hosts that are, or are not
	FreeMin int            `json:"free_min"` // hosts with at least so many free devices of the pools
	Sort    Order          `json:"sort"`     // ByPlace where empty
	Limit   int            `json:"limit"`    // DefaultLimit where 0
	After   *Key           `json:"after"`    // hosts behind that one alone
}

// Order is the order in which hosts are listed. Hosts that are alike in it are listed by centre and id.
type Order string

// The orders.
const (
	ByPlace Order = "centre" // by centre and id
	ByFree  Order = "free"   // those with the most free devices of the pools first
	ByAge   Order = "age"    // those that never reported first, then those whose last report is oldest
)

// StateNames are the states of a device in the order of capacity.State.
var StateNames = [...]string{"busy", "free", "drained", "faulty", "stale"}

// Normal returns the question with its defaults filled in, or what is wrong with it.
func (q Query) Normal() (Query, error) {
	var err error
	if q.Pools, err = q.Pools.Normal(); err != nil {
		return q, err
	}
	q.Sort, q.Limit = cmp.Or(q.Sort, ByPlace), cmp.Or(q.Limit, DefaultLimit)
	switch {
	case q.Sort != ByPlace && q.Sort != ByFree && q.Sort != ByAge:
		return q, fmt.Errorf("%.40q is not an order: want centre, free or age", q.Sort)
	case q.Limit < 1 || q.Limit > MaxLimit:
		return q, fmt.Errorf("limit %d is not between 1 and %d", q.Limit, MaxLimit)
	case q.FreeMin < 0 || q.FreeMin > telemetry.MaxDevices:
		return q, fmt.Errorf("free_min %d is not between 0 and %d", q.FreeMin, telemetry.MaxDevices)
	case len(q.Host) > telemetry.MaxName || len(q.Name) > telemetry.MaxName:
		return q, fmt.Errorf("a name is longer than %d bytes", telemetry.MaxName)
	}
	for _, s := range q.States {
		if !slices.Contains(StateNames[:], s) {
			return q, fmt.Errorf("%.40q is not a state: want one of %s", s, strings.Join(StateNames[:], ", "))
		}
	}
	if q.After != nil {
		return q, q.After.check(q.Sort)
	}
	return q, nil
}

// Bare reports whether the question asks for nothing that only a device can have, so that hosts without any are listed as well.
func (q *Query) Bare() bool {
	p := &q.Pools
	return len(p.Cluster)+len(p.Vendor)+len(p.Model)+len(p.Class)+len(p.Domestic)+len(q.States) == 0 && q.FreeMin == 0
}

// Named reports whether a host of this id and name may be listed.
func (q *Query) Named(id, name string) bool {
	if !strings.HasPrefix(id, q.Host) {
		return false
	}
	if begin, open := strings.CutSuffix(q.Name, "*"); open {
		return strings.HasPrefix(name, begin)
	}
	return q.Name == "" || q.Name == name
}

// Key is the place of a host in a list. What the list's order does not look at is zero, so that one comparison serves all orders.
type Key struct {
	Free   int    `json:"f,omitempty"`
	AtMS   int64  `json:"t,omitempty"` // record time of the last report; 0 where there is none
	Centre string `json:"c"`
	Host   string `json:"h"`
	Part   int    `json:"p,omitempty"` // a host that stands in two parts, as it may after partitions were added, is listed twice
}

// KeyOf is the place of a host in lists of the question's order.
func (q *Query) KeyOf(centre, host string, part, free int, atMS int64) Key {
	k := Key{Centre: centre, Host: host, Part: part}
	switch q.Sort {
	case ByFree:
		k.Free = free
	case ByAge:
		k.AtMS = atMS
	}
	return k
}

// Compare orders two places in one list.
func (k *Key) Compare(o *Key) int {
	return cmp.Or(cmp.Compare(o.Free, k.Free), cmp.Compare(k.AtMS, o.AtMS), strings.Compare(k.Centre, o.Centre),
		strings.Compare(k.Host, o.Host), cmp.Compare(k.Part, o.Part))
}

var errKey = errors.New("is not a place in this list")

func (k *Key) check(o Order) error {
	if k.Free < 0 || k.Free > telemetry.MaxDevices || k.AtMS < 0 || k.Part < 0 || k.Part > math.MaxInt32 || len(k.Host) > telemetry.MaxName ||
		telemetry.ValidID(k.Centre) != nil || k.Free != 0 && o != ByFree || k.AtMS != 0 && o != ByAge {
		return errKey
	}
	return nil
}
