package agent

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/exameter/exameter/agent/device/exporter"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/internal/config"
)

// Exporter is a vendor's Prometheus exporter that is asked for its devices.
type Exporter struct {
	URL      string          `yaml:"url"`
	Profile  string          `yaml:"profile"`
	Model    string          `yaml:"model"`
	Timeout  config.Duration `yaml:"timeout"`
	Interval config.Duration `yaml:"interval"`
	MaxAge   config.Duration `yaml:"max_age"`
	Remote   bool            `yaml:"remote"`
	CA       string          `yaml:"ca"`
}

// Bounds of what can be configured for exporters. A reading stands until the next scrape: a long interval would call
// devices free on old evidence.
const (
	maxExporters       = 16
	minExporterTimeout = 50 * time.Millisecond
	maxExporterTimeout = 10 * time.Second
	maxExporterEvery   = time.Minute
	maxSampleAge       = 10 * time.Minute
)

// validateExporters refuses what cannot be asked. Profiles are read to do so.
func (s *Sources) validateExporters() error {
	if len(s.Exporters) == 0 && s.Profiles == "" {
		return nil
	}
	profiles, err := exporter.LoadProfiles(s.Profiles)
	if err != nil {
		return config.Errorf("sources.profiles", "%w", err)
	}
	if len(s.Exporters) > maxExporters {
		return config.Errorf("sources.exporters", "%d are more than %d", len(s.Exporters), maxExporters)
	}
	seen := map[string]bool{}
	for i := range s.Exporters {
		e := &s.Exporters[i]
		at := fmt.Sprintf("sources.exporters[%d]", i)
		if err := e.validate(at); err != nil {
			return err
		}
		if e.Profile != "" {
			if _, err := profiles.Named(e.Profile); err != nil {
				return config.Errorf(at+".profile", "%w", err)
			}
		}
		name := exporter.SourceName(e.URL)
		if strings.ContainsFunc(name, odd) {
			return config.Errorf(at+".url", "%s makes %q of the source's name, which the wire refuses", e.URL, name)
		}
		if seen[name] {
			return config.Errorf(at+".url", "%s stands twice", e.URL)
		}
		seen[name] = true
	}
	return nil
}

func (e *Exporter) validate(at string) error {
	u, err := url.Parse(e.URL)
	switch {
	case err != nil:
		return config.Errorf(at+".url", "%w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return config.Errorf(at+".url", "%q is not an address such as http://127.0.0.1:9400/metrics", e.URL)
	case u.User != nil || u.Fragment != "" || len(e.URL) > 200:
		return config.Errorf(at+".url", "%q is more than scheme, host, port, path and query", u.Redacted())
	case !e.Remote && !loopback(u.Hostname()):
		return config.Errorf(at+".url", "%s is not this host's loopback: an exporter tells of the host it runs on. If it is this host's all the same, say remote: true", u.Hostname())
	case e.CA != "" && (u.Scheme != "https" || !filepath.IsAbs(e.CA)):
		return config.Errorf(at+".ca", "wants an https address, and an absolute path")
	}
	for _, d := range []struct {
		key         string
		value       config.Duration
		least, most time.Duration
	}{
		{"timeout", e.Timeout, minExporterTimeout, maxExporterTimeout},
		{"interval", e.Interval, minSample, maxExporterEvery},
		{"max_age", e.MaxAge, time.Second, maxSampleAge},
	} {
		if v := d.value.D(); v != 0 && (v < d.least || v > d.most) {
			return config.Errorf(at+"."+d.key, "%v is not within %v and %v", v, d.least, d.most)
		}
	}
	return nil
}

// loopback says whether a name is this host's own. What localhost resolves to is looked at when it is connected to.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// exporters makes the sources of the configured exporters.
func (c *Config) exporters() (members []poll.Member) {
	if len(c.Sources.Exporters) == 0 {
		return nil
	}
	profiles, err := exporter.LoadProfiles(c.Sources.Profiles)
	for _, e := range c.Sources.Exporters {
		s := exporter.New(exporter.Config{
			URL: e.URL, Profiles: profiles, Profile: e.Profile, Model: e.Model, Timeout: e.Timeout.D(), Interval: e.Interval.D(),
			MaxAge: e.MaxAge.D(), Remote: e.Remote, CA: e.CA, SysRoot: c.Paths.Sys,
		})
		m := poll.Member{Source: s, Deadline: s.Timeout + poll.DefaultDeadline}
		if err != nil {
			m.Source = unusable{s, err} // the files were changed since the configuration was read
		}
		members = append(members, m)
	}
	return members
}

// unusable is a source that cannot be read, for a reason.
type unusable struct {
	poll.Source
	why error
}

func (u unusable) Read(context.Context) (poll.Reading, error) { return poll.Reading{}, u.why }
