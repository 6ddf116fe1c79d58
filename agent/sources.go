package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/exameter/exameter/agent/cpu"
	"github.com/exameter/exameter/agent/device/nvml"
	"github.com/exameter/exameter/agent/host"
	"github.com/exameter/exameter/agent/memory"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/agent/power"
)

// nvmlDeadline is longer than a tick: a driver without persistence takes seconds to wake its cards.
const nvmlDeadline = 5 * time.Second

// Members makes the sources that are configured. They touch nothing before their first reading. Where several see one
// device, those that come first are preferred: the vendor's library before an exporter.
func Members(c Config, log *slog.Logger) []poll.Member {
	roots := c.roots()
	members := []poll.Member{
		{Source: host.New(roots)},
		{Source: cpu.New(roots.Proc, roots.Sys)},
		{Source: memory.New(roots.Proc)},
	}
	if c.Sources.Power.Enabled {
		members = append(members, poll.Member{Source: power.New(power.Config{SysRoot: roots.Sys})})
	}
	if c.Sources.NVML.Enabled != "false" {
		s := nvml.New(nvml.Config{
			Library: c.Sources.NVML.Library, Vendor: c.Sources.NVML.Vendor, ProcRoot: roots.Proc, SysRoot: roots.Sys,
			Log: log.With("source", "nvml"),
		})
		m := poll.Member{Source: s, Deadline: nvmlDeadline}
		if c.Sources.NVML.Enabled == "true" {
			m.Source = required{s}
		}
		members = append(members, m)
	}
	return append(members, c.exporters()...)
}

func (c *Config) roots() host.Roots {
	return host.Roots{Proc: c.Paths.Proc, Sys: c.Paths.Sys, Etc: c.Paths.Etc}
}

// required is a source whose hardware the configuration promises: that it is absent is a failure.
type required struct{ *nvml.Source }

func (r required) Read(ctx context.Context) (poll.Reading, error) {
	reading, err := r.Source.Read(ctx)
	if errors.Is(err, poll.ErrAbsent) {
		err = fmt.Errorf("sources.nvml.enabled is true, and yet: %v", err)
	}
	return reading, err
}

// Identify asks this host who it is. A configured host id stands in for a machine id that is missing.
func Identify(c Config) (Identity, error) {
	roots := c.roots()
	id := Identity{ID: c.Host.ID}
	var err error
	if id.ID == "" {
		if id.ID, err = host.Identity(roots); err != nil {
			return id, err
		}
	}
	if id.Boot, err = host.BootID(roots.Proc); err != nil {
		return id, err
	}
	id.Info = host.Info(roots, "")
	return id, nil
}
