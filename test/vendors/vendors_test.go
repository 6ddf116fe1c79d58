package vendors

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/catalog"
)

var update = flag.Bool("update", false, "write the golden files anew")

// pool is what the API must say of one host's devices of one model. Names are those of the catalogue, or of the vendor's
// tool where the catalogue does not price them.
type pool struct {
	vendor, model              string
	devices, busy, free, fault int
	memory                     int64 // of one device, for names that memory tells apart
}

// vendors are the exporters of testdata, each on a host of its own.
var vendors = []struct {
	profile string
	model   string // that the configuration names
	pools   []pool
}{
	{"huawei-npu-exporter", "", []pool{{"huawei", "huawei-ascend-910b2", 3, 1, 1, 1, 0}}},
	{"cambricon-mlu-exporter", "", []pool{{"cambricon", "cambricon-mlu370-x8", 2, 1, 1, 0, 0}}},
	{"hygon-dcu-exporter", "", []pool{{"hygon", "hygon-k100-ai", 3, 1, 2, 0, 0}}},
	{"metax-mx-exporter", "", []pool{{"metax", "metax-c500", 2, 1, 1, 0, 0}}},
	{"iluvatar-ix-exporter", "", []pool{{"iluvatar", "iluvatar-bi-v150", 2, 1, 1, 0, 0}}},
	{"enflame-gcu-exporter", "", []pool{{"enflame", "enflame-i20", 2, 1, 1, 0, 0}}},
	{"kunlunxin-xpu-exporter", "R200", []pool{{"kunlunxin", "kunlunxin-r200", 2, 1, 1, 0, 0}}},
	{"moorethreads-dcgm-exporter", "", []pool{{"moorethreads", "moorethreads-s4000", 2, 1, 1, 0, 0}}},
	{"moorethreads-mtgpu-exporter", "", []pool{{"moorethreads", "moorethreads-s3000", 2, 1, 1, 0, 0}}},
	{"t-head-dcgm-exporter", "", []pool{{"t-head", "t-head-ppu-zw810e", 2, 1, 1, 0, 0}}},
	{"amd-device-metrics-exporter", "", []pool{{"amd", "amd-mi300x", 2, 1, 1, 0, 0}}},
	{"intel-xpum", "", []pool{{"intel", "intel-max-1550", 2, 1, 1, 0, 0}}},
	{"intel-xpumd", "", []pool{{"intel", "intel-max-1550", 2, 1, 1, 0, 0}}},
	{"intel-gaudi-metric-exporter", "HL-325L", []pool{{"intel", "intel-gaudi-3", 2, 1, 1, 0, 0}}},
	{"nvidia-dcgm-exporter", "", []pool{{"nvidia", "nvidia-h100-sxm", 3, 2, 1, 0, 0}}},
}

// TestEveryVendor follows what fifteen exporters serve to the records that the agents send and to the figures of the API,
// to the last digit.
func TestEveryVendor(t *testing.T) {
	w := newWorld(t, "vendors")
	records := w.listen()
	sys := machine(t)
	want := map[string]pool{}
	total := 0
	for _, v := range vendors {
		url := exporterOf(t, v.profile)
		line := "    - url: " + url + "\n"
		if v.model != "" {
			line += "      model: " + v.model + "\n"
		}
		w.start(v.profile, "exameter-agent", w.agent(v.profile, sys, line))
		for _, p := range v.pools {
			sum := want[p.vendor+" "+p.model]
			sum.vendor, sum.model = p.vendor, p.model
			sum.devices, sum.busy, sum.free, sum.fault = sum.devices+p.devices, sum.busy+p.busy, sum.free+p.free, sum.fault+p.fault
			want[p.vendor+" "+p.model] = sum
			total += p.devices
		}
	}
	w.eventually("all devices at the API", func() error {
		a, err := w.ask("?by=vendor,model")
		if d := a.Total.Devices; err == nil && (d.Rated != total || d.Online != total || d.Busy+d.Free+d.Faulty != total) {
			err = fmt.Errorf("have %+v of %d devices", d, total)
		}
		return err
	})
	for _, v := range vendors {
		t.Run(v.profile, func(t *testing.T) {
			w.eventually("the records of "+v.profile, func() error {
				if inventory, first, _ := records.of(v.profile); !strings.Contains(inventory, ",device=") || first == "" {
					return fmt.Errorf("have %q and %q", inventory, first)
				}
				return nil
			})
			inventory, first, _ := records.of(v.profile)
			golden(t, v.profile, devicesOf(inventory)+"\n"+devicesOf(first))
		})
	}
	t.Run("figures", func(t *testing.T) {
		a, err := w.ask("?by=vendor,model")
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Groups) != len(want) {
			t.Errorf("%d groups, want %d", len(a.Groups), len(want))
		}
		for _, g := range a.Groups {
			p, ok := want[g.Vendor+" "+g.Model]
			if !ok {
				t.Errorf("nobody has %s %s", g.Vendor, g.Model)
				continue
			}
			check(t, g, p)
		}
	})
}

// check holds a group to the counts, and to the counts times the catalogue's peak.
func check(t *testing.T, g figure, p pool) {
	t.Helper()
	d := g.Devices
	peak, priced := peakOf(p.model)
	unpriced := 0
	if !priced {
		unpriced = p.devices
	}
	if d.Rated != p.devices || d.Online != p.devices || d.Healthy != p.devices-p.fault || d.Busy != p.busy || d.Free != p.free || d.Faulty != p.fault || d.Unpriced != unpriced {
		t.Errorf("%s %s: devices %+v; want %+v, unpriced %d", g.Vendor, g.Model, d, p, unpriced)
	}
	for state, n := range map[string]int{"rated": p.devices, "busy": p.busy, "free": p.free, "faulty": p.fault} {
		if got, want := string(g.Eflops[state]), eflops(int64(n)*peak); got != want {
			t.Errorf("%s %s: %s Eflops %s, want %s: %d × %d Mflop/s", g.Vendor, g.Model, got, state, want, n, peak)
		}
	}
}

// peakOf returns a model's dense FP16 peak in Mflop/s.
func peakOf(id string) (int64, bool) {
	m, ok := catalog.Default().Model(id)
	if !ok {
		return 0, false
	}
	return m.Peaks.Get(catalog.FP16)
}

// eflops writes Mflop/s as exact Eflops.
func eflops(mflops int64) string {
	s := fmt.Sprintf("%d.%012d", mflops/1e12, mflops%1e12)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// exporterOf serves an exposition of testdata. @now stands for the time of a sample.
func exporterOf(t *testing.T, profile string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", profile+".prom"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = io.WriteString(out, strings.ReplaceAll(string(text), "@now", strconv.FormatInt(time.Now().UnixMilli(), 10)))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/metrics"
}

// machine is the sysfs of a server with the cards that their exporters do not tell all of.
func machine(t *testing.T) string {
	t.Helper()
	sys := t.TempDir()
	for _, d := range [][4]string{
		{"0000:87:00.0", "0x1d94", "0x038000", "0x6210"},
		{"0000:3d:00.0", "0x1d22", "0x120000", "0x3684"},
		{"0000:b1:00.0", "0x1d22", "0x120000", "0x3684"},
	} {
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

var (
	origin  = regexp.MustCompile(`,centre=[^, ]*|,cluster=[^, ]*|,host=[^, ]*`)
	address = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
)

// devicesOf keeps a record's lines about devices, without where and when.
func devicesOf(record string) string {
	var out strings.Builder
	for line := range strings.Lines(record) {
		if strings.Contains(line, ",device=") {
			line = line[:strings.LastIndexByte(line, ' ')]
			out.WriteString(address.ReplaceAllString(origin.ReplaceAllString(line, ""), "ADDRESS") + "\n")
		}
	}
	return out.String()
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
		t.Errorf("sent\n%s\nwant\n%s", got, want)
	}
}
