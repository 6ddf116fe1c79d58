package telemetry

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden records and the generated parts of docs/wire.md anew")

// kind is one of the two kinds of record with its two directions.
type kind[T any] struct {
	encode func(*Encoder, []byte, *T) ([]byte, error)
	decode func(*Decoder, []byte, *T) error
}

var (
	reports     = kind[Report]{(*Encoder).AppendReport, (*Decoder).Report}
	inventories = kind[Inventory]{(*Encoder).AppendInventory, (*Decoder).Inventory}
)

// bytes returns r on the wire.
func (k kind[T]) bytes(t testing.TB, r *T) []byte {
	t.Helper()
	b, err := k.encode(new(Encoder), nil, r)
	if err != nil {
		t.Fatalf("encode: %v\n%+v", err, r)
	}
	return b
}

// read returns the record in b.
func (k kind[T]) read(t testing.TB, b []byte) *T {
	t.Helper()
	r := new(T)
	if err := k.decode(new(Decoder), b, r); err != nil {
		t.Fatalf("decode: %v\n%s", err, b)
	}
	return r
}

// reasonOf returns the reason of err, which every error of the codec has, and its field.
func reasonOf(t testing.TB, err error) (Reason, string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error %v (%T) is not an *Error", err, err)
	}
	return e.Reason, e.Field
}

// header is the header of the records of tests.
func header(seq int64) Header {
	return Header{
		Origin: Origin{Centre: "guian-sc", Cluster: "default", Host: "7d0c2f1e9b3a4c58a6f1d2e3b4c5a697"},
		Time:   time.Date(2026, 11, 23, 8, 0, 0, 123456789, time.UTC),
		Boot:   "0b9e3f60-58a1-4a70-9f0e-6f3f0d1b2c3d",
		Seq:    seq,
	}
}

// exampleReport is the report that docs/wire.md shows.
func exampleReport() *Report {
	return &Report{
		Header: header(4711),
		HostStatus: HostStatus{
			Interval: Known[Milliseconds](10000), Uptime: Known[Seconds](86400), LoadMilli: Known[int64](1730),
			Queued: Known[int64](0), Dropped: Known[int64](0), ClockError: Known[Milliseconds](2),
		},
		CPU: Known(CPUStatus{
			State: Busy, Cores: Known[int64](112), CoresBusy: Known[int64](3),
			UtilizationMean: Known[Permille](24), UtilizationMax: Known[Permille](61),
		}),
		Memory: Known(MemoryStatus{Total: Known[Bytes](2164228096000), Available: Known[Bytes](1711276032000)}),
		Power:  []PowerStatus{{Domain: "package-0", Method: "rapl", Mean: Known[Milliwatts](213450)}},
		Devices: []DeviceStatus{{
			ID:    "GPU-5e1d7c20-9a40-4c1b-8f6e-27d3b0a1c9e0",
			State: Busy, UtilizationMean: Known[Permille](903), TensorActivity: Known[Permille](421),
			MemoryUsed: Known[Bytes](130150301696), PowerMean: Known[Milliwatts](612345),
			Energy: Known[Millijoules](90123456789), Temperature: Known[Celsius](61),
		}, {
			ID:    "GPU-5e1d7c21-9a40-4c1b-8f6e-27d3b0a1c9e1",
			State: Faulty, Reason: `xid: 79, "fallen off the bus"`, XID: Known[int64](79), XIDCount: Known[int64](1),
		}},
		Sources: []SourceStatus{
			{Source: "nvml", OK: true, Took: Known[Milliseconds](38), Missed: Known[int64](0)},
			{Source: "power", Error: "open /sys/class/powercap: permission denied", Missed: Known[int64](10)},
		},
	}
}

// exampleInventory is the inventory that docs/wire.md shows.
func exampleInventory() *Inventory {
	return &Inventory{
		Header: header(3),
		HostInfo: HostInfo{
			Name: "gpu-node-017", Agent: "0.1.0", OS: "Debian GNU/Linux 13 (trixie)", Kernel: "6.12.48+deb13-amd64",
			Arch: "x86_64", Virtual: Known(false), Memory: Known[Bytes](2164228096000),
			ReportEvery: Known[Milliseconds](10000),
		},
		CPU: Known(CPUInfo{
			Vendor: "GenuineIntel", Name: "Intel(R) Xeon(R) Platinum 8480+", Family: Known[int64](6),
			Model: Known[int64](143), Stepping: Known[int64](8), Sockets: Known[int64](2), Cores: Known[int64](112),
			Threads: Known[int64](224), Flags: "amx_bf16 avx2 avx512f", BaseClock: Known[Megahertz](2000),
			MaxClock: Known[Megahertz](3800),
		}),
		Devices: []DeviceInfo{{
			ID:    "GPU-5e1d7c20-9a40-4c1b-8f6e-27d3b0a1c9e0",
			Index: Known[int64](0), Vendor: "nvidia", Name: "NVIDIA H200", Serial: "1654923012345",
			PCI: "0000:18:00.0", Memory: Known[Bytes](150754820096), Driver: "570.124.06", Firmware: "96.00.A5.00.01",
			Source: "nvml",
		}},
	}
}

// TestGolden compares whole records with those in testdata, both ways.
func TestGolden(t *testing.T) {
	golden(t, "report.lp", reports, exampleReport())
	golden(t, "report-server.lp", reports, serverReport())
	golden(t, "report-least.lp", reports, &Report{Header: header(1)})
	golden(t, "inventory.lp", inventories, exampleInventory())
	golden(t, "inventory-least.lp", inventories, &Inventory{Header: header(1)})
}

func golden[T any](t *testing.T, file string, k kind[T], r *T) {
	t.Helper()
	path := filepath.Join("testdata", file)
	got := k.bytes(t, r)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: record differs (-want +got):\n%s", file, diff)
	}
	if diff := cmp.Diff(r, k.read(t, want)); diff != "" {
		t.Errorf("%s: read record differs (-want +got):\n%s", file, diff)
	}
}

// TestAppend says that the encoder appends, and leaves dst alone when it refuses.
func TestAppend(t *testing.T) {
	var e Encoder
	dst := []byte("before\n")
	r := exampleReport()
	got, err := e.AppendReport(dst, r)
	if err != nil {
		t.Fatal(err)
	}
	if want := "before\n" + string(encoded(t, r)); string(got) != want {
		t.Errorf("appended:\n%s\nwant:\n%s", got, want)
	}
	r.Devices[1].State = "lost"
	got, err = e.AppendReport(dst, r)
	if reason, field := reasonOf(t, err); reason != ReasonRange || field != "state" {
		t.Errorf("refused for %s %s, want range state", reason, field)
	}
	if string(got) != "before\n" {
		t.Errorf("a refused record left %q", got)
	}
}

// TestReuse says that nothing of one record shows in the next, and that a refused one does no harm.
func TestReuse(t *testing.T) {
	var e Encoder
	var d Decoder
	var r Report
	least := &Report{Header: header(9)}
	bad := bytes.Replace(encoded(t, exampleReport()), []byte("xid=79i"), []byte("xid=79"), 1)
	for range 3 {
		for _, want := range []*Report{serverReport(), least, exampleReport()} {
			b, err := e.AppendReport(nil, want)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Report(b, &r); err != nil {
				t.Fatal(err)
			}
			clear(b) // what was read must not lean on the record's bytes
			if diff := cmp.Diff(canonicalReport(want), canonicalReport(&r)); diff != "" {
				t.Errorf("read record differs (-want +got):\n%s", diff)
			}
			if reason, _ := reasonOf(t, d.Report(bad, &r)); reason != ReasonFieldType {
				t.Errorf("refused for %s", reason)
			}
		}
	}
}

// TestNoGarbage says that neither direction allocates once its buffers are there.
func TestNoGarbage(t *testing.T) {
	var e Encoder
	var d Decoder
	var r Report
	var inv Inventory
	report, inventory := serverReport(), exampleInventory()
	var b []byte
	f := func(name string, body func() error) {
		t.Helper()
		if n := testing.AllocsPerRun(100, func() {
			if err := body(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a record, want none", name, n)
		}
	}
	f("encode report", func() (err error) { b, err = e.AppendReport(b[:0], report); return err })
	f("decode report", func() error { return d.Report(b, &r) })
	f("encode inventory", func() (err error) { b, err = e.AppendInventory(b[:0], inventory); return err })
	f("decode inventory", func() error { return d.Inventory(b, &inv) })
}

// TestLargestRecord fills a record to its limits.
func TestLargestRecord(t *testing.T) {
	r := serverReport()
	one := r.Devices[0]
	r.Devices = nil
	for i := range MaxDevices {
		one.ID = fmt.Sprint("GPU-", i)
		r.Devices = append(r.Devices, one)
	}
	b := encoded(t, r)
	if diff := cmp.Diff(r, reports.read(t, b)); diff != "" {
		t.Errorf("read record differs (-want +got):\n%s", diff)
	}

	for i := range r.Devices {
		r.Devices[i].Reason = strings.Repeat("r", MaxText)
	}
	_, err := new(Encoder).AppendReport(nil, r)
	if reason, _ := reasonOf(t, err); reason != ReasonOversized {
		t.Errorf("refused for %s, want oversized", reason)
	}
}

// TestUnknownIsSkipped reads a record of a later program, which knows more.
func TestUnknownIsSkipped(t *testing.T) {
	b := string(encoded(t, exampleReport()))
	stamp := b[strings.LastIndexByte(b, ' '):]
	tags := ",centre=guian-sc,cluster=default,host=7d0c2f1e9b3a4c58a6f1d2e3b4c5a697"
	b = strings.Replace(b, "lines=8i", `cost=1.5,lines=10i,note="a, \"b\" c=d",big=18446744073709551615u,on=T`, 1)
	b += "exameter_weather,altitude=1000" + tags + ` rain=true,words="x y"` + stamp
	b += "exameter_memory" + tags + ` huge_pages=5i` + stamp
	b = strings.Replace(b, "exameter_memory,", "exameter_memories,", 1)

	var d Decoder
	var r Report
	if err := d.Report([]byte(b), &r); err != nil {
		t.Fatal(err)
	}
	want := exampleReport()
	want.Memory = Opt[MemoryStatus]{} // of the two lines one is unknown, and one says nothing that is known
	if diff := cmp.Diff(want, &r); diff != "" {
		t.Errorf("read record differs (-want +got):\n%s", diff)
	}
	// Four fields of the host line, two lines with two fields each, one field of memory.
	if d.Unknown != 4+2*3+1 {
		t.Errorf("%d unknown, want 11", d.Unknown)
	}
}

// TestAnyOrder reads fields, tags and lines that are not in canonical order.
func TestAnyOrder(t *testing.T) {
	want := exampleReport()
	lines := strings.SplitAfter(string(encoded(t, want)), "\n")
	lines = lines[:len(lines)-1]
	for i, line := range lines {
		head, rest, _ := strings.Cut(line, " ")
		tags := strings.Split(head, ",")
		for a, b := 1, len(tags)-1; a < b; a, b = a+1, b-1 {
			tags[a], tags[b] = tags[b], tags[a]
		}
		lines[i] = strings.Join(tags, ",") + " " + rest
	}
	lines[0] = strings.Replace(strings.Replace(lines[0], "schema=1i,", "", 1), " 17", ",schema=1i 17", 1)
	lines[1], lines[7] = lines[7], lines[1]
	want.Sources[0], want.Sources[1] = want.Sources[1], want.Sources[0]
	if diff := cmp.Diff(want, reports.read(t, []byte(strings.Join(lines, "")))); diff != "" {
		t.Errorf("read record differs (-want +got):\n%s", diff)
	}
}
