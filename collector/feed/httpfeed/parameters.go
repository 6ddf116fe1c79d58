package httpfeed

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// maxQuery bounds a query, so that none costs more to read than its answer.
const maxQuery = 8 << 10

// parameters are those of one request. Each is taken by a method; the first that is wrong is kept, and so is one that nobody
// took.
type parameters struct {
	values url.Values
	known  []string
	err    error
}

// readParameters takes a query apart.
func readParameters(raw string) (*parameters, error) {
	values, err := parseQuery(raw)
	return &parameters{values: values}, err
}

func parseQuery(raw string) (url.Values, error) {
	if len(raw) > maxQuery {
		return nil, &badParameter{"query", fmt.Errorf("has %d characters, want at most %d", len(raw), maxQuery)}
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, &badParameter{"query", fmt.Errorf("%.100q cannot be parsed", raw)}
	}
	return values, nil
}

func (p *parameters) fail(name string, err error) {
	if p.err == nil && err != nil {
		p.err = &badParameter{name, err}
	}
}

// one returns the value of a parameter that is given at most once; ok is false where it is not given.
func (p *parameters) one(name string) (value string, ok bool) {
	p.known = append(p.known, name)
	v := p.values[name]
	if len(v) > 1 {
		p.fail(name, fmt.Errorf("is given %d times, want once", len(v)))
	}
	if len(v) == 0 {
		return "", false
	}
	return v[0], true
}

// enum is one of some values, the first where it is not given.
func (p *parameters) enum(name string, want ...string) string {
	v, ok := p.one(name)
	if !ok {
		return want[0]
	}
	v, err := oneOf(v, want...)
	p.fail(name, err)
	return v
}

// integer is a whole number from 1 to most, 0 where it is not given.
func (p *parameters) integer(name string, most int64) int64 {
	v, ok := p.one(name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if !digits.MatchString(v) || err != nil || n < 1 || n > most {
		p.fail(name, fmt.Errorf("%q is not a whole number from 1 to %d", clipped(v), most))
	}
	return n
}

var (
	digits   = regexp.MustCompile(`^[0-9]{1,19}$`)
	decimals = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,12})?$`)
)

// decimal is a number above 0, up to most, with at most 12 decimals and without an exponent, which could be large; "" where it is
// not given.
func (p *parameters) decimal(name string, most float64) (text string, value float64) {
	v, ok := p.one(name)
	if !ok {
		return "", 0
	}
	n, err := strconv.ParseFloat(v, 64)
	if !decimals.MatchString(v) || err != nil || n <= 0 || n > most {
		p.fail(name, fmt.Errorf("%q is not a decimal number above 0, up to %s", clipped(v), strconv.FormatFloat(most, 'f', -1, 64)))
		return "", 0
	}
	return v, n
}

// list is the values of a parameter that may be repeated, and whose values may be separated by commas. check says what is wrong
// with a value.
func (p *parameters) list(name string, check func(string) error) []string {
	p.known = append(p.known, name)
	if len(p.values[name]) == 0 {
		return nil
	}
	if n := len(p.values[name]); n > maxValues {
		p.fail(name, fmt.Errorf("is given %d times, want at most %d", n, maxValues))
		return nil
	}
	out, err := commas(p.values[name])
	p.fail(name, err)
	for _, s := range out {
		p.fail(name, check(s))
	}
	return out
}

// names is a list of names that may hold commas themselves.
func (p *parameters) names(name string) []string {
	return withWhole(p.list(name, func(string) error { return nil }), p.values[name])
}

// commas takes values that hold commas apart, each once.
func commas(values []string) (out []string, err error) {
	for _, v := range values {
		for s := range strings.SplitSeq(v, ",") {
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
			if len(out) > maxValues {
				return nil, fmt.Errorf("has more than %d values, want at most %d", maxValues, maxValues)
			}
		}
	}
	return out, nil
}

// withWhole adds those values that hold commas: what a vendor's tool prints as the name of a model may.
func withWhole(list, values []string) []string {
	for _, v := range values {
		if strings.Contains(v, ",") {
			list = append(list, v)
		}
	}
	return list
}

func (p *parameters) ids(name string) []string {
	return p.list(name, telemetry.ValidID)
}

func (p *parameters) enums(name string, want ...string) []string {
	return p.list(name, func(v string) error { _, err := oneOf(v, want...); return err })
}

func (p *parameters) precision() (q capacity.Precision) {
	v, ok := p.one("precision")
	if !ok {
		return capacity.ByClass
	}
	q, err := capacity.ParsePrecision(clipped(v))
	p.fail("precision", err)
	return q
}

// filters are the parameters that choose pools.
func (p *parameters) filters() (q capacity.Query) {
	q.Centre, q.Cluster = p.ids("centre"), p.ids("cluster")
	q.Vendor, q.Model = p.names("vendor"), p.names("model")
	q.Class = p.enums("class", string(capacity.Intelligent), string(capacity.General), string(capacity.Super))
	q.Domestic = p.enums("domestic", capacity.DomesticYes, capacity.DomesticNo, capacity.DomesticUnknown)
	q.Precision = p.precision()
	return q
}

// question is what /v1/capacity and /v1/stream take: the filters, and by what groups are told apart.
func (p *parameters) question() (q capacity.Query) {
	q = p.filters()
	q.Kind = p.kind()
	if by := p.list("by", func(string) error { return nil }); len(by) > 0 {
		for i := range by {
			by[i] = clipped(by[i])
		}
		var err error
		q.By, err = capacity.ParseDimensions(by)
		p.fail("by", err)
	}
	return q
}

func (p *parameters) kind() string {
	return p.enum("kind", capacity.KindAccelerator, capacity.KindCPU, capacity.KindAll)
}

func (p *parameters) format() string { return p.enum("format", "json", "csv") }

// done returns what was wrong: first of all a parameter that nobody asked for.
func (p *parameters) done() error {
	for _, name := range sortedNames(p.values) {
		if !slices.Contains(p.known, name) {
			slices.Sort(p.known)
			return &badParameter{clipped(name), fmt.Errorf("is not a parameter: want %s", strings.Join(p.known, ", "))}
		}
	}
	return p.err
}
