package exporter

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

// Profile says how to read one exporter: a file of data, in docs/exporters.md explained key by key. Names of metrics
// are names as served, without the profile's prefixes.
type Profile struct {
	Name     string   `yaml:"profile"`
	Vendor   string   `yaml:"vendor"`
	Exporter string   `yaml:"exporter"` // what people call it
	Contract string   `yaml:"contract"` // where the names, labels and units were read
	Prefixes []string `yaml:"prefixes"` // what may stand in front of every name; none where empty
	Detect   Detect   `yaml:"detect"`

	Key      []string          `yaml:"key"`   // labels that tell the devices of one answer apart; the first that a series has decides
	Pods     []string          `yaml:"pods"`  // labels of a device's users: series that differ in them alone are one series
	Where    map[string]string `yaml:"where"` // label: pattern of the series that count; a label that is absent is empty
	Slices   Slices            `yaml:"slices"`
	Info     []string          `yaml:"info"` // metrics that only carry labels of identity
	Identity Identity          `yaml:"identity"`
	Count    string            `yaml:"count"` // metric that says how many devices there are

	Readings   map[string][]Datum `yaml:"readings"` // by name; the first alternative that is served decides
	Health     []Health           `yaml:"health"`
	Boards     []Board            `yaml:"boards"`
	IdleMemory []Idle             `yaml:"idle_memory"`

	where  []Match
	origin string // file, or "built in"
}

// Detect says how an exporter is recognised: one of the metrics, on a series whose label matches. The first of the
// labels that a series has decides; without labels the metric is enough.
type Detect struct {
	Metrics []string `yaml:"metrics"`
	Labels  []Match  `yaml:"labels"`
}

// Match is a label with the pattern that its whole value must match.
type Match struct {
	Label string `yaml:"label"`
	Match string `yaml:"match"`

	re *regexp.Regexp
}

// Slices says which series are of parts of a card that have a key of their own. They are no devices: they belong to the
// card that shares the label Join with them, and count for the readings whose Where lets them pass.
type Slices struct {
	Where map[string]string `yaml:"where"`
	Join  string            `yaml:"join"`

	where []Match
}

// Identity names the labels that say what a device is, in order of preference.
type Identity struct {
	UUID     []string `yaml:"uuid"`
	Serial   []string `yaml:"serial"`
	PCI      []string `yaml:"pci"`
	Index    []string `yaml:"index"`
	Name     []string `yaml:"name"`
	Driver   []string `yaml:"driver"`
	Firmware []string `yaml:"firmware"`

	// PCIVendor is the PCI vendor id (0x1d22) of devices whose exporter only numbers them: they are the host's PCI
	// devices of this vendor, in the order of their addresses.
	PCIVendor string `yaml:"pci_vendor"`

	// BoardSerial are the models of which several devices carry the serial number of their board: the device's number
	// stands behind it.
	BoardSerial string `yaml:"board_serial"`

	boardSerial *regexp.Regexp
}

// Datum is one way to a reading: a metric, or several that are added up, with their unit.
type Datum struct {
	Metric  string            `yaml:"metric"`
	Sum     []string          `yaml:"sum"` // in place of Metric: all must be served
	Unit    string            `yaml:"unit"`
	Where   map[string]string `yaml:"where"`   // in place of the profile's
	Combine string            `yaml:"combine"` // of several series of one device: max where empty, sum, count
	Unknown []float64         `yaml:"unknown"` // values that say "not known"

	where []Match
}

// Health is a metric whose values say whether a device is in order.
type Health struct {
	Metric  string            `yaml:"metric"`
	Where   map[string]string `yaml:"where"`
	OK      []float64         `yaml:"ok"`      // in order
	Unknown []float64         `yaml:"unknown"` // says nothing
	Bad     []float64         `yaml:"bad"`     // where given, these alone are faults; else all but ok and unknown are
	Fault   string            `yaml:"fault"`   // the reason's code; unhealthy where empty
	Detail  []string          `yaml:"detail"`  // labels that say more

	where []Match
}

// Board says which models repeat the power of their board on each of its devices. It is divided by the number of
// devices on the board: a fixed size, those that share the labels of By, or devices by boards as two metrics count
// them, whichever is known and largest. Where none is, the power of such a device is unknown.
type Board struct {
	Models  string   `yaml:"models"`
	Size    int      `yaml:"size"`
	By      []string `yaml:"by"`
	Devices string   `yaml:"devices"`
	Boards  string   `yaml:"boards"`

	re *regexp.Regexp
}

// Idle is memory that models show in use while idle.
type Idle struct {
	Models string      `yaml:"models"`
	Size   config.Size `yaml:"size"`

	re *regexp.Regexp
}

// Bounds of a profile.
const (
	maxPrefixes = 8
	maxEntries  = 64 // of any list or map
)

// nameForm is what the data model of Prometheus allows for metrics and labels.
var nameForm = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

// pciVendorForm is a PCI vendor id as sysfs prints it.
var pciVendorForm = regexp.MustCompile(`^0x[0-9a-f]{4}$`)

// Validate refuses what cannot be read by, naming the key, and prepares the patterns.
func (p *Profile) Validate() error {
	for _, check := range []func() error{p.checkHead, p.checkDetect, p.checkLabels, p.checkReadings, p.checkHealth, p.checkBoards} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Profile) checkHead() error {
	if err := telemetry.ValidID(p.Name); err != nil {
		return config.Errorf("profile", "%w", err)
	}
	if err := telemetry.ValidID(p.Vendor); err != nil {
		return config.Errorf("vendor", "%w", err)
	}
	if len(p.Prefixes) > maxPrefixes {
		return config.Errorf("prefixes", "%d are more than %d", len(p.Prefixes), maxPrefixes)
	}
	if len(p.Prefixes) == 0 {
		p.Prefixes = []string{""}
	}
	for _, s := range p.Prefixes {
		if s != "" && !nameForm.MatchString(s) {
			return config.Errorf("prefixes", "%q cannot open the name of a metric", s)
		}
	}
	return nil
}

func (p *Profile) checkDetect() error {
	if len(p.Detect.Metrics) == 0 {
		return config.Errorf("detect.metrics", "is missing: name the metrics that this exporter is known by")
	}
	if err := names("detect.metrics", p.Detect.Metrics); err != nil {
		return err
	}
	for i := range p.Detect.Labels {
		m := &p.Detect.Labels[i]
		if err := m.compile(); err != nil {
			return config.Errorf("detect.labels", "%w", err)
		}
	}
	return nil
}

func (p *Profile) checkLabels() error {
	if len(p.Key) == 0 {
		return config.Errorf("key", "is missing: name the label that tells devices apart")
	}
	i := &p.Identity
	for _, l := range []struct {
		key    string
		labels []string
	}{
		{"key", p.Key},
		{"pods", p.Pods},
		{"info", p.Info},
		{"identity.uuid", i.UUID},
		{"identity.serial", i.Serial},
		{"identity.pci", i.PCI},
		{"identity.index", i.Index},
		{"identity.name", i.Name},
		{"identity.driver", i.Driver},
		{"identity.firmware", i.Firmware},
	} {
		if err := names(l.key, l.labels); err != nil {
			return err
		}
	}
	if i.PCIVendor != "" && !pciVendorForm.MatchString(i.PCIVendor) {
		return config.Errorf("identity.pci_vendor", "%q is not a PCI vendor id such as 0x1d22", i.PCIVendor)
	}
	if len(i.UUID)+len(i.Serial)+len(i.PCI) == 0 && i.PCIVendor == "" {
		return config.Errorf("identity", "names none of uuid, serial, pci and pci_vendor: a device without identity cannot be counted")
	}
	var err error
	if i.boardSerial, err = whole(i.BoardSerial); err != nil {
		return config.Errorf("identity.board_serial", "%w", err)
	}
	if p.Count != "" && !nameForm.MatchString(p.Count) {
		return config.Errorf("count", "%q is not the name of a metric", p.Count)
	}
	if p.where, err = patterns(p.Where); err != nil {
		return config.Errorf("where", "%w", err)
	}
	if p.Slices.where, err = patterns(p.Slices.Where); err != nil {
		return config.Errorf("slices.where", "%w", err)
	}
	if (len(p.Slices.Where) > 0) != nameForm.MatchString(p.Slices.Join) {
		return config.Errorf("slices", "want where and join: which series are of slices, and the label they share with their card")
	}
	return nil
}

func (p *Profile) checkReadings() error {
	if len(p.Readings) == 0 {
		return config.Errorf("readings", "is missing")
	}
	for _, key := range sortedKeys(p.Readings) {
		at := "readings." + key
		units, known := readings[key]
		if !known {
			return config.Errorf(at, "is not a reading; want one of %s", strings.Join(sortedKeys(readings), ", "))
		}
		if n := len(p.Readings[key]); n == 0 || n > maxEntries {
			return config.Errorf(at, "%d ways are not within 1 and %d", n, maxEntries)
		}
		for i := range p.Readings[key] {
			if err := p.Readings[key][i].validate(p.Where, units); err != nil {
				return config.Errorf(fmt.Sprintf("%s[%d]", at, i), "%w", err)
			}
		}
	}
	return nil
}

func (d *Datum) validate(where map[string]string, kind quantity) error {
	if (d.Metric == "") == (len(d.Sum) == 0) {
		return fmt.Errorf("want either metric or sum")
	}
	for _, name := range d.metrics() {
		if !nameForm.MatchString(name) {
			return fmt.Errorf("%q is not the name of a metric", name)
		}
	}
	switch d.Combine {
	case "", "max", "sum":
		if _, ok := units[kind][d.Unit]; !ok {
			return fmt.Errorf("%q is not a unit of this reading; want one of %s", d.Unit, strings.Join(sortedKeys(units[kind]), ", "))
		}
	case "count":
		if kind != counts || d.Unit != "" {
			return fmt.Errorf("only what is counted can be the number of series, and has no unit then")
		}
	default:
		return fmt.Errorf("%q is not a way to combine series; want max, sum or count", d.Combine)
	}
	if d.Where != nil {
		where = d.Where
	}
	var err error
	d.where, err = patterns(where)
	return err
}

// metrics are the names that the datum is made from.
func (d *Datum) metrics() []string {
	if d.Metric != "" {
		return []string{d.Metric}
	}
	return d.Sum
}

func (p *Profile) checkHealth() error {
	for i := range p.Health {
		h := &p.Health[i]
		at := fmt.Sprintf("health[%d]", i)
		if !nameForm.MatchString(h.Metric) {
			return config.Errorf(at, "%q is not the name of a metric", h.Metric)
		}
		if (len(h.OK) == 0) == (len(h.Bad) == 0) {
			return config.Errorf(at, "want either ok or bad: the values that say so")
		}
		if h.Fault == "" {
			h.Fault = "unhealthy"
		}
		if err := telemetry.ValidID(h.Fault); err != nil {
			return config.Errorf(at, "fault: %w", err)
		}
		if err := names(at, h.Detail); err != nil {
			return err
		}
		where := p.Where
		if h.Where != nil {
			where = h.Where
		}
		var err error
		if h.where, err = patterns(where); err != nil {
			return config.Errorf(at, "%w", err)
		}
	}
	return nil
}

func (p *Profile) checkBoards() error {
	for i := range p.Boards {
		b := &p.Boards[i]
		at := fmt.Sprintf("boards[%d]", i)
		var err error
		if b.re, err = whole(b.Models); err != nil {
			return config.Errorf(at, "models: %w", err)
		}
		if b.Size < 0 || b.Size > telemetry.MaxDevices {
			return config.Errorf(at, "size %d is not within 0 and %d", b.Size, telemetry.MaxDevices)
		}
		if (b.Devices == "") != (b.Boards == "") {
			return config.Errorf(at, "devices and boards only count together")
		}
		if b.Size == 0 && len(b.By) == 0 && b.Devices == "" {
			return config.Errorf(at, "does not say how many devices share a board: want size, by, or devices and boards")
		}
	}
	for i := range p.IdleMemory {
		var err error
		if p.IdleMemory[i].re, err = whole(p.IdleMemory[i].Models); err != nil {
			return config.Errorf(fmt.Sprintf("idle_memory[%d]", i), "models: %w", err)
		}
	}
	return nil
}

// wanted are all metrics that the profile reads, without prefix.
func (p *Profile) wanted() []string {
	out := append(slices.Clone(p.Detect.Metrics), p.Info...)
	for _, ways := range p.Readings {
		for i := range ways {
			out = append(out, ways[i].metrics()...)
		}
	}
	for i := range p.Health {
		out = append(out, p.Health[i].Metric)
	}
	for i := range p.Boards {
		out = append(out, p.Boards[i].Devices, p.Boards[i].Boards)
	}
	out = append(out, p.Count)
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(s string) bool { return s == "" })
}

func (m *Match) compile() (err error) {
	if !nameForm.MatchString(m.Label) {
		return fmt.Errorf("%q is not the name of a label", m.Label)
	}
	m.re, err = whole(m.Match)
	return err
}

// patterns compiles a filter, in the order of its labels.
func patterns(where map[string]string) (out []Match, err error) {
	if len(where) > maxEntries {
		return nil, fmt.Errorf("%d labels are more than %d", len(where), maxEntries)
	}
	for _, label := range sortedKeys(where) {
		m := Match{Label: label, Match: where[label]}
		if err := m.compile(); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// whole compiles a pattern that must match a whole text.
func whole(pattern string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		return nil, fmt.Errorf("%q is not a regular expression: %w", pattern, err)
	}
	return re, nil
}

func names(key string, list []string) error {
	if len(list) > maxEntries {
		return config.Errorf(key, "%d names are more than %d", len(list), maxEntries)
	}
	for i, s := range list {
		if !nameForm.MatchString(s) {
			return config.Errorf(key, "%q is not a name of metrics or labels", s)
		}
		if slices.Contains(list[:i], s) {
			return config.Errorf(key, "%q stands twice", s)
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
