// Package registry reads what the province says of its centres: who they are, what they declared, what is planned.
package registry

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

// Registry is the content of the registry file.
type Registry struct {
	Province Province `yaml:"province" json:"province"`
	Centres  []Centre `yaml:"centres" json:"centres"`
}

// Province is the plan for all centres together.
type Province struct {
	Name   Name    `yaml:"name" json:"name"`
	Target *Target `yaml:"target" json:"target"`
}

// Centre is one data centre or operator site.
type Centre struct {
	ID         string        `yaml:"id" json:"id"`
	Name       Name          `yaml:"name" json:"name"`
	Status     Status        `yaml:"status" json:"status"`
	Identifier string        `yaml:"identifier" json:"identifier,omitempty"` // the operator's or the authorities' own number
	Declared   []Declaration `yaml:"declared" json:"declared"`               // by date, oldest first
	Target     *Target       `yaml:"target" json:"target"`
	Clusters   []Cluster     `yaml:"clusters" json:"clusters"`
}

// Name is a name in two languages.
type Name struct {
	Zh string `yaml:"zh" json:"zh"`
	En string `yaml:"en" json:"en"`
}

// Status is how far a centre is.
type Status string

// The statuses of a centre.
const (
	Planned   Status = "planned"
	Building  Status = "building"
	Operating Status = "operating"
)

// Declaration is what a centre said it has, on a date.
type Declaration struct {
	Date      Date               `yaml:"date" json:"date"`
	Eflops    Eflops             `yaml:"eflops" json:"eflops"`
	Precision capacity.Precision `yaml:"precision" json:"precision"` // "class" where it does not say
}

// Target is what shall be there by a date.
type Target struct {
	Date   Date   `yaml:"date" json:"date"`
	Eflops Eflops `yaml:"eflops" json:"eflops"`
}

// Cluster says how a named part of a centre is counted. Clusters that need nothing said need not stand here.
type Cluster struct {
	ID        string             `yaml:"id" json:"id"`
	Class     capacity.Class     `yaml:"class" json:"class,omitempty"`         // super, or empty: each device by its kind
	Precision capacity.Precision `yaml:"precision" json:"precision,omitempty"` // what "class" counts it by, where not the class's own
}

// Load reads the registry file at path. Errors name file and line.
func Load(path string) (*Registry, error) {
	r := &Registry{}
	if err := config.Load(path, r); err != nil {
		return nil, err
	}
	return r, nil
}

// Read reads a registry, as Load does.
func Read(in io.Reader, name string) (*Registry, error) {
	r := &Registry{}
	if err := config.Read(in, name, r); err != nil {
		return nil, err
	}
	return r, nil
}

// Validate checks what YAML cannot, and fills in defaults.
func (r *Registry) Validate() error {
	seen := map[string]bool{}
	for i := range r.Centres {
		c, key := &r.Centres[i], fmt.Sprintf("centres[%d]", i)
		if err := telemetry.ValidID(c.ID); err != nil {
			return config.Errorf(key+".id", "%w", err)
		}
		if seen[c.ID] {
			return config.Errorf(key+".id", "%q stands twice", c.ID)
		}
		seen[c.ID] = true
		if err := c.validate(key); err != nil {
			return err
		}
	}
	return nil
}

func (c *Centre) validate(key string) error {
	switch c.Status {
	case Planned, Building, Operating:
	case "":
		c.Status = Operating
	default:
		return config.Errorf(key+".status", "%q is not one of planned, building, operating", c.Status)
	}
	for i := range c.Declared {
		d := &c.Declared[i]
		if d.Precision == "" {
			d.Precision = capacity.ByClass
		}
		if _, err := capacity.ParsePrecision(string(d.Precision)); err != nil {
			return config.Errorf(fmt.Sprintf("%s.declared[%d].precision", key, i), "%w", err)
		}
		if d.Date.IsZero() {
			return config.Errorf(fmt.Sprintf("%s.declared[%d].date", key, i), "is missing")
		}
	}
	slices.SortStableFunc(c.Declared, func(a, b Declaration) int { return a.Date.Compare(b.Date.Time) })
	seen := map[string]bool{}
	for i := range c.Clusters {
		cl, key := &c.Clusters[i], fmt.Sprintf("%s.clusters[%d]", key, i)
		if err := telemetry.ValidID(cl.ID); err != nil {
			return config.Errorf(key+".id", "%w", err)
		}
		if seen[cl.ID] {
			return config.Errorf(key+".id", "%q stands twice", cl.ID)
		}
		seen[cl.ID] = true
		if cl.Class != "" && cl.Class != capacity.Super {
			return config.Errorf(key+".class", "%q is not super: leave it out, and each device is classed by its kind", cl.Class)
		}
		if cl.Precision != "" && !slices.Contains(catalog.Precisions(), cl.Precision) {
			return config.Errorf(key+".precision", "%q is not a precision of the catalogue", cl.Precision)
		}
	}
	return nil
}

// Centre returns a centre by its id; nil where the registry does not have it.
func (r *Registry) Centre(id string) *Centre {
	for i := range r.Centres {
		if r.Centres[i].ID == id {
			return &r.Centres[i]
		}
	}
	return nil
}

// IDs returns the ids of all centres.
func (r *Registry) IDs() []string {
	ids := make([]string, len(r.Centres))
	for i := range r.Centres {
		ids[i] = r.Centres[i].ID
	}
	return ids
}

// Cluster says how the devices of a cluster are counted: their class, and the precision "class" stands for.
func (r *Registry) Cluster(centre, cluster string, kind telemetry.Kind) (capacity.Class, capacity.Precision) {
	class := capacity.Intelligent
	if kind == telemetry.CPU {
		class = capacity.General
	}
	precision := class.Basis()
	if c := r.Centre(centre); c != nil {
		for _, cl := range c.Clusters {
			if cl.ID != cluster {
				continue
			}
			if cl.Class != "" {
				class = cl.Class
				precision = class.Basis()
			}
			if cl.Precision != "" {
				precision = cl.Precision
			}
		}
	}
	return class, precision
}

// Date is a day: 2027-12-31.
type Date struct{ time.Time }

// UnmarshalYAML reads a day as year-month-day.
func (d *Date) UnmarshalYAML(b []byte) error {
	s := scalar(b)
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return fmt.Errorf("%q is not a date: want year-month-day, such as 2027-12-31", s)
	}
	d.Time = t
	return nil
}

// MarshalJSON prints the day.
func (d Date) MarshalJSON() ([]byte, error) { return []byte(`"` + d.Format(time.DateOnly) + `"`), nil }

// Eflops is a positive number of Eflops, kept exactly.
type Eflops struct{ capacity.Flops }

// UnmarshalYAML reads a decimal number, with or without quotes.
func (e *Eflops) UnmarshalYAML(b []byte) error {
	v, err := capacity.ParseEflops(scalar(b))
	if err != nil {
		return err
	}
	if v <= 0 {
		return fmt.Errorf("%s Eflops is not above zero", scalar(b))
	}
	e.Flops = v
	return nil
}

// scalar returns the text of a YAML scalar without its quotes.
func scalar(b []byte) string { return strings.Trim(strings.TrimSpace(string(b)), `"'`) }
