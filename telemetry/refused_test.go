package telemetry

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// replaced returns s with the first old in it replaced, which must be there.
func replaced(t *testing.T, s, old, now string) string {
	t.Helper()
	if !strings.Contains(s, old) {
		t.Fatalf("%q is not in\n%s", old, s)
	}
	return strings.Replace(s, old, now, 1)
}

const (
	exampleTags  = ",centre=guian-sc,cluster=default,host=7d0c2f1e9b3a4c58a6f1d2e3b4c5a697"
	exampleStamp = " 1795420800123456789\n"
)

// TestRefusedReports reads reports that are wrong in one place.
func TestRefusedReports(t *testing.T) {
	good := string(encoded(t, exampleReport()))
	var d Decoder
	var r Report
	whole := func(b string, reason Reason, line int, field string) {
		t.Helper()
		err := d.Report([]byte(b), &r)
		if got, _ := reasonOf(t, err); got != reason {
			t.Errorf("refused for %s, want %s: %v", got, reason, err)
		}
		if e, ok := err.(*Error); ok && (e.Line != line || e.Field != field) {
			t.Errorf("refused at line %d %q, want line %d %q: %v", e.Line, e.Field, line, field, err)
		}
		if strings.Contains(err.Error(), "at line") {
			t.Errorf("two line numbers: %v", err)
		}
		if errors.Unwrap(err) == nil {
			t.Errorf("%v does not say what was found", err)
		}
		if text := err.Error(); len(text) > MaxText || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			t.Errorf("error text %q", text)
		}
		if err := d.Report([]byte(good), &r); err != nil {
			t.Fatalf("after a refused record: %v", err)
		}
	}
	f := func(old, now string, reason Reason, line int, field string) {
		t.Helper()
		whole(replaced(t, good, old, now), reason, line, field)
	}

	whole("", ReasonEmpty, 0, "")
	whole(strings.Repeat("x", MaxRecordBytes)+"\n", ReasonOversized, 0, "")
	whole("\n", ReasonSyntax, 0, "")
	whole("# nothing\n", ReasonSyntax, 0, "")
	whole(good[:len(good)-1], ReasonTruncated, 0, "")
	whole(good[:len(good)/2], ReasonTruncated, 0, "")
	whole(good[:strings.LastIndex(good, "exameter_source")], ReasonTruncated, 1, "lines")
	whole(good+"\n", ReasonTruncated, 1, "lines")
	whole(good[strings.Index(good, "\n")+1:], ReasonMeasurement, 1, "")
	whole(string(inventories.bytes(t, exampleInventory())), ReasonMeasurement, 1, "")

	f("busy", "bus\xff", ReasonNotUTF8, 0, "")
	f("host=7d0c", "host=7\xff0c", ReasonNotUTF8, 0, "")
	f("reason=", "reas\xffon=", ReasonNotUTF8, 0, "")
	f("\n", "\r\n", ReasonSyntax, 0, "")
	f("lines=8i", "lines=9i", ReasonTruncated, 1, "lines")
	f(exampleStamp, exampleStamp+"\n", ReasonTruncated, 1, "lines")
	f("lines=8i", "lines=0i", ReasonRange, 1, "lines")
	f(",lines=8i", "", ReasonMissing, 1, "lines")
	f("schema=1i", "schema=2i", ReasonSchema, 1, "schema")
	f("schema=1i,", "", ReasonSchema, 1, "schema")
	f("schema=1i", "schema=1", ReasonFieldType, 1, "schema")
	f("seq=4711i", "seq=0i", ReasonRange, 1, "seq")
	f("seq=4711i,", "", ReasonMissing, 1, "seq")
	f(`boot="0b9e3f60-58a1-4a70-9f0e-6f3f0d1b2c3d",`, "", ReasonMissing, 1, "boot")
	f(`boot="0b9e3f60-58a1-4a70-9f0e-6f3f0d1b2c3d"`, `boot=""`, ReasonRange, 1, "boot")

	f("exameter_host,", "exameter_memory,", ReasonMeasurement, 1, "")
	f("exameter_cpu,", "cpu,", ReasonMeasurement, 2, "")
	f("exameter_cpu,", "exameter_inventory_cpu,", ReasonMeasurement, 2, "")
	f("exameter_cpu,", "exameter_host,", ReasonDuplicate, 2, "")
	f("exameter_cpu,", "exameter_cpu", ReasonMissing, 2, "centre")
	f("exameter_memory,", ",", ReasonSyntax, 3, "")

	f("centre=guian-sc", "centre=Guian", ReasonRange, 1, "centre")
	f("centre=guian-sc,", "", ReasonMissing, 1, "centre")
	f("cluster=default", "cluster=-", ReasonRange, 1, "cluster")
	f("host=7d0c", "host=7\x01d0c", ReasonSyntax, 1, "")
	f("host=7d0c", "host=\u00857d0c", ReasonRange, 1, "host")
	f("host=7d0c", "host="+strings.Repeat("7", MaxName), ReasonRange, 1, "host")
	f(",host=7d0c2f1e9b3a4c58a6f1d2e3b4c5a697", "", ReasonMissing, 1, "host")
	f("centre=guian-sc,", "centre=guian-sc,centre=guian-sc,", ReasonDuplicate, 1, "centre")
	f("cluster=default,", "cluster=default,colour=blue,", ReasonTag, 1, `"colour"`)
	f("exameter_cpu,centre=guian-sc", "exameter_cpu,centre=gui-an", ReasonMixedOrigin, 2, "centre")
	f("exameter_cpu,centre=guian-sc,cluster=default", "exameter_cpu,centre=guian-sc,cluster=other", ReasonMixedOrigin, 2, "cluster")
	f("domain=package-0,host=7d", "domain=package-0,host=7e", ReasonMixedOrigin, 4, "host")
	f("domain=package-0,", "", ReasonMissing, 4, "domain")
	f("domain=package-0,", "domain=a,domain=b,", ReasonDuplicate, 4, "domain")
	f(",source=nvml", `,source=nvml\`, ReasonSyntax, 7, "") // escapes the space
	f("device=GPU-5e1d7c21-9a40-4c1b-8f6e-27d3b0a1c9e1", "device=GPU-5e1d7c20-9a40-4c1b-8f6e-27d3b0a1c9e0",
		ReasonDuplicate, 6, "device")
	f("source=power", "source=nvml", ReasonDuplicate, 8, "source")
	f("source=power ok=false", "source=power okay=false", ReasonMissing, 8, "ok")
	f("exameter_memory"+exampleTags, "exameter_cpu"+exampleTags, ReasonDuplicate, 3, "")

	f("queued=0i", "queued=0i,queued=0i", ReasonDuplicate, 1, "queued")
	f("queued=0i,", "queued=0i,queued=1.5,", ReasonDuplicate, 1, "queued")
	f("queued=0i", "queued=0", ReasonFieldType, 1, "queued")
	f("queued=0i", "queued=0u", ReasonFieldType, 1, "queued")
	f("queued=0i", `queued="0"`, ReasonFieldType, 1, "queued")
	f("queued=0i", "queued=1_0i", ReasonRange, 1, "queued")
	f("queued=0i", "queued=i", ReasonSyntax, 1, "")
	f("queued=0i", "queued=NaN", ReasonSyntax, 1, "")
	f("queued=0i", "queued=", ReasonSyntax, 1, "")
	f("queued=0i", "queued=1i0", ReasonFieldType, 1, "queued")
	f("queued=0i", "later=1.2.3", ReasonSyntax, 1, `"later"`)
	f("ok=true", "ok=1i", ReasonFieldType, 7, "ok")
	f("ok=true", "ok=truly", ReasonSyntax, 7, "ok")
	f(`state="busy"`, `state="stale"`, ReasonRange, 2, "state")
	f(`state="busy",`, ``, ReasonMissing, 2, "state")
	f(`state="faulty",`, ``, ReasonMissing, 6, "state")
	f("cores_busy=3i", "cores_busy=113i", ReasonRange, 2, "cores_busy")
	f("xid=79i", "slices=7i,slices_busy=8i", ReasonRange, 6, "slices_busy")
	f("temperature_c=61i", "temperature_c=-101i", ReasonRange, 5, "temperature_c")
	f(`fallen off`, "fallen\noff", ReasonTruncated, 1, "lines")

	f(exampleStamp, "\n", ReasonMissing, 1, "time")
	f(exampleStamp, " 1795420800123456788\n", ReasonMixedOrigin, 2, "time")
	f(exampleStamp, " 946684799999999999\n", ReasonRange, 1, "time")
	f(exampleStamp, " 7258118400000000000\n", ReasonRange, 1, "time")
	f(exampleStamp, " 99999999999999999999\n", ReasonRange, 1, "time")
	f(exampleStamp, " 17954208001.5\n", ReasonSyntax, 1, "time")
	f(exampleStamp, exampleStamp[:len(exampleStamp)-1]+" x\n", ReasonSyntax, 1, "time")
}

// TestRefusedInventories reads inventories that are wrong where no report can be.
func TestRefusedInventories(t *testing.T) {
	good := string(inventories.bytes(t, exampleInventory()))
	f := func(b string, reason Reason, line int) {
		t.Helper()
		err := new(Decoder).Inventory([]byte(b), new(Inventory))
		if got, _ := reasonOf(t, err); got != reason || err.(*Error).Line != line {
			t.Errorf("refused for %v, want %s at line %d", err, reason, line)
		}
	}
	f(string(encoded(t, exampleReport())), ReasonMeasurement, 1)
	f(replaced(t, good, "exameter_inventory_cpu", "exameter_cpu"), ReasonMeasurement, 2)
	f(good[:strings.LastIndex(good, "index=")]+"later=1i"+exampleStamp, ReasonMissing, 3)
	twice := strings.Replace(good, "lines=3i", "lines=4i", 1) + good[strings.LastIndex(good, "exameter_"):]
	f(twice, ReasonDuplicate, 4)
}

// TestTooManyLines says that no kind of line can be repeated without end.
func TestTooManyLines(t *testing.T) {
	f := func(line string, limit int) {
		t.Helper()
		for n := limit; n <= limit+1; n++ {
			var b strings.Builder
			fmt.Fprintf(&b, `exameter_host%s schema=1i,boot="b",seq=1i,lines=%di`+exampleStamp, exampleTags, n+1)
			for i := range n {
				fmt.Fprintf(&b, line+exampleStamp, exampleTags, i)
			}
			err := new(Decoder).Report([]byte(b.String()), new(Report))
			if n == limit && err != nil {
				t.Errorf("%d lines: %v", n, err)
			}
			if n > limit {
				if reason, _ := reasonOf(t, err); reason != ReasonOversized {
					t.Errorf("%d lines: refused for %s, want oversized", n, reason)
				}
			}
		}
	}
	f(`exameter_device%s,device=d%d state="free"`, MaxDevices)
	f(`exameter_power%s,domain=d%d mean_mw=1i`, MaxParts)
	f(`exameter_source%s,source=d%d ok=true`, MaxParts)
}

// TestNotWritten gives the encoder reports that break a rule.
func TestNotWritten(t *testing.T) {
	var e Encoder
	f := func(reason Reason, line int, field string, spoil func(*Report)) {
		t.Helper()
		r := exampleReport()
		spoil(r)
		b, err := e.AppendReport(nil, r)
		if got, name := reasonOf(t, err); got != reason || name != field || err.(*Error).Line != line {
			t.Errorf("refused for %v, want %s at line %d %s", err, reason, line, field)
		}
		if len(b) != 0 {
			t.Errorf("a refused record left %q", b)
		}
	}
	f(ReasonRange, 1, "centre", func(r *Report) { r.Centre = "" })
	f(ReasonRange, 1, "cluster", func(r *Report) { r.Cluster = "A" })
	for _, host := range []string{"", "a\n", "a\xff", `a\`, strings.Repeat("a", MaxName+1)} {
		f(ReasonRange, 1, "host", func(r *Report) { r.Host = host })
		f(ReasonRange, 4, "domain", func(r *Report) { r.Power[0].Domain = host })
		f(ReasonRange, 5, "device", func(r *Report) { r.Devices[0].ID = host })
		f(ReasonRange, 8, "source", func(r *Report) { r.Sources[1].Source = host })
	}
	f(ReasonMissing, 1, "time", func(r *Report) { r.Time = time.Time{} })
	f(ReasonRange, 1, "time", func(r *Report) { r.Time = minTime.Add(-1) })
	f(ReasonRange, 1, "time", func(r *Report) { r.Time = maxTime })
	f(ReasonMissing, 1, "boot", func(r *Report) { r.Boot = "" })
	f(ReasonRange, 1, "boot", func(r *Report) { r.Boot = "\x00" })
	f(ReasonMissing, 1, "seq", func(r *Report) { r.Seq = 0 })
	f(ReasonRange, 1, "seq", func(r *Report) { r.Seq = -1 })
	f(ReasonMissing, 2, "state", func(r *Report) { r.CPU = Known(CPUStatus{}) })
	f(ReasonMissing, 2, "state", func(r *Report) { r.CPU.Value.State = "" })
	f(ReasonRange, 2, "cores_busy", func(r *Report) { r.CPU.Value.CoresBusy = Known[int64](113) })
	f(ReasonRange, 5, "state", func(r *Report) { r.Devices[0].State = "stale" })
	f(ReasonRange, 5, "slices_busy", func(r *Report) {
		r.Devices[0].Slices, r.Devices[0].SlicesBusy = Known[int64](7), Known[int64](8)
	})
	f(ReasonDuplicate, 6, "device", func(r *Report) { r.Devices[1].ID = r.Devices[0].ID })
	f(ReasonDuplicate, 8, "source", func(r *Report) { r.Sources[1].Source = r.Sources[0].Source })
	f(ReasonOversized, MaxDevices+5, "", func(r *Report) {
		r.Devices = nil
		for i := range MaxDevices + 1 {
			r.Devices = append(r.Devices, DeviceStatus{ID: fmt.Sprint(i), State: Free})
		}
	})

	inv := exampleInventory()
	inv.Devices[0] = DeviceInfo{ID: "d0"}
	_, err := e.AppendInventory(nil, inv)
	if reason, _ := reasonOf(t, err); reason != ReasonMissing {
		t.Errorf("an inventory with an empty device: %v, want missing", err)
	}
}

// TestText says how the encoder makes a text of what it is given.
func TestText(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := string(appendText(nil, in)); got != want {
			t.Errorf("text of %q is %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("plain", "plain")
	f("two\nlines\tand \x1b[31m", "two lines and  [31m")
	f("bad \xff byte\u0085", "bad \uFFFD byte ")
	f(strings.Repeat("x", MaxText), strings.Repeat("x", MaxText))
	f(strings.Repeat("x", MaxText+1), strings.Repeat("x", MaxText-3)+"…")
	f(strings.Repeat("安", 400), strings.Repeat("安", 340)+"…")
	f("x"+strings.Repeat("安", 400), "x"+strings.Repeat("安", 340)+"…")
	for n := range 5 {
		got := appendText([]byte("before "), strings.Repeat("x", MaxText-n)+strings.Repeat("😀", 2))
		if len(got) > MaxText+len("before ") || !utf8.Valid(got) {
			t.Errorf("%d bytes of text %q", len(got), got)
		}
	}
}

// TestInterner says that strings are right however many there are, and shared when they return.
func TestInterner(t *testing.T) {
	in := newInterner(2 * ways)
	for i := range 100 {
		want := fmt.Sprint("string ", i%10)
		if got := in.string([]byte(want)); got != want {
			t.Fatalf("%q became %q", want, got)
		}
	}
	if len(in.sets) != 2 {
		t.Errorf("table grew to %d sets", len(in.sets))
	}
	b := []byte("the same again")
	in.string(b)
	if n := testing.AllocsPerRun(10, func() { in.string(b) }); n != 0 {
		t.Errorf("%v allocations for a string that returns", n)
	}
}
