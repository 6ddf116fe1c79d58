package capacity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/exameter/exameter/telemetry"
)

// reasons say why a pool stands where it stands, and what its figures leave out.
func (l *Listing) reasons(r *Request, c *candidate) []string {
	out := make([]string, 0, 4)
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	p, cell := &l.Pools[c.at].Pool, &l.Pools[c.at].Cell
	if c.lack == 0 {
		say("%s %s, %d needed, %d left over", c.have, r.gangsInWords(), c.need, c.have.Least-c.need)
	}
	if slices.Contains(r.PreferCentre, p.Centre) {
		say("its centre is preferred")
	}
	if slices.Contains(r.PreferCluster, p.Cluster) {
		say("its cluster is preferred")
	}
	if c.have.Least < c.have.Most {
		why := fmt.Sprintf("hosts with more than %d free devices are counted together", MaxFree)
		if r.Unit == UnitCore {
			why = "free cores are counted in all, and not by host"
		}
		say("not exact, as %s", why)
	}
	if n := cell.slicesFree(); r.Unit == UnitDevice && n > 0 {
		say("%s more devices are free in slices of cards at work, and not counted", hundredths(n))
	}
	if h := l.hosts[c.at]; h.Online < h.Rated {
		say("%d of its %d hosts do not report, and are not counted", h.Rated-h.Online, h.Rated)
	}
	return out
}

// gangsInWords is what the request counts, and needs so many of.
func (r *Request) gangsInWords() string {
	unit := string(r.Unit) + "s"
	switch {
	case r.Unit == UnitHost:
		return "hosts with free processors"
	case r.Hosts > 0:
		return fmt.Sprintf("hosts with %d free %s", r.PerHost, unit)
	case r.PerHost == 1:
		return "free " + unit
	default:
		return fmt.Sprintf("gangs of %d free %s on a host", r.PerHost, unit)
	}
}

// short says what a pool lacks, and how much of it.
func (l *Listing) short(r *Request, c *candidate) string {
	p := &l.Pools[c.at].Pool
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if c.lack&lacksMemory != 0 {
		has := "an unknown amount of memory"
		if b, known := p.Memory.Get(); known {
			has = decimal(gib(b)) + " GiB"
		}
		say("its devices have %s, and %s GiB are needed", has, decimal(gib(telemetry.Bytes(r.Memory))))
	}
	if c.lack&lacksPrice != 0 {
		at := string(r.Precision)
		if r.Precision == ByClass {
			at = string(p.Basis)
		}
		say("its model has no known peak at %s, and %s Eflops are needed", at, r.Eflops.Eflops())
	}
	if c.lack&lacksReport != 0 {
		has := "no host of it reports"
		if c.age != nil {
			has = "its oldest report is " + decimal(c.age.Max) + " s old"
		}
		say("%s, and at most %s s are wanted", has, decimal(r.MaxAgeS))
	}
	if c.lack&lacksRoom != 0 {
		say("needs %d %s, and has %s", c.need, r.gangsInWords(), c.have)
	}
	return strings.Join(out, "; ")
}

// shortOfAll says what is missing where a request fits nowhere.
func (l *Listing) shortOfAll(r *Request, ranked []candidate) string {
	if len(ranked) == 0 {
		return "no pool is of what is asked for"
	}
	p := &l.Pools[ranked[0].at].Pool
	return fmt.Sprintf("it fits in none of %d pools; nearest is %s/%s %s: %s", len(ranked), p.Centre, p.Cluster, p.Model, l.short(r, &ranked[0]))
}

// hundredths prints units of an accelerator as devices, rounded down.
func hundredths(units int64) string { return decimal(float64(units*100/UnitsPerDevice) / 100) }

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
