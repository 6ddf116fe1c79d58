package httpfeed

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// badParameter says which parameter of a request is wrong, and how.
type badParameter struct {
	name string
	err  error
}

func (e *badParameter) Error() string { return e.name + ": " + e.err.Error() }
func (e *badParameter) Unwrap() error { return e.err }

// maxValues bounds how often a filter may be given.
const maxValues = 64

func oneOf(v string, want ...string) (string, error) {
	if slices.Contains(want, v) {
		return v, nil
	}
	return "", fmt.Errorf("%q is not one of %s", clipped(v), strings.Join(want, ", "))
}

// clipped keeps what a client sent from filling the answer.
func clipped(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

func sortedNames(v url.Values) []string {
	names := make([]string, 0, len(v))
	for n := range v {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// matches reports whether an If-None-Match header names the tag, by weak comparison.
func matches(header, tag string) bool {
	for t := range strings.SplitSeq(header, ",") {
		t = strings.TrimSpace(t)
		if t == "*" || t != "" && strings.TrimPrefix(t, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// refuse answers a request that cannot be understood.
func refuse(w http.ResponseWriter, err error) {
	var bad *badParameter
	if errors.As(err, &bad) {
		status := http.StatusBadRequest
		if errors.Is(err, errGone) {
			status = http.StatusGone
		}
		problem(w, status, bad.name, bad.Error())
		return
	}
	problem(w, http.StatusBadRequest, "", err.Error())
}
