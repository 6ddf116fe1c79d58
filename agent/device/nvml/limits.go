//go:build linux && cgo

package nvml

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/exameter/exameter/telemetry"
)

// Drivers answer some questions with success and a value that means "not available": 0xFFFFFFFF, NVML_VALUE_NOT_AVAILABLE
// (all ones), the signed maximum. Beyond these bounds a value is one of them, or as little worth, and is unknown.
const (
	maxPower       = 20_000_000 // mW; the largest board draws a tenth
	maxTemperature = 250        // °C
	maxClock       = 20_000     // MHz
	maxMemory      = uint64(telemetry.MaxMemory)
	maxCounter     = 1 << 62
	allOnes32      = math.MaxUint32
)

func percent(v uint32) telemetry.Opt[telemetry.Permille] {
	if v > 100 {
		return telemetry.Opt[telemetry.Permille]{}
	}
	return telemetry.Known(telemetry.Permille(v) * 10)
}

// activity takes GPM's per cent, which rounding may carry a little over the hundred.
func activity(v float64) telemetry.Opt[telemetry.Permille] {
	if !(v >= 0 && v <= 101) {
		return telemetry.Opt[telemetry.Permille]{}
	}
	return telemetry.Known(min(telemetry.Permille(math.Round(v*10)), 1000))
}

func upTo[T ~int64](v, limit uint64) telemetry.Opt[T] {
	if v > limit {
		return telemetry.Opt[T]{}
	}
	return telemetry.Known(T(v))
}

func counter[T ~int64](v uint64) telemetry.Opt[T] {
	if v == allOnes32 {
		return telemetry.Opt[T]{}
	}
	return upTo[T](v, maxCounter)
}

func flag(v uint32) telemetry.Opt[bool] {
	if v > 1 {
		return telemetry.Opt[bool]{}
	}
	return telemetry.Known(v == 1)
}

// total is unknown when zero: a card without memory is a card that was not asked properly.
func (m memory) totalBytes() telemetry.Opt[telemetry.Bytes] {
	if m.total == 0 {
		return telemetry.Opt[telemetry.Bytes]{}
	}
	return upTo[telemetry.Bytes](m.total, maxMemory)
}

func (m memory) usedBytes() telemetry.Opt[telemetry.Bytes] {
	if !m.totalBytes().OK {
		return telemetry.Opt[telemetry.Bytes]{}
	}
	return upTo[telemetry.Bytes](m.used, m.total)
}

// text returns s where it is a usable name, and nothing where it is not or stands for one.
func text(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > telemetry.MaxName || !utf8.ValidString(s) {
		return ""
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return ""
		}
	}
	switch strings.ToLower(s) {
	case "n/a", "[n/a]", "unknown", "[unknown error]", "none", "[not supported]":
		return ""
	}
	return s
}

// serialText leaves out what stands for "none" where a number should be.
func serialText(s string) string {
	s = text(s)
	if strings.Trim(s, "0") == "" {
		return ""
	}
	return s
}

// uuid takes what a card calls itself. Of another vendor's form nothing is known but that it is no word for "none".
func (c *Config) uuid(s string) string {
	if c.nvidia() {
		return uuidText(s)
	}
	s = text(s)
	if len(s) < 8 || strings.ContainsAny(s, "? \\") || strings.Trim(s, "0-") == "" {
		return ""
	}
	return s
}

// uuidText leaves out what is no UUID of a card: the kernel prints question marks for a card that it never reached.
func uuidText(s string) string {
	s = text(s)
	if !strings.HasPrefix(s, "GPU-") || len(s) < len("GPU-")+8 || strings.ContainsAny(s, "? ") {
		return ""
	}
	return s
}
