package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/collector/capacity"
)

// capacityFlags are the flags of exameter capacity.
type capacityFlags struct {
	asking
	query client.CapacityQuery
}

func capacityCommand() *cobra.Command {
	f := &capacityFlags{}
	cmd := &cobra.Command{
		Use:   "capacity",
		Short: "Ask a collector what there is, what works and what is free",
		Long: `Ask a collector for capacity: rated, online, healthy, busy and free Eflops with utilisation, power, coverage and age.

"table" rounds for people; "json" and "csv" give the collector's exact figures. --watch follows the collectors' stream, and asks
every now and then where there is none; with "json" it prints one document a line.`,
		Example: `  exameter capacity --by centre
  exameter capacity --by vendor,model --centre guian-north --precision fp8
  exameter capacity --by domestic --precision fp16
  exameter capacity --by centre --kind all --watch`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.flags(cmd)
	f.outputFlags(cmd)
	f.watchFlags(cmd)
	cmd.Flags().StringSliceVar(&f.query.By, "by", nil, "one row for each centre, cluster, kind, vendor, model, class, domestic, or pool")
	complete(cmd, "by", "centre", "cluster", "kind", "vendor", "model", "class", "domestic", "pool")
	filterFlags(cmd, &f.query.Filter)
	return cmd
}

func (f *capacityFlags) run(cmd *cobra.Command) error {
	if _, err := capacity.ParseDimensions(f.query.By); err != nil {
		return misused(cmd, "--by: %w", err)
	}
	if err := validFilter(cmd, &f.query.Filter); err != nil {
		return err
	}
	q := question{path: "v1/capacity", query: f.query.Values(), read: readCapacity, rows: true}
	if f.watch && f.output.value != "csv" {
		return f.follow(cmd, q)
	}
	_, err := f.asking.run(cmd, q)
	return err
}

// follow shows what the stream tells. Where collectors have none it asks every now and then.
func (f *capacityFlags) follow(cmd *cobra.Command, q question) error {
	c, err := f.client(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	s := newScreen(cmd.OutOrStdout())
	defer s.close()
	for u, err := range c.Watch(ctx, f.query) {
		switch {
		case client.IsNotThere(err):
			s.close()
			return f.poll(cmd, c, q)
		case err != nil:
			return err
		case u.Capacity == nil && !s.shown: // nobody has answered yet: say so as a question would
			if _, err := c.Capacity(ctx, f.query); err != nil && ctx.Err() == nil {
				return err
			}
			continue
		}
		if err := f.update(s, &u); err != nil {
			return err
		}
	}
	return nil
}

// update shows one update.
func (f *capacityFlags) update(s *screen, u *client.Update) error {
	l := lookOf(s.out)
	if u.Trouble != nil {
		return f.show(s, nil, nil, u.Trouble, l)
	}
	if f.output.value == "json" {
		line, err := json.Marshal(u.Capacity)
		if err != nil {
			return fmt.Errorf("print an update: %w", err)
		}
		return f.show(s, append(line, '\n'), nil, nil, l)
	}
	doc := capacityTable{u.Capacity}
	text, err := f.text(nil, doc, l)
	if err != nil {
		return err
	}
	return f.show(s, text, doc, nil, l)
}

// capacityTable prints a capacity document.
type capacityTable struct{ *client.Capacity }

func readCapacity(body []byte) (printed, error) {
	var doc client.Capacity
	if err := decoded(body, &doc); err != nil {
		return nil, err
	}
	return capacityTable{&doc}, nil
}

func (d capacityTable) table(l look) (string, error) { return documentText(d.Capacity, l) }

// kept are the total and what is below it.
func (d capacityTable) kept(l look) int { return 2 + len(remarks(d.Capacity, l)) }

// documentText is a capacity document as a table, with what a reader must know to believe it.
func documentText(doc *client.Capacity, l look) (string, error) {
	t := &table{left: max(len(doc.By), 1)}
	for _, d := range doc.By {
		t.head = append(t.head, l.heads(strings.ToUpper(d))...)
	}
	if len(doc.By) == 0 {
		t.head = append(t.head, l.heads("EFLOPS")...)
	}
	share := shares(doc)
	if share != nil {
		t.head = append(t.head, l.heads("SHARE")...)
	}
	t.head = append(t.head, l.heads("RATED", "ONLINE", "HEALTHY", "BUSY", "FREE", "UTIL", "POWER", "DEVICES", "FREE", "HOSTS", "COVERAGE", "AGE")...)
	for i := range doc.Groups {
		g := &doc.Groups[i]
		cells := labels(doc.By, &g.Dimensions)
		if share != nil {
			cells = append(cells, percent(share[i]))
		}
		t.add(append(cells, figures(&g.Figure, l)...)...)
		if g.Hosts.Online < g.Hosts.Rated {
			t.mark(&t.faint)
		}
	}
	total := make([]string, max(len(doc.By), 1))
	total[0] = l.t("total")
	if share != nil {
		total = append(total, "")
	}
	t.add(append(total, figures(&doc.Total, l)...)...)
	t.mark(&t.bold)
	var b strings.Builder
	if err := t.write(&b, l.colour); err != nil {
		return "", err
	}
	for _, line := range remarks(doc, l) {
		b.WriteString(line + "\n")
	}
	b.WriteString(footing(&doc.Head, l) + "\n")
	return b.String(), nil
}

// footing says which figures these are.
func footing(h *client.Head, l look) string {
	return l.t("Eflops, dense peak, precision %s, kind %s; as of %s, revision %d, catalogue %s", printable(h.Precision), printable(h.Kind), stamp(h.AsOf), h.Revision, printable(h.Catalogue))
}

// labels are a group's values of the dimensions.
func labels(by []string, g *client.Dimensions) []string {
	out := make([]string, 0, len(by)+13)
	for _, d := range by {
		out = append(out, printable(g.Get(d)))
	}
	return out
}

func figures(f *client.Figure, l look) []string {
	e := &f.Eflops
	worth := []string{eflops(e.Rated), eflops(e.Online), eflops(e.Healthy), eflops(e.Busy), eflops(e.Free)}
	if f.Devices.Rated > 0 && f.Devices.Unpriced == f.Devices.Rated {
		worth = []string{l.t("unpriced"), "-", "-", "-", "-"} // unknown is not zero
	}
	return append(
		worth, percent(f.Utilisation), watts(f),
		strconv.FormatInt(f.Devices.Rated, 10), strconv.FormatInt(f.Devices.Free, 10),
		strconv.FormatInt(f.Hosts.Online, 10)+"/"+strconv.FormatInt(f.Hosts.Rated, 10), percent(f.Coverage), age(f.Age),
	)
}

// remarks say plainly what keeps the figures from being the whole truth.
func remarks(doc *client.Capacity, l look) (out []string) {
	d, f := &doc.Total.Devices, &doc.Total
	if d.Rated == 0 {
		out = append(out, l.t("No device is known: no host has reported, or nothing matches the filters."))
	}
	if line := origins(f, l); line != "" {
		out = append(out, line)
	}
	if d.Unpriced > 0 {
		out = append(out, l.t("Unpriced: %s of %d have no peak%s in the catalogue and count as 0 Eflops%s. See exameter catalog --unpriced.",
			l.devices(d.Unpriced), d.Rated, precisionName(doc.Precision, l), where(doc, func(g *client.Group) bool { return g.Devices.Unpriced > 0 })))
	}
	if d.Stale > 0 {
		out = append(out, l.t("Stale: %s (%s Eflops) on %s fell silent, and stand in rated alone%s.",
			l.devices(d.Stale), eflops(f.Eflops.Stale), l.hosts(f.Hosts.Rated-f.Hosts.Online), where(doc, func(g *client.Group) bool { return g.Devices.Stale > 0 })))
	}
	if n := d.Faulty + d.Drained; n > 0 {
		out = append(out, l.t("Out of use: %d faulty (%s Eflops), %d drained (%s Eflops).", d.Faulty, eflops(f.Eflops.Faulty), d.Drained, eflops(f.Eflops.Drained)))
	}
	if f.PowerDevices < d.Online && f.PowerDevices > 0 {
		out = append(out, l.t("Power is measured for %d of %d online devices (+); the others' is unknown.", f.PowerDevices, d.Online))
	}
	return append(out, oldness(&doc.Head, l)...)
}

// oldness says that an answer is old.
func oldness(h *client.Head, l look) (out []string) {
	if h.Parts.Behind > 0 {
		out = append(out, l.t("Behind: nobody publishes %d of %d parts at the moment; they stand as they were, the oldest for %s.",
			h.Parts.Behind, h.Parts.Total, time.Duration(h.Parts.OldestS*float64(time.Second)).Round(time.Second)))
	}
	if old := l.now.Sub(h.AsOf); old > 30*time.Second {
		out = append(out, l.t("These figures are %s old: the collector stopped folding, or one of the clocks is wrong.", old.Round(time.Second)))
	}
	return out
}

// precisionName names what a peak is missing at.
func precisionName(p string, l look) string {
	if p == string(capacity.ByClass) {
		return l.t(" for their class")
	}
	return l.t(" for %s", p)
}

// where names the groups that something is true of, if they are few.
func where(doc *client.Capacity, is func(*client.Group) bool) string {
	var names []string
	for i := range doc.Groups {
		if is(&doc.Groups[i]) {
			names = append(names, strings.Join(labels(doc.By, &doc.Groups[i].Dimensions), " "))
		}
	}
	if len(names) == 0 || len(names) > 4 {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}
