package telemetry

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// serverReport is a report as a server with eight accelerators sends it.
func serverReport() *Report {
	r := &Report{
		Header: Header{
			Origin: Origin{Centre: "guian-sc", Cluster: "default", Host: "7d0c2f1e9b3a4c58a6f1d2e3b4c5a697"},
			Time:   time.Date(2026, 11, 23, 8, 0, 0, 123456789, time.UTC),
			Boot:   "0b9e3f60-58a1-4a70-9f0e-6f3f0d1b2c3d",
			Seq:    4711,
		},
		HostStatus: HostStatus{
			Interval: Known[Milliseconds](10000), Uptime: Known[Seconds](1234567), LoadMilli: Known[int64](57310),
			Queued: Known[int64](0), Dropped: Known[int64](0), ClockError: Known[Milliseconds](3),
		},
		CPU: Known(CPUStatus{
			State: Busy, Reason: "load", Cores: Known[int64](112), CoresBusy: Known[int64](47),
			UtilizationMean: Known[Permille](413), UtilizationMax: Known[Permille](688),
		}),
		Memory: Known(MemoryStatus{Total: Known[Bytes](2164228096000), Available: Known[Bytes](1711276032000)}),
		Power: []PowerStatus{{
			Domain: "package-0", Method: "rapl", Mean: Known[Milliwatts](213450), Max: Known[Milliwatts](260100),
			Energy: Known[Millijoules](881234567),
		}, {
			Domain: "package-1", Method: "rapl", Mean: Known[Milliwatts](198770), Max: Known[Milliwatts](241900),
			Energy: Known[Millijoules](803456789),
		}},
		Sources: []SourceStatus{
			{Source: "cpu", OK: true, Took: Known[Milliseconds](1), Missed: Known[int64](0)},
			{Source: "nvml", OK: true, Took: Known[Milliseconds](38), Missed: Known[int64](0)},
		},
	}
	for i := range int64(8) {
		r.Devices = append(r.Devices, DeviceStatus{
			ID:                fmt.Sprintf("GPU-5e1d7c2%d-9a40-4c1b-8f6e-27d3b0a1c9e%d", i, i),
			State:             Busy,
			Reason:            "processes",
			UtilizationMean:   Known(Permille(900 + i)),
			UtilizationMax:    Known[Permille](1000),
			SMActivity:        Known(Permille(810 + i)),
			TensorActivity:    Known(Permille(420 + i)),
			MemoryUtilization: Known(Permille(380 + i)),
			MemoryUsed:        Known(Bytes(130150301696 + i)),
			PowerMean:         Known(Milliwatts(612345 + i)),
			PowerMax:          Known(Milliwatts(698000 + i)),
			Energy:            Known(Millijoules(90123456789 + i)),
			Temperature:       Known(Celsius(61 + i)),
			SMClock:           Known[Megahertz](1980),
			MemoryClock:       Known[Megahertz](3201),
			Throttle:          Known[int64](4),
			ECCCorrected:      Known(i),
			ECCUncorrected:    Known[int64](0),
			RemapPending:      Known(false),
			RemapFailed:       Known(false),
			XIDCount:          Known[int64](0),
			Processes:         Known[int64](1),
		})
	}
	return r
}

func BenchmarkEncodeReport(b *testing.B) {
	r := serverReport()
	var e Encoder
	out, err := e.AppendReport(nil, r)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(out)))
	b.ReportAllocs()
	for b.Loop() {
		if out, err = e.AppendReport(out[:0], r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeReport(b *testing.B) {
	in := encoded(b, serverReport())
	var d Decoder
	var r Report
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Report(in, &r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodePlainLineProtocol reads the same record with the library's own loop, every value with its type, and
// keeps nothing.
func BenchmarkDecodePlainLineProtocol(b *testing.B) {
	in := encoded(b, serverReport())
	lines := bytes.Count(in, []byte("\n"))
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		n, err := plainLoop(in)
		if err != nil || n != lines {
			b.Fatalf("read %d lines: %v", n, err)
		}
	}
}

// plainLoop returns the number of lines that the library reads in b.
func plainLoop(b []byte) (lines int, err error) {
	d := lineprotocol.NewDecoderWithBytes(b)
	for d.Next() {
		if _, err := d.Measurement(); err != nil {
			return lines, err
		}
		for {
			key, _, err := d.NextTag()
			if err != nil {
				return lines, err
			}
			if key == nil {
				break
			}
		}
		for {
			key, _, err := d.NextField()
			if err != nil {
				return lines, err
			}
			if key == nil {
				break
			}
		}
		if _, err := d.Time(lineprotocol.Nanosecond, time.Time{}); err != nil {
			return lines, err
		}
		lines++
	}
	return lines, d.Err()
}

// encoded returns r as it stands on the wire.
func encoded(tb testing.TB, r *Report) []byte {
	tb.Helper()
	var e Encoder
	b, err := e.AppendReport(nil, r)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
