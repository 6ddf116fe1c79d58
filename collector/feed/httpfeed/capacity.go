package httpfeed

import (
	"encoding/csv"
	"io"
	"strconv"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

// capacityQuestion reads a question to GET /v1/capacity.
func capacityQuestion(raw string) (question, error) {
	p, err := readParameters(raw)
	if err != nil {
		return nil, err
	}
	q, format := p.question(), p.format()
	if err := p.done(); err != nil {
		return nil, err
	}
	return func(l *capacity.Listing) (*answer, error) {
		doc, err := l.Document(q)
		if err != nil {
			return nil, err
		}
		if format == "csv" {
			return csvAnswer(func(w io.Writer) { writeCSV(w, doc) }), nil
		}
		return &answer{kind: "application/json", body: append(doc.AppendJSON(nil), '\n')}, nil
	}, nil
}

// column is one column of the CSV.
type column struct {
	name string
	of   func(*capacity.Group) string
}

func count(name string, of func(*capacity.Group) int64) column {
	return column{name, func(g *capacity.Group) string { return strconv.FormatInt(of(g), 10) }}
}

func flops(name string, of func(*capacity.Group) capacity.Flops) column {
	return column{name, func(g *capacity.Group) string { return of(g).Eflops() }}
}

func number(v *float64) string {
	if v == nil {
		return "" // unknown is empty, not zero
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

// dimensionColumns are the columns that tell groups apart.
var dimensionColumns = map[string]func(*capacity.Group) string{
	"centre":  func(g *capacity.Group) string { return g.Centre },
	"cluster": func(g *capacity.Group) string { return g.Cluster },
	"kind":    func(g *capacity.Group) string { return g.Kind },
	"vendor":  func(g *capacity.Group) string { return g.Vendor },
	"model":   func(g *capacity.Group) string { return g.Model },
	"class":   func(g *capacity.Group) string { return g.Class },

	"domestic": func(g *capacity.Group) string { return g.Domestic },
}

// figureColumns are the columns of every CSV.
var figureColumns = []column{
	count("devices_rated", func(g *capacity.Group) int64 { return g.Devices.Rated }),
	count("devices_online", func(g *capacity.Group) int64 { return g.Devices.Online }),
	count("devices_healthy", func(g *capacity.Group) int64 { return g.Devices.Healthy }),
	count("devices_busy", func(g *capacity.Group) int64 { return g.Devices.Busy }),
	count("devices_free", func(g *capacity.Group) int64 { return g.Devices.Free }),
	count("devices_drained", func(g *capacity.Group) int64 { return g.Devices.Drained }),
	count("devices_faulty", func(g *capacity.Group) int64 { return g.Devices.Faulty }),
	count("devices_stale", func(g *capacity.Group) int64 { return g.Devices.Stale }),
	count("devices_unpriced", func(g *capacity.Group) int64 { return g.Devices.Unpriced }),
	flops("eflops_rated", func(g *capacity.Group) capacity.Flops { return g.Eflops.Rated }),
	flops("eflops_online", func(g *capacity.Group) capacity.Flops { return g.Eflops.Online }),
	flops("eflops_healthy", func(g *capacity.Group) capacity.Flops { return g.Eflops.Healthy }),
	flops("eflops_busy", func(g *capacity.Group) capacity.Flops { return g.Eflops.Busy }),
	flops("eflops_free", func(g *capacity.Group) capacity.Flops { return g.Eflops.Free }),
	flops("eflops_drained", func(g *capacity.Group) capacity.Flops { return g.Eflops.Drained }),
	flops("eflops_faulty", func(g *capacity.Group) capacity.Flops { return g.Eflops.Faulty }),
	flops("eflops_stale", func(g *capacity.Group) capacity.Flops { return g.Eflops.Stale }),
	count("origin_devices_domestic", func(g *capacity.Group) int64 { return g.Origin.Devices.Domestic }),
	count("origin_devices_foreign", func(g *capacity.Group) int64 { return g.Origin.Devices.Foreign }),
	count("origin_devices_unknown", func(g *capacity.Group) int64 { return g.Origin.Devices.Unknown }),
	flops("origin_eflops_domestic", func(g *capacity.Group) capacity.Flops { return g.Origin.Eflops.Domestic }),
	flops("origin_eflops_foreign", func(g *capacity.Group) capacity.Flops { return g.Origin.Eflops.Foreign }),
	flops("origin_eflops_unknown", func(g *capacity.Group) capacity.Flops { return g.Origin.Eflops.Unknown }),
	{"utilisation", func(g *capacity.Group) string { return number(g.Utilisation) }},
	{"power_w", func(g *capacity.Group) string {
		if g.PowerDevices == 0 {
			return ""
		}
		return number(&g.PowerW)
	}},
	count("power_devices", func(g *capacity.Group) int64 { return g.PowerDevices }),
	count("hosts_rated", func(g *capacity.Group) int64 { return g.Hosts.Rated }),
	count("hosts_online", func(g *capacity.Group) int64 { return g.Hosts.Online }),
	{"coverage", func(g *capacity.Group) string { return number(g.Coverage) }},
	{"age_p50_s", func(g *capacity.Group) string { return ageOf(g, func(a *capacity.Age) *float64 { return &a.P50 }) }},
	{"age_p99_s", func(g *capacity.Group) string { return ageOf(g, func(a *capacity.Age) *float64 { return &a.P99 }) }},
	{"age_max_s", func(g *capacity.Group) string { return ageOf(g, func(a *capacity.Age) *float64 { return &a.Max }) }},
}

func ageOf(g *capacity.Group, of func(*capacity.Age) *float64) string {
	if g.Age == nil {
		return ""
	}
	return number(of(g.Age))
}

// writeCSV writes one row for each group, or one for the total where no groups were asked for. Every row carries its
// revision and time.
func writeCSV(w io.Writer, doc *capacity.Document) {
	groups := doc.Groups
	if len(doc.By) == 0 {
		groups = []capacity.Group{{Figure: doc.Total}}
	}
	out := csv.NewWriter(w)
	row := append([]string{}, doc.By...)
	for _, c := range figureColumns {
		row = append(row, c.name)
	}
	// The writer keeps an error until Flush.
	_ = out.Write(append(row, "precision", "revision", "as_of", "catalogue", "registry", "rule", "identifier"))
	for i := range groups {
		row = row[:0]
		for _, d := range doc.By {
			row = append(row, harmless(dimensionColumns[d](&groups[i])))
		}
		for _, c := range figureColumns {
			row = append(row, c.of(&groups[i]))
		}
		_ = out.Write(append(row, doc.Precision, strconv.FormatInt(doc.Revision, 10), doc.AsOf.Format(time.RFC3339Nano),
			doc.Catalogue, doc.Registry, doc.Rule, harmless(groups[i].Identifier)))
	}
	out.Flush()
}

// harmless keeps a spreadsheet from taking a name that some host sent for a formula.
func harmless(s string) string {
	if s != "" && (s[0] == '=' || s[0] == '+' || s[0] == '-' || s[0] == '@' || s[0] == '\t' || s[0] == '\r') {
		return "'" + s
	}
	return s
}
