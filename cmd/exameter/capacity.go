package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/collector/capacity"
)

// defaultCollector is where a collector answers unless it is told otherwise.
const defaultCollector = "http://127.0.0.1:8470"

// capacityFlags are the flags of exameter capacity.
type capacityFlags struct {
	collector string
	timeout   time.Duration
	output    oneOf
	watch     bool
	every     time.Duration

	by                                    []string
	precision, kind                       string
	centre, cluster, vendor, model, class []string
	domestic                              []string
}

func capacityCommand() *cobra.Command {
	f := &capacityFlags{output: oneOf{"table", []string{"table", "json", "csv"}}}
	cmd := &cobra.Command{
		Use:   "capacity",
		Short: "Ask a collector what there is, what works and what is free",
		Long: `Ask a collector for capacity: rated, online, healthy, busy and free Eflops with utilisation, power, coverage and age.

"table" rounds for people; "json" and "csv" give the collector's exact figures.`,
		Example: `  exameter capacity --by centre
  exameter capacity --by vendor,model --centre guian-north --precision fp8
  exameter capacity --by domestic --precision fp16
  exameter capacity --by centre --kind all --watch`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fl := cmd.Flags()
	clientFlags(cmd, &f.collector, &f.timeout)
	fl.VarP(&f.output, "output", "o", "how to print")
	fl.BoolVarP(&f.watch, "watch", "w", false, "go on asking until interrupted")
	fl.DurationVar(&f.every, "every", 2*time.Second, "how often to ask with --watch")
	fl.StringSliceVar(&f.by, "by", nil, "one row for each centre, cluster, kind, vendor, model, class, domestic, or pool")
	fl.StringVar(&f.precision, "precision", "class", "class (each device by its class's: accelerators fp16, processors fp32), fp64, fp32, tf32, fp16, bf16, fp8 or int8")
	fl.StringVar(&f.kind, "kind", capacity.KindAccelerator, "accelerator, cpu or all")
	fl.StringSliceVar(&f.centre, "centre", nil, "only these centres")
	fl.StringSliceVar(&f.cluster, "cluster", nil, "only these clusters")
	fl.StringSliceVar(&f.vendor, "vendor", nil, "only these vendors")
	fl.StringArrayVar(&f.model, "model", nil, "only this model, by its id in the catalogue; may be given more than once")
	fl.StringSliceVar(&f.class, "class", nil, "only these classes: intelligent, general, super")
	fl.StringSliceVar(&f.domestic, "domestic", nil, "only models designed in China (yes), only others (no), only those of which the catalogue does not say it (unknown)")
	return cmd
}

// validKind refuses what is no kind of device.
func validKind(kind string) error {
	if kind != capacity.KindAccelerator && kind != capacity.KindCPU && kind != capacity.KindAll {
		return fmt.Errorf("%q is not one of accelerator, cpu, all", kind)
	}
	return nil
}

// query is the flags as the collector's parameters.
func (f *capacityFlags) query(cmd *cobra.Command) (url.Values, error) {
	if _, err := capacity.ParseDimensions(f.by); err != nil {
		return nil, misused(cmd, "--by: %w", err)
	}
	if _, err := capacity.ParsePrecision(f.precision); err != nil {
		return nil, misused(cmd, "--precision: %w", err)
	}
	if err := validKind(f.kind); err != nil {
		return nil, misused(cmd, "--kind: %w", err)
	}
	if f.every < 100*time.Millisecond {
		return nil, misused(cmd, "--every: %s is below 100ms", f.every)
	}
	q := url.Values{"precision": {f.precision}, "kind": {f.kind}}
	if len(f.by) > 0 {
		q.Set("by", strings.Join(f.by, ","))
	}
	for name, values := range map[string][]string{"centre": f.centre, "cluster": f.cluster, "vendor": f.vendor, "model": f.model, "class": f.class, "domestic": f.domestic} {
		if len(values) > 0 {
			q[name] = values
		}
	}
	if f.output.value == "csv" {
		q.Set("format", "csv")
	}
	return q, nil
}

func (f *capacityFlags) run(cmd *cobra.Command) error {
	q, err := f.query(cmd)
	if err != nil {
		return err
	}
	c, err := newClient(f.collector, f.timeout)
	if err != nil {
		return misused(cmd, "--collector: %w", err)
	}
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	if !f.watch {
		text, err := f.ask(ctx, c, q, coloured(out))
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	}
	s := newScreen(out)
	t := time.NewTicker(f.every)
	defer t.Stop()
	for {
		text, err := f.ask(ctx, c, q, coloured(out))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !s.shown {
			return err
		}
		if err != nil { // What was shown is old now, and so it goes.
			text = fmt.Appendf(nil, "%s  %v\n", stamp(time.Now()), err)
		}
		if err := f.show(s, text); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// show puts tables in each other's place; what programs read is only ever appended.
func (f *capacityFlags) show(s *screen, text []byte) error {
	if f.output.value == "table" {
		return s.show(text)
	}
	s.shown = true
	_, err := s.out.Write(text)
	return err
}

// ask returns one answer as it is to be printed.
func (f *capacityFlags) ask(ctx context.Context, c *client, q url.Values, colour bool) ([]byte, error) {
	body, err := c.get(ctx, "v1/capacity", q)
	if err != nil || f.output.value != "table" {
		return body, err
	}
	doc, err := parseDocument(body)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := writeDocument(&b, doc, time.Now(), colour); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// writeDocument prints a capacity document as a table, with what a reader must know to believe it.
func writeDocument(w io.Writer, doc *capacity.Document, now time.Time, colour bool) error {
	t := &table{left: max(len(doc.By), 1)}
	for _, d := range doc.By {
		t.head = append(t.head, strings.ToUpper(d))
	}
	if len(doc.By) == 0 {
		t.head = append(t.head, "EFLOPS")
	}
	share := shares(doc)
	if share != nil {
		t.head = append(t.head, "SHARE")
	}
	t.head = append(t.head, "RATED", "ONLINE", "HEALTHY", "BUSY", "FREE", "UTIL", "POWER", "DEVICES", "FREE", "HOSTS", "COVERAGE", "AGE")
	for i := range doc.Groups {
		g := &doc.Groups[i]
		cells := labels(doc.By, g)
		if share != nil {
			cells = append(cells, percent(share[i]))
		}
		t.add(append(cells, figures(&g.Figure)...)...)
		if g.Hosts.Online < g.Hosts.Rated {
			t.mark(&t.faint)
		}
	}
	total := make([]string, max(len(doc.By), 1))
	total[0] = "total"
	if share != nil {
		total = append(total, "")
	}
	t.add(append(total, figures(&doc.Total)...)...)
	t.mark(&t.bold)
	if err := t.write(w, colour); err != nil {
		return err
	}
	for _, line := range remarks(doc, now) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "Eflops, dense peak, precision %s, kind %s; as of %s, revision %d, catalogue %s\n",
		doc.Precision, doc.Kind, stamp(doc.AsOf), doc.Revision, printable(doc.Catalogue))
	return err
}

// labels are a group's values of the dimensions.
func labels(by []string, g *capacity.Group) []string {
	values := map[string]string{"centre": g.Centre, "cluster": g.Cluster, "kind": g.Kind, "vendor": g.Vendor, "model": g.Model, "class": g.Class, "domestic": g.Domestic}
	out := make([]string, 0, len(by)+13)
	for _, d := range by {
		out = append(out, printable(values[d]))
	}
	return out
}

func figures(f *capacity.Figure) []string {
	e := &f.Eflops
	worth := []string{eflops(e.Rated), eflops(e.Online), eflops(e.Healthy), eflops(e.Busy), eflops(e.Free)}
	if f.Devices.Rated > 0 && f.Devices.Unpriced == f.Devices.Rated {
		worth = []string{"unpriced", "-", "-", "-", "-"} // unknown is not zero
	}
	return append(
		worth, percent(f.Utilisation), watts(f),
		strconv.FormatInt(f.Devices.Rated, 10), strconv.FormatInt(f.Devices.Free, 10),
		strconv.FormatInt(f.Hosts.Online, 10)+"/"+strconv.FormatInt(f.Hosts.Rated, 10), percent(f.Coverage), age(f.Age),
	)
}

// remarks say plainly what keeps the figures from being the whole truth.
func remarks(doc *capacity.Document, now time.Time) (out []string) {
	d, f := &doc.Total.Devices, &doc.Total
	if d.Rated == 0 {
		out = append(out, "No device is known: no host has reported, or nothing matches the filters.")
	}
	if line := origins(f); line != "" {
		out = append(out, line)
	}
	if d.Unpriced > 0 {
		out = append(out, fmt.Sprintf("Unpriced: %s of %d have no peak%s in the catalogue and count as 0 Eflops%s. See exameter catalog --unpriced.",
			plural(d.Unpriced, "device"), d.Rated, precisionName(doc.Precision), where(doc, func(g *capacity.Group) bool { return g.Devices.Unpriced > 0 })))
	}
	if d.Stale > 0 {
		out = append(out, fmt.Sprintf("Stale: %s (%s Eflops) on %s fell silent, and stand in rated alone%s.",
			plural(d.Stale, "device"), eflops(f.Eflops.Stale), plural(f.Hosts.Rated-f.Hosts.Online, "host"), where(doc, func(g *capacity.Group) bool { return g.Devices.Stale > 0 })))
	}
	if n := d.Faulty + d.Drained; n > 0 {
		out = append(out, fmt.Sprintf("Out of use: %d faulty (%s Eflops), %d drained (%s Eflops).", d.Faulty, eflops(f.Eflops.Faulty), d.Drained, eflops(f.Eflops.Drained)))
	}
	if f.PowerDevices < d.Online && f.PowerDevices > 0 {
		out = append(out, fmt.Sprintf("Power is measured for %d of %d online devices (+); the others' is unknown.", f.PowerDevices, d.Online))
	}
	if old := now.Sub(doc.AsOf); old > 30*time.Second {
		out = append(out, fmt.Sprintf("These figures are %s old: the collector stopped folding, or one of the clocks is wrong.", old.Round(time.Second)))
	}
	return out
}

// precisionName names what a peak is missing at.
func precisionName(p string) string {
	if p == string(capacity.ByClass) {
		return " for their class"
	}
	return " for " + p
}

// where names the groups that something is true of, if they are few.
func where(doc *capacity.Document, is func(*capacity.Group) bool) string {
	var names []string
	for i := range doc.Groups {
		if is(&doc.Groups[i]) {
			names = append(names, strings.Join(labels(doc.By, &doc.Groups[i]), " "))
		}
	}
	if len(names) == 0 || len(names) > 4 {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}
