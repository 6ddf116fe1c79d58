package httpfeed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/hosts"
	"github.com/exameter/exameter/telemetry"
)

// HostsPath is where collectors ask each other for the hosts of their own parts.
const HostsPath = "/internal/v1/hosts"

// maxQuestion bounds what another collector may send, in bytes.
const maxQuestion = 1 << 20

// Hosts is the answer to GET /v1/hosts. Its head is that of the snapshot; the hosts are as their owners have them when they are asked,
// which is up to a second later.
type Hosts struct {
	capacity.Head
	Matching int64           `json:"matching"` // hosts that meet the filters, on all pages
	Reasons  []hosts.Reason  `json:"reasons"`  // their devices that meet the filters, by why they are in their state
	Hosts    []hosts.Host    `json:"hosts"`
	Next     string          `json:"next,omitempty"` // cursor of the next page
	Missing  []hosts.Missing `json:"missing"`        // parts whose hosts are not among them
}

// hostsQuestion is a request for hosts that was understood.
type hostsQuestion struct {
	hosts.Query
	format string
	values url.Values
}

// parseHosts reads the parameters of /v1/hosts.
func parseHosts(raw string) (q hostsQuestion, err error) {
	p, err := readParameters(raw)
	if err != nil {
		return q, err
	}
	q.values = p.values
	q.format = p.format()
	q.Query = hosts.Query{
		Pools: p.filters(), Host: p.name("host"), Name: p.name("name"), States: p.enums("state", hosts.StateNames[:]...),
		FreeMin: int(p.integer("free_min", telemetry.MaxDevices)), Limit: int(p.integer("limit", hosts.MaxLimit)),
		Sort: hosts.Order(p.enum("sort", string(hosts.ByPlace), string(hosts.ByFree), string(hosts.ByAge))),
	}
	q.Pools.Kind = p.kind()
	if _, given := p.values["online"]; given {
		q.Online = new(p.enum("online", "true", "false") == "true")
	}
	cursor, resumes := p.one("cursor")
	if err := p.done(); err != nil {
		return q, err
	}
	if q.Query, err = q.Normal(); err != nil {
		return q, err
	}
	if resumes {
		if err := q.Resume(cursor); err != nil {
			return q, &badParameter{"cursor", err}
		}
	}
	return q, nil
}

// name is a name, or a part of one; empty where it is not given.
func (p *parameters) name(name string) string {
	v, ok := p.one(name)
	if ok && (v == "" || len(v) > telemetry.MaxName) {
		p.fail(name, fmt.Errorf("is %d bytes long: want 1 to %d", len(v), telemetry.MaxName))
	}
	return v
}

// hosts answers GET /v1/hosts.
func (src Source) hosts(w http.ResponseWriter, r *http.Request) {
	q, err := parseHosts(r.URL.RawQuery)
	if err != nil {
		refuse(w, err)
		return
	}
	s := src.snapshot(w)
	if s == nil {
		return
	}
	head, err := s.Head(q.Pools)
	if err != nil {
		refuse(w, err)
		return
	}
	page, ok := src.page(w, r, q.Query)
	if !ok {
		return
	}
	doc := &Hosts{Head: head, Matching: page.Matching, Reasons: page.Reasons, Hosts: page.Hosts, Missing: page.Missing}
	if page.Next != nil {
		doc.Next = q.Cursor(page.Next)
	}
	a := rendered(q.format, doc, writeHostsCSV)
	if doc.Next != "" {
		a.link = nextLink("/v1/hosts", q.values, doc.Next)
	}
	w.Header().Set("Cache-Control", "no-store") // hosts move on within a revision
	a.write(w, r)
}

// page asks for a page of hosts, or says why there is none.
func (src Source) page(w http.ResponseWriter, r *http.Request, q hosts.Query) (hosts.Page, bool) {
	page, err := src.Hosts(r.Context(), q)
	switch {
	case errors.Is(err, context.Canceled):
		return page, false // nobody waits any more
	case err != nil:
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, "", err.Error())
		return page, false
	}
	return page, true
}

// ownHosts answers another collector.
func (src Source) ownHosts(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		problem(w, http.StatusMethodNotAllowed, "", fmt.Sprintf("%.20q is not allowed here: want POST", r.Method))
		return
	}
	req, err := hosts.ReadRequest(http.MaxBytesReader(w, r.Body, maxQuestion))
	if err != nil {
		refuse(w, err)
		return
	}
	reply, err := src.OwnHosts(r.Context(), req)
	if err != nil {
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, "", err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, reply)
}
