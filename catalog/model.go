package catalog

import "github.com/exameter/exameter/telemetry"

// Model is one accelerator model. All its figures are per device as the vendor's tool lists it: a board that appears
// as two devices has two of them, each with half the board's figures.
type Model struct {
	ID           string   // canonical, lower case: nvidia-h200-sxm
	Vendor       string   // lower case: nvidia, huawei, hygon …
	Name         string   // for people
	Architecture string   // as the vendor names it, empty where unknown
	Patterns     []string // names the vendor's tool, exporter or library prints; a trailing * matches any rest

	Peaks Peaks
	// FP64Vector and FP64Tensor tell apart what Peaks counts together as fp64, in Mflop/s.
	FP64Vector telemetry.Opt[int64]
	FP64Tensor telemetry.Opt[int64]

	Memory          telemetry.Opt[telemetry.Bytes]
	BandwidthGBs    telemetry.Opt[float64]              // memory bandwidth in GB/s (1e9 bytes)
	TDP             telemetry.Opt[telemetry.Milliwatts] // share of the board's thermal design power
	DevicesPerBoard int                                 // devices the tool lists for one board, at least 1
	Domestic        telemetry.Opt[bool]                 // designed in China

	Confidence Confidence
	Source     string // public document the figures come from
	Notes      string
}

// CPUModel is one processor model at one clock: what CPU makes of a host's identity.
type CPUModel struct {
	// ID is the slug of the model name, or of the microarchitecture where the name tells no model; the clock is part
	// of it where the name does not fix it. Hosts with one ID have one peak.
	ID                string
	Vendor            string // lower case: intel, amd, hygon, huawei, phytium …; empty where not recognised
	Name              string // as the kernel prints it, blanks folded; empty on most arm64 hosts
	Microarchitecture string // empty where not recognised
	Entry             string // id of its row among CPUs; empty where not recognised
	Domestic          telemetry.Opt[bool]

	ClockMHz    telemetry.Opt[telemetry.Megahertz] // the clock that PerCore counts with
	ClockSource string                             // where ClockMHz comes from, in words; empty where there is none
	PerCore     Peaks                              // per physical core; empty where the model is unpriced

	Confidence Confidence
	Source     string
	Notes      string // what to know; for an unpriced model the reason stands first
}

// Microarchitecture is one row of the processor table.
type Microarchitecture struct {
	ID       string // lower-case slug: intel-sapphire-rapids
	Vendor   string
	Name     string
	Domestic telemetry.Opt[bool]

	PerCycle Peaks // operations per cycle and physical core, not Mflop/s

	Confidence Confidence
	Source     string
	Notes      string

	match cpuMatch
}

// Confidence says how well the figures of a row are founded.
type Confidence string

// The confidences, best first.
const (
	Datasheet  Confidence = "datasheet"   // the vendor's data sheet, or a table that transcribes it
	VendorPage Confidence = "vendor page" // another publication of the vendor
	ThirdParty Confidence = "third party" // measured, derived or reported by others
	Unsure     Confidence = "unsure"      // recalled, contradicted, or not published
)

// valid reports whether c is one of the four.
func (c Confidence) valid() bool {
	return c == Datasheet || c == VendorPage || c == ThirdParty || c == Unsure
}
