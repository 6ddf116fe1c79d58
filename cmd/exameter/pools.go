package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/client"
)

// poolsFlags are the flags of exameter pools.
type poolsFlags struct {
	asking
	query client.PoolsQuery
	sort  oneOf
	gang  int
}

func poolsCommand() *cobra.Command {
	f := &poolsFlags{sort: oneOf{"name", []string{"name", "free", "eflops", "age"}}}
	cmd := &cobra.Command{
		Use:   "pools",
		Short: "List pools: devices of one kind in one cluster, and how many gangs are free in each",
		Long: `List pools, the smallest homogeneous things that work is sent to: what each has, what of it is free, and how many gangs of --gang
devices could start on single hosts now.`,
		Example: `  exameter pools --sort free --limit 20
  exameter pools --vendor huawei --domestic yes --gang 16
  exameter pools --centre guian-north --watch`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.flags(cmd)
	f.outputFlags(cmd)
	f.watchFlags(cmd)
	filterFlags(cmd, &f.query.Filter)
	cmd.Flags().Var(&f.sort, "sort", "name; free or eflops, most free first; age, freshest first")
	cmd.Flags().IntVar(&f.query.Limit, "limit", 0, "at most so many pools; 0 is as many as the collector gives at once")
	cmd.Flags().IntVar(&f.gang, "gang", 8, "devices of a gang, for the column GANGS")
	complete(cmd, "sort", f.sort.want...)
	return cmd
}

func (f *poolsFlags) run(cmd *cobra.Command) error {
	if err := validFilter(cmd, &f.query.Filter); err != nil {
		return err
	}
	if f.gang < 1 || f.gang > 16 {
		return misused(cmd, "--gang: %d is not between 1 and 16", f.gang)
	}
	if f.query.Limit < 0 {
		return misused(cmd, "--limit: %d is below zero", f.query.Limit)
	}
	f.query.Sort = f.sort.value
	_, err := f.asking.run(cmd, question{path: "v1/pools", query: f.query.Values(), rows: true, read: func(body []byte) (printed, error) {
		var doc client.Pools
		if err := decoded(body, &doc); err != nil {
			return nil, err
		}
		return poolsTable{&doc, f.gang}, nil
	}})
	return err
}

// poolsTable prints pools.
type poolsTable struct {
	*client.Pools
	gang int
}

func (d poolsTable) table(l look) (string, error) {
	t := &table{left: 4, head: l.heads("CENTRE", "CLUSTER", "VENDOR", "MODEL", "MEMORY", "DEVICES", "FREE", "EFLOPS", "FREE", "UTIL", "GANGS", "HOSTS", "AGE")}
	for i := range d.Pools.Pools {
		p := &d.Pools.Pools[i]
		worth := []string{eflops(p.Eflops.Rated), eflops(p.Eflops.Free)}
		if p.Devices.Rated > 0 && p.Devices.Unpriced == p.Devices.Rated {
			worth = []string{l.t("unpriced"), "-"}
		}
		t.add(
			printable(p.Centre), printable(p.Cluster), printable(p.Vendor), printable(p.Model), memory(p.MemoryGiB),
			strconv.FormatInt(p.Devices.Rated, 10), strconv.FormatInt(p.Devices.Free, 10), worth[0], worth[1], percent(p.Utilisation),
			strconv.FormatInt(p.Gangs(d.gang), 10), strconv.FormatInt(p.Hosts.Online, 10)+"/"+strconv.FormatInt(p.Hosts.Rated, 10), age(p.Age),
		)
		if p.Hosts.Online < p.Hosts.Rated {
			t.mark(&t.faint)
		}
	}
	var b strings.Builder
	if err := t.write(&b, l.colour); err != nil {
		return "", err
	}
	if len(d.Pools.Pools) == 0 {
		b.WriteString(l.t("No pool matches.") + "\n")
	}
	if d.Next != "" {
		b.WriteString(l.t("These are %d of %d pools: --limit gives more.", len(d.Pools.Pools), d.Of) + "\n")
	}
	b.WriteString(l.t("GANGS: groups of %d devices that are free on one host each.", d.gang) + "\n")
	for _, line := range oldness(&d.Head, l) {
		b.WriteString(line + "\n")
	}
	b.WriteString(footing(&d.Head, l) + "\n")
	return b.String(), nil
}

// memory prints a device's memory.
func memory(gib *float64) string {
	if gib == nil {
		return "-"
	}
	return strconv.FormatFloat(*gib, 'f', -1, 64) + " GiB"
}
