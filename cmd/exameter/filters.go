package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/collector/capacity"
)

// precisions are the names of precisions with what "class" means.
const precisionHelp = "class (each device by its class's: accelerators fp16, processors fp32), fp64, fp32, tf32, fp16, bf16, fp8 or int8"

// filterFlags adds the flags that say what counts.
func filterFlags(cmd *cobra.Command, f *client.Filter, kinds ...string) {
	fl := cmd.Flags()
	fl.StringVar(&f.Precision, "precision", "class", precisionHelp)
	help := "accelerator, cpu or all"
	if len(kinds) == 0 {
		kinds = []string{capacity.KindAccelerator, capacity.KindCPU, capacity.KindAll}
	} else {
		help = "accelerator or cpu"
	}
	fl.StringVar(&f.Kind, "kind", capacity.KindAccelerator, help)
	fl.StringSliceVar(&f.Centre, "centre", nil, "only these centres")
	fl.StringSliceVar(&f.Cluster, "cluster", nil, "only these clusters")
	fl.StringSliceVar(&f.Vendor, "vendor", nil, "only these vendors")
	fl.StringArrayVar(&f.Model, "model", nil, "only this model, by its id in the catalogue; may be given more than once")
	fl.StringSliceVar(&f.Class, "class", nil, "only these classes: intelligent, general, super")
	fl.StringSliceVar(&f.Domestic, "domestic", nil, "only models designed in China (yes), only others (no), only those of which the catalogue does not say it (unknown)")
	complete(cmd, "kind", kinds...)
	complete(cmd, "precision", precisionNames()...)
	complete(cmd, "class", "intelligent", "general", "super")
	complete(cmd, "domestic", capacity.DomesticYes, capacity.DomesticNo, capacity.DomesticUnknown)
	completeWith(cmd, "model", func(*cobra.Command) []string {
		var out []string
		for _, m := range catalog.Default().Models() {
			out = append(out, m.ID)
		}
		return out
	})
	completeWith(cmd, "vendor", func(*cobra.Command) []string {
		var out []string
		for _, m := range catalog.Default().Models() {
			out = append(out, m.Vendor)
		}
		slices.Sort(out)
		return slices.Compact(out)
	})
	completeWith(cmd, "centre", centreNames)
}

func precisionNames() []string {
	out := []string{string(capacity.ByClass)}
	for _, p := range catalog.Precisions() {
		out = append(out, string(p))
	}
	return out
}

// validFilter refuses what no collector would take.
func validFilter(cmd *cobra.Command, f *client.Filter) error {
	if _, err := capacity.ParsePrecision(f.Precision); err != nil {
		return misused(cmd, "--precision: %w", err)
	}
	if err := validKind(f.Kind); err != nil {
		return misused(cmd, "--kind: %w", err)
	}
	return nil
}

// validKind refuses what is no kind of device.
func validKind(kind string) error {
	if kind != capacity.KindAccelerator && kind != capacity.KindCPU && kind != capacity.KindAll {
		return fmt.Errorf("%q is not one of accelerator, cpu, all", kind)
	}
	return nil
}

// complete lets a shell complete a flag's value by one of a few.
func complete(cmd *cobra.Command, flag string, values ...string) {
	completeWith(cmd, flag, func(*cobra.Command) []string { return values })
}

func completeWith(cmd *cobra.Command, flag string, values func(*cobra.Command) []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return values(cmd), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the command has no such flag
	}
}

// centreNames asks a collector which centres there are. A shell that waits is told nothing after a second.
func centreNames(cmd *cobra.Command) (out []string) {
	where, err := cmd.Flags().GetStringSlice("collector")
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmp.Or(cmd.Context(), context.Background()), time.Second)
	defer cancel()
	c, err := client.New(client.Options{Addresses: where, Timeout: time.Second, Rounds: 1})
	if err != nil {
		return nil
	}
	defer c.Close()
	centres, err := c.Centres(ctx, client.Filter{Kind: capacity.KindAll})
	if err != nil {
		return nil
	}
	for i := range centres.Centres {
		out = append(out, centres.Centres[i].ID)
	}
	return out
}
