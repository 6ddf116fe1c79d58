// Package host reads what a host is (its identity, its boot, its system) and how it is: uptime, load, and how wrong its
// clock may be.
package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/exameter/exameter/agent/kernelfile"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// Roots are where the file trees of a host are found: /proc, /sys and /etc on a real one.
type Roots struct {
	Proc, Sys, Etc string
}

// Source reads a host's uptime, load and clock.
type Source struct {
	procRoot string
	uptime   *kernelfile.File // of which procfs has no reader

	adjtimex func(*unix.Timex) (state int, err error)
	said     map[string]bool
}

// New returns a source that reads below the roots, and the clock of the kernel it runs on.
func New(roots Roots) *Source {
	return &Source{
		procRoot: roots.Proc,
		uptime:   kernelfile.New(filepath.Join(roots.Proc, "uptime"), 128),
		adjtimex: unix.Adjtimex,
		said:     map[string]bool{},
	}
}

// Name returns "host".
func (s *Source) Name() string { return "host" }

// Read takes one sample. What could not be read is unknown in it, and named by the error.
func (s *Source) Read(context.Context) (poll.Reading, error) {
	var r poll.HostReading
	uptime, errUptime := firstMilli(s.uptime)
	if errUptime == nil {
		r.Uptime = telemetry.Known(telemetry.Seconds(uptime / 1000))
	}
	load, errLoad := loadMilli(s.procRoot)
	if errLoad == nil {
		r.LoadMilli = telemetry.Known(load)
	}
	var notices []poll.Notice
	r.ClockError, notices = s.clock()
	return poll.Reading{Host: &r, Notices: notices}, errors.Join(errUptime, errLoad)
}

// Close closes the file that is kept open.
func (s *Source) Close() error { return s.uptime.Close() }

// clock returns how wrong the clock may be at most, as the kernel's time discipline states it. The kernel lets that
// bound grow while nobody disciplines the clock, and then says that it is not synchronised: the bound is unknown. See
// adjtimex(2).
func (s *Source) clock() (telemetry.Opt[telemetry.Milliseconds], []poll.Notice) {
	var unknown telemetry.Opt[telemetry.Milliseconds]
	var t unix.Timex
	state, err := s.adjtimex(&t)
	switch {
	case err != nil:
		// A sandbox forbids the call with its whole family, of which all others set the clock.
		return unknown, s.say(poll.Notice{
			Key:    "clock-hidden",
			Text:   fmt.Sprintf("the kernel does not tell how wrong its clock may be: %v", err),
			Remedy: "allow the system call adjtimex to the agent; without CAP_SYS_TIME it can only read the clock",
		})
	case state == unix.TIME_ERROR, t.Status&unix.STA_UNSYNC != 0, t.Maxerror < 0:
		return unknown, s.say(poll.Notice{
			Key:    "clock-unsynchronised",
			Text:   "the kernel says that nothing keeps its clock right; nobody can tell how old this host's reports are",
			Remedy: "run chrony with rtcsync in its configuration, systemd-timesyncd or ntpd; timedatectl shows the state",
		})
	}
	return telemetry.Known(telemetry.Milliseconds((int64(t.Maxerror) + 999) / 1000)), nil
}

// say returns a notice that was not said before.
func (s *Source) say(n poll.Notice) []poll.Notice {
	if s.said[n.Key] {
		return nil
	}
	s.said[n.Key] = true
	return []poll.Notice{n}
}

// maxLoad is more threads than a kernel has.
const maxLoad = 1 << 32

// loadMilli reads the load average over a minute, in thousandths.
func loadMilli(procRoot string) (int64, error) {
	proc, err := procfs.NewFS(procRoot)
	if err != nil {
		return 0, fmt.Errorf("reading the load: %w", err)
	}
	load, err := proc.LoadAvg()
	if err != nil {
		return 0, fmt.Errorf("reading the load: %w", err)
	}
	if !(load.Load1 >= 0 && load.Load1 <= maxLoad) { // so that NaN fails as well
		return 0, fmt.Errorf("a load of %v cannot be", load.Load1)
	}
	return int64(math.Round(load.Load1 * 1000)), nil
}

// firstMilli reads the decimal number at the beginning of a file.
func firstMilli(f *kernelfile.File) (int64, error) {
	b, err := f.Read()
	if err != nil {
		return 0, err
	}
	v, err := parseMilli(b)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", f.Path(), err)
	}
	return v, nil
}

// parseMilli parses the decimal number before the first space, such as 0.52, into thousandths. Digits beyond the third
// are dropped.
func parseMilli(b []byte) (int64, error) {
	word, _, ended := bytes.Cut(b, []byte(" "))
	if !ended {
		return 0, fmt.Errorf("want a number and a space, have %.64q", b)
	}
	whole, fraction, _ := bytes.Cut(word, []byte("."))
	v, err := strconv.ParseUint(string(whole), 10, 44) // so that a thousand of it fit
	if err != nil {
		return 0, fmt.Errorf("number %.64q: %w", word, err)
	}
	milli, digit := int64(v)*1000, int64(100)
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("number %.64q: want digits after the point", word)
		}
		milli += int64(c-'0') * digit
		digit /= 10
	}
	return milli, nil
}
