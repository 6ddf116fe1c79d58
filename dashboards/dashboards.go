// Package dashboards holds what shows a province in Grafana and watches it in Prometheus: dashboards in two languages, recording rules, alerts.
// The dashboards are written by the command gen in it; docs/dashboards.md and docs/alerts.md explain them.
package dashboards

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

//go:generate go run ./gen

// Languages are those that the dashboards are there in.
var Languages = []string{"en", "zh"}

//go:embed grafana/en/*.json grafana/zh/*.json grafana/provisioning
var grafana embed.FS

//go:embed prometheus/recording.yml
var recording string

//go:embed prometheus/alerts.yml
var alerts string

// freshWithin is what the recording rules say of how old figures may be.
const freshWithin = "expr: vector(60)\n"

// Rules are the recording rules and the alerts in one file for Prometheus. fresh is how old figures may be; older ones are not recorded.
func Rules(fresh time.Duration) string {
	rules := strings.Replace(recording, freshWithin, fmt.Sprintf("expr: vector(%d)\n", int64(fresh.Seconds())), 1)
	_, groups, _ := strings.Cut(alerts, "\ngroups:\n")
	comment, _, _ := strings.Cut(alerts, "groups:\n")
	return rules + comment + groups
}

// Grafana returns the dashboards of a language, at the top, and the files that provision them, in provisioning/.
func Grafana(language string) (boards, provisioning fs.FS, err error) {
	if boards, err = fs.Sub(grafana, "grafana/"+language); err == nil {
		_, err = fs.Stat(boards, ".")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("dashboards in %q: want one of %s", language, strings.Join(Languages, ", "))
	}
	provisioning, err = fs.Sub(grafana, "grafana/provisioning")
	return boards, provisioning, err
}
