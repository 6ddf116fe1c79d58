package exporter

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/exameter/exameter/agent/poll"
)

// patience is what hostile exporters are given in these tests.
const patience = 300 * time.Millisecond

// against reads a server once and wants a failure that says want, no devices, and within the time given.
func against(t *testing.T, name, url, want string, change ...func(*Config)) {
	t.Helper()
	c := Config{URL: url, Timeout: patience, Now: func() time.Time { return t0 }}
	for _, f := range change {
		f(&c)
	}
	s := New(c)
	began := time.Now()
	r, err := s.Read(t.Context())
	took := time.Since(began)
	if err == nil || !strings.Contains(err.Error(), want) || r.Devices != nil {
		t.Errorf("%s: %v with %+v; want %q", name, err, r.Devices, want)
	}
	if took > c.Timeout+2*time.Second {
		t.Errorf("%s: took %v, the deadline is %v", name, took, c.Timeout)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// handle serves by a function.
func handle(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL + "/metrics"
}

func say(status int, kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

const plain = "text/plain; version=0.0.4"

func TestHostileAnswers(t *testing.T) {
	good := exposition(t, "huawei-npu-exporter")
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"status 500", say(500, plain, good), "answers 500 Internal Server Error"},
		{"status 204", say(204, plain, ""), "answers 204"},
		{"a page", say(200, "text/html; charset=utf-8", "<html>log in</html>"), `content type "text/html"`},
		{"a page that calls itself text", say(200, plain, "<html>\nlog in</html>\n"), `line 1 is not of a Prometheus exposition: "<html>"`},
		{"JSON", say(200, plain, "{\"error\": 1}\n"), "line 1 is not of"},
		{"protobuf", say(200, "application/vnd.google.protobuf", "\x00\x01"), "content type"},
		{"a bad content type", say(200, ";;", good), "content type"},
		{"nothing", say(200, plain, ""), "serves none of the metrics"},
		{"half a line", say(200, plain, good[:len(good)-9]), "ends in the middle of a line"},
		{"half a line within", say(200, plain, strings.Replace(good, "} 87 ", "} 8npu", 1)), "want a number as value"},
		{"half a label", say(200, plain, strings.Replace(good, `id="0",`, `id="0`, 1)), "line "},
		{"no number", say(200, plain, "npu_chip_info_power"+npu0+" much\n"), "want a number as value"},
		{"a label twice", say(200, plain, `npu_chip_info_power{id="0",id="1"} 3`+"\n"), "label id stands twice"},
		{"many labels", say(200, plain, "npu_chip_info_power{"+labels(maxLabels+1)+"} 3\n"), "more than 64 labels"},
		{"a long label", say(200, plain, `npu_chip_info_power{id="`+strings.Repeat("x", maxValue+1)+`"} 3`+"\n"), "has 513 bytes"},
		{"a long line", say(200, plain, "# "+strings.Repeat("x", maxLine)+"\n"), "line 1 is longer than"},
		{"many series", say(200, plain, strings.Repeat("npu_chip_info_power"+npu0+" 1\n", maxSeries+1)), "more than 20000 series"},
		{"many devices", say(200, plain, many(257)), "more than 256 devices"},
		{"node_exporter", say(200, plain, "node_load1 0.3\nnode_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 1e6\n"), "serves none of the metrics"},
		{"gzip", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			say(200, plain, "\x1f\x8b")(w, r)
		}, "content encoding"},
		{"a length that is not kept", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			say(200, plain, good)(w, r)
		}, "middle of a line"},
		{"another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/metrics", http.StatusFound)
		}, `redirected to "http://192.0.2.1/metrics", which is not followed`},
		{"round and round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/metrics", http.StatusFound) }, "which is not followed"},
		{"headers without end", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 100<<10))
		}, "header"},
	} {
		against(t, c.name, handle(t, c.handler), c.want, func(c *Config) { c.Timeout = 10 * time.Second })
	}
}

func labels(n int) string {
	var s []string
	for i := range n {
		s = append(s, fmt.Sprintf("l%d=\"\"", i))
	}
	return strings.Join(s, ",")
}

func many(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, "npu_chip_info_power{id=\"%d\"} 3\n", i)
	}
	return s.String()
}

func TestHostileSlowness(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	against(t, "an exporter that hangs", handle(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}), "no whole answer within 300ms")
	against(t, "an exporter that drips", handle(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, "# still here\n")
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}), "no whole answer within 300ms")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1024))
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n\r\n")
			_ = c.Close()
		}
	}()
	against(t, "something else", "http://"+l.Addr().String()+"/metrics", "does not speak HTTP")
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := gone.Addr().String()
	_ = gone.Close()
	against(t, "nobody", "http://"+address+"/metrics", "nobody listens there")
}

// TestHostileSize wants 100 MB refused after 8 MiB of it, in little memory.
func TestHostileSize(t *testing.T) {
	for name, line := range map[string]string{
		"comments":             "# " + strings.Repeat("x", 1000) + "\n",
		"other series":         "x{" + labels(60) + "} 1\n",
		"one metric with many": "npu_chip_info_power{" + labels(60) + "} 1\n",
	} {
		var sent atomic.Int64
		url := handle(t, func(w http.ResponseWriter, _ *http.Request) {
			for sent.Load() < 100<<20 {
				n, err := io.WriteString(w, line)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		want := "larger than 8 MiB"
		if name == "one metric with many" {
			want = "more than 100000 labels"
		}
		against(t, name, url, want, func(c *Config) { c.Timeout = 10 * time.Second })
		runtime.ReadMemStats(&after)
		// What the server had in its socket when it was cut off was never read.
		if n := sent.Load(); n > 40<<20 {
			t.Errorf("%s: %d bytes went out", name, n)
		}
		if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 96<<20 {
			t.Errorf("%s: the heap grew by %d bytes", name, grown)
		}
	}
	against(t, "a length announced", handle(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "104857600")
		w.WriteHeader(200)
	}), "larger than 8 MiB")
}

func TestDuplicateSeries(t *testing.T) {
	twice := "npu_chip_info_power" + npu0 + " 101\nnpu_chip_info_utilization" + npu0 + " 5\n"
	d, err := look(t, "", twice+twice)
	if err != nil || len(d) != 1 || d[0].Power.Value != 101000 {
		t.Errorf("the same twice: %+v, %v", d, err)
	}
	d, err = look(t, "", twice+"npu_chip_info_power"+npu0+" 102\n")
	if len(d) != 1 || d[0].Power.OK || d[0].Utilization.Value != 50 || err == nil || !strings.Contains(err.Error(), "npu_chip_info_power is served twice") {
		t.Errorf("two values for one series: %+v, %v", d, err)
	}
}

func TestDevicesWithoutIdentity(t *testing.T) {
	f := func(text, want string, ids ...string) {
		t.Helper()
		d, err := look(t, "", text)
		var got []string
		for i := range d {
			got = append(got, d[i].Info.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(ids) || err == nil != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q, %v; want %q, %q", got, err, ids, want)
		}
	}
	f(`npu_chip_info_power{id="0",model_name="910A-Ascend-V1"} 3`+"\n", "which is which cannot be told")
	f(`ix_power_usage{gpu="0",name="Iluvatar BI-V100"} 3`+"\n", "1 devices are left out: nothing served tells their identity")
	// A UUID that two devices share, or that is none, is no identity; the next best is.
	two := `dcu_temp{device_id="TPX1A0200717",minor_number="0",pcieBus_number="0000:07:00.0"} 40` + "\n"
	f(two, "", "hygon-TPX1A0200717")
	npu := func(id, uuid, pci string) string {
		return fmt.Sprintf("npu_chip_info_power{id=%q,vdie_id=%q,pcie_bus_info=%q} 3\n", id, uuid, pci)
	}
	f(npu("0", "A1040C10-2B31A0E7", "0000:C1:00.0")+npu("1", "A1040C10-2B31A0E7", "0000:C2:00.0"), "", "0000:c1:00.0", "0000:c2:00.0")
	f(npu("0", "00000000-00000000", "C1:00.0"), "", "0000:c1:00.0")
	f(npu("0", "NA", "00000000:C1:00.0"), "", "0000:c1:00.0")
	f(npu("0", "A1 B2", "nowhere")+npu("1", "A1040C10 2B31A0E7 00000001", ""), "1 devices are left out", "A1040C10-2B31A0E7-00000001")
}

// TestVanishes follows an exporter that goes away and comes back with less.
func TestVanishes(t *testing.T) {
	var text atomic.Value
	text.Store(exposition(t, "huawei-npu-exporter"))
	url := handle(t, func(w http.ResponseWriter, r *http.Request) {
		if s := text.Load().(string); s != "" {
			say(200, plain, s)(w, r)
			return
		}
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = c.Close()
		}
	})
	now := t0
	s := New(Config{URL: url, Now: func() time.Time { return now }})
	defer s.Close()
	read := func(after time.Duration, devices int, fails bool) poll.Reading {
		t.Helper()
		now = now.Add(after)
		r, err := s.Read(t.Context())
		n := -1
		if r.Devices != nil {
			n = len(r.Devices.Devices)
		}
		if n != devices || err != nil != fails {
			t.Errorf("at %v: %d devices, %v; want %d, and a failure: %v", now.Sub(t0), n, err, devices, fails)
		}
		return r
	}
	read(0, 3, false)
	text.Store("")
	read(time.Second, 3, false) // within the interval, the last scrape stands
	read(4*time.Second, -1, true)
	read(900*time.Millisecond, -1, true)
	text.Store(exposition(t, "huawei-npu-exporter"))
	read(100*time.Millisecond, 3, false) // asked again a second after a failure
	text.Store(exposition(t, "iluvatar-ix-exporter"))
	r := read(5*time.Second, 2, false)
	if r.Devices.Devices[0].Info.Vendor != "iluvatar" {
		t.Errorf("read %+v", r.Devices.Devices[0].Info)
	}
}

func TestHeldReadingsAreTheirTakers(t *testing.T) {
	s := New(Config{URL: serve(t, exposition(t, "nvidia-dcgm-exporter")), Now: func() time.Time { return t0 }})
	defer s.Close()
	for range 3 {
		r, err := s.Read(t.Context())
		if err != nil || r.Devices.Devices[0].Info.Vendor != "nvidia" {
			t.Fatalf("%+v, %v", r.Devices, err)
		}
		r.Devices.Devices[0].Info.Vendor = "changed by whoever took it"
	}
}

func TestXIDsAreToldOnce(t *testing.T) {
	now := t0
	var xid atomic.Int64
	s := New(Config{URL: handle(t, func(w http.ResponseWriter, r *http.Request) {
		say(200, plain, fmt.Sprintf("DCGM_FI_DEV_GPU_UTIL%s 0\nDCGM_FI_DEV_XID_ERRORS%s %d\n", dcgm0, dcgm0, xid.Load()))(w, r)
	}), Now: func() time.Time { return now }})
	defer s.Close()
	for i, step := range []struct {
		served int64
		want   string
	}{{0, "[]"}, {79, "[79]"}, {79, "[]"}, {13, "[13]"}, {0, "[]"}, {13, "[13]"}} {
		xid.Store(step.served)
		now = now.Add(DefaultInterval)
		r, err := s.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(r.Devices.Devices[0].XIDs); got != step.want {
			t.Errorf("step %d: XIDs %s, want %s", i, got, step.want)
		}
	}
}

func TestLoopbackOnly(t *testing.T) {
	// An address that is not this host's loopback is not connected to, whatever its name.
	against(t, "another host", "http://192.0.2.1:9400/metrics", "not a loopback address")
	s := New(Config{URL: "http://192.0.2.1:9400/metrics", Remote: true, Timeout: 50 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := s.Read(ctx); err == nil || strings.Contains(err.Error(), "loopback") {
		t.Errorf("with remote: %v", err)
	}
}

func TestHTTPS(t *testing.T) {
	s := httptest.NewTLSServer(say(200, plain, exposition(t, "iluvatar-ix-exporter")))
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{URL: s.URL + "/metrics", CA: ca}).Read(t.Context())
	if err != nil || len(r.Devices.Devices) != 2 {
		t.Errorf("%+v, %v", r.Devices, err)
	}
	against(t, "an authority that nobody trusts", s.URL+"/metrics", "certificate")
	against(t, "not TLS", strings.Replace(s.URL, "https", "http", 1)+"/metrics", "answers 400")
}

func TestFlawsAreTold(t *testing.T) {
	for want, c := range map[string]Config{
		`there is no profile "none"`: {URL: "http://127.0.0.1:1/metrics", Profile: "none"},
		"authorities to trust":       {URL: "https://127.0.0.1:1/metrics", CA: "/nowhere/ca.pem"},
	} {
		if _, err := New(c).Read(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestSourceNames(t *testing.T) {
	for url, want := range map[string]string{
		"http://127.0.0.1:8082/metrics":     "exporter-127.0.0.1:8082",
		"http://localhost:9400":             "exporter-localhost:9400",
		"http://127.0.0.1:8080/gpu/metrics": "exporter-127.0.0.1:8080-gpu-metrics",
		"http://[::1]:9400/metrics":         "exporter-[::1]:9400",
	} {
		if got := SourceName(url); got != want {
			t.Errorf("%s is called %s, want %s", url, got, want)
		}
	}
}
