package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/catalog"
)

func catalogVerifyCommand() *cobra.Command {
	output := oneOf{"table", []string{"table", "json"}}
	cmd := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Check override files: every mistake, every doubt, and what they would change",
		Long: `Check override files of the catalogue before a collector loads them: every mistake with file, line and column, what only looks
wrong, and which figures would change from what to what. Several files are laid over the catalogue in their order.

Exit status 1 says that the files would be refused. Warnings alone are status 0.`,
		Example: `  exameter catalog verify prices.csv
  exameter catalog verify prices.csv processors.csv -o json`,
		Args: takes(1, math.MaxInt),
		RunE: func(cmd *cobra.Command, files []string) error {
			r, err := catalog.Verify(files...)
			if err != nil {
				return err
			}
			write := writeReport
			if output.value == "json" {
				write = writeReportJSON
			}
			if err := write(cmd.OutOrStdout(), r); err != nil {
				return err
			}
			if len(r.Mistakes) > 0 {
				return errSaid
			}
			return nil
		},
	}
	cmd.Flags().VarP(&output, "output", "o", "how to print")
	return cmd
}

// writeReport prints a report for people.
func writeReport(out io.Writer, r *catalog.Report) error {
	var b strings.Builder
	for _, m := range r.Mistakes {
		fmt.Fprintln(&b, printable(m.String()))
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(&b, "warning:", printable(w.String()))
	}
	if n := len(r.Mistakes); n > 0 {
		fmt.Fprintf(&b, "Refused: %s. A collector would not start with this.\n", plural(int64(n), "mistake"))
		_, err := io.WriteString(out, b.String())
		return err
	}
	t := &table{head: []string{"ROW", "COLUMN", "FROM", "TO"}, left: 4}
	changed, added := map[string]bool{}, map[string]bool{}
	for _, c := range r.Changes {
		id, from := c.ID, c.From
		changed[id] = true
		if c.New {
			added[id], from = true, "new"
		}
		t.add(printable(id), c.Column, orUnknown(from), orUnknown(c.To))
	}
	if len(r.Changes) > 0 {
		if err := t.write(&b, coloured(out)); err != nil {
			return err
		}
	}
	fmt.Fprintf(&b, "%s would change, %s would be added; %s; catalogue %s\n", plural(int64(len(changed)-len(added)), "row"),
		plural(int64(len(added)), "row"), plural(int64(len(r.Warnings)), "warning"), r.Catalogue)
	_, err := io.WriteString(out, b.String())
	return err
}

// orUnknown prints what a cell says; an empty one says that it is not known.
func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return printable(s)
}

// writeReportJSON prints a report for programs.
func writeReportJSON(out io.Writer, r *catalog.Report) error {
	return writeJSON(out, struct {
		Catalogue string            `json:"catalogue"`
		Mistakes  []catalog.Finding `json:"mistakes"`
		Warnings  []catalog.Finding `json:"warnings"`
		Changes   []catalog.Change  `json:"changes"`
	}{r.Catalogue, append([]catalog.Finding{}, r.Mistakes...), append([]catalog.Finding{}, r.Warnings...), append([]catalog.Change{}, r.Changes...)})
}
