package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/client"
)

// hostsFlags are the flags of exameter hosts.
type hostsFlags struct {
	asking
	query   client.HostsQuery
	online  string
	sort    oneOf
	devices bool
}

var deviceStates = []string{"busy", "free", "drained", "faulty", "stale"}

func hostsCommand() *cobra.Command {
	f := &hostsFlags{sort: oneOf{"centre", []string{"centre", "free", "age"}}}
	cmd := &cobra.Command{
		Use:   "hosts [HOST]",
		Short: "List hosts and their devices",
		Long: `List hosts: those whose id is, or begins with, HOST; or all that the filters let in. --devices lists their devices one by one, with
the reason for each state. "csv" is the collector's own: one row a device, one for a host without any, one for each part that is missing.`,
		Example: `  exameter hosts --state faulty --devices
  exameter hosts --centre guian-north --free-min 8 --sort free
  exameter hosts 4c4c4544`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, strings.Join(args, "")) },
	}
	f.flags(cmd)
	f.outputFlags(cmd)
	filterFlags(cmd, &f.query.Filter)
	fl := cmd.Flags()
	fl.StringVar(&f.query.Name, "name", "", "only hosts of this name")
	fl.StringSliceVar(&f.query.State, "state", nil, "only hosts with a device that is busy, free, drained, faulty or stale")
	fl.StringVar(&f.online, "online", "", "only hosts that are online (true), or that are not (false)")
	fl.IntVar(&f.query.FreeMin, "free-min", 0, "only hosts with so many free devices, or more")
	fl.Var(&f.sort, "sort", "centre; free, most free devices first; or age")
	fl.IntVar(&f.query.Limit, "limit", 100, "at most so many hosts, up to 1000")
	fl.BoolVar(&f.devices, "devices", false, "one line for each device")
	complete(cmd, "state", deviceStates...)
	complete(cmd, "online", "true", "false")
	complete(cmd, "sort", f.sort.want...)
	return cmd
}

func (f *hostsFlags) run(cmd *cobra.Command, host string) error {
	if err := validFilter(cmd, &f.query.Filter); err != nil {
		return err
	}
	for _, s := range f.query.State {
		if !slices.Contains(deviceStates, s) {
			return misused(cmd, "--state: %q is not one of %s", s, strings.Join(deviceStates, ", "))
		}
	}
	if f.online != "" {
		v, err := strconv.ParseBool(f.online)
		if err != nil {
			return misused(cmd, "--online: %q is not true or false", f.online)
		}
		f.query.Online = &v
	}
	if f.query.FreeMin < 0 || f.query.Limit < 1 || f.query.Limit > 1000 {
		return misused(cmd, "--free-min is not below zero, and --limit is between 1 and 1000")
	}
	f.query.Host, f.query.Sort = host, f.sort.value
	_, err := f.asking.run(cmd, question{path: "v1/hosts", query: f.query.Values(), rows: true, read: func(body []byte) (printed, error) {
		var doc client.HostList
		if err := decoded(body, &doc); err != nil {
			return nil, err
		}
		return hostsTable{&doc, f.devices}, nil
	}})
	return err
}

// hostsTable prints hosts.
type hostsTable struct {
	*client.HostList
	devices bool
}

func (d hostsTable) table(l look) (string, error) {
	t := &table{left: 5, head: l.heads("CENTRE", "CLUSTER", "NAME", "HOST", "MODELS", "FREE", "BUSY", "DRAINED", "FAULTY", "STALE", "AGE")}
	if d.devices {
		t = &table{left: 8, head: l.heads("CENTRE", "NAME", "HOST", "DEVICE", "VENDOR", "MODEL", "STATE", "REASON", "POWER", "UTIL", "AGE")}
	}
	for i := range d.Hosts {
		h := &d.Hosts[i]
		if d.devices {
			d.lines(t, h, l)
			continue
		}
		row := []string{printable(h.Centre), printable(h.Cluster), printable(h.Name), printable(h.Host), models(h)}
		count := map[string]int{}
		for j := range h.Devices {
			count[h.Devices[j].State]++
		}
		for _, s := range []string{"free", "busy", "drained", "faulty", "stale"} {
			row = append(row, strconv.Itoa(count[s]))
		}
		t.add(append(row, seconds(h.AgeS))...)
		if !h.Online {
			t.mark(&t.faint)
		}
	}
	var b strings.Builder
	if err := t.write(&b, l.colour); err != nil {
		return "", err
	}
	if len(d.Hosts) == 0 {
		b.WriteString(l.t("No host matches.") + "\n")
	}
	if d.Next != "" {
		b.WriteString(l.t("There are more hosts than these %d: --limit gives more, up to 1000.", len(d.Hosts)) + "\n")
	}
	if len(d.Missing) > 0 {
		b.WriteString(l.t("Missing: the owners of these parts did not answer, and their hosts are not in the list: %s.", missingParts(d.Missing)) + "\n")
	}
	for _, line := range oldness(&d.Head, l) {
		b.WriteString(line + "\n")
	}
	b.WriteString(l.t("as of %s, revision %d", stamp(d.AsOf), d.Revision) + "\n")
	return b.String(), nil
}

// lines adds a line for each device of a host.
func (d hostsTable) lines(t *table, h *client.Host, l look) {
	for i := range h.Devices {
		v := &h.Devices[i]
		power := "-"
		if v.PowerW != nil {
			power = fmt.Sprintf("%.0f W", *v.PowerW)
		}
		t.add(printable(h.Centre), printable(h.Name), printable(h.Host), printable(v.ID), printable(v.Vendor), printable(v.Model),
			printable(l.t(v.State)), printable(v.Reason), power, percent(v.Activity), seconds(h.AgeS))
		if v.State == "faulty" || v.State == "stale" {
			t.mark(&t.faint)
		}
	}
}

// models names a host's models, with how many devices it has of each.
func models(h *client.Host) string {
	var names []string
	count := map[string]int{}
	for i := range h.Devices {
		m := h.Devices[i].Model
		if count[m]++; count[m] == 1 {
			names = append(names, m)
		}
	}
	for i, m := range names {
		names[i] = fmt.Sprintf("%d × %s", count[m], printable(m))
	}
	return strings.Join(names, ", ")
}

// missingParts names parts whose hosts are not in a list.
func missingParts(missing []client.Missing) string {
	out := make([]string, len(missing))
	for i, m := range missing {
		out[i] = printable(fmt.Sprintf("%s/%d (%s: %s)", m.Centre, m.Part, m.Owner, m.Why))
	}
	return strings.Join(out, ", ")
}

// seconds prints an age; what is unknown is a hyphen.
func seconds(s *float64) string {
	if s == nil {
		return "-"
	}
	return strconv.FormatFloat(*s, 'f', 1, 64) + " s"
}
