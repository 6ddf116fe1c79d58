package agent

import (
	"log/slog"
	"time"

	"github.com/exameter/exameter/agent/cpu"
	"github.com/exameter/exameter/agent/host"
	"github.com/exameter/exameter/agent/memory"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/agent/power"
)

// deviceDeadline is longer than a tick: a driver without persistence takes seconds to wake its cards.
const deviceDeadline = 5 * time.Second

// Members makes the sources that are configured. They touch nothing before their first reading. Where several see one
// device, those that come first are preferred: the vendor's library, then its exporter, then what the kernel's driver shows.
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
	members = append(members, c.Sources.NVML.members(roots, log)...)
	members = append(members, c.exporters()...)
	return append(members, c.Sources.DRM.members(roots)...)
}

func (c *Config) roots() host.Roots {
	return host.Roots{Proc: c.Paths.Proc, Sys: c.Paths.Sys, Etc: c.Paths.Etc}
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
