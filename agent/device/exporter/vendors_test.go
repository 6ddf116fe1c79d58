package exporter

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

var update = flag.Bool("update", false, "write the golden files anew")

// t0 is when exporters are asked.
var t0 = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// expositions holds one exposition for each built-in profile, written from the vendors' contracts. @now stands for the
// time of a sample.
const expositions = "../../../test/vendors/testdata"

func exposition(t testing.TB, profile string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(expositions, profile+".prom"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "@now", strconv.FormatInt(t0.UnixMilli(), 10))
}

// serve answers every request with a text.
func serve(t testing.TB, text string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/metrics"
}

// machine makes a sysfs with PCI devices: address, vendor, class, device.
func machine(t testing.TB, devices ...[4]string) string {
	t.Helper()
	sys := t.TempDir()
	for _, d := range devices {
		dir := filepath.Join(sys, "bus/pci/devices", d[0])
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"vendor", "class", "device"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(d[i+1]+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return sys
}

// mixed is a server with cards that their exporters do not tell all of.
func mixed(t testing.TB) string {
	return machine(t,
		[4]string{"0000:87:00.0", "0x1d94", "0x038000", "0x6210"},
		[4]string{"0000:b1:00.0", "0x1d22", "0x120000", "0x3684"},
		[4]string{"0000:3d:00.0", "0x1d22", "0x120000", "0x3684"},
		[4]string{"0000:3c:00.0", "0x1d22", "0x060400", "0x3680"},
	)
}

// models are named by the configuration where the exporter names none.
var models = map[string]string{"kunlunxin-xpu-exporter": "R200", "intel-gaudi-metric-exporter": "HL-325L"}

func TestVendors(t *testing.T) {
	for _, p := range BuiltIn() {
		t.Run(p.Name, func(t *testing.T) {
			s := New(Config{
				URL: serve(t, exposition(t, p.Name)), Model: models[p.Name], SysRoot: mixed(t),
				Now: func() time.Time { return t0 },
			})
			r, err := s.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if s.known.Name != p.Name {
				t.Fatalf("recognised as %s", s.known.Name)
			}
			golden(t, p.Name, strings.ReplaceAll(r.Summary+"\n", s.URL, "URL")+format(r.Devices.Devices))
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// format prints what is known of devices, one a paragraph.
func format(devices []poll.DeviceReading) string {
	var b strings.Builder
	for i := range devices {
		d := &devices[i]
		fmt.Fprintf(&b, "\n%s\n", d.Info.ID)
		for _, v := range []struct{ name, value string }{
			{"index", known(d.Info.Index, "")},
			{"vendor", d.Info.Vendor},
			{"name", d.Info.Name},
			{"serial", d.Info.Serial},
			{"pci", d.Info.PCI},
			{"memory", known(d.Info.Memory, " B")},
			{"driver", d.Info.Driver},
			{"firmware", d.Info.Firmware},
			{"fault", d.Fault},
			{"utilisation", known(d.Utilization, " ‰")},
			{"SM activity", known(d.SMActivity, " ‰")},
			{"tensor activity", known(d.TensorActivity, " ‰")},
			{"memory utilisation", known(d.MemoryUtilization, " ‰")},
			{"memory used", known(d.MemoryUsed, " B")},
			{"power", known(d.Power, " mW")},
			{"temperature", known(d.Temperature, " °C")},
			{"SM clock", known(d.SMClock, " MHz")},
			{"memory clock", known(d.MemoryClock, " MHz")},
			{"ECC corrected", known(d.ECCCorrected, "")},
			{"ECC uncorrected", known(d.ECCUncorrected, "")},
			{"processes", known(d.Processes, "")},
			{"XIDs", strings.Trim(fmt.Sprint(d.XIDs), "[]")},
			{"idle memory", known(telemetry.Opt[telemetry.Bytes]{Value: d.IdleMemory, OK: d.IdleMemory > 0}, " B")},
		} {
			if v.value != "" {
				fmt.Fprintf(&b, "  %s: %s\n", v.name, v.value)
			}
		}
	}
	return b.String()
}

func known[T ~int64](o telemetry.Opt[T], unit string) string {
	if !o.OK {
		return ""
	}
	return strconv.FormatInt(int64(o.Value), 10) + unit
}
