package catalog

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
)

// tables are the catalogue's own CSV files.
//
//go:embed accelerators.csv cpus.csv clocks.csv
var tables embed.FS

// release is the version of the embedded tables. It changes with every change of a figure.
const release = "2026.11.1"

// maxOverrideBytes bounds an override file, so that a wrong path cannot fill the memory.
const maxOverrideBytes = 4 << 20

// Catalog is the tables in memory. It never changes after loading, so any number of goroutines may share it; the
// models it returns belong to it and must not be changed either.
type Catalog struct {
	version string
	models  []*Model
	uarchs  []*Microarchitecture
	clocks  []*clock
	doubts  []Finding
	index   nameIndex
	origin  map[string]place // of each model's row, by id
}

// embedded parses the tables of the binary once.
var embedded = sync.OnceValues(func() (*Catalog, error) {
	c := &Catalog{version: release, origin: make(map[string]place)}
	var mistakes []Finding
	for _, name := range []string{"accelerators.csv", "cpus.csv", "clocks.csv"} {
		f, err := tables.Open(name)
		if err != nil {
			return &Catalog{version: release}, fmt.Errorf("embedded catalogue: %w", err)
		}
		mistakes = append(mistakes, c.merge(readTable(name, f))...)
		_ = f.Close() // Closing a file that lives in memory cannot fail.
	}
	if mistakes = append(mistakes, c.finish()...); len(mistakes) > 0 {
		return &Catalog{version: release}, fmt.Errorf("embedded catalogue: %w", mistakes[0])
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
// of the same id, or is added. The error is the first mistake, with file, line and column: "prices.csv:4:fp16_tflops: …".
// Verify returns all of them.
func Load(overrides ...string) (*Catalog, error) {
	base, err := embedded()
	if err != nil {
		return nil, err
	}
	c, mistakes := base.with(overrides)
	if len(mistakes) > 0 {
		return nil, fmt.Errorf("catalogue override: %w", mistakes[0])
	}
	return c, nil
}

// with lays override files over the catalogue, and returns what is wrong with them. Without any file it is c itself.
func (c *Catalog) with(overrides []string) (*Catalog, []Finding) {
	over := c.clone()
	sum, loaded := sha256.New(), false
	var mistakes []Finding
	for _, path := range overrides {
		if path == "" {
			continue
		}
		data, err := readOverride(path)
		if err != nil {
			mistakes = append(mistakes, Finding{File: path, Text: err.Error()})
			continue
		}
		mistakes = append(mistakes, over.override(path, data)...)
		sum.Write(data)
		loaded = true
	}
	if !loaded {
		return c, mistakes
	}
	over.version = release + "+override." + hex.EncodeToString(sum.Sum(nil)[:4])
	return over, append(mistakes, over.finish()...)
}

// clone returns a catalogue that rows can be laid over without a change to c.
func (c *Catalog) clone() *Catalog {
	return &Catalog{
		version: c.version,
		models:  slices.Clone(c.models),
		uarchs:  slices.Clone(c.uarchs),
		clocks:  slices.Clone(c.clocks),
		origin:  maps.Clone(c.origin),
	}
}

// readOverride reads a file of at most maxOverrideBytes.
func readOverride(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, bare(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() > maxOverrideBytes {
		return nil, fmt.Errorf("%d bytes, want at most %d", info.Size(), maxOverrideBytes)
	}
	data, err := os.ReadFile(path)
	return data, bare(err)
}

// bare takes the path off an error, where it is said already.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// override lays one file over the catalogue, and returns what is wrong with it.
func (c *Catalog) override(name string, data []byte) []Finding {
	uarchs, clocks := len(c.uarchs), len(c.clocks)
	t := readTable(name, bytes.NewReader(data))
	t.override = true
	mistakes := c.merge(t)
	// The first row that fits a processor wins, so the file's own rows stand before those of the binary.
	c.uarchs = slices.Concat(c.uarchs[uarchs:], c.uarchs[:uarchs])
	c.clocks = slices.Concat(c.clocks[clocks:], c.clocks[:clocks])
	return mistakes
}

// merge adds the rows of a table, each in the place of the row with its id where there is one, and returns what is
// wrong with the table. Rows with a mistake are left out.
func (c *Catalog) merge(t *table) []Finding {
	switch t.kind {
	case acceleratorTable:
		mergeRows(t, &c.models, func(m *Model) string { return m.ID }, parseModel)
		for _, r := range t.rows {
			c.origin[r.get("id")] = place{t.name, r.line, t.override}
		}
	case cpuTable:
		mergeRows(t, &c.uarchs, func(u *Microarchitecture) string { return u.ID }, parseMicroarchitecture)
	default:
		mergeRows(t, &c.clocks, func(k *clock) string { return k.id }, parseClock)
	}
	return inOrder(t.mistakes.list)
}

// mergeRows parses each row of t over the row it replaces, or over an empty one.
func mergeRows[T any](t *table, into *[]*T, id func(*T) string, parse func(row, *T)) {
	at := make(map[string]int, len(*into))
	for i, v := range *into {
		at[id(v)] = i
	}
	seen := make(map[string]int, len(t.rows))
	for _, r := range t.rows {
		if t.mistakes.full() {
			return
		}
		var v T
		key, before := r.get("id"), len(t.mistakes.list)
		r.check()
		if line, twice := seen[key]; twice {
			r.mistake("id", "%q stands in line %d already", key, line)
		}
		seen[key] = r.line
		i, replaces := at[key]
		if replaces {
			v = *(*into)[i]
		}
		parse(r, &v)
		switch {
		case len(t.mistakes.list) > before:
		case replaces:
			(*into)[i] = &v
		default:
			at[key] = len(*into)
			*into = append(*into, &v)
		}
	}
}

// finish builds what lookups need and checks what concerns several rows. It returns what is wrong.
func (c *Catalog) finish() []Finding {
	var mistakes []Finding
	find := func(m *Model, column, text string) Finding {
		at := c.origin[m.ID]
		return Finding{at.file, at.line, column, text}
	}
	c.index = newNameIndex(c.models, func(m, other *Model, err error) {
		// Of two rows that clash, the one of an override file is at fault.
		if other != nil && !c.origin[m.ID].override {
			m = other
		}
		mistakes = append(mistakes, find(m, "patterns", err.Error()))
	})
	c.doubts = nil
	for _, m := range c.models {
		for _, d := range doubts(m) {
			c.doubts = append(c.doubts, find(m, d.column, d.text))
		}
	}
	return mistakes
}

// Version names the tables: "2026.11.1", or "2026.11.1+override.1f2e3d4c" where override files are loaded, with the
// beginning of the SHA-256 of their content.
func (c *Catalog) Version() string { return c.version }

// Warnings returns what looks wrong without being impossible, such as an FP8 peak below the FP16 peak: one sentence
// each. The embedded tables give none.
func (c *Catalog) Warnings() []string {
	var out []string
	for _, d := range c.doubts {
		out = append(out, d.Text)
	}
	return out
}

// Models returns all accelerator models, in the order of the table.
func (c *Catalog) Models() []*Model { return slices.Clone(c.models) }

// Model returns the model of an id.
func (c *Catalog) Model(id string) (*Model, bool) {
	m, ok := c.index.byID[id]
	return m, ok
}

// CPUs returns all microarchitectures, in the order in which a processor is compared with them.
func (c *Catalog) CPUs() []*Microarchitecture { return slices.Clone(c.uarchs) }
