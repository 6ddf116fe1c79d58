package exporter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// surroundings are what devices are read in, beside what was served.
type surroundings struct {
	source string // name of the source
	model  string // of devices whose exporter names none, as the configuration says
	named  bool   // the configuration names the profile: what cannot be recognised is believed
	now    time.Time
	maxAge time.Duration // of samples with a time of their own
	bus    bus
}

// answer is an exposition seen through a profile.
type answer struct {
	*Profile
	around  surroundings
	metrics map[string][]*item // by name without prefix
	cards   []*card            // in the order served
	problem []error            // what is left out, and why
	stale   int                // samples too old to say anything
}

// item is a series with what is derived from it once.
type item struct {
	*series
	whole string // all labels, in order
	bare  string // all but those of pods
	stale bool
}

// card is one device as served.
type card struct {
	key     string
	items   []*item
	series  map[string][]*item // by metric
	info    telemetry.DeviceInfo
	uuid    string
	reading poll.DeviceReading
}

// read turns served series into devices. What is left out is named in the error.
func (p *Profile) read(prefix string, served []series, around surroundings) ([]poll.DeviceReading, error) {
	a := &answer{Profile: p, around: around, metrics: map[string][]*item{}}
	a.sort(prefix, served)
	if err := a.divide(); err != nil {
		return nil, err
	}
	for _, c := range a.cards {
		a.describe(c)
		a.measure(c)
	}
	a.place()
	a.share()
	out := a.identify()
	if len(out) == 0 {
		a.problem = append(a.problem, errors.New("no device can be told from what is served"))
	}
	if n, ok := a.announced(a.Count); ok && n > int64(len(out)) {
		a.problem = append(a.problem, fmt.Errorf("the exporter counts %d devices and tells of %d", n, len(out)))
	}
	if a.stale > 0 {
		a.problem = append(a.problem, fmt.Errorf("%d samples are older than %v, or from the future, and say nothing: the exporter shows old values", a.stale, around.maxAge))
	}
	return out, errors.Join(a.problem...)
}

// sort files the series by metric and derives what is needed of each.
func (a *answer) sort(prefix string, served []series) {
	now, age := a.around.now.UnixMilli(), a.around.maxAge.Milliseconds()
	for i := range served {
		s := &served[i]
		name, ok := strings.CutPrefix(s.name, prefix)
		if !ok {
			continue
		}
		it := &item{series: s, stale: s.stamped && (s.stamp < now-age || s.stamp > now+age)}
		labels := slices.SortedFunc(slices.Values(s.labels), func(x, y label) int { return cmp.Compare(x.name, y.name) })
		var whole, bare strings.Builder
		for _, l := range labels {
			text := l.name + "\xff" + l.value + "\xff"
			whole.WriteString(text)
			if !slices.Contains(a.Pods, l.name) {
				bare.WriteString(text)
			}
		}
		it.whole, it.bare = whole.String(), bare.String()
		a.metrics[name] = append(a.metrics[name], it)
	}
}

// divide finds the cards. A series counts for the card whose key it has; one of a slice, for the card that it joins.
func (a *answer) divide() error {
	byKey, byJoin := map[string]*card{}, map[string][]*card{}
	type part struct {
		metric string
		it     *item
	}
	var parts []part
	for _, metric := range a.wanted() {
		for _, it := range a.metrics[metric] {
			if len(a.Slices.where) > 0 && it.passes(a.Slices.where) {
				parts = append(parts, part{metric, it})
				continue
			}
			key := a.keyOf(it)
			if key == "" {
				continue // of the whole host
			}
			c := byKey[key]
			if c == nil {
				if len(a.cards) == telemetry.MaxDevices {
					return fmt.Errorf("more than %d devices", telemetry.MaxDevices)
				}
				c = &card{key: key, series: map[string][]*item{}}
				byKey[key] = c
				a.cards = append(a.cards, c)
			}
			c.add(metric, it)
		}
	}
	for _, c := range a.cards {
		for _, v := range c.values([]string{a.Slices.Join}, nil) {
			byJoin[v] = append(byJoin[v], c)
		}
	}
	for _, p := range parts {
		if to := byJoin[p.it.get(a.Slices.Join)]; len(to) == 1 {
			to[0].add(p.metric, p.it)
		}
	}
	a.drop("its exporter names another vendor's model", a.foreign)
	a.drop("no series is of the device itself", func(c *card) bool {
		return !slices.ContainsFunc(c.items, func(it *item) bool { return it.passes(a.where) })
	})
	for _, c := range a.cards {
		for _, it := range c.items {
			if it.stale {
				a.stale++
			}
		}
	}
	return nil
}

// drop leaves out cards, and says so once.
func (a *answer) drop(why string, out func(*card) bool) {
	var first string
	n := 0
	a.cards = slices.DeleteFunc(a.cards, func(c *card) bool {
		if !out(c) {
			return false
		}
		if n++; n == 1 {
			first = c.key
		}
		return true
	})
	if n > 0 {
		a.problem = append(a.problem, fmt.Errorf("%d devices (%s, …) are left out: %s", n, first, why))
	}
}

func (c *card) add(metric string, it *item) {
	c.items = append(c.items, it)
	c.series[metric] = append(c.series[metric], it)
}

// keyOf returns what tells the device of a series apart.
func (a *answer) keyOf(it *item) string {
	for _, l := range a.Key {
		if v := it.get(l); v != "" {
			return l + "=" + v
		}
	}
	return ""
}

// foreign says whether a card is not of this profile's vendor.
func (a *answer) foreign(c *card) bool {
	for i := range a.Detect.Labels {
		m := &a.Detect.Labels[i]
		for _, it := range c.items {
			if v := it.get(m.Label); v != "" {
				return !m.re.MatchString(v)
			}
		}
	}
	return len(a.Detect.Labels) > 0 && !a.around.named
}

// values lists the different values that labels have on a card's series, those of the most preferred label first.
func (c *card) values(labels []string, where []Match) (out []string) {
	for _, l := range labels {
		for _, it := range c.items {
			if v := strings.TrimSpace(it.get(l)); told(v) && !slices.Contains(out, v) && it.passes(where) {
				out = append(out, v)
			}
		}
	}
	return out
}

// first returns the value of the most preferred label that has one.
func (c *card) first(labels []string, where []Match) string {
	if v := c.values(labels, where); len(v) > 0 {
		return v[0]
	}
	return ""
}

// told says whether a label's value says anything.
func told(v string) bool {
	switch strings.ToLower(v) {
	case "", "-", "na", "n/a", "none", "null", "unknown", "not supported", "not_supported":
		return false
	}
	return true
}

// describe reads what a card is.
func (a *answer) describe(c *card) {
	i := &a.Identity
	c.info = telemetry.DeviceInfo{
		Vendor: a.Vendor, Source: a.around.source,
		Name: c.first(i.Name, a.where), Serial: c.first(i.Serial, a.where),
		Driver: c.first(i.Driver, nil), Firmware: c.first(i.Firmware, nil),
	}
	for _, v := range c.values(i.PCI, a.where) {
		if c.info.PCI = pciAddress(v); c.info.PCI != "" {
			break
		}
	}
	if n, err := strconv.ParseUint(c.first(i.Index, a.where), 10, 16); err == nil {
		c.info.Index = telemetry.Known(int64(n))
	}
	for _, l := range i.UUID {
		if v := c.values([]string{l}, a.where); len(v) > 0 {
			if len(v) == 1 && unique(v[0]) {
				c.uuid = strings.Join(strings.Fields(v[0]), "-")
			}
			break
		}
	}
}

// unique says whether a value can be the identity of one device in the world: long enough, and not all of one kind.
func unique(uuid string) bool {
	kinds := map[rune]bool{}
	for _, r := range strings.ToLower(uuid) {
		if r != '-' && r != ' ' {
			kinds[r] = true
		}
	}
	return len(uuid) >= 8 && len(uuid) <= telemetry.MaxName && len(kinds) > 2
}

// place gives devices that are only numbered their PCI addresses, and unnamed ones the name that the bus or the
// configuration has for them.
func (a *answer) place() {
	if a.Identity.PCIVendor != "" {
		bare := func(c *card) bool { return c.uuid == "" && c.info.Serial == "" && c.info.PCI == "" && c.info.Index.OK }
		if len(a.cards) > 0 && !slices.ContainsFunc(a.cards, func(c *card) bool { return !bare(c) }) {
			a.number()
		}
	}
	for _, c := range a.cards {
		if c.info.Name == "" {
			c.info.Name = a.around.model
		}
		if c.info.Name == "" && c.info.PCI != "" {
			c.info.Name = a.around.bus.product(c.info.PCI)
		}
	}
}

// number matches the numbers of devices with the addresses on the bus, in order. It needs as many of the one as of the
// other: which of them is missing cannot be told.
func (a *answer) number() {
	on := a.around.bus.accelerators(a.Identity.PCIVendor)
	cards := slices.SortedFunc(slices.Values(a.cards), func(x, y *card) int { return cmp.Compare(x.info.Index.Value, y.info.Index.Value) })
	if len(on) != len(cards) {
		a.problem = append(a.problem, fmt.Errorf("the exporter only numbers its %d devices, and the PCI bus has %d of vendor %s: which is which cannot be told", len(cards), len(on), a.Identity.PCIVendor))
		return
	}
	for i, c := range cards {
		c.info.PCI = on[i]
	}
}

// identify gives every card the best identity that it shares with no other: UUID, else vendor and serial, else PCI
// address. A card without one is left out.
func (a *answer) identify() (out []poll.DeviceReading) {
	taken := map[string]int{}
	ids := make([][]string, len(a.cards))
	for i, c := range a.cards {
		ids[i] = []string{c.uuid, "", c.info.PCI}
		if c.info.Serial != "" {
			ids[i][1] = a.serialID(c)
		}
		for _, id := range ids[i] {
			taken[id]++
		}
	}
	nameless := 0
	for i, c := range a.cards {
		for _, id := range ids[i] {
			if id != "" && taken[id] == 1 && len(id) <= telemetry.MaxName {
				c.info.ID = id
				break
			}
		}
		if c.info.ID == "" {
			nameless++
			continue
		}
		memory := c.reading.Info.Memory
		c.reading.Info = c.info
		c.reading.Info.Memory = memory
		out = append(out, c.reading)
	}
	if nameless > 0 {
		a.problem = append(a.problem, fmt.Errorf("%d devices are left out: nothing served tells their identity", nameless))
	}
	slices.SortStableFunc(out, func(x, y poll.DeviceReading) int { return cmp.Compare(x.Info.Index.Value, y.Info.Index.Value) })
	return out
}

// serialID is the identity that a serial number gives: empty where the board has it and the device no number on it.
func (a *answer) serialID(c *card) string {
	id := a.Vendor + "-" + c.info.Serial
	if c.info.Name == "" || !a.Identity.boardSerial.MatchString(c.info.Name) {
		return id
	}
	if !c.info.Index.OK {
		return ""
	}
	return id + "-" + strconv.FormatInt(c.info.Index.Value, 10)
}

// announced returns the value of a metric of the whole host.
func (a *answer) announced(metric string) (int64, bool) {
	var n int64
	var ok bool
	for _, it := range a.metrics[metric] {
		if v, good := convert(counts, "", it.value); good && !it.stale {
			n, ok = max(n, v), true
		}
	}
	return n, ok && metric != ""
}
