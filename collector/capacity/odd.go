package capacity

import (
	"cmp"
	"fmt"
	"slices"
)

// Odd is what a centre's parts found and do not count, or count once although it was said more often. It is of devices of all kinds:
// nothing more is known of most of them.
type Odd struct {
	Centre               string
	UninventoriedHosts   int64 // they report, and no inventory says what they have
	UninventoriedDevices int64 // reported, and in no inventory
	ContestedDevices     int64 // claimed by several hosts of one part; each counts on one of them
	ContendingHosts      int64 // hosts that hosts of other parts contest a device with
	YieldedDevices       int64 // devices of contending hosts that count elsewhere, or nowhere before it is settled
	UnsettledHosts       int64 // hosts with devices that count nowhere before other collectors were asked
}

// ExplainedRule is one rule of accounting that had a part in a figure.
type ExplainedRule struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// rulesOf lists the rules that apply to a query. docs/capacity.md is the whole of them.
func rulesOf(q *Query, s *Snapshot) []ExplainedRule {
	rules := []ExplainedRule{{"dense-nameplate", "a device is worth the dense peak of its model, without sparsity, as the catalogue has it; this is " + cmp.Or(s.Rule, Rule)}}
	if q.Precision == ByClass {
		rules = append(rules, ExplainedRule{"class", "each device is priced by the precision of its class: intelligent by fp16, general by fp32, super by fp64, unless the registry names another one for its cluster"})
	} else {
		rules = append(rules, ExplainedRule{"precision", "every device is priced by " + string(q.Precision) + ", whatever its class"})
	}
	if q.Kind != KindCPU {
		rules = append(rules, ExplainedRule{"slices", fmt.Sprintf("an accelerator counts as %d slices; a partitioned one that is at work is busy by the slices at work, rounded up, and free by the rest", UnitsPerDevice)})
	}
	if q.Kind != KindAccelerator {
		rules = append(rules, ExplainedRule{"cores", "processors count by physical cores, each worth its operations per cycle times the base clock; cores at work are busy, the rest is free"})
	}
	rules = append(rules,
		ExplainedRule{"rounding", "Eflops are whole Mflop/s, rounded once a pool and state, and everything above a pool is their sum"},
		ExplainedRule{"states", fmt.Sprintf("a device stands in one of five states; those of a host whose last report is older than %s are stale", s.StaleAfter)},
		ExplainedRule{"once", "a device that several hosts claim counts on the one that reported it present last"})
	if s.Parts.Behind > 0 {
		rules = append(rules, ExplainedRule{"behind", fmt.Sprintf("%d of %d parts stand as their last owner left them, the oldest %.3f s ago", s.Parts.Behind, s.Parts.Total, s.Parts.OldestS)})
	}
	if s.Cut {
		rules = append(rules, ExplainedRule{"cut", "the collector that answers has heard nothing for longer than hosts may be silent, so that it takes every device for stale"})
	}
	return rules
}

// NotCounted is something that is known of and that a figure leaves out, or counts less of than was said.
type NotCounted struct {
	What    string   `json:"what"`             // unpriced, stale, uninventoried, contested or unsettled
	Scope   string   `json:"scope"`            // figure: what was asked for; centres: all that the centres asked for have, of every kind
	Devices *int64   `json:"devices"`          // null where it is not known
	Hosts   *int64   `json:"hosts"`            // null where it is not known
	Eflops  *Flops   `json:"eflops,omitempty"` // what they are worth, where that is known
	Models  []string `json:"models,omitempty"` // the first of them
	Why     string   `json:"why"`
}

// maxModels bounds the models that are named as unpriced.
const maxModels = 20

// notCounted lists what the figure of a query leaves out; what there is none of is listed with zero.
func (s *Snapshot) notCounted(q *Query, doc *Document) []NotCounted {
	var odd Odd
	for i := range s.Odd {
		if o := &s.Odd[i]; len(q.Centre) == 0 || slices.Contains(q.Centre, o.Centre) {
			odd.UninventoriedHosts += o.UninventoriedHosts
			odd.UninventoriedDevices += o.UninventoriedDevices
			odd.ContestedDevices += o.ContestedDevices
			odd.ContendingHosts += o.ContendingHosts
			odd.YieldedDevices += o.YieldedDevices
			odd.UnsettledHosts += o.UnsettledHosts
		}
	}
	contested := odd.ContestedDevices + odd.YieldedDevices
	var models []string
	for i := range s.Pools {
		p := &s.Pools[i].Pool
		if _, priced := p.peak(q.Precision); !priced && q.admits(p) && len(models) < maxModels && !slices.Contains(models, p.Model) {
			models = append(models, p.Model)
		}
	}
	d, silent := &doc.Total.Devices, doc.Total.Hosts.Rated-doc.Total.Hosts.Online
	return []NotCounted{
		{What: "unpriced", Scope: "figure", Devices: &d.Unpriced, Models: models, Why: "the catalogue has no peak of these models at this precision: they are counted in devices, and worth no Eflops"},
		{What: "stale", Scope: "figure", Devices: &d.Stale, Hosts: &silent, Eflops: &doc.Total.Eflops.Stale, Why: "their hosts have fallen silent: they are in rated, and not in online, healthy or free"},
		{What: "uninventoried", Scope: "centres", Devices: &odd.UninventoriedDevices, Hosts: &odd.UninventoriedHosts, Why: "reported, and in no inventory yet, so that it is not known what they are: they count nowhere"},
		{What: "contested", Scope: "centres", Devices: &contested, Hosts: &odd.ContendingHosts, Why: "claimed by several hosts: each counts on one of them, and nowhere else. Hosts are those that other parts' hosts contest a device with"},
		{What: "unsettled", Scope: "centres", Hosts: &odd.UnsettledHosts, Why: "some of their devices are new, and other collectors have not been asked yet whether they have them: those count nowhere for a moment"},
	}
}
