package httpfeed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

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
	Hosts    []hosts.Host    `json:"hosts"`
	Next     string          `json:"next,omitempty"` // cursor of the next page
	Missing  []hosts.Missing `json:"missing"`        // parts whose hosts are not among them
}

// hostsParameters are those of /v1/hosts.
var hostsParameters = []string{
	"precision", "kind", "centre", "cluster", "vendor", "model", "class", "domestic", "host", "name", "state", "online", "free_min", "sort", "limit", "cursor",
}

// parseHosts reads the parameters of /v1/hosts.
func parseHosts(raw string) (hosts.Query, error) {
	var q hosts.Query
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, &badParameter{"query", fmt.Errorf("%.100q cannot be parsed", raw)}
	}
	for _, name := range sortedNames(values) {
		if !slices.Contains(hostsParameters, name) {
			return q, &badParameter{clipped(name), fmt.Errorf("is not a parameter: want %s", strings.Join(hostsParameters, ", "))}
		}
		if err := readHosts(&q, name, values[name]); err != nil {
			return q, &badParameter{name, err}
		}
	}
	if q, err = q.Normal(); err != nil {
		return q, err
	}
	if c := values.Get("cursor"); c != "" {
		if err := q.Resume(c); err != nil {
			return q, &badParameter{"cursor", err}
		}
	}
	return q, nil
}

// readHosts takes the values of one parameter.
func readHosts(q *hosts.Query, name string, values []string) (err error) {
	switch name {
	case "host", "name", "online", "free_min", "sort", "limit", "cursor":
		if len(values) > 1 {
			return fmt.Errorf("is given %d times, want once", len(values))
		}
	}
	switch v := values[0]; name {
	case "host":
		q.Host, err = v, text(v)
	case "name":
		q.Name, err = v, text(v)
	case "state":
		if len(values) > maxValues {
			return fmt.Errorf("is given %d times, want at most %d", len(values), maxValues)
		}
		for _, state := range split(values) {
			if _, err := oneOf(state, hosts.StateNames[:]...); err != nil {
				return err
			}
			q.States = append(q.States, state)
		}
		slices.Sort(q.States)
		q.States = slices.Compact(q.States)
	case "online":
		v, err = oneOf(v, "true", "false")
		online := v == "true"
		q.Online = &online
	case "free_min":
		q.FreeMin, err = whole(v, 0, telemetry.MaxDevices)
	case "sort":
		v, err = oneOf(v, string(hosts.ByPlace), string(hosts.ByFree), string(hosts.ByAge))
		q.Sort = hosts.Order(v)
	case "limit":
		q.Limit, err = whole(v, 1, hosts.MaxLimit)
	case "cursor":
		if v == "" {
			return errors.New("is empty")
		}
	default:
		var format string
		return read(&q.Pools, &format, name, values)
	}
	return err
}

// text refuses what is no name.
func text(v string) error {
	if v == "" || len(v) > telemetry.MaxName {
		return fmt.Errorf("is %d bytes long: want 1 to %d", len(v), telemetry.MaxName)
	}
	return nil
}

// whole reads a whole number in plain digits.
func whole(v string, least, most int) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || strconv.Itoa(n) != v || n < least || n > most {
		return 0, fmt.Errorf("%q is not a whole number from %d to %d", clipped(v), least, most)
	}
	return n, nil
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
	page, ok := src.page(w, r, q)
	if !ok {
		return
	}
	answer := Hosts{Head: head, Matching: page.Matching, Hosts: page.Hosts, Missing: page.Missing}
	if page.Next != nil {
		answer.Next = q.Cursor(page.Next)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // hosts move on within a revision
	writeJSON(w, answer)
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
