//go:build !linux || !cgo

package nvml

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/exameter/exameter/agent/poll"
)

func TestWithoutCgo(t *testing.T) {
	s := New(Config{ProcRoot: t.TempDir(), SysRoot: t.TempDir()})
	_, err := s.Read(context.Background())
	if !errors.Is(err, poll.ErrAbsent) || !strings.Contains(err.Error(), "this build of the agent has no NVML") {
		t.Errorf("error %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
