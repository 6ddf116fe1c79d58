package catalog

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
)

// tables are the catalogue's own CSV files.
//
//go:embed accelerators.csv cpus.csv clocks.csv
var tables embed.FS

// release is the version of the embedded tables. It changes with every change of a figure.
const release = "2026.11"

// maxOverrideBytes bounds an override file, so that a wrong path cannot fill the memory.
const maxOverrideBytes = 4 << 20

// Catalog is the tables in memory. It never changes after loading, so any number of goroutines may share it; the
// models it returns belong to it and must not be changed either.
type Catalog struct {
	version  string
	models   []*Model
	uarchs   []*Microarchitecture
	clocks   []*clock
	warnings []string
	index    nameIndex
	origin   map[string]string // file and line of each model's row, by id
}

// embedded parses the tables of the binary once.
var embedded = sync.OnceValues(func() (*Catalog, error) {
	c := &Catalog{version: release, origin: make(map[string]string)}
	for _, name := range []string{"accelerators.csv", "cpus.csv", "clocks.csv"} {
		f, err := tables.Open(name)
		if err != nil {
			return &Catalog{version: release}, fmt.Errorf("embedded catalogue: %w", err)
		}
		t, err := readTable(name, f)
		_ = f.Close() // Closing a file that lives in memory cannot fail.
		if err == nil {
			err = c.merge(t)
		}
		if err != nil {
			return &Catalog{version: release}, fmt.Errorf("embedded catalogue: %w", err)
		}
	}
	if err := c.finish(); err != nil {
		return &Catalog{version: release}, fmt.Errorf("embedded catalogue: %w", err)
	}
	return c, nil
})

// Default returns the embedded catalogue. A mistake in the embedded tables is a programmer fault that the package's
// tests catch; should it happen all the same, the catalogue is empty, everything is unpriced, and Load says why.
func Default() *Catalog {
	c, _ := embedded()
	return c
}

// Load returns the embedded catalogue with the tables of the override files laid over it, in their order; empty names
// are skipped. The header tells which table a file is: accelerators, processors or clocks. A row replaces the row
// of the same id, or is added. Errors name file, line and column: "prices.csv:4:fp16_tflops: …".
func Load(overrides ...string) (*Catalog, error) {
	base, err := embedded()
	if err != nil {
		return nil, err
	}
	c := &Catalog{
		version: base.version,
		models:  slices.Clone(base.models),
		uarchs:  slices.Clone(base.uarchs),
		clocks:  slices.Clone(base.clocks),
		origin:  maps.Clone(base.origin),
	}
	sum, loaded := sha256.New(), false
	for _, path := range overrides {
		if path == "" {
			continue
		}
		data, err := readOverride(path)
		if err != nil {
			return nil, fmt.Errorf("catalogue override: %w", err)
		}
		if err := c.override(path, data); err != nil {
			return nil, fmt.Errorf("catalogue override: %w", err)
		}
		sum.Write(data)
		loaded = true
	}
	if !loaded {
		return base, nil
	}
	c.version = release + "+override." + hex.EncodeToString(sum.Sum(nil)[:4])
	if err := c.finish(); err != nil {
		return nil, fmt.Errorf("catalogue override: %w", err)
	}
	return c, nil
}

// readOverride reads a file of at most maxOverrideBytes.
func readOverride(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	if info.Size() > maxOverrideBytes {
		return nil, fmt.Errorf("%s: %d bytes, want at most %d", path, info.Size(), maxOverrideBytes)
	}
	return os.ReadFile(path)
}

// override lays one file over the catalogue.
func (c *Catalog) override(name string, data []byte) error {
	t, err := readTable(name, strings.NewReader(string(data)))
	if err != nil {
		return err
	}
	uarchs, clocks := len(c.uarchs), len(c.clocks)
	if err := c.merge(t); err != nil {
		return err
	}
	// The first row that fits a processor wins, so the file's own rows stand before those of the binary.
	c.uarchs = slices.Concat(c.uarchs[uarchs:], c.uarchs[:uarchs])
	c.clocks = slices.Concat(c.clocks[clocks:], c.clocks[:clocks])
	return nil
}

// merge adds the rows of a table, each in the place of the row with its id where there is one.
func (c *Catalog) merge(t *table) error {
	if t.kind == acceleratorTable {
		for _, r := range t.rows {
			c.origin[r.get("id")] = fmt.Sprintf("%s:%d", t.name, r.line)
		}
	}
	switch t.kind {
	case acceleratorTable:
		return mergeRows(t, &c.models, func(m *Model) string { return m.ID }, parseModel)
	case cpuTable:
		return mergeRows(t, &c.uarchs, func(u *Microarchitecture) string { return u.ID }, parseMicroarchitecture)
	default:
		return mergeRows(t, &c.clocks, func(k *clock) string { return k.id }, parseClock)
	}
}

// mergeRows parses each row of t over the row it replaces, or over an empty one.
func mergeRows[T any](t *table, into *[]*T, id func(*T) string, parse func(row, *T) error) error {
	at := make(map[string]int, len(*into))
	for i, v := range *into {
		at[id(v)] = i
	}
	seen := make(map[string]int, len(t.rows))
	for _, r := range t.rows {
		var v T
		key := r.get("id")
		if line, twice := seen[key]; twice {
			return r.errorf("id", "%q stands in line %d already", key, line)
		}
		seen[key] = r.line
		i, replaces := at[key]
		if replaces {
			v = *(*into)[i]
		}
		if err := parse(r, &v); err != nil {
			return err
		}
		if replaces {
			(*into)[i] = &v
			continue
		}
		at[key] = len(*into)
		*into = append(*into, &v)
	}
	return nil
}

// finish builds what lookups need and checks what concerns several rows.
func (c *Catalog) finish() error {
	index, err := newNameIndex(c.models, c.origin)
	if err != nil {
		return err
	}
	c.index = index
	c.warnings = nil
	for _, m := range c.models {
		c.warnings = append(c.warnings, doubts(m)...)
	}
	return nil
}

// Version names the tables: "2026.11", or "2026.11+override.1f2e3d4c" where override files are loaded, with the
// beginning of the SHA-256 of their content.
func (c *Catalog) Version() string { return c.version }

// Warnings returns what looks wrong without being impossible, such as an FP8 peak below the FP16 peak: one sentence
// each. The embedded tables give none.
func (c *Catalog) Warnings() []string { return slices.Clone(c.warnings) }

// Models returns all accelerator models, in the order of the table.
func (c *Catalog) Models() []*Model { return slices.Clone(c.models) }

// Model returns the model of an id.
func (c *Catalog) Model(id string) (*Model, bool) {
	m, ok := c.index.byID[id]
	return m, ok
}

// CPUs returns all microarchitectures, in the order in which a processor is compared with them.
func (c *Catalog) CPUs() []*Microarchitecture { return slices.Clone(c.uarchs) }
