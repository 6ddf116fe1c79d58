package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/client"
)

// explainFlags are the flags of exameter explain.
type explainFlags struct {
	asking
	query client.ExplainQuery
}

func explainCommand() *cobra.Command {
	f := &explainFlags{}
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Show how a figure came about, from the province down to a device line",
		Long: `Show how a figure came about: the province's Eflops are the sum of its centres', a centre's the sum of its pools', and a pool's a
number of devices times a peak, whose source is named. Then the rules that had a part in it, and what is there and was not counted,
with the reason. --hosts adds the lines of some hosts.`,
		Example: `  exameter explain --centre guian-north
  exameter explain --model nvidia-h200-sxm --precision fp8 --hosts 1`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.flags(cmd)
	f.outputFlags(cmd)
	filterFlags(cmd, &f.query.Filter)
	cmd.Flags().IntVar(&f.query.Hosts, "hosts", 0, "example hosts, up to 100")
	return cmd
}

func (f *explainFlags) run(cmd *cobra.Command) error {
	if err := validFilter(cmd, &f.query.Filter); err != nil {
		return err
	}
	if f.query.Hosts < 0 || f.query.Hosts > 100 {
		return misused(cmd, "--hosts: %d is not between 0 and 100", f.query.Hosts)
	}
	_, err := f.asking.run(cmd, question{path: "v1/explain", query: f.query.Values(), read: func(body []byte) (printed, error) {
		var doc client.Explanation
		if err := decoded(body, &doc); err != nil {
			return nil, err
		}
		return explanationText{&doc}, nil
	}})
	return err
}

// explanationText prints an explanation as an outline.
type explanationText struct{ *client.Explanation }

func (d explanationText) table(l look) (string, error) {
	var b strings.Builder
	bold, plain := escape(l.colour, "\x1b[1m"), escape(l.colour, "\x1b[0m")
	line := func(depth int, text string) { b.WriteString(strings.Repeat("  ", depth) + text + "\n") }
	line(0, bold+l.t("total")+plain+"  "+l.counted(&d.Total))
	for i := range d.Founded {
		if f := &d.Founded[i]; f.Devices > 0 && f.Confidence != "unpriced" {
			line(1, l.t("%s Eflops rest on peaks of confidence %q (%s)", f.Eflops, f.Confidence, l.devices(f.Devices)))
		}
	}
	for i := range d.Centres {
		c := &d.Centres[i]
		line(1, bold+printable(c.Centre)+plain+identified(c.Identifier)+"  "+l.counted(&c.Counted))
		for j := range c.Pools {
			p := &c.Pools[j]
			line(2, fmt.Sprintf("%s/%s %s %s%s  %s", printable(p.Cluster), p.Kind, printable(p.Vendor), printable(p.Model), identified(p.Identifier), printable(p.Equation)))
			line(3, l.source(p))
		}
	}
	if d.PoolsLeft > 0 {
		line(1, l.t("%d more pools are in the sums and not in this list.", d.PoolsLeft))
	}
	if len(d.NotCounted) > 0 {
		line(0, bold+l.t("Not counted, or for nothing")+plain)
		for i := range d.NotCounted {
			line(1, l.notCounted(&d.NotCounted[i]))
		}
	}
	if len(d.Rules) > 0 {
		line(0, bold+l.t("Rules")+plain)
		for _, r := range d.Rules {
			line(1, printable(r.ID)+": "+printable(r.Text))
		}
	}
	if len(d.Hosts) > 0 {
		line(0, bold+l.t("Hosts, for example")+plain)
		for i := range d.Hosts {
			d.host(&d.Hosts[i], l, line)
		}
	}
	for _, m := range d.Missing {
		line(1, l.t("The hosts of %s, part %d, are missing: %s", printable(m.Centre), m.Part, printable(m.Why)))
	}
	for _, text := range oldness(&d.Head, l) {
		line(0, text)
	}
	line(0, l.t("Rule of accounting %s, registry %s.", orDash(d.Rule), orDash(d.Registry)))
	line(0, footing(&d.Head, l))
	return b.String(), nil
}

// host prints a host with its devices.
func (d explanationText) host(h *client.Host, l look, line func(int, string)) {
	line(1, printable(h.Centre)+"/"+printable(h.Cluster)+" "+printable(h.Name)+" "+printable(h.Host)+", "+seconds(h.AgeS))
	if h.NotCounted != "" {
		line(2, printable(h.NotCounted))
	}
	for i := range h.Devices {
		v := &h.Devices[i]
		worth := l.t("unpriced")
		if v.Eflops != nil {
			worth = v.Eflops.String() + " Eflops"
		}
		text := fmt.Sprintf("%s  %s  %s  %s", printable(v.ID), printable(v.Model), l.t(v.State), worth)
		for _, why := range []string{v.Reason, v.NotCounted} {
			if why != "" {
				text += "  (" + printable(why) + ")"
			}
		}
		line(2, text)
	}
}

// counted is a sum in words.
func (l look) counted(c *client.Counted) string {
	return l.t("%s Eflops rated, %s free; %s, %d of them free", c.Eflops.Rated, c.Eflops.Free, l.devices(c.Devices.Rated), c.Devices.Free)
}

// source says where a pool's peak is from.
func (l look) source(p *client.ExplainedPool) string {
	c := p.Catalogue
	switch {
	case c == nil:
		return l.t("The catalogue does not know the model.")
	case c.Missing:
		return l.t("The catalogue that was asked has no row %s.", printable(c.ID))
	}
	text := l.t("%s, %s: %s", printable(c.ID), orDash(c.Confidence), orDash(c.Source))
	if c.Differs {
		text += " " + l.t("(from catalogue %s, which is not the one that priced it)", printable(c.Version))
	}
	return text
}

func (l look) notCounted(n *client.NotCounted) string {
	count := l.t("an unknown number of devices")
	switch {
	case n.Devices != nil:
		count = l.devices(*n.Devices)
	case n.Hosts != nil:
		count = l.hosts(*n.Hosts)
	}
	text := fmt.Sprintf("%s: %s", l.t(n.What), count)
	if n.Eflops != nil {
		text += fmt.Sprintf(", %s Eflops", n.Eflops)
	}
	if len(n.Models) > 0 {
		text += " (" + printable(strings.Join(n.Models, ", ")) + ")"
	}
	return text + ": " + printable(n.Why)
}

func identified(id string) string {
	if id == "" {
		return ""
	}
	return " [" + printable(id) + "]"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s)
}

func (d explanationText) csv() ([][]string, error) {
	rows := [][]string{{
		"centre", "cluster", "kind", "vendor", "model", "class", "domestic", "identifier", "devices_rated", "devices_free", "devices_unpriced", "units_rated", "units_per_device",
		"peak_precision", "peak_tflops", "eflops_rated", "eflops_free", "equation", "catalogue_id", "confidence", "source", "catalogue", "rule", "registry", "revision", "as_of",
	}}
	for i := range d.Centres {
		for j := range d.Centres[i].Pools {
			p := &d.Centres[i].Pools[j]
			peak, row := client.Peak{}, client.CatalogueRow{}
			tflops := ""
			if p.Peak != nil {
				peak = *p.Peak
				tflops = decimal(&peak.Tflops)
			}
			if p.Catalogue != nil {
				row = *p.Catalogue
			}
			n := func(v int64) string { return strconv.FormatInt(v, 10) }
			rows = append(rows, []string{
				d.Centres[i].Centre, p.Cluster, p.Kind, p.Vendor, p.Model, p.Class, p.Domestic, p.Identifier, n(p.Devices.Rated), n(p.Devices.Free), n(p.Devices.Unpriced),
				n(p.Units.Rated), n(p.Units.PerDevice), peak.Precision, tflops, p.Eflops.Rated.String(), p.Eflops.Free.String(), p.Equation, row.ID, row.Confidence, row.Source,
				d.Catalogue, d.Rule, d.Registry, n(d.Revision), d.AsOf.Format(time.RFC3339Nano),
			})
		}
	}
	return rows, nil
}
