// Package telemetry is the language the agent and the collector share: the records that travel between them, their
// units, the topics they travel on and the line-protocol codec of schema version 1, described in docs/wire.md.
package telemetry

import "time"

// SchemaVersion is the version of the wire schema that this package speaks. It stands in every record.
const SchemaVersion = 1

// Limits of a record. A record beyond them is refused whole by the encoder and by the decoder.
const (
	// MaxRecordBytes bounds one Kafka message.
	MaxRecordBytes = 256 << 10
	// MaxDevices bounds the devices of one host.
	MaxDevices = 256
	// MaxParts bounds the power domains, and the sources, of one host.
	MaxParts = 256
	// MaxCores bounds the cores, and the hardware threads, of one host.
	MaxCores = 65536
	// MaxSlices bounds the compute slices of one device.
	MaxSlices = 1024
	// MaxName bounds an identifier or a name, in bytes.
	MaxName = 255
	// MaxText bounds a free text such as a reason or an error, in bytes.
	MaxText = 1024
)

// Origin says where a record comes from. The three stand as tags on every line, so that any line-protocol reader can
// group by them; the collector takes the centre from the topic alone.
type Origin struct {
	Centre  string // id of the centre, as in the topic's name
	Cluster string // named part of the centre; "default" unless configured
	Host    string // identity of the host, and the Kafka key of its records
}

// Header opens every record.
type Header struct {
	Origin
	Time time.Time // when the record was made, by the host's clock; the timestamp of all its lines
	Boot string    // boot id of the host: sequence numbers count within it
	Seq  int64     // from 1, grows from record to record of its kind within the boot; gaps mean nothing
}

// Kind tells accelerators from processors.
type Kind string

// The kinds of device.
const (
	Accelerator Kind = "accelerator"
	CPU         Kind = "cpu"
)

// State is what a device is doing, as decided by the agent.
type State string

// The states of a device. A collector adds one of its own, stale, for devices whose host fell silent.
const (
	Free    State = "free"    // in order, and handed to nobody
	Busy    State = "busy"    // in order, and at work
	Drained State = "drained" // an operator or scheduler took it out
	Faulty  State = "faulty"  // not in order, whoever wants it
)

// Valid reports whether s is one of the four states of the wire.
func (s State) Valid() bool { return s == Free || s == Busy || s == Drained || s == Faulty }

// The lp, unit, max and doc tags of the structs below are the source of the tables of docs/wire.md: the name of the
// field on the wire, its unit, its bound where the unit does not give one ("text" for MaxText instead of MaxName
// bytes), and its meaning. How the fields are written and read stands in fields.go, in the same order.

// Inventory says what exists on a host: sent at start, on change and hourly. Key of a compacted topic: a host's last
// inventory stands until it is replaced, or retired by a tombstone.
type Inventory struct {
	Header
	HostInfo
	CPU     Opt[CPUInfo]
	Devices []DeviceInfo // accelerators, in the order of Index, then ID
}

// HostInfo describes a host. Fields that could not be read are empty or unknown.
type HostInfo struct {
	Name        string            `lp:"name" doc:"host name"`
	Agent       string            `lp:"agent" doc:"version of the agent"`
	OS          string            `lp:"os" doc:"operating system, as /etc/os-release prints it"`
	Kernel      string            `lp:"kernel" doc:"kernel release"`
	Arch        string            `lp:"arch" doc:"machine architecture, as the kernel names it"`
	Product     string            `lp:"product" doc:"product name of the server, from DMI"`
	Virtual     Opt[bool]         `lp:"virtual" doc:"whether the host is a virtual machine"`
	Memory      Opt[Bytes]        `lp:"memory_bytes" unit:"B" doc:"memory the kernel manages"`
	ReportEvery Opt[Milliseconds] `lp:"report_interval_ms" unit:"ms" doc:"the longest time between two reports of this host"`
}

// CPUInfo identifies the processors of a host, which together are one device of kind cpu.
type CPUInfo struct {
	Vendor      string         `lp:"vendor" doc:"vendor id (GenuineIntel, AuthenticAMD, HygonGenuine, …) or, on arm64, the implementer (0x48)"`
	Name        string         `lp:"name" doc:"model name, where the kernel prints one"`
	Family      Opt[int64]     `lp:"family" doc:"x86 family"`
	Model       Opt[int64]     `lp:"model" doc:"x86 model"`
	Stepping    Opt[int64]     `lp:"stepping" doc:"x86 stepping"`
	Part        string         `lp:"part" doc:"arm64 part number (0xd01)"`
	Sockets     Opt[int64]     `lp:"sockets" max:"65536" doc:"processor packages"`
	Cores       Opt[int64]     `lp:"cores" max:"65536" doc:"physical cores, all packages together; hardware threads are not counted"`
	Threads     Opt[int64]     `lp:"threads" max:"65536" doc:"hardware threads online"`
	Flags       string         `lp:"flags" max:"text" doc:"SIMD features that matter for peak throughput, sorted, separated by spaces"`
	BaseClock   Opt[Megahertz] `lp:"base_mhz" unit:"MHz" doc:"base clock"`
	MaxClock    Opt[Megahertz] `lp:"max_mhz" unit:"MHz" doc:"highest clock"`
	VectorBytes Opt[int64]     `lp:"sve_bytes" unit:"B" doc:"SVE vector length on arm64"`
}

// DeviceInfo identifies one accelerator. Name is what the vendor's tool prints: which model that is, is the
// catalogue's business.
type DeviceInfo struct {
	ID       string     // tag "device": UUID, else vendor-serial, else a PCI address within its host; never invented
	Index    Opt[int64] `lp:"index" doc:"number of the device on its host, as the vendor's tool counts"`
	Vendor   string     `lp:"vendor" doc:"vendor in lower case: nvidia, huawei, hygon, cambricon, metax, iluvatar, enflame, kunlunxin, moorethreads, t-head, amd, intel"`
	Name     string     `lp:"name" doc:"product name as the vendor's tool prints it"`
	Serial   string     `lp:"serial" doc:"board serial number"`
	PCI      string     `lp:"pci" doc:"PCI address, domain:bus:device.function in lower case"`
	Memory   Opt[Bytes] `lp:"memory_bytes" unit:"B" doc:"device memory"`
	Driver   string     `lp:"driver" doc:"driver version"`
	Firmware string     `lp:"firmware" doc:"firmware (VBIOS) version"`
	Slices   Opt[int64] `lp:"slices" max:"1024" doc:"compute slices the card is partitioned into (MIG), absent when it is not"`
	Source   string     `lp:"source" doc:"the agent's source that saw it"`
}

// Report says what is happening on a host: sent every report interval, and at once when a device changes state.
// Means and maxima are over the samples since the report before.
type Report struct {
	Header
	HostStatus
	CPU     Opt[CPUStatus]
	Memory  Opt[MemoryStatus]
	Power   []PowerStatus
	Devices []DeviceStatus
	Sources []SourceStatus
}

// HostStatus is the host's own line.
type HostStatus struct {
	Interval   Opt[Milliseconds] `lp:"interval_ms" unit:"ms" doc:"time the report's means cover"`
	Uptime     Opt[Seconds]      `lp:"uptime_s" unit:"s" doc:"time since boot"`
	LoadMilli  Opt[int64]        `lp:"load1_milli" doc:"load average of one minute, in thousandths"`
	Queued     Opt[int64]        `lp:"queued" doc:"records waiting in the agent to be sent"`
	Dropped    Opt[int64]        `lp:"dropped" doc:"records the agent dropped since it started: there was no room, they were too old, or its disk lost them"`
	ClockError Opt[Milliseconds] `lp:"clock_error_ms" unit:"ms" doc:"largest error of the host's clock, as the kernel's time discipline states it"`
}

// CPUStatus is the load of a host's processors.
type CPUStatus struct {
	State           State         `lp:"state" doc:"free, busy, drained or faulty"`
	Reason          string        `lp:"reason" max:"text" doc:"why, where the state needs one"`
	Cores           Opt[int64]    `lp:"cores" max:"65536" doc:"physical cores"`
	CoresBusy       Opt[int64]    `lp:"cores_busy" max:"65536" doc:"cores × mean utilisation, rounded up"`
	UtilizationMean Opt[Permille] `lp:"utilization_mean_permille" unit:"‰" doc:"mean utilisation of all hardware threads"`
	UtilizationMax  Opt[Permille] `lp:"utilization_max_permille" unit:"‰" doc:"highest utilisation of one sample"`
}

// MemoryStatus is the use of a host's memory.
type MemoryStatus struct {
	Total     Opt[Bytes] `lp:"total_bytes" unit:"B" doc:"memory the kernel manages"`
	Available Opt[Bytes] `lp:"available_bytes" unit:"B" doc:"memory available to new work without swapping"`
}

// PowerStatus is the power of one domain of a host: a processor package, its memory, or the whole server.
type PowerStatus struct {
	Domain string           // tag "domain": package-0, dram-0, psys, node …
	Method string           `lp:"method" doc:"how it was measured: rapl, acpi, hwmon"`
	Mean   Opt[Milliwatts]  `lp:"mean_mw" unit:"mW" doc:"mean power over the interval"`
	Max    Opt[Milliwatts]  `lp:"max_mw" unit:"mW" doc:"highest power of one sample"`
	Energy Opt[Millijoules] `lp:"energy_mj" unit:"mJ" doc:"energy since the agent started"`
}

// DeviceStatus is what one accelerator is doing.
type DeviceStatus struct {
	ID                string           // tag "device", as in the inventory
	State             State            `lp:"state" doc:"free, busy, drained or faulty"`
	Reason            string           `lp:"reason" max:"text" doc:"why: a code of docs/states.md, with its detail after a colon"`
	Slices            Opt[int64]       `lp:"slices" max:"1024" doc:"compute slices of a partitioned card (MIG)"`
	SlicesBusy        Opt[int64]       `lp:"slices_busy" max:"1024" doc:"compute slices at work"`
	UtilizationMean   Opt[Permille]    `lp:"utilization_mean_permille" unit:"‰" doc:"mean share of time in which at least one kernel ran"`
	UtilizationMax    Opt[Permille]    `lp:"utilization_max_permille" unit:"‰" doc:"highest utilisation of one sample"`
	SMActivity        Opt[Permille]    `lp:"sm_activity_permille" unit:"‰" doc:"mean share of multiprocessors with work (NVML GPM)"`
	TensorActivity    Opt[Permille]    `lp:"tensor_activity_permille" unit:"‰" doc:"mean share of cycles in which the tensor pipes worked (NVML GPM)"`
	MemoryUtilization Opt[Permille]    `lp:"memory_utilization_mean_permille" unit:"‰" doc:"mean share of time in which device memory was read or written"`
	MemoryUsed        Opt[Bytes]       `lp:"memory_used_bytes" unit:"B" doc:"device memory in use"`
	PowerMean         Opt[Milliwatts]  `lp:"power_mean_mw" unit:"mW" doc:"mean power over the interval, from the energy counter where the card has one"`
	PowerMax          Opt[Milliwatts]  `lp:"power_max_mw" unit:"mW" doc:"highest power of one sample"`
	Energy            Opt[Millijoules] `lp:"energy_mj" unit:"mJ" doc:"energy counter of the card"`
	Temperature       Opt[Celsius]     `lp:"temperature_c" unit:"°C" doc:"highest core temperature of the interval"`
	SMClock           Opt[Megahertz]   `lp:"sm_clock_mhz" unit:"MHz" doc:"clock of the multiprocessors"`
	MemoryClock       Opt[Megahertz]   `lp:"memory_clock_mhz" unit:"MHz" doc:"clock of device memory"`
	Throttle          Opt[int64]       `lp:"throttle_reasons" doc:"NVML clocks event reasons, a bit mask, or-ed over the interval"`
	ECCCorrected      Opt[int64]       `lp:"ecc_corrected" doc:"corrected memory errors since the driver was loaded"`
	ECCUncorrected    Opt[int64]       `lp:"ecc_uncorrected" doc:"uncorrected memory errors since the driver was loaded"`
	RemapPending      Opt[bool]        `lp:"remap_pending" doc:"a row remap waits for a reset"`
	RemapFailed       Opt[bool]        `lp:"remap_failed" doc:"a row remap failed"`
	XID               Opt[int64]       `lp:"xid" doc:"last XID error since the agent started"`
	XIDCount          Opt[int64]       `lp:"xid_count" doc:"XID errors since the agent started"`
	Processes         Opt[int64]       `lp:"processes" doc:"compute processes on the device"`
}

// SourceStatus is the health of one of the agent's sources.
type SourceStatus struct {
	Source string            // tag "source": nvml, cpu, memory, power, …
	OK     bool              `lp:"ok" doc:"whether its last reading succeeded in time"`
	Error  string            `lp:"error" max:"text" doc:"what failed, in words"`
	Took   Opt[Milliseconds] `lp:"took_ms" unit:"ms" doc:"time the last reading took"`
	Missed Opt[int64]        `lp:"missed" doc:"readings since the report before that failed or came too late"`
}
