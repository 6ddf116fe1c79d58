// Package capacity is the pure arithmetic of Exameter: integer cells by pool, times catalogue peaks, folded into the
// capacity document. It needs no broker, no clock and no network.
package capacity

import "time"

// Document is the answer to "what does the province have?", wherever it appears: HTTP, command line, Kafka.
// Every group's devices and eflops add up exactly to the total's. Within each figure rated = online + stale,
// online = healthy + drained + faulty, healthy = busy + free.
type Document struct {
	Revision  int64     `json:"revision"`  // how much of the log of partials was read; answers of one revision are the same everywhere
	AsOf      time.Time `json:"as_of"`     // when the last record read was written, by the broker's clock
	Catalogue string    `json:"catalogue"` // version of the catalogue, with "+override" where a file overrides it
	Registry  string    `json:"registry"`  // revision of the registry, empty without one
	Rule      string    `json:"rule"`      // of accounting: Rule
	Precision string    `json:"precision"` // "class": each device by its class's precision; else the one asked for
	Kind      string    `json:"kind"`      // accelerator, cpu or all
	By        []string  `json:"by"`        // dimensions of the groups
	Parts     Parts     `json:"parts"`     // how fresh what was summed is, whatever was asked for
	Total     Figure    `json:"total"`
	Groups    []Group   `json:"groups"`
}

// Group is the figure of one value of the dimensions asked for. Dimensions not asked for are left out.
type Group struct {
	Centre  string `json:"centre,omitempty"`
	Cluster string `json:"cluster,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Vendor  string `json:"vendor,omitempty"`
	Model   string `json:"model,omitempty"`
	Class   string `json:"class,omitempty"`

	Domestic string `json:"domestic,omitempty"` // yes, no or unknown
	// Identifier is what the registry has for the narrowest place that the group names: its cluster, else its centre.
	Identifier string `json:"identifier,omitempty"`
	Figure
}

// Figure is one sum with its evidence.
type Figure struct {
	Devices Devices `json:"devices"`
	Eflops  Eflops  `json:"eflops"`
	Origin  Origin  `json:"origin"`
	// Utilisation is busy-weighted nameplate: Σ(peak × activity) ÷ Σ peak over healthy devices whose activity is
	// known; null where none is.
	Utilisation *float64 `json:"utilisation"`
	Activity    Activity `json:"activity"`
	PowerW      float64  `json:"power_w"` // Σ of the measured power of online devices
	// PowerDevices counts the online devices whose power is in PowerW; the others' is unknown, not zero.
	PowerDevices int64    `json:"power_devices"`
	Hosts        Hosts    `json:"hosts"`
	Coverage     *float64 `json:"coverage"` // online hosts ÷ rated hosts; null where there are no hosts
	Age          *Age     `json:"age_s"`    // age of the last reports of online hosts; null where there are none
}

// Devices counts devices. A device stands in exactly one of busy, free, drained, faulty and stale.
type Devices struct {
	Rated    int64 `json:"rated"`
	Online   int64 `json:"online"`
	Healthy  int64 `json:"healthy"`
	Busy     int64 `json:"busy"`
	Free     int64 `json:"free"`
	Drained  int64 `json:"drained"`
	Faulty   int64 `json:"faulty"`
	Stale    int64 `json:"stale"`
	Unpriced int64 `json:"unpriced"` // of the rated ones, those whose peak the catalogue does not know
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

// OriginDevices counts rated devices: domestic are those designed in China, unknown those of which the catalogue does
// not say it.
type OriginDevices struct {
	Domestic int64 `json:"domestic"`
	Foreign  int64 `json:"foreign"`
	Unknown  int64 `json:"unknown"`
}

// OriginEflops are the same devices times peaks. Unpriced devices are worth nothing here.
type OriginEflops struct {
	Domestic Flops `json:"domestic"`
	Foreign  Flops `json:"foreign"`
	Unknown  Flops `json:"unknown"`
}

// Activity counts healthy devices by where their activity comes from.
type Activity struct {
	SM          int64 `json:"sm"`          // share of multiprocessors with work (NVML GPM)
	Utilisation int64 `json:"utilisation"` // share of time with work, which says less
	Unknown     int64 `json:"unknown"`     // not measured, and left out of the utilisation
}

// Hosts counts hosts that hold at least one of the devices counted, each host once.
type Hosts struct {
	Rated  int64 `json:"rated"`
	Online int64 `json:"online"`
}

// Age spreads the ages of what was summed, in seconds.
type Age struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}
