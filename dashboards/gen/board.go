package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// words are one text in the languages there are.
type words struct{ en, zh string }

func (w words) in(language string) string {
	if language == "zh" {
		return w.zh
	}
	return w.en
}

// same is a text that is the same in all languages.
func same(s string) words { return words{s, s} }

// board is one dashboard.
type board struct {
	name      string // of its file, and the end of its uid
	title     words
	about     words
	from      string // how far back it looks
	refresh   string
	variables []variable
	rows      []row
}

// row is panels under a heading, from left to right and then from top to bottom. The heading may be empty.
type row struct {
	title  words
	panels []panel
}

// variable is a choice among the values of a label, all of them unless some are chosen.
type variable struct {
	name, label, metric string
	title               words
	first               string // what is chosen at first; all where empty
}

// object is one of JSON.
type object = map[string]any

// source is the Prometheus that whoever looks at a dashboard has chosen.
var source = object{"type": "prometheus", "uid": "${datasource}"}

// json is the dashboard as Grafana reads it.
func (b *board) json(language string) ([]byte, error) {
	panels, err := b.lay(language)
	if err != nil {
		return nil, err
	}
	choices := []object{{
		"name": "datasource", "type": "datasource", "query": "prometheus", "label": words{"Data source", "数据源"}.in(language),
	}}
	for _, v := range b.variables {
		current := object{"text": []string{"All"}, "value": []string{"$__all"}}
		if v.first != "" {
			current = object{"text": []string{v.first}, "value": []string{v.first}}
		}
		choices = append(choices, object{
			"name": v.name, "type": "query", "label": v.title.in(language), "datasource": source, "multi": true, "includeAll": true, "allValue": ".*",
			"current": current, "refresh": 2, "sort": 1,
			"query": object{"qryType": 1, "query": fmt.Sprintf("label_values(%s, %s)", v.metric, v.label), "refId": "PrometheusVariableQueryEditor-VariableQuery"},
		})
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(object{
		"uid": "exameter-" + b.name + "-" + language, "title": "Exameter: " + b.title.in(language), "description": b.about.in(language),
		"tags": []string{"exameter", "exameter-" + language}, "timezone": "browser", "editable": false, "graphTooltip": 1, "schemaVersion": 39, "refresh": b.refresh,
		"time": object{"from": b.from, "to": "now"}, "templating": object{"list": choices}, "panels": panels,
		"links": []object{{
			"title": "Exameter", "type": "dashboards", "tags": []string{"exameter-" + language}, "asDropdown": false, "includeVars": true, "keepTime": true,
			"icon": "external link", "targetBlank": false, "tooltip": "",
		}},
	})
	return out.Bytes(), err
}

// width is how many columns Grafana has.
const width = 24

// lay gives every panel its number and its place.
func (b *board) lay(language string) ([]object, error) {
	var out []object
	y := 0
	for _, r := range b.rows {
		if r.title != (words{}) {
			out = append(out, object{
				"type": "row", "id": len(out) + 1, "title": r.title.in(language), "collapsed": false, "panels": []object{}, "gridPos": object{"x": 0, "y": y, "w": width, "h": 1},
			})
			y++
		}
		x, tall := 0, 0
		for i := range r.panels {
			p := &r.panels[i]
			if x+p.w > width {
				x, y, tall = 0, y+tall, 0
			}
			o, err := p.json(language)
			if err != nil {
				return nil, fmt.Errorf("panel %q: %w", p.title.en, err)
			}
			o["id"], o["gridPos"] = len(out)+1, object{"x": x, "y": y, "w": p.w, "h": p.h}
			out = append(out, o)
			x, tall = x+p.w, max(tall, p.h)
		}
		y += tall
	}
	return out, nil
}
