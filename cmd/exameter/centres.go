package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/client"
)

// centresFlags are the flags of exameter centres.
type centresFlags struct {
	asking
	filter client.Filter
}

func centresCommand() *cobra.Command {
	f := &centresFlags{}
	cmd := &cobra.Command{
		Use:   "centres",
		Short: "List centres: what each declared, what is planned, and what is observed",
		Long: `List the registry's centres with the declaration in force and what is planned, beside what is observed of them, and the share of each
that is rated. Centres that report and stand in no registry are listed as well.`,
		Example: `  exameter centres
  exameter centres --precision fp16 -o csv`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.flags(cmd)
	f.outputFlags(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.filter.Precision, "precision", "class", precisionHelp)
	fl.StringVar(&f.filter.Kind, "kind", "accelerator", "accelerator, cpu or all")
	complete(cmd, "precision", precisionNames()...)
	complete(cmd, "kind", "accelerator", "cpu", "all")
	return cmd
}

func (f *centresFlags) run(cmd *cobra.Command) error {
	if err := validFilter(cmd, &f.filter); err != nil {
		return err
	}
	_, err := f.asking.run(cmd, question{path: "v1/centres", query: f.filter.Values(), read: func(body []byte) (printed, error) {
		var doc client.Centres
		if err := decoded(body, &doc); err != nil {
			return nil, err
		}
		return centresTable{&doc}, nil
	}})
	return err
}

// centresTable prints centres.
type centresTable struct{ *client.Centres }

func (d centresTable) table(l look) (string, error) {
	t := &table{left: 4, head: l.heads("CENTRE", "NAME", "STATUS", "IDENTIFIER", "DECLARED", "ON", "RATED", "MET", "FREE", "TARGET", "BY", "MET", "DEVICES", "HOSTS", "COVERAGE")}
	for i := range d.Centres.Centres {
		c := &d.Centres.Centres[i]
		name := c.Name.En
		if l.chinese && c.Name.Zh != "" || name == "" {
			name = c.Name.Zh
		}
		row := []string{printable(c.ID), printable(name), l.t(c.Status), printable(c.Identifier)}
		row = append(row, l.observed(c)...)
		t.add(row...)
		if c.Capacity == nil || !c.Registered {
			t.mark(&t.faint)
		}
	}
	var b strings.Builder
	if err := t.write(&b, l.colour); err != nil {
		return "", err
	}
	if p := d.Province.Observed.Target; p != nil {
		b.WriteString(l.t("The province's target is %s Eflops by %s; %s of it are rated, and %s Eflops are lacking.", eflops(p.Eflops), p.Date, percent(&p.RatedShare), eflops(p.ShortBy)) + "\n")
	}
	for _, line := range oldness(&d.Head, l) {
		b.WriteString(line + "\n")
	}
	b.WriteString(footing(&d.Head, l) + "\n")
	return b.String(), nil
}

// observed is what is measured of a centre beside what was said.
func (l look) observed(c *client.Centre) []string {
	row := []string{"-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"}
	if d := c.Observed.Declared; d != nil {
		row[0], row[1], row[3] = eflops(d.Eflops), d.Date, percent(&d.RatedShare)
	}
	if f := c.Capacity; f != nil {
		row[2], row[4] = eflops(f.Eflops.Rated), eflops(f.Eflops.Free)
		if f.Devices.Rated > 0 && f.Devices.Unpriced == f.Devices.Rated {
			row[2], row[4] = l.t("unpriced"), "-"
		}
		row[8], row[9], row[10] = strconv.FormatInt(f.Devices.Rated, 10), strconv.FormatInt(f.Hosts.Online, 10)+"/"+strconv.FormatInt(f.Hosts.Rated, 10), percent(f.Coverage)
	}
	if t := c.Observed.Target; t != nil {
		row[5], row[6], row[7] = eflops(t.Eflops), t.Date, percent(&t.RatedShare)
	}
	return row
}

func (d centresTable) csv() ([][]string, error) {
	rows := [][]string{{
		"centre", "name_zh", "name_en", "status", "identifier", "registered", "declared_eflops", "declared_date", "declared_precision", "declared_rated_share", "target_eflops", "target_date", "target_rated_share", "target_short_by",
		"eflops_rated", "eflops_online", "eflops_free", "devices_rated", "devices_free", "devices_unpriced", "hosts_rated", "hosts_online", "precision", "revision", "as_of",
	}}
	for i := range d.Centres.Centres {
		c := &d.Centres.Centres[i]
		row := []string{c.ID, c.Name.Zh, c.Name.En, c.Status, c.Identifier, strconv.FormatBool(c.Registered), "", "", "", "", "", "", "", ""}
		if v := c.Observed.Declared; v != nil {
			row[6], row[7], row[8], row[9] = v.Eflops.String(), v.Date, v.Precision, decimal(&v.RatedShare)
		}
		if v := c.Observed.Target; v != nil {
			row[10], row[11], row[12], row[13] = v.Eflops.String(), v.Date, decimal(&v.RatedShare), v.ShortBy.String()
		}
		observed := make([]string, 8)
		if f := c.Capacity; f != nil {
			n := func(v int64) string { return strconv.FormatInt(v, 10) }
			observed = []string{f.Eflops.Rated.String(), f.Eflops.Online.String(), f.Eflops.Free.String(), n(f.Devices.Rated), n(f.Devices.Free), n(f.Devices.Unpriced), n(f.Hosts.Rated), n(f.Hosts.Online)}
		}
		rows = append(rows, append(append(row, observed...), d.Precision, strconv.FormatInt(d.Revision, 10), d.AsOf.Format(time.RFC3339Nano)))
	}
	return rows, nil
}
