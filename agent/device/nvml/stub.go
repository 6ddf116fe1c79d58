//go:build !linux || !cgo

package nvml

import (
	"fmt"

	"github.com/exameter/exameter/agent/poll"
)

// load has nothing to load with: a library can only be called from a build with cgo, on Linux.
func load(string) (driver, error) {
	return nil, fmt.Errorf("this build of the agent has no NVML, because it was made without cgo: %w", poll.ErrAbsent)
}
