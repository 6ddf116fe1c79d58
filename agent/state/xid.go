package state

// XID is one entry of NVIDIA's XID catalogue that this package takes for fatal.
type XID struct {
	Number  int64
	Meaning string
	Action  string // the catalogue's immediate action
}

// FatalXIDs are the errors after which a device cannot be relied on before it is reset: those for which NVIDIA's
// catalogue asks at once for a reset of the device, a restart of the server or work on the hardware, and the two
// (48, 74) whose entries say that a reset or reboot is needed to clear them.
//
// Source: https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html (Ampere and newer).
var FatalXIDs = []XID{
	{46, "GPU stopped processing", "RESET_GPU"},
	{48, "double-bit ECC error", "WORKFLOW_XID_48"},
	{54, "auxiliary power is not connected", "CHECK_MECHANICALS"},
	{62, "internal micro-controller halt", "RESET_GPU"},
	{64, "memory remapping failure", "RESET_GPU"},
	{74, "NVLink error", "WORKFLOW_NVLINK_ERR"},
	{79, "GPU has fallen off the bus", "RESTART_BM"},
	{95, "uncontained memory error", "RESET_GPU"},
	{109, "context switch timeout", "RESET_GPU"},
	{110, "security fault", "RESET_GPU"},
	{119, "GSP RPC timeout", "RESET_GPU"},
	{120, "GSP error", "RESET_GPU"},
	{136, "link training failed", "RESET_GPU"},
	{140, "unrecovered ECC error", "RESET_GPU"},
	{143, "GPU initialisation error", "RESET_GPU"},
	{155, "NVLink down", "RESET_GPU"},
	{156, "resource retirement", "RESET_GPU"},
	{158, "GPU fatal timeout", "RESET_GPU"},
}

// ToleratedXIDs are well-known errors that are deliberately not fatal, with the reason.
var ToleratedXIDs = []struct {
	Numbers string
	Why     string
}{
	{"13, 31, 32, 43, 45, 68, 69", "faults of the application, or its clean-up: the catalogue restarts the application and leaves the device alone"},
	{"63, 92, 121", "events that were handled: a row remapped, corrected errors"},
	{"94", "a contained memory error: other applications go on; the uncorrected-error counter decides"},
	{"144 to 150", "NVLink 5 errors whose severity stands in a sub-code that NVML does not hand on; errors that need a reset show as another fatal XID or as a lost device"},
	{"154", "announces a recovery action, which may be none, for another XID"},
	{"171, 172", "accompany 48 and only say which memory it was"},
}

// fatal returns what a fatal XID means, and whether it is one.
func fatal(number int64) (string, bool) {
	for _, x := range FatalXIDs {
		if x.Number == number {
			return x.Meaning, true
		}
	}
	return "", false
}
