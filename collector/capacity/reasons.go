package capacity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
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
		return fmt.Sprintf("times %d free %s on one host", r.PerHost, unit)
	}
}

// short says what a pool lacks, and how much of it.
func (l *Listing) short(r *Request, c *candidate) string {
	p := &l.Pools[c.at].Pool
	var out []string
	if c.lack&lacksMemory != 0 {
		has := "have an unknown amount"
		if b, known := p.Memory.Get(); known {
			has = "have " + decimal(gib(b))
		}
		out = append(out, fmt.Sprintf("needs %s GiB a device; its devices %s", decimal(float64(r.Memory)/(1<<30)), has))
	}
	if c.lack&lacksPrice != 0 {
		at := string(r.Precision)
		if r.Precision == ByClass {
			at = string(p.Basis)
		}
		out = append(out, fmt.Sprintf("needs %s Eflops; its model has no known peak at %s", r.Eflops.Eflops(), at))
	}
	if c.lack&lacksReport != 0 {
		has := "it has none"
		if c.age != nil {
			has = "its oldest is " + decimal(c.age.Max) + " s old"
		}
		out = append(out, fmt.Sprintf("needs reports of at most %s s; %s", decimal(r.MaxAgeS), has))
	}
	if c.lack&lacksRoom != 0 {
		out = append(out, fmt.Sprintf("needs %d %s; it has %s", c.need, r.gangsInWords(), c.have))
	}
	return strings.Join(out, ", and ")
}

// shortOfAll says what is missing where a request fits nowhere.
func (l *Listing) shortOfAll(r *Request, ranked []candidate) string {
	if len(ranked) == 0 {
		return "there is no pool of what is asked for"
	}
	p := &l.Pools[ranked[0].at].Pool
	return fmt.Sprintf("the nearest of %d pools, %s/%s %s, %s", len(ranked), p.Centre, p.Cluster, p.Model, l.short(r, &ranked[0]))
}

// hundredths prints units of an accelerator as devices, rounded down.
func hundredths(units int64) string { return decimal(float64(units*100/UnitsPerDevice) / 100) }

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
