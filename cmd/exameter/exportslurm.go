package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/client"
)

// slurmFlags are the flags of exameter export slurm.
type slurmFlags struct {
	asking
	query  client.HostsQuery
	faulty int
}

func exportSlurmCommand() *cobra.Command {
	f := &slurmFlags{}
	cmd := &cobra.Command{
		Use:   "slurm",
		Short: "Print commands for scontrol that drain Slurm's nodes whose accelerators are faulty",
		Long: `Print a command for scontrol for each host that has faulty accelerators: Slurm shall send no more jobs to the node, and its reason says why.
The node is called like the host, up to the first dot. Nothing is said of hosts that are silent, which Slurm notices by itself, and none is
resumed: that is for whoever mended it. A host whose name cannot be a node's is left out, and standard error names it.`,
		Example: `  exameter export slurm --centre guian-north --cluster train-1 | scontrol
  exameter export slurm --cluster train-1 --faulty 2`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.flags(cmd)
	filterFlags(cmd, &f.query.Filter)
	cmd.Flags().IntVar(&f.faulty, "faulty", 1, "drain nodes with so many faulty accelerators, or more")
	return cmd
}

// maxSlurmHosts is how many hosts are asked for at once.
const maxSlurmHosts = 1000

func (f *slurmFlags) run(cmd *cobra.Command) error {
	if err := validFilter(cmd, &f.query.Filter); err != nil {
		return err
	}
	if f.faulty < 1 {
		return misused(cmd, "--faulty: %d is below one", f.faulty)
	}
	if f.query.Kind != "" && f.query.Kind != "accelerator" {
		return misused(cmd, "--kind: want accelerator, whose faults agents report")
	}
	c, err := f.client(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	online := true
	f.query.State, f.query.Online, f.query.Limit = []string{"faulty"}, &online, maxSlurmHosts
	type node struct{ centre, host, reason string }
	nodes := map[string]node{}
	list, err := c.AllHosts(cmd.Context(), f.query, func(h *client.Host) error {
		faulty := slices.DeleteFunc(h.Devices, func(d client.Device) bool { return d.State != "faulty" })
		if len(faulty) < f.faulty || h.NotCounted != "" {
			return nil
		}
		name, _, _ := strings.Cut(h.Name, ".")
		if !slurmName.MatchString(name) {
			fmt.Fprintf(cmd.ErrOrStderr(), "exameter: host %s of centre %s is left out: %q is not the name of a node\n", printable(h.Host), printable(h.Centre), h.Name)
			return nil
		}
		n := node{h.Centre, h.Host, slurmReason(faulty)}
		// A host comes twice where the list had to be begun anew.
		if first, taken := nodes[name]; taken && (first.centre != n.centre || first.host != n.host) {
			return fmt.Errorf("host %s of centre %s and host %s of centre %s are both called %s: ask for one of them with --centre or --cluster",
				printable(first.host), printable(first.centre), printable(n.host), printable(n.centre), name)
		}
		nodes[name] = n
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "update NodeName=%s State=DRAIN Reason=%q\n", name, nodes[name].reason); err != nil {
			return err
		}
	}
	if len(list.Missing) > 0 {
		return fmt.Errorf("not all hosts are known: %s", missingParts(list.Missing))
	}
	return nil
}

// slurmName and slurmWord are what a node's name and a word of a reason can be: what scontrol reads comes from hosts, and shall stay one
// command a line.
var (
	slurmName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?$`)
	slurmWord = regexp.MustCompile(`^[a-z0-9_-]{1,40}$`)
)

// slurmReason says how many accelerators are faulty, and by which codes of docs/states.md.
func slurmReason(faulty []client.Device) string {
	codes := map[string]bool{}
	for i := range faulty {
		code := cmp.Or(faulty[i].Reason, "unknown")
		if !slurmWord.MatchString(code) {
			code = "other"
		}
		codes[code] = true
	}
	return fmt.Sprintf("exameter: %d faulty (%s)", len(faulty), strings.Join(slices.Sorted(maps.Keys(codes)), ", "))
}
