package exporter

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// lines are lines to begin with: what vendors print, and what is nearly that.
var lines = []string{
	"up 1", "up 1 1723621883587", " up\t1 ", "up{} 1", `up{a="b"} 1`, `up {a="b"} 1`, `up{ a = "b" , c="d", }  3.5e+09  -7 `,
	`up{a="\\\"\n"} NaN`, `up{a="é"} +Inf`, "up{a=\"\xff\"} 1", `up{a="b",a="c"} 1`, `up{__name__="b"} 1`, `up{a="b"}1`,
	`up{a="b} 1`, `up{a="\q"} 1`, `up{a=b} 1`, "up", "up{", "up{a", "up 0x10p3", "up 1_0", "up 1 1.5", "up 1 2 3", "up -1e400",
	"a:b 1", "1up 1", "é 1", "", " ", "# HELP up x", `{up="1"} 2`, `up{"a"="b"} 1`, "up\x001", "up 1\r", `up{:a="b"} 1`, `up{a:b="c"} 1`,
	`DCGM_FI_DEV_SM_CLOCK{gpu="0", UUID="GPU-5eed0001"} 139`,
}

// reference reads a line with the parser that this one stands in for.
func reference(line string) (s series, ok bool) {
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(strings.NewReader(line + "\n"))
	if err != nil || len(families) != 1 {
		return s, false
	}
	var m *dto.Metric
	for name, f := range families {
		if s.name = name; len(f.GetMetric()) != 1 {
			return s, false
		}
		m = f.GetMetric()[0]
	}
	for _, l := range m.GetLabel() {
		s.labels = append(s.labels, label{l.GetName(), l.GetValue()})
	}
	s.value, s.stamp, s.stamped = m.GetUntyped().GetValue(), m.GetTimestampMs(), m.TimestampMs != nil
	return s, true
}

// FuzzScan holds scan to expfmt's parser: they take the same lines for the same series. Only blanks at the end of a line
// without time, which expfmt refuses and Prometheus does not, and the bounds are this parser's own; names of labels in
// quotes are a later format's.
func FuzzScan(f *testing.F) {
	for _, line := range lines {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsRune(line, '\n') || len(line) > maxLine {
			t.Skip()
		}
		if name := metricName([]byte(line + "\n")); len(name) == 0 {
			t.Skip() // a comment, a blank line, or refused before it is scanned
		}
		got, err := scan([]byte(line + "\n"))
		want, ok := reference(strings.TrimRight(line, " \t"))
		if err != nil && ok && (strings.Contains(err.Error(), "more than") || strings.Contains(err.Error(), ` at "\"`)) {
			return
		}
		if (err == nil) != ok {
			t.Fatalf("%q: %+v, %v; expfmt takes it: %v, %+v", line, got, err, ok, want)
		}
		if !ok {
			return
		}
		if got.name != want.name || !slices.Equal(got.labels, want.labels) || got.stamp != want.stamp || got.stamped != want.stamped ||
			math.Float64bits(got.value) != math.Float64bits(want.value) {
			t.Fatalf("%q: %+v; expfmt reads %+v", line, got, want)
		}
		if name := metricName([]byte(line)); !bytes.Equal(name, []byte(got.name)) {
			t.Fatalf("%q: is filed under %q", line, name)
		}
	})
}
