package capacity

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/exameter/exameter/telemetry"
)

// Request says what somebody wants to start. At least one of Count, Hosts and Eflops is given.
//
// Kind is accelerator or cpu. Accelerators are counted in devices, processors in cores; Hosts of processors are those whose
// processors are free as a whole, and are counted in hosts.
type Request struct {
	Kind      string    `json:"kind"` // KindAccelerator where empty
	Unit      Unit      `json:"unit"` // what Count and PerHost count; set by Match
	Precision Precision `json:"precision"`

	Count   int64 `json:"count,omitempty"`    // units in all; a multiple of PerHost
	PerHost int64 `json:"per_host,omitempty"` // units that must be free on one host; 1 where zero
	Hosts   int64 `json:"hosts,omitempty"`    // hosts with PerHost units free, instead of Count
	Eflops  Flops `json:"eflops,omitempty"`   // nameplate of what is used, at least

	Memory  GiB     `json:"memory_gib,omitempty"` // of a device, at least
	MaxAgeS float64 `json:"max_age_s,omitempty"`  // of the oldest report that the pool rests on, at most

	Vendor   []string `json:"vendor,omitempty"`
	Model    []string `json:"model,omitempty"`
	Class    []string `json:"class,omitempty"`
	Domestic []string `json:"domestic,omitempty"`

	Centre         []string `json:"centre,omitempty"` // only these
	Cluster        []string `json:"cluster,omitempty"`
	PreferCentre   []string `json:"prefer_centre,omitempty"` // these first
	PreferCluster  []string `json:"prefer_cluster,omitempty"`
	ExcludeCentre  []string `json:"exclude_centre,omitempty"`
	ExcludeCluster []string `json:"exclude_cluster,omitempty"`

	Order Order `json:"order"` // Pack where empty
	Limit int   `json:"limit"` // pools in the answer; DefaultLimit where zero
}

// GiB is an amount of memory, which JSON shows in units of 2^30 bytes.
type GiB telemetry.Bytes

// MarshalJSON prints GiB exactly.
func (g GiB) MarshalJSON() ([]byte, error) { return []byte(decimal(gib(telemetry.Bytes(g)))), nil }

// Order is what decides among pools in which a request fits.
type Order string

// The orders.
const (
	Pack   Order = "pack"   // first the pool of which least is left over
	Spread Order = "spread" // first the pool of which most is left over
)

// Limits of a request.
const (
	MaxCount     = 1_000_000_000 // units
	MaxPerHost   = 1 << 16       // units
	MaxHosts     = 10_000_000
	LongestAgeS  = 86_400.0
	DefaultLimit = 10
	MaxLimit     = 1000
)

// RequestError says which field of a request is wrong, by its name in JSON.
type RequestError struct {
	Field string
	Err   error
}

func (e *RequestError) Error() string { return e.Field + ": " + e.Err.Error() }
func (e *RequestError) Unwrap() error { return e.Err }

func wrong(field, format string, args ...any) error {
	return &RequestError{field, fmt.Errorf(format, args...)}
}

// Normal returns the request with its defaults filled in, or what is wrong with it.
func (r Request) Normal() (Request, error) {
	r.Kind, r.Precision = cmp.Or(r.Kind, KindAccelerator), cmp.Or(r.Precision, ByClass)
	r.Order, r.Limit = cmp.Or(r.Order, Pack), cmp.Or(r.Limit, DefaultLimit)
	switch r.Kind {
	case KindAccelerator:
		r.Unit = UnitDevice
	case KindCPU:
		if r.Unit = UnitCore; r.Hosts > 0 {
			r.Unit = UnitHost
		}
	default:
		return r, wrong("kind", "%q is not accelerator or cpu, which are counted in devices and in cores: ask for one of them", r.Kind)
	}
	if _, err := ParsePrecision(string(r.Precision)); err != nil {
		return r, &RequestError{"precision", err}
	}
	if r.Order != Pack && r.Order != Spread {
		return r, wrong("order", "%q is not pack or spread", r.Order)
	}
	if err := errors.Join(r.bounds(), r.contradiction()); err != nil {
		return r, err
	}
	r.PerHost = cmp.Or(r.PerHost, 1)
	return r, nil
}

func (r *Request) bounds() error {
	for _, n := range [...]struct {
		field      string
		have, most int64
	}{{"count", r.Count, MaxCount}, {"per_host", r.PerHost, MaxPerHost}, {"hosts", r.Hosts, MaxHosts}, {"limit", int64(r.Limit), MaxLimit}} {
		if n.have < 0 || n.have > n.most {
			return wrong(n.field, "%d is not between 1 and %d", n.have, n.most)
		}
	}
	switch {
	case r.Eflops < 0:
		return wrong("eflops", "%s is below zero", r.Eflops.Eflops())
	case r.Memory < 0:
		return wrong("memory_gib", "is below zero")
	case !(r.MaxAgeS >= 0 && r.MaxAgeS <= LongestAgeS):
		return wrong("max_age_s", "%v is not between 0 and %v", r.MaxAgeS, LongestAgeS)
	}
	return nil
}

// contradiction says what of the request cannot be meant.
func (r *Request) contradiction() error {
	switch {
	case r.Count == 0 && r.Hosts == 0 && r.Eflops == 0:
		return wrong("count", "is missing: want one of count, hosts and eflops")
	case r.Count > 0 && r.Hosts > 0:
		return wrong("hosts", "contradicts count: want one of them")
	case r.PerHost > 0 && r.Count%r.PerHost != 0:
		return wrong("count", "%d is not a multiple of per_host, %d", r.Count, r.PerHost)
	case r.Unit == UnitHost && r.PerHost > 1:
		return wrong("per_host", "cannot be asked of hosts of processors, whose free cores are not counted by host: want count and per_host, or hosts alone")
	case r.Unit == UnitHost && r.Eflops > 0:
		return wrong("eflops", "cannot be asked of hosts of processors, whose cores are not counted by host: want count and eflops")
	case r.Memory > 0 && r.Kind == KindCPU:
		return wrong("memory_gib", "is that of an accelerator, and processors have none")
	}
	for _, w := range [...]struct {
		name                  string
		only, prefer, exclude []string
	}{{"centre", r.Centre, r.PreferCentre, r.ExcludeCentre}, {"cluster", r.Cluster, r.PreferCluster, r.ExcludeCluster}} {
		for _, v := range w.exclude {
			if slices.Contains(w.only, v) {
				return wrong("exclude_"+w.name, "%q is asked for by %s", v, w.name)
			}
			if slices.Contains(w.prefer, v) {
				return wrong("exclude_"+w.name, "%q is preferred by prefer_%s", v, w.name)
			}
		}
		for _, v := range w.prefer {
			if len(w.only) > 0 && !slices.Contains(w.only, v) {
				return wrong("prefer_"+w.name, "%q is left out by %s", v, w.name)
			}
		}
	}
	return nil
}

// admits reports whether a pool is what the request is about.
func (r *Request) admits(p *Pool) bool {
	q := Query{Kind: r.Kind, Centre: r.Centre, Cluster: r.Cluster, Vendor: r.Vendor, Model: r.Model, Class: r.Class, Domestic: r.Domestic}
	return q.admits(p) && !slices.Contains(r.ExcludeCentre, p.Centre) && !slices.Contains(r.ExcludeCluster, p.Cluster)
}

// preferred is how many of the request's preferences a pool meets.
func (r *Request) preferred(p *Pool) (n int) {
	if slices.Contains(r.PreferCentre, p.Centre) {
		n++
	}
	if slices.Contains(r.PreferCluster, p.Cluster) {
		n++
	}
	return n
}

// gangs is how many gangs of PerHost units a pool must hold, whose peak is that of a unit in Mflop/s.
func (r *Request) gangs(peak int64) int64 {
	need := max(r.Hosts, r.Count/r.PerHost)
	if gang := times(peak, r.PerHost); gang > 0 && r.Eflops > 0 {
		need = max(need, (int64(r.Eflops)-1)/gang+1)
	}
	return need
}
