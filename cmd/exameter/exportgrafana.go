package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/dashboards"
)

func exportGrafanaCommand() *cobra.Command {
	language := oneOf{"en", dashboards.Languages}
	cmd := &cobra.Command{
		Use:   "grafana DIR",
		Short: "Write Grafana's dashboards, and the files that provision them, into a folder",
		Long: `Write Grafana's dashboards into DIR/dashboards, and the files that provision them and their data source into DIR/provisioning. Existing files of
these names are replaced. The dashboards ask for what "export prometheus-rules" records. docs/dashboards.md says where Grafana wants the files.`,
		Example: `  exameter export grafana --lang zh ./grafana
  cp -r ./grafana/provisioning /etc/grafana/ && mkdir -p /etc/grafana/dashboards && cp -r ./grafana/dashboards /etc/grafana/dashboards/exameter`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			boards, provisioning, err := dashboards.Grafana(language.value)
			if err != nil {
				return err
			}
			n, err := copyTree(boards, filepath.Join(args[0], "dashboards"))
			if err != nil {
				return err
			}
			if _, err := copyTree(provisioning, filepath.Join(args[0], "provisioning")); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			_, err = fmt.Fprintln(out, lookOf(out).t("%d dashboards written to %s", n, filepath.Join(args[0], "dashboards")))
			return err
		},
	}
	cmd.Flags().Var(&language, "lang", "language of the dashboards: en or zh")
	return cmd
}

// copyTree writes files below a folder, and says how many.
func copyTree(from fs.FS, to string) (n int, err error) {
	err = fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		at := filepath.Join(to, filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(at, 0o755)
		}
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		n++
		return os.WriteFile(at, text, 0o644)
	})
	if err != nil {
		return n, fmt.Errorf("write dashboards: %w", err)
	}
	return n, nil
}
