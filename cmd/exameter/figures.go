package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/collector/capacity"
)

// eflops prints Eflops for people: three decimals; four digits of what a single server has, and two of what is smaller.
func eflops[F client.Flops | capacity.Flops](f F) string {
	v := client.Flops(f).Float()
	switch {
	case f == 0:
		return "0"
	case math.Abs(v) >= 1:
		return strconv.FormatFloat(v, 'f', 3, 64)
	case math.Abs(v) >= 0.001:
		return strconv.FormatFloat(v, 'f', 3-int(math.Floor(math.Log10(math.Abs(v)))), 64)
	default:
		digits := min(1-int(math.Floor(math.Log10(math.Abs(v)))), 12)
		return strconv.FormatFloat(v, 'f', digits, 64)
	}
}

// percent prints a share; what is unknown is a hyphen.
func percent(v *float64) string {
	if v == nil {
		return "-"
	}
	// Not everything is less than all, however nearly.
	if *v < 1 && *v > 0.9995 {
		return "99.9 %"
	}
	return strconv.FormatFloat(*v*100, 'f', 1, 64) + " %"
}

// watts prints a power; a plus says that some devices' is unknown, and a hyphen that all of theirs is.
func watts(f *client.Figure) string {
	if f.PowerDevices == 0 {
		return "-"
	}
	mark := ""
	if f.PowerDevices < f.Devices.Online {
		mark = "+"
	}
	switch w := f.PowerW; {
	case w >= 1e6:
		return fmt.Sprintf("%.2f MW%s", w/1e6, mark)
	case w >= 1e4:
		return fmt.Sprintf("%.1f kW%s", w/1e3, mark)
	default:
		return fmt.Sprintf("%.0f W%s", w, mark)
	}
}

// age prints the age that 99 of 100 hosts' figures are younger than.
func age(a *client.Age) string {
	if a == nil {
		return "-"
	}
	return strconv.FormatFloat(a.P99, 'f', 1, 64) + " s"
}

// tflops prints a peak of the catalogue, given in Mflop/s.
func tflops(mflops int64) string {
	return strconv.FormatFloat(float64(mflops)/1e6, 'f', -1, 64)
}

// plural prints a number with its noun.
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatInt(n, 10) + " " + noun + "s"
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
