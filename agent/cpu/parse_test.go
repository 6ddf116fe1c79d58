package cpu

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/exameter/exameter/telemetry"
)

func TestParseTimes(t *testing.T) {
	for in, want := range map[string]times{
		"cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 9 9 9 9\n": {1, 2, 3, 4, 5, 6, 7, 8},
		"cpu  1 2 3 4\n":    {1, 2, 3, 4},
		"cpu  1   2 3 4 \n": {1, 2, 3, 4},
	} {
		if got, err := parseTimes([]byte(in)); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "cpu  1 2 3 4", "cpu0 1 2 3 4\n", "cpu  1 2 3\n", "cpu  1 2 3 -4\n", "cpu  1 2 3 4.5\n", "cpu  NaN 2 3 4\n",
		"cpu  1 2 3 99999999999999999999\n", "cpu  1 2 3 2251799813685248\n", "intr 1 2 3 4\n",
	} {
		if got, err := parseTimes([]byte(in)); err == nil {
			t.Errorf("%q: %v, want an error", in, got)
		}
	}
}

func TestUtilization(t *testing.T) {
	for _, c := range []struct {
		name        string
		before, now times
		want        telemetry.Permille
		unknown     bool
	}{
		{"idle", times{}, times{0, 0, 0, 100}, 0, false},
		{"waiting for a disk is idle", times{}, times{0, 0, 0, 50, 50}, 0, false},
		{"stolen is busy", times{}, times{25, 0, 0, 50, 0, 0, 0, 25}, 500, false},
		{"interrupts are busy", times{}, times{0, 0, 0, 98, 0, 1, 1, 0}, 20, false},
		{"rounded to the nearest", times{}, times{2, 0, 0, 1}, 667, false},
		{"full", times{1, 1, 1, 1}, times{2, 2, 2, 1}, 1000, false},
		{"no time passed", times{5, 5, 5, 5}, times{5, 5, 5, 5}, 0, true},
		{"iowait goes back", times{0, 0, 0, 0, 90}, times{10, 0, 0, 10, 80}, 500, false},
		{"idle goes back", times{0, 0, 0, 90, 0}, times{10, 0, 0, 80, 10}, 500, false},
		{"only idle, and back", times{0, 0, 0, 90, 0}, times{0, 0, 0, 80, 0}, 0, true},
		{"user goes back", times{90}, times{10, 0, 0, 50}, 0, true},
		{"all begin anew", times{90, 90, 90, 90}, times{1, 1, 1, 1}, 0, true},
		{"longest", times{}, times{maxTicks, maxTicks, maxTicks, maxTicks, maxTicks, maxTicks, maxTicks, maxTicks}, 750, false},
	} {
		got, ok := utilization(c.before, c.now)
		if got != c.want || ok == c.unknown {
			t.Errorf("%s: %d, %t; want %d", c.name, got, ok, c.want)
		}
	}
}

func TestParseList(t *testing.T) {
	for in, want := range map[string][]int{
		"": nil, "\n": nil, "0\n": {0}, "0-3\n": {0, 1, 2, 3}, "0-1,4,6-7\n": {0, 1, 4, 6, 7}, "65535": {65535},
	} {
		if got, err := parseList([]byte(in)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"3-1", "1,1", "2,1", "0-4294967295", "65536", "-1", "a", "0-", "1-2-3", "0,,1"} {
		if got, err := parseList([]byte(in)); err == nil {
			t.Errorf("%q: %v, want an error", in, got)
		}
	}
}

func TestParseCPUInfoFallsBack(t *testing.T) {
	const flags = "vendor_id: GenuineIntel\nflags: avx\n"
	for _, c := range []struct {
		name, in string
		online   int
		want     topology
	}{
		{"SMT siblings count once", threads(flags+"physical id: 0\ncore id: 7\n", 2), 2, topology{1, 1, 2}},
		{"no ids", threads(flags, 2), 2, topology{0, 0, 2}},
		{"one thread needs no ids", threads(flags, 1), 0, topology{1, 1, 1}},
		{"less than is online", threads(flags+"physical id: 0\ncore id: 7\n", 2), 4, topology{0, 0, 4}},
	} {
		p, err := parseCPUInfo(strings.NewReader(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := p.topology(c.online); got != c.want {
			t.Errorf("%s: have %+v, want %+v", c.name, got, c.want)
		}
	}
}

func threads(lines string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "processor: %d\n%s\n", i, lines)
	}
	return b.String()
}

func TestParseCPUInfoLeavesOutWhatIsCut(t *testing.T) {
	long := "vendor_id: GenuineIntel\nflags: " + strings.Repeat("avx512f ", lineLimit) + "\nmodel name: after\nstepping: 1"
	p, err := parseCPUInfo(strings.NewReader(long))
	if err != nil || p.info.Flags != "" || p.info.Name != "after" || p.info.Stepping.OK {
		t.Errorf("have %+v, %v", p.info, err)
	}
}

func FuzzUtilization(f *testing.F) {
	f.Add([]byte("cpu  1 2 3 4 5 6 7 8\n"), []byte("cpu  2 2 3 4 4 6 7 9\n"))
	f.Fuzz(func(t *testing.T, before, now []byte) {
		a, err := parseTimes(before)
		if err != nil {
			return
		}
		b, err := parseTimes(now)
		if err != nil {
			return
		}
		if u, ok := utilization(a, b); ok && (u < 0 || u > 1000) {
			t.Errorf("%v to %v: %d", a, b, u)
		}
	})
}

func FuzzParseList(f *testing.F) {
	f.Add([]byte("0-3,8\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		cpus, err := parseList(b)
		if err != nil {
			return
		}
		if len(cpus) > maxThreads || !slices.IsSorted(cpus) || len(slices.Compact(slices.Clone(cpus))) != len(cpus) {
			t.Errorf("%q: %v", b, cpus)
		}
	})
}

func FuzzParseCPUInfo(f *testing.F) {
	f.Add([]byte(threads("vendor_id: GenuineIntel\ncpu family: 6\nflags: avx\nphysical id: 0\ncore id: 7\n", 2)))
	f.Add([]byte("processor\t: 0\nCPU implementer: 0x48\nCPU part: 0xd01\nFeatures: asimd\n"))
	f.Add([]byte("processor\t: 0\nCPU Family\t: Loongson-64bit\npackage: 0\ncore: 0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parseCPUInfo(bytes.NewReader(b))
		if err == nil && p.info.Vendor == "" && p.info.Name == "" && p.info.Part == "" {
			t.Error("nothing known and no error")
		}
		for _, v := range []telemetry.Opt[int64]{p.info.Family, p.info.Model, p.info.Stepping} {
			if v.Value < 0 {
				t.Errorf("have %+v", p.info)
			}
		}
		if top := p.topology(0); top.cores > top.threads || top.sockets > top.cores {
			t.Errorf("have %+v", top)
		}
		for _, s := range []string{p.info.Vendor, p.info.Name, p.info.Part} {
			if len(s) > telemetry.MaxName {
				t.Errorf("%d bytes", len(s))
			}
		}
	})
}
