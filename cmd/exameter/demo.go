package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/sim"
)

const (
	// thisMachine is the centre that this machine's own agent reports to.
	thisMachine = "this-machine"
	// demoKeeps is how long the demo's broker keeps reports: more than a collector reads again after a restart.
	demoKeeps = 2 * time.Minute
	// demoGathers is how long the hosts may take to report for the first time.
	demoGathers = 3 * time.Minute
	// demoSpeed is how much faster than the clock the province lives: a day passes in 24 minutes.
	demoSpeed = 60
	// demoRallies is how long before its end all hosts of a bounded demo speak.
	demoRallies = 5 * time.Second
	// demoAgrees is how long the collector may take to say what the ledger says.
	demoAgrees = 20 * time.Second
)

// demoFlags are the flags of exameter demo.
type demoFlags struct {
	hosts   int
	seed    uint64
	speed   float64
	forTime time.Duration
	listen  string
	output  oneOf
	verbose bool
}

func demoCommand() *cobra.Command {
	f := &demoFlags{output: oneOf{"table", []string{"table", "json"}}}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a whole simulated province on this machine, with this machine in it",
		Long: `Run a province in one process: a Kafka-protocol broker in memory, a collector, simulated hosts of a dozen centres, and this
machine's own agent, which reads the real hardware and reports as the centre "` + thisMachine + `".

Everything but this machine is made up. The default number of hosts makes about 85 Eflops and wants half a core and about 1 GB
of memory; fewer hosts make proportionally less.

The time of --for begins when every host has reported. Towards its end the hosts that are silent come back, then the simulation stops,
and what the collector says is held against the simulation's own ledger, to the last digit: the demo fails if they differ.`,
		Example: `  exameter demo
  exameter demo --hosts 2000 --for 20s -o json | tail -1`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fl := cmd.Flags()
	fl.IntVar(&f.hosts, "hosts", sim.DefaultHosts, "how many simulated hosts")
	fl.Uint64Var(&f.seed, "seed", 1, "decides what happens in the province")
	fl.Float64Var(&f.speed, "speed", demoSpeed, "how much faster jobs, nights and faults go by than the clock")
	fl.DurationVar(&f.forTime, "for", 0, "how long; 0 is until interrupted")
	fl.StringVar(&f.listen, "listen", "127.0.0.1:8470", "where the collector answers; unless it is given, another port if this one is taken")
	fl.VarP(&f.output, "output", "o", "table: a live table; json: the final capacity document alone, on one line")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "log what the parts do")
	return cmd
}

func (f *demoFlags) run(cmd *cobra.Command) error {
	if f.hosts == 0 || f.speed == 0 {
		return misused(cmd, "--hosts and --speed are above zero")
	}
	if f.forTime < 0 {
		return misused(cmd, "--for: %s is below zero", f.forTime)
	}
	p, err := sim.New(sim.Spec{Seed: f.seed, Hosts: f.hosts, Speed: f.speed, Version: "simulated " + version}, time.Now())
	if err != nil {
		return misused(cmd, "%w", err)
	}
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelInfo
	}
	o := stackOptions{
		topics:    localbroker.Bounded(centresTopics(append(p.Centres(), thisMachine), 1), demoKeeps),
		collector: collector.DefaultConfig(), anyPort: !cmd.Flags().Changed("listen"),
		registry: demoRegistry(), log: textLog(cmd.ErrOrStderr(), level),
	}
	o.collector.HTTP.Listen = f.listen
	if err := o.collector.Validate(); err != nil {
		return misused(cmd, "--listen: %w", err)
	}
	return temporary(func(dir string) error { return f.play(cmd, o, p, dir) })
}

// demoRegistry names the centres for people.
func demoRegistry() *registry.Registry {
	r := &registry.Registry{Revision: "demo", Province: registry.Province{Name: registry.Name{Zh: "模拟省", En: "Simulated province"}, Target: demoTarget()}}
	for _, c := range sim.DefaultCentres() {
		r.Centres = append(r.Centres, registry.Centre{
			ID: c.ID, Name: registry.Name{Zh: c.Names.ZH, En: c.Names.EN}, Status: registry.Operating, Clusters: demoClusters(&c),
		})
	}
	r.Centres = append(r.Centres, registry.Centre{ID: thisMachine, Name: registry.Name{Zh: "本机", En: "This machine"}, Status: registry.Operating})
	return r
}

// demoTarget is what the province shall have one day, whatever the number of its hosts.
func demoTarget() *registry.Target {
	return &registry.Target{
		Date:   registry.Date{Time: time.Date(2027, time.December, 31, 0, 0, 0, 0, time.UTC)},
		Eflops: registry.Eflops{Flops: 260 * capacity.Eflop},
	}
}

// demoClusters declares a centre's supercomputers and its farms for rendering.
func demoClusters(c *sim.Centre) (out []registry.Cluster) {
	for _, id := range slices.Sorted(maps.Keys(c.Counted)) {
		cl := registry.Cluster{ID: id, Precision: catalog.FP32}
		if c.Counted[id] == sim.Super {
			cl = registry.Cluster{ID: id, Class: capacity.Super}
		}
		out = append(out, cl)
	}
	return out
}

// play runs the province and shows it.
func (f *demoFlags) play(cmd *cobra.Command, o stackOptions, p *sim.Province, dir string) error {
	ctx := cmd.Context()
	s, err := startStack(ctx, o)
	if err != nil {
		return err
	}
	v := &demoView{flags: f, stack: s, province: p, out: newScreen(cmd.OutOrStdout()), say: cmd.ErrOrStderr()}
	if v.client, err = client.New(client.Options{Addresses: []string{s.api}}); err == nil {
		v.driver, v.halt = s.simulate(p)
		s.report(thisMachine, dir)
		err = v.watch(s.ctx)
	}
	v.out.close()
	if failed := s.stop(); failed != nil {
		return failed // it is why the view came to nothing
	}
	if ctx.Err() != nil && v.gathered.IsZero() {
		return nil // interrupted before there was anything to show
	}
	if err != nil {
		return err
	}
	return v.last(cmd.OutOrStdout())
}

// demoView shows the province.
type demoView struct {
	flags    *demoFlags
	stack    *stack
	province *sim.Province
	driver   *sim.Driver
	halt     func() // stops the driver
	client   *client.Client
	out      *screen
	say      io.Writer // what is not the result

	gathered time.Time // when every host had reported; zero before
	machine  string    // what this machine is
	answer   []byte    // the last one, as the collector gave it
}

var demoQuery = url.Values{"by": {"centre"}, "kind": {capacity.KindAll}}

// watch follows the province until its time is over.
func (v *demoView) watch(ctx context.Context) error {
	begun := time.Now()
	all, _ := v.province.Hosts()
	fmt.Fprintf(v.say, "A simulated province of %s with %d accelerators, and this machine.\nconsole  %s/\nAPI      %s/v1/capacity?by=centre&kind=all\nmetrics  %s/metrics\n",
		plural(int64(all), "host"), v.province.Devices(), v.stack.api, v.stack.api, v.stack.api)
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	shown := time.Time{}
	for {
		doc, err := v.ask(ctx)
		if err == nil && v.gathered.IsZero() && v.complete(doc) {
			v.gathered = time.Now()
			if v.machine, err = describeMachine(ctx, v.stack.kafka, thisMachine); err != nil && ctx.Err() == nil {
				return err
			}
			fmt.Fprintf(v.say, "Every host has reported after %.1f s.\n%s\n", time.Since(begun).Seconds(), v.machine)
		}
		if ctx.Err() != nil {
			return nil
		}
		left := v.flags.forTime - time.Since(v.gathered)
		bounded := !v.gathered.IsZero() && v.flags.forTime > 0
		if bounded && left <= demoRallies {
			v.province.Rally()
		}
		over := bounded && left <= 0
		if over {
			if doc, err = v.agree(ctx); err != nil || doc == nil {
				return err
			}
		}
		if doc != nil && v.visible() && (over || time.Since(shown) >= v.pace()) {
			shown = time.Now()
			if err := v.show(); err != nil {
				return err
			}
		}
		if over {
			return err
		}
		if v.gathered.IsZero() && time.Since(begun) > demoGathers {
			return fmt.Errorf("after %s not every host has reported: %s", demoGathers, v.missing(doc, err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// agree stops the simulation and waits until the collector says what the ledger says. It returns nothing if ctx ends first.
func (v *demoView) agree(ctx context.Context) (*capacity.Document, error) {
	v.halt()
	differs := "it did not answer"
	for begun := time.Now(); ; {
		doc, err := v.ask(ctx)
		if err == nil {
			if differs = v.differs(doc); differs == "" {
				fmt.Fprintf(v.say, "The simulation's own ledger says the same: every centre, devices and Eflops by state, to the last digit.\n")
				return doc, nil
			}
		}
		if time.Since(begun) > demoAgrees {
			return nil, errors.Join(fmt.Errorf("the collector does not say what the simulation's ledger says: %s", differs), err)
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// differs says where a document is not what the ledger says; nothing where it is.
func (v *demoView) differs(doc *capacity.Document) string {
	books := v.province.Books(time.Now(), v.stack.staleAfter)
	books.Declared = true // as demoRegistry has it
	want := map[string]sim.Figures{}
	for _, c := range books.Summary(catalog.Default()).Centres {
		want[c.Centre] = c.Figures
	}
	for i := range doc.Groups {
		g := &doc.Groups[i]
		if g.Centre == thisMachine {
			continue
		}
		if have := (sim.Figures{Devices: g.Devices, Eflops: g.Eflops}); have != want[g.Centre] {
			return fmt.Sprintf("of %s it says %+v, the ledger %+v", g.Centre, have, want[g.Centre])
		}
		delete(want, g.Centre)
	}
	if len(want) > 0 {
		return fmt.Sprintf("%d centres are missing", len(want))
	}
	if h := doc.Total.Hosts; h.Rated != books.HostsRated+1 || h.Online != h.Rated {
		return fmt.Sprintf("%d of %d hosts are online, the ledger has %d and this machine", h.Online, h.Rated, books.HostsRated)
	}
	return ""
}

// ask gets an answer, keeping the collector's own words.
func (v *demoView) ask(ctx context.Context) (*capacity.Document, error) {
	got, err := v.client.Get(ctx, "v1/capacity", demoQuery)
	if err != nil {
		return nil, err
	}
	doc, err := parseDocument(got.Body)
	if err == nil {
		v.answer = got.Body
	}
	return doc, err
}

// parseDocument reads an answer with the collector's own types, which the ledger has too.
func parseDocument(body []byte) (*capacity.Document, error) {
	var doc capacity.Document
	if err := decoded(body, &doc); err != nil {
		return nil, err
	}
	return &doc, nil
}

// complete reports whether every host that is not silent by design has been heard of, this machine included.
func (v *demoView) complete(doc *capacity.Document) bool {
	all, silent := v.province.Hosts()
	h := doc.Total.Hosts
	if h.Rated != int64(all)+1 || h.Rated-h.Online > int64(silent) {
		return false
	}
	for i := range doc.Groups {
		if g := &doc.Groups[i]; g.Centre == thisMachine {
			return g.Hosts.Online == 1
		}
	}
	return false
}

func (v *demoView) missing(doc *capacity.Document, err error) string {
	if doc == nil {
		return fmt.Sprint(err)
	}
	all, silent := v.province.Hosts()
	return fmt.Sprintf("%d of %d are known, %d of them online, %d are silent by design", doc.Total.Hosts.Rated, all+1, doc.Total.Hosts.Online, silent)
}

// pace is how often the table is shown: in place each second, below each other less often.
func (v *demoView) pace() time.Duration {
	if v.out.place {
		return time.Second
	}
	return 10 * time.Second
}

// visible reports whether the table is wanted: not beside JSON, and half of it only where the other half will replace it.
func (v *demoView) visible() bool {
	return v.flags.output.value == "table" && (v.out.place || !v.gathered.IsZero())
}

func (v *demoView) show() error {
	doc, err := readCapacity(v.answer)
	if err != nil {
		return err
	}
	l := lookOf(v.out.out)
	table, err := doc.table(l)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if v.out.place {
		fmt.Fprintf(&b, "Exameter demo: a simulated province, and this machine. Ctrl-C ends it.\nconsole %s/   API %s/v1/capacity?by=centre   metrics %s/metrics\n\n", v.stack.api, v.stack.api, v.stack.api)
	}
	b.WriteString(table)
	if v.out.place {
		n := v.driver.Counts()
		fmt.Fprintf(&b, "%s\n%d records, %.1f MB sent, %d not acknowledged\n", v.machine, n.Records, float64(n.Bytes)/1e6, n.Failures)
	}
	return v.out.show(b.Bytes(), doc.(keeper).kept(l)+2)
}

// last prints the result: in JSON the collector's own answer, on one line.
func (v *demoView) last(out io.Writer) error {
	if v.flags.output.value != "json" {
		return nil
	}
	_, err := fmt.Fprintln(out, strings.TrimSpace(string(v.answer)))
	return err
}
