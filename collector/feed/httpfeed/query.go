package httpfeed

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// badParameter says which parameter of a request is wrong, and how.
type badParameter struct {
	name string
	err  error
}

func (e *badParameter) Error() string { return e.name + ": " + e.err.Error() }
func (e *badParameter) Unwrap() error { return e.err }

// parameters of /v1/capacity; /v1/centres takes precision and kind alone.
var capacityParameters = []string{"by", "precision", "kind", "centre", "cluster", "vendor", "model", "class", "domestic", "format"}

// maxValues bounds how often a filter may be given.
const maxValues = 64

// parse reads the parameters of a request, of which only those known are allowed.
func parse(raw string, known []string) (q capacity.Query, format string, err error) {
	values, err := parseQuery(raw)
	if err != nil {
		return q, "", err
	}
	for _, name := range sortedNames(values) {
		if !slices.Contains(known, name) {
			return q, "", &badParameter{clipped(name), fmt.Errorf("is not a parameter: want %s", strings.Join(known, ", "))}
		}
		if err := read(&q, &format, name, values[name]); err != nil {
			return q, "", &badParameter{name, err}
		}
	}
	return q, format, nil
}

// read takes the values of one parameter.
func read(q *capacity.Query, format *string, name string, values []string) (err error) {
	if len(values) > maxValues {
		return fmt.Errorf("is given %d times, want at most %d", len(values), maxValues)
	}
	if slices.Contains([]string{"precision", "kind", "format"}, name) && len(values) > 1 {
		return fmt.Errorf("is given %d times, want once", len(values))
	}
	switch name {
	case "centre", "cluster", "class", "domestic", "vendor", "model":
		whole := values
		if values, err = commas(values); err != nil {
			return err
		}
		if name == "vendor" || name == "model" {
			values = withWhole(values, whole)
		}
	}
	switch name {
	case "by":
		q.By, err = capacity.ParseDimensions(split(values))
	case "precision":
		q.Precision, err = capacity.ParsePrecision(clipped(values[0]))
	case "kind":
		q.Kind, err = oneOf(values[0], capacity.KindAccelerator, capacity.KindCPU, capacity.KindAll)
	case "format":
		*format, err = oneOf(values[0], "json", "csv")
	case "centre":
		q.Centre, err = values, ids(values)
	case "cluster":
		q.Cluster, err = values, ids(values)
	case "class":
		for _, v := range values {
			if _, err := oneOf(v, string(capacity.Intelligent), string(capacity.General), string(capacity.Super)); err != nil {
				return err
			}
		}
		q.Class = values
	case "domestic":
		for _, v := range values {
			if _, err := oneOf(v, capacity.DomesticYes, capacity.DomesticNo, capacity.DomesticUnknown); err != nil {
				return err
			}
		}
		q.Domestic = values
	case "vendor":
		q.Vendor = values
	case "model":
		q.Model = values
	}
	return err
}

func ids(values []string) error {
	for _, v := range values {
		if err := telemetry.ValidID(v); err != nil {
			return err
		}
	}
	return nil
}

func oneOf(v string, want ...string) (string, error) {
	if slices.Contains(want, v) {
		return v, nil
	}
	return "", fmt.Errorf("%q is not one of %s", clipped(v), strings.Join(want, ", "))
}

// split takes values that hold commas apart.
func split(values []string) []string {
	var out []string
	for _, v := range values {
		for s := range strings.SplitSeq(v, ",") {
			out = append(out, clipped(s))
		}
	}
	return out
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
