package hosts

import "github.com/exameter/exameter/collector/capacity"

// Host is one host of a list.
type Host struct {
	Centre  string   `json:"centre"`
	Cluster string   `json:"cluster"` // empty where no device says it
	Host    string   `json:"host"`    // its id
	Name    string   `json:"name,omitempty"`
	Online  bool     `json:"online"`
	AgeS    *float64 `json:"age_s"` // of its last report, by the owner's clock; null where none is known
	Free    int      `json:"free"`  // free devices of the pools asked for, whatever states were asked for
	// NotCounted says why nothing of the host counts: uninventoried.
	NotCounted string `json:"not_counted,omitempty"`
	// Elsewhere counts the devices of the pools asked for that the host claims and that count on another host, or whose contest is not
	// settled. They are not listed here.
	Elsewhere int      `json:"elsewhere,omitempty"`
	Pools     []Pool   `json:"pools"`
	Devices   []Device `json:"devices"`
}

// Lines is how much of a page the host takes.
func (h *Host) Lines() int { return len(h.Devices) + len(h.Pools) }

// Pool is what a host has of one pool, over the devices listed.
type Pool struct {
	Cluster    string `json:"cluster"`
	Kind       string `json:"kind"`
	Vendor     string `json:"vendor"`
	Model      string `json:"model"`
	Class      string `json:"class"`
	Domestic   string `json:"domestic"`
	Identifier string `json:"identifier,omitempty"`
	Devices    int    `json:"devices"`
	Free       int    `json:"free"`
}

// Device is one accelerator, or the processors of a host together. What is not known is left out.
type Device struct {
	ID     string `json:"id"` // of processors, their host's
	Kind   string `json:"kind"`
	Vendor string `json:"vendor"`
	Name   string `json:"name"`  // as the vendor's tool, or the kernel, prints it
	Model  string `json:"model"` // the catalogue's id
	Class  string `json:"class"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"` // the code of docs/states.md
	// Eflops is what the device is worth at the precision asked for; null where its model has no such peak.
	Eflops *capacity.Flops `json:"eflops"`
	PowerW *float64        `json:"power_w,omitempty"`
	// Activity is from 0 to 1: the share of multiprocessors with work ("sm"), or of time with work ("utilisation").
	Activity   *float64 `json:"activity,omitempty"`
	ActivityOf string   `json:"activity_of,omitempty"`
	Cores      int64    `json:"cores,omitempty"` // of processors
	CoresBusy  *int64   `json:"cores_busy,omitempty"`
	BusyShare  *float64 `json:"busy_share,omitempty"` // of a partitioned accelerator that is busy: its slices at work
	Contested  bool     `json:"contested,omitempty"`  // other hosts claim it too; it counts here
	// NotCounted says why the device counts nowhere yet: unsettled or uninventoried.
	NotCounted string `json:"not_counted,omitempty"`
}

// Why a device counts nowhere.
const (
	Unsettled     = "unsettled"     // other collectors have not been asked yet whether a host of theirs has it
	Uninventoried = "uninventoried" // reported, and in no inventory: which model it is is not known
)
