package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// kind is what Grafana draws a panel with.
type kind string

// The kinds of panels. Grafana's other kinds differ between its releases, or say nothing that these do not.
const (
	number kind = "stat"       // what is now, in large
	lines  kind = "timeseries" // how it went
	bars   kind = "bargauge"   // what is now, one bar each
	table  kind = "table"      // what is now, one row each
)

// panel is one panel. Numbers, bars and tables ask for this moment alone: what is not said any more is not shown, and not the last that was said.
type panel struct {
	kind     kind
	w, h     int
	title    words
	about    words
	missing  words // what stands there where there is nothing, and says what is missing
	unit     unit
	decimals int
	queries  []query
	levels   []level // what a value means; plain where there are none
	most     float64 // the end of the scale; 0 where it is open
	stacked  bool
	columns  []column // of a table, in their order
}

// query is one question to Prometheus.
type query struct {
	expr   string
	legend words
	dashed bool // drawn as what shall be, not as what is
}

// column is one of a table: a label, or the value of a query, which are named Value #A and so on.
type column struct {
	name   string
	title  words
	unit   unit
	levels []level
}

// level is a colour from a value on.
type level struct {
	from  float64
	color string
}

// unit is one of Grafana's, or a text behind the number.
type unit string

// The units. Eflops are always Eflops, however few, as they are what targets are given in.
const (
	eflops  unit = "suffix: Eflops"
	gflopsW unit = "suffix: Gflop/s/W"
	watts   unit = "watt"
	share   unit = "percentunit"
	seconds unit = "s"
	days    unit = "suffix: d"
	count   unit = "short"
	perSec  unit = "suffix: /s"
	memory  unit = "bytes"
)

// What is good when it is high, and what when it is low.
var (
	plain       = []level{{0, "blue"}}
	wantsAll    = []level{{0, "red"}, {0.95, "orange"}, {0.99, "green"}}
	wantsNone   = []level{{0, "green"}, {1, "orange"}}
	wantsFresh  = []level{{0, "green"}, {20, "orange"}, {30, "red"}}
	wantsZero   = []level{{0, "green"}, {1, "red"}}
	wantsFaults = []level{{0, "green"}, {0.01, "orange"}, {0.03, "red"}}
)

func (p *panel) json(language string) (object, error) {
	if len(p.queries) == 0 || p.w < 1 || p.w > width || p.h < 1 {
		return nil, fmt.Errorf("it asks nothing, or has no size")
	}
	options, custom := p.options(), p.custom()
	defaults := object{
		"unit": string(p.unit), "decimals": p.decimals, "noValue": p.missing.in(language), "color": object{"mode": "thresholds"},
		"thresholds": object{"mode": "absolute", "steps": steps(p.levels)}, "custom": custom, "mappings": []object{},
	}
	if p.unit == "" {
		delete(defaults, "unit")
		delete(defaults, "decimals")
	}
	if p.most > 0 {
		defaults["min"], defaults["max"] = 0, p.most
	} else if p.kind == lines || p.kind == bars {
		defaults["min"] = 0
	}
	if p.kind == lines {
		defaults["color"] = object{"mode": "palette-classic"}
	}
	o := object{
		"type": string(p.kind), "title": p.title.in(language), "description": p.about.in(language), "datasource": source, "options": options,
		"targets": p.targets(language), "fieldConfig": object{"defaults": defaults, "overrides": p.overrides(language)},
	}
	if p.kind == table {
		o["transformations"] = p.arrange(language)
	}
	return o, nil
}

// refs name queries.
const refs = "ABCDEFGHIJKLMNOP"

func (p *panel) targets(language string) (out []object) {
	for i, q := range p.queries {
		t := object{"refId": refs[i : i+1], "datasource": source, "editorMode": "code", "expr": q.expr, "legendFormat": q.legend.in(language)}
		if q.legend.en == "" {
			t["legendFormat"] = "__auto"
		}
		if t["instant"], t["range"] = p.kind != lines, p.kind == lines; p.kind == table {
			t["format"] = "table"
		}
		out = append(out, t)
	}
	return out
}

// options are those of the kind of panel.
func (p *panel) options() object {
	last := object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}
	switch p.kind {
	case number:
		return object{
			"colorMode": "background_solid", "graphMode": "none", "justifyMode": "center", "orientation": "auto", "percentChangeColorMode": "standard",
			"showPercentChange": false, "textMode": "value", "wideLayout": true, "reduceOptions": last,
		}
	case bars:
		return object{
			"displayMode": "basic", "maxVizHeight": 48, "minVizHeight": 8, "minVizWidth": 8, "namePlacement": "left", "orientation": "horizontal",
			"showUnfilled": true, "sizing": "auto", "valueMode": "color", "reduceOptions": last,
			"legend": object{"calcs": []string{}, "displayMode": "list", "placement": "bottom", "showLegend": false},
		}
	case table:
		return object{"cellHeight": "sm", "showHeader": true, "frameIndex": 0}
	default:
		return object{
			"legend":  object{"calcs": []string{}, "displayMode": "list", "placement": "bottom", "showLegend": true},
			"tooltip": object{"mode": "multi", "sort": "desc"},
		}
	}
}

// custom is how lines are drawn. A gap stays a gap: what was not said is not drawn.
func (p *panel) custom() object {
	switch {
	case p.kind == table:
		return object{"align": "auto", "cellOptions": object{"type": "auto"}, "inspect": false}
	case p.kind != lines:
		return object{}
	}
	c := object{"drawStyle": "line", "lineWidth": 2, "lineInterpolation": "stepAfter", "fillOpacity": 8, "showPoints": "never", "spanNulls": false}
	if p.stacked {
		c["stacking"] = object{"mode": "normal", "group": "A"}
		c["fillOpacity"] = 40
	}
	return c
}

func (p *panel) overrides(language string) []object {
	out := []object{}
	for i, q := range p.queries {
		if q.dashed {
			out = append(out, object{
				"matcher": object{"id": "byFrameRefID", "options": refs[i : i+1]},
				"properties": []object{
					{"id": "custom.lineStyle", "value": object{"fill": "dash", "dash": []int{10, 10}}},
					{"id": "custom.fillOpacity", "value": 0},
					{"id": "color", "value": object{"mode": "fixed", "fixedColor": "red"}},
				},
			})
		}
	}
	for _, c := range p.columns {
		if properties := c.properties(language); len(properties) > 0 {
			out = append(out, object{"matcher": object{"id": "byName", "options": c.title.in(language)}, "properties": properties})
		}
	}
	return append(out, p.legends(language)...)
}

// properties are what a column is shown with.
func (c *column) properties(language string) (out []object) {
	if c.unit != "" {
		out = append(out, object{"id": "unit", "value": string(c.unit)})
	}
	if c.unit == eflops || c.unit == share || c.unit == seconds || c.unit == gflopsW {
		out = append(out, object{"id": "decimals", "value": c.unit.decimals()})
	}
	if c.levels != nil {
		out = append(out,
			object{"id": "thresholds", "value": object{"mode": "absolute", "steps": steps(c.levels)}},
			object{"id": "custom.cellOptions", "value": object{"type": "color-text"}})
	}
	if said := inChinese[c.name]; said != nil && language == "zh" {
		texts := object{}
		for value, text := range said {
			texts[value] = object{"text": text}
		}
		out = append(out, object{"id": "mappings", "value": []object{{"type": "value", "options": texts}}})
	}
	return out
}

// legends translate what a legend takes from a label.
func (p *panel) legends(language string) (out []object) {
	for _, q := range p.queries {
		label := strings.TrimSuffix(strings.TrimPrefix(q.legend.in(language), "{{"), "}}")
		said := inChinese[label]
		if language != "zh" || p.kind == table || q.legend.in(language) != "{{"+label+"}}" {
			continue
		}
		for _, value := range slices.Sorted(maps.Keys(said)) {
			out = append(out, object{
				"matcher": object{"id": "byName", "options": value}, "properties": []object{{"id": "displayName", "value": said[value]}},
			})
		}
	}
	return out
}

// inChinese are the values of labels that are words, by label. Reasons, models and the names of vendors are what they are in every language.
var inChinese = map[string]map[string]string{
	"class":    {"intelligent": "智能", "general": "通用", "super": "超算"},
	"domestic": {"yes": "是", "no": "否", "unknown": "未知"},
	"kind":     {"accelerator": "加速卡", "cpu": "处理器"},
	"state":    {"busy": "占用", "free": "空闲", "drained": "停用", "faulty": "故障", "stale": "失联"},
	"status":   {"planned": "规划", "building": "在建", "operating": "运营"},
}

func (u unit) decimals() int {
	if u == eflops {
		return 3
	}
	return 1
}

// steps are Grafana's thresholds. The first holds for whatever is below the others.
func steps(levels []level) (out []object) {
	if len(levels) == 0 {
		levels = plain
	}
	for i, l := range levels {
		s := object{"color": l.color, "value": l.from}
		if i == 0 {
			s["value"] = nil
		}
		out = append(out, s)
	}
	return out
}

// arrange makes one table of a table's queries, with its columns named and in order and all others left out.
func (p *panel) arrange(language string) []object {
	order, names := object{}, object{}
	var keep []string
	for i, c := range p.columns {
		order[c.name], names[c.name] = i, c.title.in(language)
		keep = append(keep, c.name)
	}
	return []object{
		{"id": "merge", "options": object{}},
		{"id": "filterFieldsByName", "options": object{"include": object{"names": keep}}},
		{"id": "organize", "options": object{"indexByName": order, "renameByName": names, "excludeByName": object{}}},
	}
}

// ratio is a quotient that is not there where the divisor is zero.
func ratio(a, b string) string { return a + " / (" + b + " > 0)" }

// in are the matchers of variables, such as centre=~"$centre".
func in(names ...string) string {
	for i, n := range names {
		names[i] = fmt.Sprintf(`%s=~"$%s"`, n, n)
	}
	return strings.Join(names, ",")
}
