//go:build linux && cgo

package nvml

// symbol is one function of NVML that a Source may call.
type symbol int

const (
	fnInit symbol = iota
	fnShutdown
	fnDriverVersion
	fnCount
	fnHandle
	fnUUID
	fnSerial
	fnName
	fnVBIOS
	fnPCI
	fnMemoryV2
	fnMemory
	fnUtilization
	fnPower
	fnEnergy
	fnTemperature
	fnTemperatureV
	fnClock
	fnThrottle
	fnECC
	fnRemapped
	fnCompute
	fnComputeV1
	fnMPS
	fnMPSV1
	fnMIGMode
	fnMaxMIG
	fnMIGDevice
	fnGPUInstance
	fnAttributes
	fnProfile
	fnEventCreate
	fnEventRegister
	fnEventWait
	fnEventFree
	fnGPMSupport
	fnGPMAlloc
	fnGPMFree
	fnGPMSample
	fnGPMMetrics
	symbols
)

// symbolNames lists the names of each function, the best first. Versions stand together where they take the same
// arguments; the older one may write less into a structure, never more.
var symbolNames = [symbols][]string{
	fnInit:          {"nvmlInit_v2", "nvmlInit"},
	fnShutdown:      {"nvmlShutdown"},
	fnDriverVersion: {"nvmlSystemGetDriverVersion"},
	fnCount:         {"nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"},
	fnHandle:        {"nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"},
	fnUUID:          {"nvmlDeviceGetUUID"},
	fnSerial:        {"nvmlDeviceGetSerial"},
	fnName:          {"nvmlDeviceGetName"},
	fnVBIOS:         {"nvmlDeviceGetVbiosVersion"},
	fnPCI:           {"nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2", "nvmlDeviceGetPciInfo"},
	fnMemoryV2:      {"nvmlDeviceGetMemoryInfo_v2"},
	fnMemory:        {"nvmlDeviceGetMemoryInfo"},
	fnUtilization:   {"nvmlDeviceGetUtilizationRates"},
	fnPower:         {"nvmlDeviceGetPowerUsage"},
	fnEnergy:        {"nvmlDeviceGetTotalEnergyConsumption"},
	fnTemperature:   {"nvmlDeviceGetTemperature"},
	fnTemperatureV:  {"nvmlDeviceGetTemperatureV"},
	fnClock:         {"nvmlDeviceGetClockInfo"},
	fnThrottle:      {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"},
	fnECC:           {"nvmlDeviceGetTotalEccErrors"},
	fnRemapped:      {"nvmlDeviceGetRemappedRows"},
	fnCompute:       {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"},
	fnComputeV1:     {"nvmlDeviceGetComputeRunningProcesses"},
	fnMPS:           {"nvmlDeviceGetMPSComputeRunningProcesses_v3", "nvmlDeviceGetMPSComputeRunningProcesses_v2"},
	fnMPSV1:         {"nvmlDeviceGetMPSComputeRunningProcesses"},
	fnMIGMode:       {"nvmlDeviceGetMigMode"},
	fnMaxMIG:        {"nvmlDeviceGetMaxMigDeviceCount"},
	fnMIGDevice:     {"nvmlDeviceGetMigDeviceHandleByIndex"},
	fnGPUInstance:   {"nvmlDeviceGetGpuInstanceId"},
	fnAttributes:    {"nvmlDeviceGetAttributes_v2"},
	fnProfile:       {"nvmlDeviceGetGpuInstanceProfileInfo"},
	fnEventCreate:   {"nvmlEventSetCreate"},
	fnEventRegister: {"nvmlDeviceRegisterEvents"},
	fnEventWait:     {"nvmlEventSetWait_v2", "nvmlEventSetWait"},
	fnEventFree:     {"nvmlEventSetFree"},
	fnGPMSupport:    {"nvmlGpmQueryDeviceSupport"},
	fnGPMAlloc:      {"nvmlGpmSampleAlloc"},
	fnGPMFree:       {"nvmlGpmSampleFree"},
	fnGPMSample:     {"nvmlGpmSampleGet"},
	fnGPMMetrics:    {"nvmlGpmMetricsGet"},
}
