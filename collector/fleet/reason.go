package fleet

import "strings"

// reason is the number of the code that opens a reason; 0 where there is none. Of a million devices no more is kept.
type reason uint8

// reasons are the codes of docs/states.md; a test holds them against the agent's. Whatever another source calls its own is otherReason.
var reasons = [...]string{
	"", "missing", "lost", "reset-required", "driver-mismatch", "thermal-shutdown", "nvml-error", "unhealthy", "xid", "ecc-uncorrected",
	"remap-failed", "source-silent", "unreadable", "drained", "slices", "processes", "memory", "utilisation", "cores", otherReason,
}

const (
	otherReason = "other"

	missing reason = 1
	lost    reason = 2
	other   reason = reason(len(reasons) - 1)
)

// A reason has the five bits of a seen that hold nothing else.
var _ [1<<(8-reasonShift) - len(reasons)]struct{}

// reasonOf finds the code that opens a text.
func reasonOf(text string) reason {
	if text == "" {
		return 0
	}
	if i := strings.IndexByte(text, ':'); i >= 0 {
		text = text[:i]
	}
	switch text {
	case "processes":
		return 15
	case "missing":
		return missing
	case "lost":
		return lost
	case "reset-required":
		return 3
	case "driver-mismatch":
		return 4
	case "thermal-shutdown":
		return 5
	case "nvml-error":
		return 6
	case "unhealthy":
		return 7
	case "xid":
		return 8
	case "ecc-uncorrected":
		return 9
	case "remap-failed":
		return 10
	case "source-silent":
		return 11
	case "unreadable":
		return 12
	case "drained":
		return 13
	case "slices":
		return 14
	case "memory":
		return 16
	case "utilisation":
		return 17
	case "cores":
		return 18
	default:
		return other
	}
}

// absent reports whether it says that the device is not where it was.
func (r reason) absent() bool { return r == missing || r == lost }

// reason is why a device is in its state.
func (s seen) reason() reason { return reason(s >> reasonShift) }

func (r reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r]
	}
	return otherReason
}
