package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

// seen is a process whose resident memory went so, in MiB.
func seen(mib func(i int) float64) *watched {
	w := &watched{name: "p", values: make([][]float64, len(figures))}
	for i := range 200 {
		w.at = append(w.at, time.Duration(i)*time.Second)
		w.values[0] = append(w.values[0], mib(i)*(1<<20))
	}
	return w
}

func TestVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		mib   func(i int) float64
		grows bool
	}{
		"as it is":        {func(int) float64 { return 60 }, false},
		"garbage":         {func(i int) float64 { return 60 + float64(i%10) }, false},
		"a peak":          {func(i int) float64 { return 60 + float64(i/190*100) }, false},
		"grown and done":  {func(i int) float64 { return min(60, 20+float64(i)) }, false},
		"a leak":          {func(i int) float64 { return 60 + float64(i)*0.05 }, true},
		"garbage, a leak": {func(i int) float64 { return 60 + float64(i%10) + float64(i)*0.05 }, true},
	} {
		err := seen(c.mib).verdict(io.Discard)
		if (err != nil) != c.grows || err != nil && !strings.Contains(err.Error(), "resident memory") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
