package hosts

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/exameter/exameter/telemetry"
)

// Schema is the version of what collectors ask each other.
const Schema = 1

// Request is the question of one collector to another: for the hosts of some parts that the other one owns.
type Request struct {
	Schema int              `json:"schema"`
	Parts  map[string][]int `json:"parts"` // numbers by centre
	Query  Query            `json:"query"`
}

// Reply is the answer to a Request.
type Reply struct {
	Schema   int              `json:"schema"`
	Instance string           `json:"instance"` // who answers
	Rows     []Row            `json:"rows"`     // in order
	Upto     *Key             `json:"upto"`     // rows up to there are complete; null where all are
	Matching int64            `json:"matching"` // hosts that meet the filters, wherever the page begins and ends
	Reasons  map[string]int64 `json:"reasons"`  // their devices that meet the filters, by reason
	Missing  []Missing        `json:"missing"`  // parts that it cannot answer for
}

// Row is a host with its place in the list. The host may have changed since it got the place.
type Row struct {
	Key  Key  `json:"key"`
	Host Host `json:"host"`
}

// Missing is a part whose hosts are not listed.
type Missing struct {
	Centre string `json:"centre"`
	Part   int    `json:"part"`
	Owner  string `json:"owner"` // the collector that should have answered
	Why    string `json:"why"`
}

// Why parts are missing.
const (
	Silent     = "its owner does not answer"
	Another    = "another collector answers at its owner's address"
	Moved      = "its owner has handed it over"
	Rebuilding = "its owner is reading it from Kafka"
	Crowded    = "its owner has too many such questions to answer"
	Garbled    = "its owner's answer cannot be used"
	Refused    = "its owner refuses the question: it may be of another version"
)

// Page is one page of a list.
type Page struct {
	Hosts    []Host
	Matching int64
	Reasons  []Reason // of the devices of all pages, the most frequent first
	Next     *Key     // where the next page begins; nil on the last one
	Missing  []Missing
}

// Reason counts the devices that are in their state for one reason. Those without a reason, as silent hosts' are, are not counted.
type Reason struct {
	Reason  string `json:"reason"`
	Devices int64  `json:"devices"`
}

// reasonsOf puts counts in order.
func reasonsOf(counts map[string]int64) []Reason {
	out := make([]Reason, 0, len(counts))
	for reason, n := range counts {
		out = append(out, Reason{reason, n})
	}
	slices.SortFunc(out, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(b.Devices, a.Devices), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}

// maxParts bounds the parts of a request, as the view bounds those of the log.
const maxParts = 1 << 16

// ReadRequest reads a request. One that asks for what this version does not know is refused: to leave a filter out would be a wrong answer.
func ReadRequest(r io.Reader) (*Request, error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	req := &Request{}
	if err := d.Decode(req); err != nil {
		return nil, fmt.Errorf("read question: %w", err)
	}
	if req.Schema != Schema {
		return nil, fmt.Errorf("read question: schema %d is not known", req.Schema)
	}
	n := 0
	for centre, parts := range req.Parts {
		if err := telemetry.ValidID(centre); err != nil {
			return nil, fmt.Errorf("read question: centre: %w", err)
		}
		n += len(parts)
	}
	if n > maxParts {
		return nil, fmt.Errorf("read question: %d parts, want at most %d", n, maxParts)
	}
	var err error
	req.Query, err = req.Query.Normal()
	return req, err
}

// errReply says that an answer does not answer the question.
var errReply = errors.New("the answer is not to the question")

// ReadReply reads the answer to a request, and refuses one that cannot be to it.
func ReadReply(r io.Reader, req *Request) (*Reply, error) {
	a := &Reply{}
	if err := json.NewDecoder(r).Decode(a); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if a.Schema != Schema || len(a.Rows) > req.Query.Limit || a.Matching < int64(len(a.Rows)) {
		return nil, fmt.Errorf("read answer: schema %d, %d rows: %w", a.Schema, len(a.Rows), errReply)
	}
	asked := func(centre string, part int) bool { return slices.Contains(req.Parts[centre], part) }
	last := req.Query.After
	for i := range a.Rows {
		k := &a.Rows[i].Key
		if !asked(k.Centre, k.Part) || a.Rows[i].Host.Centre != k.Centre || a.Rows[i].Host.Host != k.Host {
			return nil, fmt.Errorf("read answer: row %d is of %.80q: %w", i, k.Centre, errReply)
		}
		if err := k.check(req.Query.Sort); err != nil || last != nil && k.Compare(last) <= 0 {
			return nil, fmt.Errorf("read answer: row %d is out of order: %w", i, errReply)
		}
		last = k
	}
	if u := a.Upto; u != nil {
		behind := last == nil || u.Compare(last) > 0 || len(a.Rows) > 0 && u.Compare(last) == 0
		if err := u.check(req.Query.Sort); err != nil || !behind {
			return nil, fmt.Errorf("read answer: it is complete up to no place behind its rows: %w", errReply)
		}
	}
	parts := 0
	for _, numbers := range req.Parts {
		parts += len(numbers)
	}
	if len(a.Missing) > parts {
		return nil, fmt.Errorf("read answer: %d missing parts of %d: %w", len(a.Missing), parts, errReply)
	}
	for _, m := range a.Missing {
		if !asked(m.Centre, m.Part) {
			return nil, fmt.Errorf("read answer: part %.80q/%d was not asked for: %w", m.Centre, m.Part, errReply)
		}
	}
	return a, nil
}

// Merge makes one page of the answers of several collectors.
func Merge(q *Query, replies []*Reply) Page {
	page := Page{Hosts: []Host{}, Missing: []Missing{}}
	var rows []*Row
	var upto *Key
	reasons := map[string]int64{}
	for _, a := range replies {
		page.Matching += a.Matching
		for reason, n := range a.Reasons {
			reasons[reason] += n
		}
		page.Missing = append(page.Missing, a.Missing...)
		for i := range a.Rows {
			rows = append(rows, &a.Rows[i])
		}
		if a.Upto != nil && (upto == nil || a.Upto.Compare(upto) < 0) {
			upto = a.Upto
		}
	}
	page.Reasons = reasonsOf(reasons)
	slices.SortFunc(rows, func(a, b *Row) int { return a.Key.Compare(&b.Key) })
	slices.SortFunc(page.Missing, func(a, b Missing) int { return cmp.Or(cmp.Compare(a.Centre, b.Centre), cmp.Compare(a.Part, b.Part)) })
	lines := 0
	page.Next = upto // unless the page ends earlier: behind it rows of some collector are not known
	for i, r := range rows {
		if upto != nil && r.Key.Compare(upto) > 0 {
			break
		}
		if lines += r.Host.Lines(); i == q.Limit || i > 0 && lines > MaxLines {
			page.Next = &rows[i-1].Key
			break
		}
		page.Hosts = append(page.Hosts, r.Host)
	}
	return page
}
