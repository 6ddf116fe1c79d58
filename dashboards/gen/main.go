// Command gen writes Grafana's dashboards into dashboards/grafana, each in every language. A test holds what is committed against it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/exameter/exameter/dashboards"
)

func main() {
	if err := run("grafana"); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run writes the dashboards below a folder.
func run(folder string) error {
	for _, language := range dashboards.Languages {
		for _, b := range boards {
			text, err := b.json(language)
			if err != nil {
				return fmt.Errorf("dashboard %s in %s: %w", b.name, language, err)
			}
			if err := os.MkdirAll(filepath.Join(folder, language), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(folder, language, b.name+".json"), text, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// boards are all dashboards, in the order in which officials come to them.
var boards = []board{province, centre, pools, health, pipeline}
