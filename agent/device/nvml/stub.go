//go:build !linux || !cgo

package nvml

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/exameter/exameter/agent/poll"
)

var errBuild = fmt.Errorf("this build of the agent has no NVML, because it was made without cgo: %w", poll.ErrAbsent)

// Source has nothing to read with: a library can only be called, and go-nvml only compiled, with cgo, on Linux.
type Source struct {
	Config
	notices func() []poll.Notice
	closed  atomic.Bool
}

// New makes a Source. It touches nothing.
func New(c Config) *Source {
	c.fill()
	s := &Source{Config: c}
	s.notices = sync.OnceValue(func() []poll.Notice {
		return s.undriven(errBuild, "use an agent that was built with cgo")
	})
	return s
}

// Read says that this build has no NVML.
func (s *Source) Read(context.Context) (poll.Reading, error) {
	if s.closed.Load() {
		return poll.Reading{}, errors.New("NVML: read after close")
	}
	return poll.Reading{Notices: s.notices()}, errBuild
}

// Release has nothing to release.
func (s *Source) Release() error { return nil }

// Resume has nothing to resume.
func (s *Source) Resume() {}

// Close makes every later Read fail.
func (s *Source) Close() error {
	s.closed.Store(true)
	return nil
}
