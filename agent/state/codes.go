package state

import (
	"strings"

	"github.com/exameter/exameter/telemetry"
)

// Code opens a reason: it says which rule decided. Details follow it after a colon and a space.
type Code string

// The codes of this package's rules. Sources give codes of their own in DeviceReading.Fault.
const (
	Lost            Code = "lost"
	ResetRequired   Code = "reset-required"
	DriverMismatch  Code = "driver-mismatch"
	NVMLError       Code = "nvml-error"
	ThermalShutdown Code = "thermal-shutdown"
	Unhealthy       Code = "unhealthy"
	Missing         Code = "missing"
	FatalXID        Code = "xid"
	Uncorrected     Code = "ecc-uncorrected"
	RemapFailed     Code = "remap-failed"
	SourceSilent    Code = "source-silent"
	Unreadable      Code = "unreadable"
	Ordered         Code = "drained"
	Slices          Code = "slices"
	Processes       Code = "processes"
	Memory          Code = "memory"
	Utilisation     Code = "utilisation"
	Cores           Code = "cores"
)

// CodeDoc documents one code. docs/states.md is made from Codes.
type CodeDoc struct {
	Code    Code
	State   telemetry.State
	Meaning string
	Ends    string // what ends it
}

// Codes lists every code in the order in which the rules look for it: the first that applies decides.
var Codes = []CodeDoc{
	{Lost, telemetry.Faulty, "the driver says that the device is gone from the bus or does not answer", "the device answers again"},
	{ResetRequired, telemetry.Faulty, "the driver says that the device works again only after a reset", "device reset"},
	{DriverMismatch, telemetry.Faulty, "the vendor's library and the kernel driver are of different versions, so nothing can run until one of them is replaced", "matching versions"},
	{ThermalShutdown, telemetry.Faulty, "the device switched itself off for heat", "the device answers again"},
	{NVMLError, telemetry.Faulty, "the vendor's library answers with an error instead of a reading", "a reading"},
	{Unhealthy, telemetry.Faulty, "the vendor's exporter says that the device is not in order; the detail is the metric and its value", "the exporter says otherwise"},
	{Missing, telemetry.Faulty, "seen before, and now its source answers without it", "the device is seen again, or `exameter-agent forget DEVICE`"},
	{FatalXID, telemetry.Faulty, "a fatal XID error came since boot; the detail is its number and meaning", "reboot, device reset, driver reload or `exameter-agent undrain`"},
	{Uncorrected, telemetry.Faulty, "uncorrected memory errors since the driver was loaded, more than an operator has acknowledged", "device reset, driver reload or `exameter-agent undrain`"},
	{RemapFailed, telemetry.Faulty, "a row of device memory could not be remapped", "the driver says so; usually the device is replaced"},
	{SourceSilent, telemetry.Faulty, "the source that reads the device has not answered for longer than the silence limit: a hung driver, a failing library", "an answer"},
	{Unreadable, telemetry.Faulty, "the device answers, but nothing about its use (processes, memory, utilisation) can be read: it cannot be called free", "a reading of its use"},
	{Ordered, telemetry.Drained, "an operator or scheduler took it out; the detail is the reason given", "`exameter-agent undrain`"},
	{Slices, telemetry.Busy, "at least one compute slice of a partitioned card has a process on it", "no slice has one"},
	{Processes, telemetry.Busy, "at least one compute process is on the device", "no process is left"},
	{Memory, telemetry.Busy, "more device memory is in use than `state.memory_floor`", "less is in use"},
	{Utilisation, telemetry.Busy, "utilisation that no visible process explains was at `state.utilisation_floor` or above within `state.utilisation_hold`", "it stays below for that long"},
	{Cores, telemetry.Busy, "(processors) at least one core is at work, rounded up from the mean utilisation", "mean utilisation is zero"},
}

// CodeOf returns the code that opens a reason.
func CodeOf(reason string) Code {
	code, _, _ := strings.Cut(reason, ":")
	return Code(code)
}

func (c Code) with(detail string) string {
	if detail == "" {
		return string(c)
	}
	return string(c) + ": " + detail
}
