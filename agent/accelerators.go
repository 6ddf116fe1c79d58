package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/exameter/exameter/agent/device/drm"
	"github.com/exameter/exameter/agent/device/nvml"
	"github.com/exameter/exameter/agent/host"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

// Library is another vendor's library that speaks NVIDIA's management interface.
type Library struct {
	Enabled string `yaml:"enabled"` // auto where empty, true or false
	Library string `yaml:"library"`
	Vendor  string `yaml:"vendor"`
}

// DRM reads AMD and Hygon cards from what their kernel drivers show.
type DRM struct {
	Enabled string `yaml:"enabled"` // auto, true or false
}

// The words for whether a source is read.
const (
	whereFound = "auto"
	always     = "true"
	never      = "false"
)

func validEnabled(key, word string) error {
	switch word {
	case whereFound, always, never:
		return nil
	}
	return config.Errorf(key, "%q is not one of auto, true, false", word)
}

func (d *DRM) validate() error { return validEnabled("sources.drm.enabled", d.Enabled) }

// validateOthers refuses what would read a card twice, or two sources under one name.
func (n *NVML) validateOthers() error {
	vendors, libraries := map[string]bool{n.Vendor: true}, map[string]bool{filepath.Clean(n.Library): true}
	for i, o := range n.Others {
		key := fmt.Sprintf("sources.nvml.others[%d].", i)
		if err := validEnabled(key+"enabled", cmp.Or(o.Enabled, whereFound)); err != nil {
			return err
		}
		if err := telemetry.ValidID(o.Vendor); err != nil {
			return config.Errorf(key+"vendor", "%w", err)
		}
		if vendors[o.Vendor] {
			return config.Errorf(key+"vendor", "%q has a library already", o.Vendor)
		}
		path := filepath.Clean(o.Library)
		if !filepath.IsAbs(path) {
			return config.Errorf(key+"library", "%q is not an absolute path", o.Library)
		}
		if libraries[path] {
			return config.Errorf(key+"library", "%q is another vendor's already", o.Library)
		}
		vendors[o.Vendor], libraries[path] = true, true
	}
	return nil
}

// members makes a source of every library that is not switched off.
func (n *NVML) members(roots host.Roots, log *slog.Logger) (members []poll.Member) {
	all := append([]Library{{n.Enabled, n.Library, n.Vendor}}, n.Others...)
	for i, l := range all {
		key := "sources.nvml.enabled"
		if i > 0 {
			key = fmt.Sprintf("sources.nvml.others[%d].enabled", i-1)
		}
		if l.Enabled == never {
			continue
		}
		c := nvml.Config{Library: l.Library, Vendor: l.Vendor, ProcRoot: roots.Proc, SysRoot: roots.Sys}
		s := nvml.New(c)
		s.Log = log.With("source", s.Name())
		members = append(members, member(s, l.Enabled, key))
	}
	return members
}

// members makes the source of what kernel drivers show, unless it is switched off.
func (d *DRM) members(roots host.Roots) []poll.Member {
	if d.Enabled == never {
		return nil
	}
	return []poll.Member{member(drm.New(drm.Config{SysRoot: roots.Sys}), d.Enabled, "sources.drm.enabled")}
}

// member gives a source of accelerators its time, and where the configuration promises its hardware, makes its absence
// a failure.
func member(s poll.Source, enabled, key string) poll.Member {
	if enabled == always {
		s = required{s, key}
	}
	return poll.Member{Source: s, Deadline: deviceDeadline}
}

// required is a source whose hardware the configuration promises under a key.
type required struct {
	poll.Source
	key string
}

func (r required) Read(ctx context.Context) (poll.Reading, error) {
	reading, err := r.Source.Read(ctx)
	if errors.Is(err, poll.ErrAbsent) {
		err = fmt.Errorf("%s is true, and yet: %v", r.key, err)
	}
	return reading, err
}

// Release lets go of a driver, if the source holds one.
func (r required) Release() error {
	if s, ok := r.Source.(poll.Releaser); ok {
		return s.Release()
	}
	return nil
}

// Resume takes it up again.
func (r required) Resume() {
	if s, ok := r.Source.(poll.Releaser); ok {
		s.Resume()
	}
}
