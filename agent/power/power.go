// Package power reads what a host draws: the energy counters of its processors (RAPL) and the power meters of its
// firmware and sensors (ACPI, hwmon). docs/power.md says what is read, which reading goes before which, and how an
// unprivileged user is allowed to read the counters.
package power

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/exameter/exameter/agent/poll"
)

// The domains. A domain holds one reading at a time, so that no watt stands twice under one name; but one domain may
// contain another: node contains all, psys its packages and their memory. They are not to be added up.
const (
	node = "node" // the whole server
	psys = "psys" // what the platform's processor-side supply feeds
)

// How a domain is measured.
const (
	methodRAPL  = "rapl"
	methodACPI  = "acpi"
	methodHwmon = "hwmon"
)

// rescanAfter is how long a source waits before it looks again for meters that were missing or that vanished, because
// a driver may be loaded after the agent started.
const rescanAfter = time.Minute

// Config says where a source reads.
type Config struct {
	SysRoot string // /sys on a real host

	// Now is a clock that only runs forward, by default the boot clock of the kernel, which goes on while the host is
	// suspended. Only differences of it are used.
	Now func() time.Time
}

// errImplausible says that a meter answered, with a power that the host cannot draw.
var errImplausible = errors.New("cannot be")

// meter measures one domain.
type meter interface {
	// read takes one sample. Its error wraps fs.ErrPermission when this user may not read the meter, and
	// fs.ErrNotExist or ENODEV when the meter is gone, and errImplausible when what it says cannot be.
	read(now time.Time) (poll.PowerReading, error)
	domain() string
	path() string
	close() error
}

// Source reads the power meters of a host.
type Source struct {
	sysRoot string
	now     func() time.Time

	meters  []meter
	scanned time.Time // when the meters were last looked for; zero before the first time
	stale   bool      // a meter vanished since
	said    map[string]bool
}

// New returns a source. It touches nothing until it is read.
func New(cfg Config) *Source {
	if cfg.Now == nil {
		cfg.Now = bootTime
	}
	return &Source{sysRoot: cfg.SysRoot, now: cfg.Now, said: map[string]bool{}}
}

// bootTime returns the kernel's boot clock as a time. Were it ever refused, the wall clock would do.
func bootTime() time.Time {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Now()
	}
	return time.Unix(ts.Unix())
}

// Name returns "power".
func (s *Source) Name() string { return "power" }

// Read takes one sample of every meter. A meter that this user may not read is left out and named by a notice, once; one
// that fails otherwise is left out and named by the error. On a host without meters the error wraps poll.ErrAbsent.
func (s *Source) Read(ctx context.Context) (poll.Reading, error) {
	var r poll.Reading
	if s.scanned.IsZero() || (s.stale || len(s.meters) == 0) && s.now().Sub(s.scanned) >= rescanAfter {
		r.Notices = s.scan()
	}
	if len(s.meters) == 0 {
		return r, fmt.Errorf("power meters: %w", poll.ErrAbsent)
	}
	r.Power = make([]poll.PowerReading, 0, len(s.meters))
	var errs error
	var denied, implausible []string
	for _, m := range s.meters {
		if err := ctx.Err(); err != nil {
			return r, errors.Join(errs, fmt.Errorf("reading power domain %s: %w", m.domain(), err))
		}
		p, err := m.read(s.now())
		switch {
		case errors.Is(err, fs.ErrPermission):
			denied = append(denied, m.domain())
		case errors.Is(err, errImplausible):
			implausible = append(implausible, m.domain()+": "+err.Error())
		case err != nil:
			s.stale = s.stale || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)
			errs = errors.Join(errs, fmt.Errorf("power domain %s: %w", m.domain(), err))
		default:
			r.Power = append(r.Power, p)
		}
	}
	if len(denied) > 0 {
		r.Notices = s.say(r.Notices, deniedNotice(denied))
	}
	if len(implausible) > 0 {
		r.Notices = s.say(r.Notices, poll.Notice{
			Key:    "power-implausible",
			Text:   "power meters that say what cannot be are left out until they say better: " + list(implausible),
			Remedy: "look at the meter in the server's management controller, and update its firmware",
		})
	}
	return r, errs
}

// Close closes all meters.
func (s *Source) Close() error {
	var errs error
	for _, m := range s.meters {
		errs = errors.Join(errs, m.close())
	}
	s.meters, s.scanned = nil, time.Time{}
	return errs
}

// scan looks for meters. Those that were there before stay as they are, with the energy they have counted.
func (s *Source) scan() []poll.Notice {
	s.scanned, s.stale = s.now(), false
	found, leftOut := zones(s.sysRoot)
	sensors, unknown := sensors(s.sysRoot)
	found = append(found, sensors...)
	leftOut = append(leftOut, unknown...)

	old := s.meters
	s.meters = nil
	taken := map[string]bool{}
	for _, m := range found {
		if taken[m.domain()] {
			leftOut = append(leftOut, fmt.Sprintf("%s (%s has a meter already)", m.path(), m.domain()))
			continue
		}
		taken[m.domain()] = true
		if i := slices.IndexFunc(old, func(o meter) bool { return o.path() == m.path() && o.domain() == m.domain() }); i >= 0 {
			m = old[i]
			old = slices.Delete(old, i, i+1)
		}
		s.meters = append(s.meters, m)
	}
	for _, m := range old {
		_ = m.close() // it is gone, and only its file descriptor is left
	}
	slices.SortStableFunc(s.meters, func(a, b meter) int { return strings.Compare(a.domain(), b.domain()) })
	if len(leftOut) == 0 {
		return nil
	}
	return s.say(nil, poll.Notice{
		Key:  "power-left-out",
		Text: "power meters that are left out, because what they measure is not known or is counted already: " + list(leftOut) + " (docs/power.md)",
	})
}

// say appends a notice that was not said before.
func (s *Source) say(to []poll.Notice, n poll.Notice) []poll.Notice {
	if s.said[n.Key] {
		return to
	}
	s.said[n.Key] = true
	return append(to, n)
}

// deniedNotice tells how to let the agent read energy counters, which Linux shows to root alone since they were found
// to give away secrets (CVE-2020-8694).
func deniedNotice(domains []string) poll.Notice {
	return poll.Notice{
		Key:  "power-denied",
		Text: "the energy counters of " + list(domains) + " may not be read, so that their power is unknown",
		Remedy: "as root: systemd-tmpfiles --create exameter-agent.conf, which is done at boot and when their driver is loaded; without the package, " +
			`after every boot: find /sys/devices/virtual/powercap -name energy_uj -exec chgrp ` + agentGroup + ` {} + -exec chmod 0440 {} +`,
	}
}

// agentGroup is the group that the agent runs as under its systemd unit.
const agentGroup = "exameter"

// list joins names for a message of bounded length.
func list(names []string) string {
	const most = 8
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// children lists the names in a folder of sysfs, shorter names first so that hwmon2 comes before hwmon10. A folder that
// cannot be read has none.
func children(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := len(a) - len(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return names
}
