package vendors

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/process"
)

// serve answers by a function.
func serve(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL + "/metrics"
}

// sources returns the health of every source of a report.
func sources(t *testing.T, record string) map[string]telemetry.SourceStatus {
	t.Helper()
	var d telemetry.Decoder
	var r telemetry.Report
	if err := d.Report([]byte(record), &r); err != nil {
		t.Fatalf("%v in %s", err, record)
	}
	out := map[string]telemetry.SourceStatus{}
	for _, s := range r.Sources {
		out[s.Source] = s
	}
	return out
}

// TestHostileExporters puts every kind of broken exporter beside a good one on one host: each is named in the host's
// health, and the good one's devices are counted as ever. Then the good one vanishes: its devices are not idle.
func TestHostileExporters(t *testing.T) {
	w := newWorld(t, "trouble")
	records := w.listen()
	var away atomic.Bool
	text, err := os.ReadFile("testdata/iluvatar-ix-exporter.prom")
	if err != nil {
		t.Fatal(err)
	}
	good := serve(t, func(out http.ResponseWriter, _ *http.Request) {
		if away.Load() {
			panic(http.ErrAbortHandler)
		}
		out.Header().Set("Content-Type", "text/plain")
		_, _ = out.Write(text)
	})
	say := func(status int, kind, text string) http.HandlerFunc {
		return func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Type", kind)
			out.WriteHeader(status)
			_, _ = io.WriteString(out, text)
		}
	}
	bad := map[string]string{ // what is said of it, by URL
		serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }):                                      "no whole answer within 300ms",
		serve(t, say(500, "text/plain", "no")):                                                                               "answers 500",
		serve(t, say(200, "text/html", "<html>")):                                                                            `content type "text/html"`,
		serve(t, say(200, "text/plain", "ix_power_usage{gpu=\"0\"} 5")):                                                      "ends in the middle of a line",
		serve(t, say(200, "text/plain", "node_load1 1\n")):                                                                   "none of the metrics",
		serve(t, say(200, "text/plain", "dcu_temp{"+strings.Repeat("a=\"\",", 400)+"} 1\n")):                                 "label a stands twice",
		serve(t, say(200, "text/plain", "dcu_temp{device_id=\"TPX1A0200717\"} 1\ndcu_temp{device_id=\"TPX1A0200717\"} 2\n")): "served twice for one series",
		serve(t, func(out http.ResponseWriter, _ *http.Request) {
			for range 100 << 10 {
				if _, err := io.WriteString(out, strings.Repeat("# comment", 113)+"\n"); err != nil {
					return
				}
			}
		}): "larger than 8 MiB",
		"http://" + process.FreeAddr(t) + "/metrics": "nobody listens there",
	}
	yaml := "    - url: " + good + "\n      interval: 500ms\n      timeout: 2s\n"
	for url := range bad {
		timeout := "2s"
		if strings.HasPrefix(bad[url], "no whole") {
			timeout = "300ms"
		}
		yaml += "    - url: " + url + "\n      interval: 500ms\n      timeout: " + timeout + "\n"
	}
	w.start("agent", "exameter-agent", w.agent("host-1", t.TempDir(), yaml))
	name := func(url string) string {
		return "exporter-" + strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/metrics")
	}
	w.eventually("the good exporter's devices", func() error {
		a, err := w.ask("?by=vendor")
		if err == nil && (len(a.Groups) == 0 || a.Groups[len(a.Groups)-1].Vendor != "iluvatar" || a.Groups[len(a.Groups)-1].Devices.Free != 1 || a.Groups[len(a.Groups)-1].Devices.Busy != 1) {
			err = fmt.Errorf("have %+v", a.Groups)
		}
		return err
	})
	w.eventually("the names of the bad ones", func() error {
		_, _, last := records.of("host-1")
		if last == "" {
			return errors.New("no report")
		}
		health := sources(t, last)
		if h := health[name(good)]; !h.OK {
			return fmt.Errorf("the good one: %+v", h)
		}
		for url, want := range bad {
			if h, ok := health[name(url)]; !ok || h.OK || !strings.Contains(h.Error, want) {
				return fmt.Errorf("%s: %+v, want %q", url, h, want)
			}
		}
		return nil
	})
	checked(t, w, name(good), bad, name)

	away.Store(true)
	states := func(free, busy, faulty int) func() error {
		return func() error {
			a, err := w.ask("?by=vendor")
			if err != nil {
				return err
			}
			d := a.Groups[len(a.Groups)-1].Devices
			if d.Free != free || d.Busy != busy || d.Faulty != faulty || d.Rated != 2 {
				err = fmt.Errorf("have %+v", d)
			}
			return err
		}
	}
	w.eventually("devices of an exporter that vanished", states(0, 0, 2))
	_, _, last := records.of("host-1")
	if !strings.Contains(last, `reason="source-silent: source `+name(good)) {
		t.Errorf("the reason is not told: %s", last)
	}
	away.Store(false)
	w.eventually("devices of an exporter that is back", states(1, 1, 0))
}

// checked wants the check to say in plain words what of each exporter can be read.
func checked(t *testing.T, w *world, good string, bad map[string]string, name func(string) string) {
	t.Helper()
	out, err := w.run("exameter-agent", "check", "--config", filepath.Join(w.dir, "agent.yaml"))
	var failed *exec.ExitError
	if !errors.As(err, &failed) || failed.ExitCode() != 1 {
		t.Errorf("check ends with %v, want exit code 1", err)
	}
	for url, want := range bad {
		found := false
		for line := range strings.Lines(out) {
			found = found || strings.HasPrefix(line, "FAIL  source "+name(url)+" ") && strings.Contains(line, want)
		}
		if !found {
			t.Errorf("check does not say %q of %s:\n%s", want, url, out)
		}
	}
	for _, want := range []string{
		"ok    source " + good + "  2 devices, Iluvatar ix-exporter (profile iluvatar-ix-exporter, recognised by ix_gpu_utilization); it does not tell PCI address",
		"Iluvatar BI-V150 GPU-6a1b9f02-5a6c-5d0c-9c0e-1f7d3a2b4c02, 32.0 GiB: busy",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("check does not say %q:\n%s", want, out)
		}
	}
}

// TestOperatorsProfile reads renamed metrics by a profile of the operator's own, and refuses a wrong one at start, with
// file and line.
func TestOperatorsProfile(t *testing.T) {
	w := newWorld(t, "operator")
	profiles := t.TempDir()
	good, err := os.ReadFile("testdata/renamed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(profiles, "renamed.yaml")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(string(good))
	url := serve(t, func(out http.ResponseWriter, _ *http.Request) {
		for i, load := range []int{0, 70} {
			_, _ = fmt.Fprintf(out, "site_mlu_load{card=\"%d\",kind=\"MLU370-X4\",id=\"20221012-4016-0000-0000-00a1b2c3d4e%d\"} %d\n", i, i, load)
		}
	})
	config := strings.Replace(w.agent("host-1", t.TempDir(), "    - url: "+url+"\n"), "  exporters:\n", "  profiles: "+profiles+"\n  exporters:\n", 1)
	w.start("agent", "exameter-agent", config)
	w.eventually("the renamed metrics", func() error {
		a, err := w.ask("?by=vendor,model")
		if err == nil && (len(a.Groups) != 1 || a.Groups[0].Model != "cambricon-mlu370-x4" || a.Groups[0].Devices.Busy != 1 || a.Groups[0].Devices.Free != 1) {
			err = fmt.Errorf("have %+v", a.Groups)
		}
		return err
	})
	for text, want := range map[string]string{
		strings.Replace(string(good), "vendor:", "vendr:", 1):     "renamed.yaml:3:1: unknown field \"vendr\"",
		strings.Replace(string(good), `unit: "%"`, "unit: pc", 1): "renamed.yaml:",
		"profile: [\n": "renamed.yaml:",
	} {
		put(text)
		for _, command := range []string{"run", "check"} {
			out, err := w.run("exameter-agent", command, "--config", filepath.Join(w.dir, "agent.yaml"))
			if err == nil || !strings.Contains(out, want) {
				t.Errorf("%s with a wrong profile: %v, want %q:\n%s", command, err, want, out)
			}
		}
	}
}
