//go:build linux && cgo

package nvml

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// letGo bounds how long Close and Release wait for the driver. It leaves the agent time to stop within 2 s.
const letGo = 1500 * time.Millisecond

// Source reads all NVIDIA cards of the host. It is a poll.Source and a poll.Releaser.
type Source struct {
	Config
	load func(library, vendor string) (driver, error)
	turn chan struct{} // holds one token; whoever has it may use what follows

	ses      *session
	leaving  *session // was asked to end and has not yet
	released bool
	closed   bool

	next    time.Time // before it no attempt to reach the driver
	standby answer    // what Read says until then
	gone    bool      // the driver was away since the last session
	loads   int64     // loads of the driver seen, counted from 1
	seen    kernel    // the kernel driver of the last session
	driver  string    // and its version
	known   []telemetry.DeviceInfo
	past    map[string]*history
	xids    *xidLog
}

type answer struct {
	reading poll.Reading
	err     error
}

// New makes a Source. It touches nothing: the driver is loaded by the first Read.
func New(c Config) *Source {
	c.fill()
	s := &Source{
		Config: c, load: load, turn: make(chan struct{}, 1),
		past: map[string]*history{}, xids: &xidLog{pending: map[string][]int64{}},
	}
	s.turn <- struct{}{}
	return s
}

// Read takes one sample of every card. A hanging driver holds it up for as long as it hangs.
func (s *Source) Read(ctx context.Context) (poll.Reading, error) {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return poll.Reading{}, fmt.Errorf("NVML: an earlier call has not returned: %w", ctx.Err())
	}
	defer func() { s.turn <- struct{}{} }()
	switch {
	case s.closed:
		return poll.Reading{}, errors.New("NVML: read after close")
	case s.released:
		return poll.Reading{}, fmt.Errorf("NVML: %w", poll.ErrReleased)
	case s.leaving != nil && !s.leaving.ended():
		return poll.Reading{}, errors.New("NVML: the driver has not yet let go of an earlier session")
	}
	s.leaving = nil
	now := s.Now()
	if s.ses != nil {
		if why := s.ses.outdated(now); why != "" {
			s.Log.Info("NVML starts anew", "because", why)
			if err := s.end(letGo); err != nil {
				return poll.Reading{}, err
			}
			s.next = now
		}
	}
	for range 2 {
		if s.ses == nil && !s.begin(now) {
			return s.standby.reading, s.standby.err
		}
		r, err, ended := s.ses.read(now)
		if !ended {
			return r, err
		}
		s.Log.Info("NVML starts anew", "because", "the driver ended the session")
		if err := s.end(letGo); err != nil {
			return r, err
		}
		s.next = now
	}
	s.next = now.Add(s.RetryEvery)
	s.standby = answer{err: errors.New("NVML ends every session as soon as it has begun")}
	return poll.Reading{}, s.standby.err
}

// begin opens a session, unless the last attempt is too recent. Where it fails, standby says why.
func (s *Source) begin(now time.Time) bool {
	if now.Before(s.next) && s.next.Sub(now) <= s.RetryEvery {
		return false
	}
	s.next = now.Add(s.RetryEvery)
	kern := s.readKernel()
	drv, err := s.load(s.Library, s.Vendor)
	if err != nil {
		s.standby = s.unreachable(err)
		return false
	}
	version, _ := drv.version()
	version = text(version)
	if s.loads == 0 || s.gone || kern != s.seen || version != s.driver {
		s.loads++
		for _, h := range s.past {
			h.energy.OK = false // the counters begin anew, which is no reset of its own
		}
	}
	s.gone, s.seen, s.driver = false, kern, version
	ses, err := s.newSession(drv, kern)
	if err != nil {
		s.ses = ses
		s.standby = s.unreachable(err)
		if err := s.end(letGo); err != nil {
			s.standby.err = errors.Join(s.standby.err, err)
		}
		return false
	}
	s.ses = ses
	s.remember(ses)
	s.Log.Info("NVML ready", "driver", version, "cards", len(ses.cards), "library", drv.file())
	return true
}

// remember keeps the identities of a session's cards, for the time when the driver will not answer.
func (s *Source) remember(ses *session) {
	s.known = s.known[:0]
	for _, c := range ses.cards {
		s.known = append(s.known, c.info)
	}
}

// unreachable words why there is no session. A driver and library that do not match, and other failures of the driver
// itself, make every card known from before unusable; they are reported as such, because nothing can run on them.
func (s *Source) unreachable(err error) answer {
	var f failure
	if !errors.As(err, &f) {
		if errors.Is(err, poll.ErrAbsent) {
			return s.absent(fmt.Errorf("no %s driver here, %w", s.maker(), err))
		}
		return answer{err: fmt.Errorf("NVML: %w", err)}
	}
	switch nvml.Return(f) {
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return s.absent(fmt.Errorf("no %s driver here, %s cannot be found: %w", s.maker(), s.Library, poll.ErrAbsent))
	case nvml.ERROR_DRIVER_NOT_LOADED:
		return s.absent(fmt.Errorf("the %s driver is not loaded: %w", s.maker(), poll.ErrAbsent))
	case nvml.ERROR_GPU_NOT_FOUND:
		return s.absent(fmt.Errorf("the %s driver finds no card: %w", s.maker(), poll.ErrAbsent))
	case nvml.ERROR_NO_PERMISSION:
		files := "its device files"
		if s.nvidia() {
			files = "/dev/nvidiactl and /dev/nvidia*"
		}
		return answer{
			reading: poll.Reading{Notices: []poll.Notice{{
				Key:    "nvml-permission",
				Text:   "this user may not open the device files of " + s.maker() + "; no card can be read",
				Remedy: "give the agent's user access to " + files + ", in a container or unit with DeviceAllow too",
			}}},
			err: fmt.Errorf("NVML: %w", err),
		}
	case nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return s.faulted("driver-mismatch: "+f.Error(), fmt.Errorf("NVML: %w", err))
	}
	return s.faulted("nvml-error: "+err.Error(), fmt.Errorf("NVML: %w", err))
}

func (s *Source) faulted(fault string, err error) answer {
	a := answer{err: err}
	if len(s.known) > 0 {
		a.reading.Devices = &poll.DevicesReading{}
	}
	for _, info := range s.known {
		d := poll.DeviceReading{Info: info, Fault: fault, Generation: s.loads}
		if h := s.past[info.ID]; h != nil {
			d.Generation += h.resets
		}
		a.reading.Devices.Devices = append(a.reading.Devices.Devices, d)
	}
	return a
}

// absent is no failure, but an operator should hear of a card that nobody drives.
func (s *Source) absent(err error) answer {
	s.gone = true
	return answer{
		reading: poll.Reading{Notices: s.undriven(err, "install the NVIDIA driver with its management library (nvidia-smi must work), or load it: modprobe nvidia")},
		err:     err,
	}
}

// end closes the session, if there is one, and waits for it no longer than the given time. A session that stays is
// remembered: no other is begun beside it, and the next call waits for it again.
func (s *Source) end(within time.Duration) error {
	if s.ses != nil {
		s.ses, s.leaving = nil, s.ses
		s.leaving.close()
	}
	if s.leaving == nil {
		return nil
	}
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case <-s.leaving.shutDown:
	case <-t.C:
		return fmt.Errorf("NVML: the driver has not let go within %v; its library stays loaded and its device files open", letGo)
	}
	err := s.leaving.failed
	s.leaving = nil
	return err
}

// Release ends NVML and unloads its library, so that the driver can be unloaded. It waits 1.5 s at most.
func (s *Source) Release() error {
	return s.quit(func() { s.released = true })
}

// Resume lets the next Read load the driver again.
func (s *Source) Resume() {
	<-s.turn
	s.released, s.next = false, time.Time{}
	s.turn <- struct{}{}
}

// Close ends NVML for good. Where the driver hangs it returns within 1.5 s, with an error that says that the library
// could not be released.
func (s *Source) Close() error {
	return s.quit(func() { s.closed = true })
}

func (s *Source) quit(mark func()) error {
	deadline := time.Now().Add(letGo)
	t := time.NewTimer(letGo)
	defer t.Stop()
	select {
	case <-s.turn:
	case <-t.C:
		return fmt.Errorf("NVML: a call into the driver has not returned for %v; the library cannot be released", letGo)
	}
	defer func() { s.turn <- struct{}{} }()
	mark()
	return s.end(time.Until(deadline))
}
