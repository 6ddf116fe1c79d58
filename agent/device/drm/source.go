// Package drm reads AMD and Hygon accelerators from what their kernel drivers show in sysfs: for hosts on which no
// exporter runs. See docs/drm.md.
//
// Procfs has a reader of AMD cards, sysfs.ClassDRMCardAMDGPUStats, and it is not used: it makes zero of what a card does
// not show, which would make an unread card an idle one; it dereferences a nil pointer where a file holds anything but a
// number; one card that cannot be read hides all others; it looks at card0 to card9 alone, which eight cards with their
// partitions exceed; and it knows neither power nor temperature, memory errors, partitions or another driver than amdgpu.
// Its sysfs.PciDevices fails as a whole where one device of the bus lacks one of twelve files.
package drm

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

const (
	// slowEvery is how often what hardly changes is read: memory errors, partitions, the compute driver's list of devices.
	slowEvery = 5 * time.Second
	// busEvery is how often the PCI bus is looked through for cards without a driver. A large host has hundreds of devices.
	busEvery = time.Minute
)

// Config says where the kernel shows the cards. The zero value reads this host's.
type Config struct {
	SysRoot string           // /sys where empty
	Now     func() time.Time // time.Now where nil
}

// Source reads the accelerators of a host. It holds no device file and no library.
type Source struct {
	sys   string
	now   func() time.Time
	found []found // as of the last look, to notice a change
	cards []*card
	kfd   kfd
	slow  time.Time // when what hardly changes was read

	bus      time.Time // when the PCI bus was looked through
	idle     []poll.Notice
	shared   map[string]bool // identities that two cards claimed at one time
	released bool
}

// New makes a Source. It touches nothing before the first Read.
func New(c Config) *Source {
	if c.SysRoot == "" {
		c.SysRoot = "/sys"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Source{sys: c.SysRoot, now: c.Now, kfd: kfd{dir: filepath.Join(c.SysRoot, "class/kfd/kfd")}, shared: map[string]bool{}}
}

// Name returns "drm".
func (s *Source) Name() string { return "drm" }

// Read takes one sample of every accelerator. Where there is none, the error wraps poll.ErrAbsent.
func (s *Source) Read(ctx context.Context) (poll.Reading, error) {
	if s.released {
		return poll.Reading{}, fmt.Errorf("AMD and Hygon cards: %w", poll.ErrReleased)
	}
	now := s.now()
	list, err := look(s.sys)
	if err != nil {
		return poll.Reading{}, err
	}
	var errs []error
	if !slices.Equal(list, s.found) {
		errs = append(errs, s.close())
		s.found, s.cards, s.slow, s.bus = list, identify(s.sys, list, s.shared), time.Time{}, time.Time{}
	}
	if due(&s.bus, now, busEvery) {
		s.idle = undriven(s.sys)
	}
	r := poll.Reading{Notices: s.idle}
	if len(s.cards) == 0 {
		return r, fmt.Errorf("no AMD or Hygon accelerator with a driver: %w", poll.ErrAbsent)
	}
	if due(&s.slow, now, slowEvery) {
		errs = append(errs, s.readSlow())
	}
	if s.kfd.hidden {
		r.Notices = append(slices.Clip(r.Notices), poll.Notice{
			Key:    "drm-compute-hidden",
			Text:   "the compute driver keeps devices from this process: what runs on AMD or Hygon cards is not seen, and only their memory and utilisation tell",
			Remedy: "let the agent's control group read and write the render nodes, in a unit with DeviceAllow=char-drm rw",
		})
	}
	use, err := s.kfd.use()
	errs = append(errs, err)
	r.Devices = &poll.DevicesReading{Devices: make([]poll.DeviceReading, len(s.cards))}
	failed := 0
	for i, c := range s.cards {
		if err := ctx.Err(); err != nil {
			return poll.Reading{}, fmt.Errorf("reading %d accelerators from sysfs: %w", len(s.cards), err)
		}
		d := &r.Devices.Devices[i]
		err := c.read(d)
		c.count(d, s.kfd.nodes[c.slot], use)
		if err == nil {
			continue
		}
		if failed++; failed <= 3 {
			errs = append(errs, fmt.Errorf("device %s: %w", c.info.ID, err))
		}
	}
	if failed > 3 {
		errs = append(errs, fmt.Errorf("and %d more cards", failed-3))
	}
	sharePower(s.cards, r.Devices.Devices)
	return r, errors.Join(errs...)
}

// due reports whether something is to be done again, and takes down that it is.
func due(last *time.Time, now time.Time, every time.Duration) bool {
	if now.Sub(*last) < every && !now.Before(*last) {
		return false
	}
	*last = now
	return true
}

// readSlow reads what hardly changes.
func (s *Source) readSlow() error {
	err := s.kfd.list()
	for _, c := range s.cards {
		c.readSlow(s.kfd.nodes[c.slot])
	}
	return err
}

// Release closes the files and reads nothing until Resume. A driver can be unloaded without it, but its cards would then
// be missing, while an operator who changes a driver has them drained.
func (s *Source) Release() error {
	s.released = true
	return s.Close()
}

// Resume lets the next Read look for cards again.
func (s *Source) Resume() { s.released = false }

// Close closes the files.
func (s *Source) Close() error {
	err := s.close()
	s.found, s.cards = nil, nil
	return err
}

func (s *Source) close() error {
	var errs []error
	for _, c := range s.cards {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// count adds what the compute driver knows: processes, and partitions at work. Without it, both are unknown.
func (c *card) count(r *poll.DeviceReading, nodes []int64, use usage) {
	r.Slices, r.Info.Slices = c.slices, c.slices
	if len(nodes) == 0 || use == nil {
		return
	}
	pids, busy := map[int64]bool{}, int64(0)
	for _, n := range nodes {
		if len(use[n]) > 0 {
			busy++
		}
		for pid := range use[n] {
			pids[pid] = true
		}
	}
	r.Processes = telemetry.Known(int64(len(pids)))
	if all, ok := c.slices.Get(); ok && all == int64(len(nodes)) {
		r.SlicesBusy = telemetry.Known(busy)
	}
}
