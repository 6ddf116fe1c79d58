// Package poll asks the agent's sources for a reading at every tick, each within its own deadline, and keeps their
// health apart from what they read.
package poll

import (
	"context"
	"errors"

	"github.com/exameter/exameter/telemetry"
)

// ErrAbsent says that what a source reads is not on this host: no NVIDIA driver, no RAPL. It is not a failure.
var ErrAbsent = errors.New("not on this host")

// Source reads one family of hardware.
//
// Read takes one sample. It may block on hardware: the poller waits for it only until ctx ends, goes on without it, and
// does not call it again before the earlier call returned. An error beside a reading means that the reading is
// incomplete. An error wrapping ErrAbsent means there is nothing to read. Close releases every library and file.
type Source interface {
	Name() string
	Read(ctx context.Context) (Reading, error)
	Close() error
}

// Releaser is a source that holds a driver and can let go of it, so that the driver can be unloaded. Between Release
// and Resume its Read returns an error wrapping ErrReleased.
type Releaser interface {
	Release() error
	Resume()
}

// ErrReleased says that a source let go of its driver on an operator's word.
var ErrReleased = errors.New("released for the operator")

// Reading is one sample of one source. A nil part is one that the source does not read. A source that may ask its
// hardware less often than once a tick repeats what it last heard, without energy counters and events, until it asks again.
type Reading struct {
	Host    *HostReading
	CPU     *CPUReading
	Memory  *telemetry.MemoryStatus
	Power   []PowerReading
	Devices *DevicesReading
	Notices []Notice
	Summary string // what was read from and what it does not tell, in words for a person; may be empty
}

// HostReading is what the kernel says of the host itself.
type HostReading struct {
	Uptime     telemetry.Opt[telemetry.Seconds]
	LoadMilli  telemetry.Opt[int64]
	ClockError telemetry.Opt[telemetry.Milliseconds]
}

// CPUReading is a sample of a host's processors.
type CPUReading struct {
	Info        telemetry.CPUInfo
	Utilization telemetry.Opt[telemetry.Permille] // since the reading before; unknown at the first
}

// PowerReading is a sample of one power domain.
type PowerReading struct {
	Domain string
	Method string
	Power  telemetry.Opt[telemetry.Milliwatts]  // mean since the reading before, or the meter's own value
	Energy telemetry.Opt[telemetry.Millijoules] // since the source was opened, wraps undone
}

// DevicesReading lists the accelerators that one source sees. An empty list means that it looked and found none.
type DevicesReading struct {
	Devices []DeviceReading
}

// DeviceReading is a sample of one accelerator.
type DeviceReading struct {
	Info telemetry.DeviceInfo

	// Fault is the source's own verdict that the device cannot be used: a reason code of package state, with its
	// detail after a colon ("lost", "driver-mismatch: …"). Empty when the source has no complaint.
	Fault string

	Utilization       telemetry.Opt[telemetry.Permille]
	SMActivity        telemetry.Opt[telemetry.Permille]
	TensorActivity    telemetry.Opt[telemetry.Permille]
	MemoryUtilization telemetry.Opt[telemetry.Permille]
	MemoryUsed        telemetry.Opt[telemetry.Bytes]
	Power             telemetry.Opt[telemetry.Milliwatts]
	Energy            telemetry.Opt[telemetry.Millijoules] // the card's own counter
	Temperature       telemetry.Opt[telemetry.Celsius]
	SMClock           telemetry.Opt[telemetry.Megahertz]
	MemoryClock       telemetry.Opt[telemetry.Megahertz]
	Throttle          telemetry.Opt[int64]
	ECCCorrected      telemetry.Opt[int64]
	ECCUncorrected    telemetry.Opt[int64]
	RemapPending      telemetry.Opt[bool]
	RemapFailed       telemetry.Opt[bool]
	Processes         telemetry.Opt[int64]
	Slices            telemetry.Opt[int64] // compute slices of a partitioned card
	SlicesBusy        telemetry.Opt[int64] // those with a process on them

	// IdleMemory is what the device shows in use while idle, where its source knows: use below it is none.
	IdleMemory telemetry.Bytes

	// XIDs are the errors that arrived since the reading before, oldest first. They are facts of the driver, not
	// verdicts: package state knows which of them are fatal.
	XIDs []int64
	// Generation grows whenever the driver was loaded anew or the device was reset, which clears what was wrong before.
	Generation int64
}

// Notice is something the operator should know and can mend, said once: what cannot be read, and the remedy.
type Notice struct {
	Key    string // stable, so that it is said once
	Text   string // what cannot be read, and what follows
	Remedy string // what to do about it; empty where nothing is to be done
}
