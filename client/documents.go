package client

import "time"

// Head is what every answer rests on.
type Head struct {
	Revision  int64     `json:"revision"`  // how much of the log of partials was read; answers of one revision are the same everywhere
	AsOf      time.Time `json:"as_of"`     // when the last record read was written, by the broker's clock
	Catalogue string    `json:"catalogue"` // version of the catalogue of peaks
	Registry  string    `json:"registry,omitempty"`
	Rule      string    `json:"rule,omitempty"` // how devices are accounted for, such as dense-nameplate/1
	Precision string    `json:"precision"`      // "class": each device by its class's precision; else the one asked for
	Kind      string    `json:"kind"`           // accelerator, cpu or all
	By        []string  `json:"by,omitempty"`   // dimensions of the groups
	Parts     Parts     `json:"parts"`
}

func (h *Head) mark() mark { return mark{h.Revision, h.AsOf} }

// Parts say how fresh the parts are that an answer was summed from. A part is one partition of one centre.
type Parts struct {
	Total   int     `json:"total"`
	Current int     `json:"current"` // published at most a few seconds before as_of
	Behind  int     `json:"behind"`  // nobody publishes them at the moment: they stand as they were
	OldestS float64 `json:"oldest_s"`
}

// Capacity is the answer to "what does the province have?".
type Capacity struct {
	Head
	Total  Figure  `json:"total"`
	Groups []Group `json:"groups"`
}

// Dimensions tell groups and pools apart. In a group those not asked for are empty.
type Dimensions struct {
	Centre   string `json:"centre,omitempty"`
	Cluster  string `json:"cluster,omitempty"`
	Kind     string `json:"kind,omitempty"`
	Vendor   string `json:"vendor,omitempty"`
	Model    string `json:"model,omitempty"`
	Class    string `json:"class,omitempty"`
	Domestic string `json:"domestic,omitempty"` // yes, no or unknown
}

// Group is the figure of one value of the dimensions asked for. Groups add up to the total exactly, in devices and in Eflops.
type Group struct {
	Dimensions
	Identifier string `json:"identifier,omitempty"` // a national compute-resource identifier, assigned elsewhere
	Figure
}

// Figure is one sum with its evidence. In devices and Eflops rated = online + stale, online = healthy + drained + faulty, and
// healthy = busy + free.
type Figure struct {
	Devices Devices `json:"devices"`
	Eflops  Eflops  `json:"eflops"`
	Origin  Origin  `json:"origin"`
	// Utilisation is busy-weighted nameplate, over healthy devices whose activity is known; nil where none is.
	Utilisation  *float64 `json:"utilisation"`
	Activity     Activity `json:"activity"`
	PowerW       float64  `json:"power_w"`       // Σ of the measured power of online devices
	PowerDevices int64    `json:"power_devices"` // how many those are; the others' power is unknown, not zero
	Hosts        Hosts    `json:"hosts"`
	Coverage     *float64 `json:"coverage"` // online hosts ÷ rated hosts; nil where there are no hosts
	Age          *Age     `json:"age_s"`    // nil where no host is online
}

// Devices counts devices. A device stands in exactly one of busy, free, drained, faulty and stale.
type Devices struct {
	Rated    int64 `json:"rated"`
	Online   int64 `json:"online"`
	Healthy  int64 `json:"healthy"`
	Busy     int64 `json:"busy"`
	Free     int64 `json:"free"` // what a dispatcher may hand out
	Drained  int64 `json:"drained"`
	Faulty   int64 `json:"faulty"`
	Stale    int64 `json:"stale"`
	Unpriced int64 `json:"unpriced"` // of the rated ones, those without a peak in the catalogue
}

// Eflops are the same sums times peaks. Unpriced devices are worth nothing here.
type Eflops struct {
	Rated   Flops `json:"rated"`
	Online  Flops `json:"online"`
	Healthy Flops `json:"healthy"`
	Busy    Flops `json:"busy"`
	Free    Flops `json:"free"`
	Drained Flops `json:"drained"`
	Faulty  Flops `json:"faulty"`
	Stale   Flops `json:"stale"`
}

// Origin splits what is rated by where its models are designed. The parts add up exactly to rated.
type Origin struct {
	Devices OriginDevices `json:"devices"`
	Eflops  OriginEflops  `json:"eflops"`
}

// OriginDevices counts devices designed in China, elsewhere, and those of which the catalogue does not say it.
type OriginDevices struct {
	Domestic int64 `json:"domestic"`
	Foreign  int64 `json:"foreign"`
	Unknown  int64 `json:"unknown"`
}

// OriginEflops are the same devices times peaks.
type OriginEflops struct {
	Domestic Flops `json:"domestic"`
	Foreign  Flops `json:"foreign"`
	Unknown  Flops `json:"unknown"`
}

// Activity counts healthy devices by where their activity comes from.
type Activity struct {
	SM          int64 `json:"sm"`          // share of multiprocessors with work
	Utilisation int64 `json:"utilisation"` // share of time with work, which says less
	Unknown     int64 `json:"unknown"`     // not measured, and not taken for idle
}

// Hosts counts hosts that hold at least one of the devices counted, each host once.
type Hosts struct {
	Rated  int64 `json:"rated"`
	Online int64 `json:"online"`
}

// Age spreads the ages of the last reports of online hosts, in seconds.
type Age struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Pools is one page of pools.
type Pools struct {
	Head
	Pools []Pool `json:"pools"`
	Of    int64  `json:"of,omitempty"`   // pools on all pages
	Next  string `json:"next,omitempty"` // the cursor of the next page; empty on the last one
}

// PoolName says which pool a line of an answer is about.
type PoolName struct {
	Dimensions
	Identifier string   `json:"identifier,omitempty"`
	MemoryGiB  *float64 `json:"memory_gib,omitempty"` // of one device; nil where it is not known
}

// Pool is the smallest homogeneous thing that work is sent to.
type Pool struct {
	PoolName
	PeakTflops map[string]float64 `json:"peak_tflops"` // of one device, dense, by precision; of processors of one core. What is not known is left out
	Figure
	SliceUnitsFree int64 `json:"slice_units_free"` // what is free of partitioned cards at work, in 1/10080 card
	CoresFree      int64 `json:"cores_free"`       // of processors
	// FreeHosts counts online hosts by how many of the pool's devices are free on them: FreeHosts[8] hosts have 8. The last
	// bin, 16, holds those with more as well.
	FreeHosts []int64 `json:"free_hosts"`
}

// Gangs is how many groups of size devices fit on single hosts now. It is exact for sizes of up to 16 on hosts with up to 16
// free devices, and never too high.
func (p *Pool) Gangs(size int) int64 {
	if size < 1 {
		return 0
	}
	var n int64
	for free, hosts := range p.FreeHosts {
		n += hosts * int64(free/size)
	}
	return n
}

// Match says where a job fits, best first.
type Match struct {
	Head
	Request    MatchRequest `json:"request"` // as the collector understood it
	Fits       bool         `json:"fits"`    // in at least one pool
	Candidates int64        `json:"candidates,omitempty"`
	Fitting    int64        `json:"fitting,omitempty"` // candidates in which it fits
	Short      string       `json:"short,omitempty"`   // what is missing where it fits in none
	Pools      []MatchPool  `json:"pools"`
}

// MatchRequest is a question of match as the collector understood it, with its defaults filled in.
type MatchRequest struct {
	Kind      string  `json:"kind,omitempty"`
	Unit      string  `json:"unit,omitempty"` // what is counted: device, core or host
	Precision string  `json:"precision,omitempty"`
	Count     int64   `json:"count,omitempty"`
	PerHost   int64   `json:"per_host,omitempty"`
	Hosts     int64   `json:"hosts,omitempty"`
	Eflops    Flops   `json:"eflops,omitempty"`
	MemoryGiB float64 `json:"memory_gib,omitempty"`
	MaxAgeS   float64 `json:"max_age_s,omitempty"`

	Vendor         []string `json:"vendor,omitempty"`
	Model          []string `json:"model,omitempty"`
	Class          []string `json:"class,omitempty"`
	Domestic       []string `json:"domestic,omitempty"`
	Centre         []string `json:"centre,omitempty"`
	Cluster        []string `json:"cluster,omitempty"`
	PreferCentre   []string `json:"prefer_centre,omitempty"`
	PreferCluster  []string `json:"prefer_cluster,omitempty"`
	ExcludeCentre  []string `json:"exclude_centre,omitempty"`
	ExcludeCluster []string `json:"exclude_cluster,omitempty"`

	Order string `json:"order,omitempty"`
	Limit int64  `json:"limit,omitempty"`
}

// MatchPool is a pool with what it has for the request. Devices are counted in Request.Unit.
type MatchPool struct {
	Rank int `json:"rank"` // from 1
	PoolName
	Fits          bool   `json:"fits"`
	DevicesFree   int64  `json:"devices_free"`
	HostsFree     *int64 `json:"hosts_free"` // hosts with room for a gang; nil of cores
	Gangs         int64  `json:"gangs"`      // of per_host devices on one host, that fit beside each other
	DevicesUsable int64  `json:"devices_usable"`
	EflopsUsable  *Flops `json:"eflops_usable"`          // nil where the pool has no price
	GangsNeeded   *int64 `json:"gangs_needed,omitempty"` // or hosts, where the request is for hosts
	HostsNeeded   *int64 `json:"hosts_needed,omitempty"` // hosts that hold the request, where it fits

	// Where a number above is not exact it is what there is at least, and these say what there is at most.
	HostsFreeAtMost *int64 `json:"hosts_free_at_most,omitempty"`
	GangsAtMost     *int64 `json:"gangs_at_most,omitempty"`

	Hosts    Hosts    `json:"hosts"`
	Coverage *float64 `json:"coverage"`
	Age      *Age     `json:"age_s"`
	Reasons  []string `json:"reasons"`         // why it stands where it stands
	Short    string   `json:"short,omitempty"` // what is missing where the request does not fit
}

// HostList is one page of hosts.
type HostList struct {
	Head
	Matching int64     `json:"matching,omitempty"` // hosts that meet the filters, on all pages
	Reasons  []Reason  `json:"reasons"`            // their devices that meet the filters, the most frequent reason first
	Hosts    []Host    `json:"hosts"`
	Next     string    `json:"next,omitempty"`
	Missing  []Missing `json:"missing"` // parts whose owners did not answer: their hosts are not in the list
}

// Reason counts the devices that are in their state for one reason, by its code. Those without a reason are not counted.
type Reason struct {
	Reason  string `json:"reason"`
	Devices int64  `json:"devices"`
}

// Missing is a part whose hosts are not in an answer.
type Missing struct {
	Centre string `json:"centre"`
	Part   int    `json:"part"`
	Owner  string `json:"owner"` // the collector that should have answered
	Why    string `json:"why"`
}

// Host is one server.
type Host struct {
	Centre  string   `json:"centre"`
	Cluster string   `json:"cluster"`
	Host    string   `json:"host"` // its id
	Name    string   `json:"name,omitempty"`
	Online  bool     `json:"online"`
	AgeS    *float64 `json:"age_s"` // of its last report; nil where none is known
	Free    int      `json:"free"`  // free devices of the pools asked for, whatever states were asked for
	// NotCounted says why nothing of the host counts, and Elsewhere how many of its devices count on other hosts.
	NotCounted string     `json:"not_counted,omitempty"`
	Elsewhere  int        `json:"elsewhere,omitempty"`
	Pools      []HostPool `json:"pools"`
	Devices    []Device   `json:"devices"`
}

// HostPool is a pool that a host has devices in.
type HostPool struct {
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

// Device is one accelerator, or all processors of a host.
type Device struct {
	ID         string   `json:"id"`
	Kind       string   `json:"kind"`
	Vendor     string   `json:"vendor"`
	Name       string   `json:"name"`  // as its vendor's tool prints it
	Model      string   `json:"model"` // the catalogue's id
	Class      string   `json:"class"`
	State      string   `json:"state"` // busy, free, drained, faulty or stale
	Reason     string   `json:"reason,omitempty"`
	Eflops     *Flops   `json:"eflops"` // nil where it is unpriced
	PowerW     *float64 `json:"power_w,omitempty"`
	Activity   *float64 `json:"activity,omitempty"`
	ActivityOf string   `json:"activity_of,omitempty"`
	Cores      int64    `json:"cores,omitempty"` // of processors
	CoresBusy  *int64   `json:"cores_busy,omitempty"`
	BusyShare  *float64 `json:"busy_share,omitempty"` // of a partitioned accelerator that is busy
	Contested  bool     `json:"contested,omitempty"`  // other hosts claim it too; it counts here
	NotCounted string   `json:"not_counted,omitempty"`
}

// Centres are the registry's centres beside what is observed of them.
type Centres struct {
	Head
	// DescribedBy is the registry that names and plans are from, where it is not the one that figures were made by.
	DescribedBy *string  `json:"described_by,omitempty"`
	Province    Province `json:"province"`
	Centres     []Centre `json:"centres"`
}

// Province is the plan for all centres together.
type Province struct {
	Name     Name     `json:"name"`
	Target   *Target  `json:"target"`
	Statuses Statuses `json:"statuses"`
	Observed Observed `json:"observed"`
	Capacity Figure   `json:"capacity"`
}

// Statuses counts centres by status; those that the registry does not have are operating.
type Statuses struct {
	Planned   int `json:"planned"`
	Building  int `json:"building"`
	Operating int `json:"operating"`
}

// Observed holds what is measured against what was said.
type Observed struct {
	Declared *AgainstDeclared `json:"declared"` // the declaration in force; nil where there is none
	Target   *AgainstTarget   `json:"target"`   // nil where there is none
}

// AgainstDeclared compares with the declaration in force, at its precision.
type AgainstDeclared struct {
	Declaration
	Measured
}

// AgainstTarget compares with a target.
type AgainstTarget struct {
	Target
	Precision string `json:"precision"`
	Measured
	ShortBy Flops `json:"short_by"` // what rated lacks of it; zero where it has been reached
}

// Measured is what is there, and the share of what was said that it is. Unpriced devices are worth nothing in it: with some, the
// shares are too low by what nobody knows.
type Measured struct {
	Rated       Flops   `json:"rated"`
	Online      Flops   `json:"online"`
	RatedShare  float64 `json:"rated_share"`
	OnlineShare float64 `json:"online_share"`
	Unpriced    int64   `json:"unpriced"` // devices
}

// Name is a name in two languages.
type Name struct {
	Zh string `json:"zh"`
	En string `json:"en"`
}

// Target is what shall be there by a date.
type Target struct {
	Date   string `json:"date"` // YYYY-MM-DD
	Eflops Flops  `json:"eflops"`
}

// Declaration is what a centre said it has, on a date.
type Declaration struct {
	Date      string `json:"date"` // YYYY-MM-DD
	Eflops    Flops  `json:"eflops"`
	Precision string `json:"precision"`
}

// Cluster is what the registry says of a cluster.
type Cluster struct {
	ID         string `json:"id"`
	Class      string `json:"class,omitempty"`
	Precision  string `json:"precision,omitempty"`
	Identifier string `json:"identifier,omitempty"`
}

// Centre is one data centre or operator site.
type Centre struct {
	ID         string        `json:"id"`
	Name       Name          `json:"name"`
	Status     string        `json:"status"` // planned, building or operating
	Identifier string        `json:"identifier,omitempty"`
	Declared   []Declaration `json:"declared"` // by date, oldest first
	Target     *Target       `json:"target"`
	Clusters   []Cluster     `json:"clusters"`
	Registered bool          `json:"registered"` // whether the registry has it
	Observed   Observed      `json:"observed"`
	Capacity   *Figure       `json:"capacity"` // nil where none of its devices is known
}
