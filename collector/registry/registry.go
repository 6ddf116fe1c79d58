// Package registry reads what the province says of its centres: who they are, what they declared, what is planned.
package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

// Registry is the content of the registry file.
type Registry struct {
	Province Province `yaml:"province" json:"province"`
	Centres  []Centre `yaml:"centres" json:"centres"`

	// Revision tells one content of the file from another: the beginning of its SHA-256. Empty of a registry that was not read.
	Revision string `yaml:"-" json:"-"`
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
	Identifier string        `yaml:"identifier" json:"identifier,omitempty"` // a number that was assigned elsewhere, passed through
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

	Identifier string `yaml:"identifier" json:"identifier,omitempty"` // as a centre's
}

// Load reads the registry file at path. Errors name file and line.
func Load(path string) (*Registry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read registry: %w", err)
	}
	defer f.Close()
	return Read(f, path)
}

// Read reads a registry, as Load does.
func Read(in io.Reader, name string) (*Registry, error) {
	r, sum := &Registry{}, sha256.New()
	if err := config.Read(io.TeeReader(in, sum), name, r); err != nil {
		return nil, err
	}
	r.Revision = hex.EncodeToString(sum.Sum(nil)[:4])
	return r, nil
}

// Validate checks what YAML cannot, and fills in defaults.
func (r *Registry) Validate() error {
	if err := r.Province.Target.validate("province.target"); err != nil {
		return err
	}
	ids, identifiers := unique{}, unique{}
	for i := range r.Centres {
		c, key := &r.Centres[i], fmt.Sprintf("centres[%d]", i)
		if err := telemetry.ValidID(c.ID); err != nil {
			return config.Errorf(key+".id", "%w", err)
		}
		if err := ids.take(c.ID, key+".id"); err != nil {
			return err
		}
		if err := c.validate(key, identifiers); err != nil {
			return err
		}
	}
	return nil
}

// unique tells by which key a value that may stand once stands already.
type unique map[string]string

func (u unique) take(value, key string) error {
	if first, taken := u[value]; taken {
		return config.Errorf(key, "%q stands twice", value).Beside(first)
	}
	u[value] = key
	return nil
}

// identifier takes an identifier, which is of one centre or cluster in the whole registry.
func (u unique) identifier(s, key string) error {
	if s == "" {
		return nil
	}
	if err := validIdentifier(s); err != nil {
		return config.Errorf(key, "%w", err)
	}
	return u.take(s, key)
}

func (c *Centre) validate(key string, identifiers unique) error {
	switch c.Status {
	case Planned, Building, Operating:
	case "":
		c.Status = Operating
	default:
		return config.Errorf(key+".status", "%q is not one of planned, building, operating", c.Status)
	}
	if err := identifiers.identifier(c.Identifier, key+".identifier"); err != nil {
		return err
	}
	for i := range c.Declared {
		d := &c.Declared[i]
		if d.Precision == "" {
			d.Precision = capacity.ByClass
		}
		if _, err := capacity.ParsePrecision(string(d.Precision)); err != nil {
			return config.Errorf(fmt.Sprintf("%s.declared[%d].precision", key, i), "%w", err)
		}
		if err := said(fmt.Sprintf("%s.declared[%d]", key, i), d.Date, d.Eflops); err != nil {
			return err
		}
	}
	if err := c.Target.validate(key + ".target"); err != nil {
		return err
	}
	slices.SortStableFunc(c.Declared, func(a, b Declaration) int { return a.Date.Compare(b.Date.Time) })
	ids := unique{}
	for i := range c.Clusters {
		cl, key := &c.Clusters[i], fmt.Sprintf("%s.clusters[%d]", key, i)
		if err := telemetry.ValidID(cl.ID); err != nil {
			return config.Errorf(key+".id", "%w", err)
		}
		if err := ids.take(cl.ID, key+".id"); err != nil {
			return err
		}
		if err := identifiers.identifier(cl.Identifier, key+".identifier"); err != nil {
			return err
		}
		if cl.Class != "" && cl.Class != capacity.Super {
			return config.Errorf(key+".class", "%q is not super: leave it out, and each device is classed by its kind", cl.Class)
		}
		if cl.Precision != "" && !slices.Contains(catalog.Precisions(), cl.Precision) {
			return config.Errorf(key+".precision", "%q is not a precision of the catalogue", cl.Precision)
		}
	}
	return nil
}

// validate checks a target, where there is one.
func (t *Target) validate(key string) error {
	if t == nil {
		return nil
	}
	return said(key, t.Date, t.Eflops)
}

// said refuses what names no day, or no number: nothing would stand for a day long ago, and for zero Eflops.
func said(key string, date Date, eflops Eflops) error {
	switch {
	case date.IsZero():
		return config.Errorf(key+".date", "is missing")
	case eflops.Flops == 0:
		return config.Errorf(key+".eflops", "is missing, or zero")
	}
	return nil
}

// maxIdentifier bounds an identifier, in characters.
const maxIdentifier = 128

// validIdentifier refuses what cannot be passed through unharmed. What an identifier says is nobody's business here.
func validIdentifier(s string) error {
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%.200q has characters that cannot be printed", s)
	case utf8.RuneCountInString(s) > maxIdentifier:
		return fmt.Errorf("is %d characters long: want at most %d", utf8.RuneCountInString(s), maxIdentifier)
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("%q begins or ends with a blank", s)
	}
	return nil
}

// Identifiers returns those of a centre and of a cluster of it; empty where there are none.
func (r *Registry) Identifiers(centre, cluster string) (ofCentre, ofCluster string) {
	c := r.Centre(centre)
	if c == nil {
		return "", ""
	}
	for i := range c.Clusters {
		if c.Clusters[i].ID == cluster {
			ofCluster = c.Clusters[i].Identifier
		}
	}
	return c.Identifier, ofCluster
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

// InForce returns the latest declaration that is not later than a moment; nil where there is none. A declaration is in force from the
// beginning of its day, in UTC, until the next one is.
func (c *Centre) InForce(at time.Time) (last *Declaration) {
	for i := range c.Declared {
		if d := &c.Declared[i]; !d.Date.After(at.UTC().Truncate(24 * time.Hour)) {
			last = d
		}
	}
	return last
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
