package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Problem is a collector's own word for why it does not answer, as RFC 9457 has it.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Parameter string `json:"parameter,omitempty"` // the one that is wrong

	Collector  string        `json:"-"` // whose word it is
	RetryAfter time.Duration `json:"-"` // when to ask again; 0 where it does not say
}

func (p *Problem) Error() string {
	if p.Detail == "" {
		return fmt.Sprintf("the collector at %s answers %d %s", p.Collector, p.Status, http.StatusText(p.Status))
	}
	return fmt.Sprintf("the collector at %s answers %d %s: %s", p.Collector, p.Status, http.StatusText(p.Status), p.Detail)
}

// ErrBehind says that every collector that answered has read less of the log than an earlier answer rested on.
var ErrBehind = errors.New("only older answers than the last one are to be had")

// IsGone reports whether an error says that what a cursor points into is no longer kept. Begin again with the first page.
func IsGone(err error) bool { return statusOf(err) == http.StatusGone }

// IsNotThere reports whether a collector has no such question: it is of an older version.
func IsNotThere(err error) bool { return statusOf(err) == http.StatusNotFound }

func statusOf(err error) int {
	var p *Problem
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}

// problemOf reads a problem from an answer's body. The status is the answer's, whatever the body says.
func problemOf(resp *http.Response, body []byte, collector string) *Problem {
	p := &Problem{}
	if err := json.Unmarshal(body, p); err != nil {
		p = &Problem{} // not a collector's own words: a proxy's page, perhaps
	}
	p.Status, p.Collector, p.RetryAfter = resp.StatusCode, collector, retryAfter(resp.Header.Get("Retry-After"), time.Now())
	return p
}
