package exporter

import (
	"strings"
	"testing"
)

// BenchmarkRead parses and understands what one server with three NVIDIA cards serves of what the profile reads.
func BenchmarkRead(b *testing.B) {
	text := exposition(b, "nvidia-dcgm-exporter")
	p, err := BuiltIn().Named("nvidia-dcgm-exporter")
	if err != nil {
		b.Fatal(err)
	}
	all := Profiles{p}
	wanted := all.metrics()
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		served, err := parse(strings.NewReader(text), func(name []byte) bool { return wanted[string(name)] })
		if err != nil {
			b.Fatal(err)
		}
		f, err := all.detect(served, true)
		if err != nil {
			b.Fatal(err)
		}
		if d, err := f.read(f.prefix, served, surroundings{now: t0, maxAge: DefaultMaxAge}); err != nil || len(d) != 3 {
			b.Fatal(len(d), err)
		}
	}
}
