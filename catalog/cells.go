package catalog

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/exameter/exameter/telemetry"
)

// optional sets *v from a cell: unknown where the cell is empty, unchanged where the file lacks the column or the cell is
// wrong.
func optional[T any](r row, column string, v *telemetry.Opt[T], parse func(string) (T, error)) {
	if !r.has(column) {
		return
	}
	cell := r.get(column)
	if cell == "" {
		*v = telemetry.Opt[T]{}
		return
	}
	got, err := parse(cell)
	if err != nil {
		r.mistake(column, "%v", err)
		return
	}
	*v = telemetry.Known(got)
}

// text sets *v from a cell, unless the file lacks the column.
func text(r row, column string, v *string) {
	if r.has(column) {
		*v = r.get(column)
	}
}

// vendor sets *v from a cell.
func vendor(r row, v *string) {
	text(r, "vendor", v)
	if err := telemetry.ValidID(*v); err != nil {
		r.mistake("vendor", "%v", err)
	}
}

// confidence sets *v from a cell; an empty one, and a new row without the column, is unsure.
func confidence(r row, v *Confidence) {
	if r.has("confidence") {
		*v = Confidence(r.get("confidence"))
	}
	if *v == "" {
		*v = Unsure
	}
	if !v.valid() {
		r.mistake("confidence", "%.40q: want datasheet, vendor page, third party or unsure", string(*v))
	}
}

// decimal reads a positive decimal number as a whole number of 10^-places, at most limit of the unit. Numbers that
// would have to be rounded are refused, so a figure in memory is the figure of the file.
func decimal(s string, places int, limit int64) (int64, error) {
	if strings.HasPrefix(s, "-") {
		return 0, fmt.Errorf("%q is negative", s)
	}
	whole, frac, _ := strings.Cut(s, ".")
	frac = strings.TrimRight(frac, "0")
	digits := whole + frac
	if whole == "" || len(s) > 30 || strings.Trim(digits, "0123456789") != "" {
		return 0, fmt.Errorf("%.40q: want a decimal number such as 989.5", s)
	}
	if len(frac) > places {
		return 0, fmt.Errorf("%q: want at most %d decimals", s, places)
	}
	n, err := strconv.ParseInt(digits+strings.Repeat("0", places-len(frac)), 10, 64)
	if err != nil || n > limit*int64(math.Pow10(places)) {
		return 0, fmt.Errorf("%q is beyond %d", s, limit)
	}
	if n == 0 {
		return 0, fmt.Errorf("%q: what is unknown is left empty, not zero", s)
	}
	return n, nil
}

// MaxPeak is beyond the peak of any device or core, in Mflop/s: one beyond 1 Eflops is a mistake of units.
const MaxPeak = 1_000_000_000_000

// parseTflops reads TFLOPS or TOPS as whole Mflop/s.
func parseTflops(s string) (int64, error) { return decimal(s, 6, MaxPeak/1_000_000) }

// parseGiB reads GiB.
func parseGiB(s string) (telemetry.Bytes, error) {
	milli, err := decimal(s, 3, 1e6)
	return telemetry.Bytes(milli * (1 << 30) / 1000), err
}

// parseGBs reads GB/s.
func parseGBs(s string) (float64, error) {
	milli, err := decimal(s, 3, 1e6)
	return float64(milli) / 1000, err
}

// parseWatts reads W.
func parseWatts(s string) (telemetry.Milliwatts, error) {
	milli, err := decimal(s, 3, 1e5)
	return telemetry.Milliwatts(milli), err
}

// parseRate reads operations per cycle and core.
func parseRate(s string) (int64, error) { return decimal(s, 0, 1<<16) }

// parseMHz reads a clock.
func parseMHz(s string) (telemetry.Megahertz, error) {
	v, err := decimal(s, 0, maxClockMHz)
	return telemetry.Megahertz(v), err
}

// parseBool reads true or false.
func parseBool(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q: want true, false or nothing", s)
}
