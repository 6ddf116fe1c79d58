// Package exporter reads accelerators from the Prometheus exporters that their vendors provide and operators already
// run: it asks them over HTTP and turns what they serve into device readings by a profile for each vendor, which is
// data. See docs/exporters.md.
package exporter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// Config says which exporter is asked, and how.
type Config struct {
	URL      string
	Profiles Profiles         // that may fit; the built-in ones where nil
	Profile  string           // name of the one that does; detected where empty
	Model    string           // of devices whose exporter names none
	Timeout  time.Duration    // of one scrape, 2 s where zero
	Interval time.Duration    // between two scrapes, 5 s where zero
	MaxAge   time.Duration    // of samples that carry a time of their own, 30 s where zero
	Remote   bool             // whether the exporter may be on another host
	CA       string           // PEM file of the authorities to trust for https; the system's where empty
	SysRoot  string           // /sys where empty
	Now      func() time.Time // time.Now where nil
}

// Defaults of a Config.
const (
	DefaultTimeout  = 2 * time.Second
	DefaultInterval = 5 * time.Second
	DefaultMaxAge   = 30 * time.Second
)

// retryAfter is how long after a failure the exporter is asked again, at first; each further failure doubles it, up to
// the interval.
const retryAfter = time.Second

// Source reads one exporter. It is a poll.Source.
type Source struct {
	Config
	name string
	http *http.Client
	flaw error // in the configuration, told by every Read

	known    fit // the profile in use; its Profile is nil before one was found
	wanted   map[string]bool
	next     time.Time // before it the exporter is not asked
	failures int
	standing poll.Reading // what the last scrape said
	err      error
	past     map[string]*memory // by device id
}

// memory is what is remembered of a device between two scrapes.
type memory struct {
	size telemetry.Opt[telemetry.Bytes]
	xid  int64
}

// New makes a Source. It touches nothing before its first Read. What is wrong with the configuration is told by Read.
func New(c Config) *Source {
	s := &Source{Config: c, past: map[string]*memory{}}
	s.fill()
	s.name = SourceName(c.URL)
	s.http, s.flaw = s.client()
	if s.Profile != "" && s.flaw == nil {
		var p *Profile
		if p, s.flaw = s.Profiles.Named(s.Profile); s.flaw == nil {
			s.Profiles = Profiles{p}
		}
	}
	s.wanted = s.Profiles.metrics()
	return s
}

func (c *Config) fill() {
	if c.Profiles == nil {
		c.Profiles = BuiltIn()
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Interval <= 0 {
		c.Interval = DefaultInterval
	}
	if c.MaxAge <= 0 {
		c.MaxAge = DefaultMaxAge
	}
	if c.SysRoot == "" {
		c.SysRoot = "/sys"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// SourceName is the name of the source that reads the exporter at a URL: "exporter-" with the host and port, and the
// path where it is not /metrics. It is the same whatever profile turns out to fit, because devices remember it.
func SourceName(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return "exporter"
	}
	path := strings.Trim(u.Path, "/")
	if path == "metrics" || path == "" {
		return "exporter-" + u.Host
	}
	return "exporter-" + u.Host + "-" + strings.ReplaceAll(path, "/", "-")
}

// Name tells sources apart, as SourceName says.
func (s *Source) Name() string { return s.name }

// Close lets go of the connection.
func (s *Source) Close() error {
	if s.http != nil {
		s.http.CloseIdleConnections()
	}
	return nil
}

// Read asks the exporter when the interval has passed, and repeats until then what the last scrape said: exporters
// renew their values every few seconds at best. Events are not repeated. After a failure nothing is, and the exporter is
// asked again soon.
func (s *Source) Read(ctx context.Context) (poll.Reading, error) {
	if s.flaw != nil {
		return poll.Reading{}, s.flaw
	}
	now := s.Now()
	// A clock that was set back must not silence the source.
	if now.Before(s.next) && s.next.Sub(now) <= s.Interval {
		return s.held(), s.err
	}
	r, err := s.ask(ctx, now)
	if r.Devices == nil {
		wait := min(retryAfter<<min(s.failures, 8), s.Interval)
		s.failures++
		s.next = now.Add(wait)
	} else {
		s.failures = 0
		s.next = now.Add(s.Interval)
	}
	s.standing, s.err = r, err
	return s.copied(), err
}

// ask scrapes once.
func (s *Source) ask(ctx context.Context, now time.Time) (poll.Reading, error) {
	served, err := s.scrape(ctx, func(name []byte) bool { return s.wanted[string(name)] })
	if err != nil {
		return poll.Reading{}, err
	}
	f, err := s.Profiles.detect(served, s.Profile != "")
	if err != nil {
		return poll.Reading{}, err
	}
	s.known = f
	devices, err := f.read(f.prefix, served, surroundings{
		source: s.name, model: s.Model, named: s.Profile != "", now: now, maxAge: s.MaxAge, bus: bus{s.SysRoot},
	})
	if len(devices) == 0 {
		return poll.Reading{}, errors.Join(errors.New("serves no device"), err)
	}
	for i := range devices {
		s.recall(&devices[i])
	}
	return poll.Reading{
		Devices: &poll.DevicesReading{Devices: devices}, Summary: s.summary(devices), Notices: s.notices(devices),
	}, err
}

// recall keeps what a device is from trembling, and tells new errors from old ones.
func (s *Source) recall(d *poll.DeviceReading) {
	m := s.past[d.Info.ID]
	if m == nil {
		if len(s.past) >= 4*telemetry.MaxDevices {
			clear(s.past) // devices that come and go without end
		}
		m = &memory{}
		s.past[d.Info.ID] = m
	}
	// A total that is the sum of what is used and free, each rounded, is not the same twice.
	if v, ok := d.Info.Memory.Get(); !ok || m.size.OK && max(v-m.size.Value, m.size.Value-v) <= m.size.Value/64 {
		d.Info.Memory = m.size
	}
	m.size = d.Info.Memory
	var last int64
	if len(d.XIDs) > 0 {
		last = d.XIDs[0]
	}
	if last == m.xid {
		d.XIDs = nil
	}
	m.xid = last
}

// copied returns the standing reading with devices of its own: whoever takes a reading may change it.
func (s *Source) copied() poll.Reading {
	r := s.standing
	if r.Devices != nil {
		r.Devices = &poll.DevicesReading{Devices: append([]poll.DeviceReading(nil), r.Devices.Devices...)}
	}
	return r
}

// held returns the standing reading without events, which must not be taken twice.
func (s *Source) held() poll.Reading {
	r := s.copied()
	if r.Devices != nil {
		for i := range r.Devices.Devices {
			r.Devices.Devices[i].XIDs = nil
		}
	}
	return r
}

// summary says in words what is read, and what of it no device is told of.
func (s *Source) summary(devices []poll.DeviceReading) string {
	text := fmt.Sprintf("%s (profile %s, recognised by %s)", s.known.Exporter, s.known.Name, s.known.metric)
	if s.known.origin != builtIn {
		text += " of " + s.known.origin
	}
	var missing []string
	for _, v := range []struct {
		name string
		ok   func(*poll.DeviceReading) bool
	}{
		{"utilisation", func(d *poll.DeviceReading) bool { return d.Utilization.OK }},
		{"memory in use", func(d *poll.DeviceReading) bool { return d.MemoryUsed.OK }},
		{"memory", func(d *poll.DeviceReading) bool { return d.Info.Memory.OK }},
		{"processes", func(d *poll.DeviceReading) bool { return d.Processes.OK }},
		{"power", func(d *poll.DeviceReading) bool { return d.Power.OK }},
		{"temperature", func(d *poll.DeviceReading) bool { return d.Temperature.OK }},
		{"PCI address", func(d *poll.DeviceReading) bool { return d.Info.PCI != "" }},
		{"model", func(d *poll.DeviceReading) bool { return d.Info.Name != "" }},
	} {
		served := false
		for i := range devices {
			served = served || v.ok(&devices[i])
		}
		if !served {
			missing = append(missing, v.name)
		}
	}
	if len(missing) > 0 {
		text += "; it does not tell " + strings.Join(missing, ", ")
	}
	return text
}

// notices say what an operator can mend.
func (s *Source) notices(devices []poll.DeviceReading) (out []poll.Notice) {
	for i := range devices {
		if devices[i].Info.Name == "" {
			return []poll.Notice{{
				Key:    "no-model",
				Text:   "the exporter does not name the model of its devices; they are counted, and worth nothing",
				Remedy: "name it: sources.exporters, model",
			}}
		}
	}
	return nil
}
