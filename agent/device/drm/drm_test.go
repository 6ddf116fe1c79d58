package drm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/agent/kernelfile/kernelfiletest"
	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// device is the folder of the first card of the machine mi300x, and dcuDevice that of dcu.
const (
	device    = "sys/devices/pci0000:20/0000:26:00.0/"
	dcuDevice = "sys/devices/pci0000:00/0000:07:00.0/"
)

func remove(tb testing.TB, root, name string) {
	tb.Helper()
	if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
		tb.Fatal(err)
	}
}

// unknown lists the readings of a device that are not known.
func unknown(d poll.DeviceReading) string {
	var out []string
	v := reflect.ValueOf(d)
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Struct && f.FieldByName("OK").IsValid() && !f.FieldByName("OK").Bool() {
			out = append(out, v.Type().Field(i).Name)
		}
	}
	return strings.Join(out, " ")
}

// never are readings that sysfs does not hold.
const never = "SMActivity TensorActivity Energy Throttle RemapPending RemapFailed"

func TestWhatIsNotThereIsUnknown(t *testing.T) {
	for file, want := range map[string]string{
		"gpu_busy_percent":              "Utilization",
		"mem_busy_percent":              "MemoryUtilization",
		"mem_info_vram_used":            "MemoryUsed",
		"mem_info_vram_total":           "MemoryUsed", // more than nobody knows how much
		"hwmon/hwmon5/power1_input":     "Power",
		"hwmon/hwmon5/temp2_input":      "Temperature",
		"hwmon/hwmon5/temp2_label":      "Temperature", // another sensor's heat is not this one's
		"hwmon/hwmon5/freq1_label":      "SMClock",
		"hwmon":                         "Power Temperature SMClock MemoryClock",
		"ras":                           "ECCCorrected ECCUncorrected",
		"current_compute_partition":     "",
		"serial_number":                 "",
		"../../../class/kfd":            "Processes",
		"../../../class/kfd/kfd/proc":   "Processes",
		"unique_id":                     "",
		"../../../module/amdgpu":        "",
		"../../../bus/pci/drivers":      "",
		"vbios_version":                 "",
		"available_compute_partition":   "",
		"hwmon/hwmon5/power1_label":     "",
		"hwmon/hwmon5/freq2_input":      "MemoryClock",
		"hwmon/hwmon5/temp3_input":      "",
		"../../../class/drm/renderD128": "",
	} {
		root := lay(t, "mi300x")
		remove(t, root, device+file)
		s, _ := newSource(t, root)
		got := map[string]bool{}
		for _, f := range strings.Fields(unknown(read(t, s)[0])) {
			got[f] = true
		}
		for _, f := range strings.Fields(never + " Slices SlicesBusy " + want) {
			if !got[f] {
				t.Errorf("without %s: %s is known", file, f)
			}
			delete(got, f)
		}
		if len(got) > 0 {
			t.Errorf("without %s: %v is unknown too", file, got)
		}
	}
}

func TestSentinelsAndNonsense(t *testing.T) {
	for _, c := range []struct{ file, content, field, failure string }{
		{"gpu_busy_percent", "101", "Utilization", ""},
		{"gpu_busy_percent", "65535", "Utilization", ""},
		{"gpu_busy_percent", "18446744073709551615", "Utilization", ""},
		{"gpu_busy_percent", "-1", "Utilization", "want one decimal number"},
		{"gpu_busy_percent", "", "Utilization", "want one decimal number"},
		{"gpu_busy_percent", "N/A", "Utilization", "want one decimal number"},
		{"gpu_busy_percent", "12\n13", "Utilization", "want one decimal number"},
		{"mem_info_vram_used", "206141652993", "MemoryUsed", ""},
		{"hwmon/hwmon5/power1_input", "0", "Power", ""},
		{"hwmon/hwmon5/power1_input", "4294967295000000", "Power", ""},
		{"hwmon/hwmon5/temp2_input", "511000", "Temperature", ""},
		{"hwmon/hwmon5/freq1_input", "4294967295000000", "SMClock", ""},
		{"ras/umc_err_count", "ue: 18446744073709551615\nce: x\n", "ECCUncorrected", ""},
		{"ras/umc_err_count", "UMC is not ready\n", "ECCUncorrected", ""},
	} {
		root := lay(t, "mi300x")
		kernelfiletest.Write(t, root, device+c.file, c.content+"\n")
		s, _ := newSource(t, root)
		r, err := s.Read(context.Background())
		if (err != nil) != (c.failure != "") || err != nil && !(strings.Contains(err.Error(), c.failure) && strings.Contains(err.Error(), c.file)) {
			t.Errorf("%s %q: error %v, want one with %q that names the file", c.file, c.content, err, c.failure)
		}
		d := r.Devices.Devices[0]
		if !strings.Contains(unknown(d)+" ", c.field+" ") {
			t.Errorf("%s %q: %s is known: %+v", c.file, c.content, c.field, d)
		}
		if other := unknown(r.Devices.Devices[1]); other != unknown(wants["mi300x"][1]) {
			t.Errorf("%s %q: of the other card is unknown: %s", c.file, c.content, other)
		}
	}
}

func TestIdentity(t *testing.T) {
	root := lay(t, "dcu")
	for _, c := range []struct{ unique, serial, want string }{
		{"7a10c0de00000101", "TPX1", "GPU-7a10c0de00000101"},
		{"7A10C0DE00000101", "TPX1", "GPU-7a10c0de00000101"},
		{"0000000000000000", "TPX1", "hygon-TPX1"},
		{"ffffffffffffffff", "TPX1", "hygon-TPX1"},
		{"0x7a10c0de", "TPX1", "hygon-TPX1"},
		{"", "N/A", "0000:07:00.0"},
		{"", "0000", "0000:07:00.0"},
		{"", "", "0000:07:00.0"},
		{"", `a\b`, "0000:07:00.0"},
		{"7a10c0de00000102", "TPX7000000000102", "0000:07:00.0"}, // both are the other card's
		{"7a10c0de00000102", "TPX1", "hygon-TPX1"},
	} {
		kernelfiletest.Write(t, root, dcuDevice+"unique_id", c.unique+"\n")
		kernelfiletest.Write(t, root, dcuDevice+"serial_number", c.serial+"\n")
		s, _ := newSource(t, root)
		d := read(t, s)
		if d[0].Info.ID != c.want {
			t.Errorf("chip %q, serial %q: id %q, want %q", c.unique, c.serial, d[0].Info.ID, c.want)
		}
		if d[0].Info.ID == d[1].Info.ID {
			t.Errorf("chip %q, serial %q: both cards are %q", c.unique, c.serial, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	root := lay(t, "mi300x")
	for _, c := range []struct{ device, product, want string }{
		{"0x74a1", "AMD Instinct MI300X OAM", "AMD Instinct MI300X OAM"},
		{"0x74a1", "", "AMD Instinct MI300X"},
		{"0x74b5", "N/A", "AMD Instinct MI300X VF"},
		{"0x740c", "", "AMD Instinct MI250X / MI250"}, // either of two, which nobody may guess
		{"0x1234", "", "0x1234"},
		{"nonsense", "", ""},
	} {
		kernelfiletest.Write(t, root, device+"device", c.device+"\n")
		kernelfiletest.Write(t, root, device+"product_name", c.product+"\n")
		s, _ := newSource(t, root)
		if got := read(t, s)[0].Info.Name; got != c.want {
			t.Errorf("device %s, product %q: name %q, want %q", c.device, c.product, got, c.want)
		}
	}
}

// A processor with compute dies is an accelerator, the graphics of others are not.
func TestAcceleratedProcessor(t *testing.T) {
	root := lay(t, "mi300x")
	kernelfiletest.Write(t, root, device+"device", "0x74a0\n")
	kernelfiletest.Write(t, root, device+"product_name", "\n")
	kernelfiletest.Write(t, root, device+"mem_info_vram_total", "0\n") // it has main memory alone
	s, _ := newSource(t, root)
	d := read(t, s)
	if len(d) != 2 || d[0].Info.Name != "AMD Instinct MI300A" || d[0].Info.Memory.OK || d[0].MemoryUsed.OK {
		t.Errorf("devices %+v", d)
	}
	kernelfiletest.Write(t, root, device+"hwmon/hwmon5/in1_input", "1000\n")
	s, _ = newSource(t, root)
	if d := read(t, s); len(d) != 1 || d[0].Info.PCI != "0000:46:00.0" || d[0].Info.Index != num(1) {
		t.Errorf("devices %+v, want the other card under its number", d)
	}
}

func TestComingAndGoing(t *testing.T) {
	root := lay(t, "mi250")
	for _, card := range []string{"0000:29:00.0", "0000:2c:00.0"} {
		remove(t, root, "sys/devices/pci0000:20/"+card+"/unique_id")
	}
	s, _ := newSource(t, root)
	if d := read(t, s); d[0].Info.ID != "0000:29:00.0" || d[1].Info.ID != "0000:2c:00.0" {
		t.Fatalf("ids %s, %s: a serial number of two dies is the identity of none", d[0].Info.ID, d[1].Info.ID)
	}
	link := filepath.Join(root, "sys/class/drm/card1")
	target, err := os.Readlink(link)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, root, "sys/class/drm/card1")
	if d := read(t, s); len(d) != 1 || d[0].Info.ID != "0000:2c:00.0" {
		t.Errorf("after the first has gone: %+v, want the second under the id it had", d)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if d := read(t, s); len(d) != 2 {
		t.Errorf("after it came back: %d devices", len(d))
	}
}

func TestSharedPower(t *testing.T) {
	const second = "sys/devices/pci0000:20/0000:2c:00.0/"
	for _, c := range []struct{ first, second, serial, want string }{
		{"89000001", "0", "PCB000000-0071", "44500 44500"},
		{"89001000", "0", "PCB000000-0071", "44501 44500"}, // not a milliwatt is lost
		{"0", "89000001", "PCB000000-0071", "44500 44500"}, // whichever of them tells
		{"40000000", "50000000", "PCB000000-0071", "40000 50000"},
		{"89000001", "0", "another", "89000 unknown"},
		{"0", "0", "PCB000000-0071", "unknown unknown"},
	} {
		root := lay(t, "mi250")
		kernelfiletest.Write(t, root, "sys/devices/pci0000:20/0000:29:00.0/hwmon/hwmon3/power1_average", c.first+"\n")
		kernelfiletest.Write(t, root, second+"hwmon/hwmon4/power1_average", c.second+"\n")
		kernelfiletest.Write(t, root, second+"serial_number", c.serial+"\n")
		s, _ := newSource(t, root)
		var got []string
		for _, d := range read(t, s) {
			word := "unknown"
			if v, ok := d.Power.Get(); ok {
				word = fmt.Sprint(int64(v))
			}
			got = append(got, word)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("dies of %s and %s: %v, want %s", c.first, c.second, got, c.want)
		}
	}
}

func TestPartitions(t *testing.T) {
	for _, c := range []struct {
		mode  string
		nodes int
		want  telemetry.Opt[int64]
	}{
		{"SPX", 1, telemetry.Opt[int64]{}},
		{"", 1, telemetry.Opt[int64]{}},
		{"UNKNOWN", 8, telemetry.Opt[int64]{}},
		{"DPX", 0, num(2)},
		{"QPX", 4, num(4)},
		{"CPX", 8, num(8)},
		{"CPX", 6, num(6)},
		{"CPX", 0, telemetry.Opt[int64]{}},
	} {
		if got := partitions(c.mode, c.nodes); got != c.want {
			t.Errorf("%s with %d devices: %v, want %v", c.mode, c.nodes, got, c.want)
		}
	}
}

func TestPartitionedWithoutComputeDriver(t *testing.T) {
	root := lay(t, "mi300x-cpx")
	remove(t, root, "sys/class/kfd")
	s, _ := newSource(t, root)
	d := read(t, s)
	if len(d) != 1 || d[0].Slices.OK || d[0].SlicesBusy.OK || d[0].Processes.OK || !d[0].MemoryUsed.OK {
		t.Errorf("devices %+v, want one card whose parts nobody knows", d)
	}
}

func TestModeChange(t *testing.T) {
	root := lay(t, "mi300x-cpx")
	s, at := newSource(t, root)
	read(t, s)
	kernelfiletest.Write(t, root, device+"current_compute_partition", "SPX\n")
	if d := read(t, s); d[0].Slices != num(8) {
		t.Errorf("slices %v, want that the mode is not asked every time", d[0].Slices)
	}
	at.Time = at.Add(slowEvery)
	if d := read(t, s); d[0].Slices.OK || d[0].Info.Slices.OK || d[0].SlicesBusy.OK {
		t.Errorf("slices %v of a whole card", d[0].Slices)
	}
}

// A process that ends frees its card with the next sample.
func TestProcessesCome(t *testing.T) {
	root := lay(t, "mi300x")
	s, _ := newSource(t, root)
	read(t, s)
	remove(t, root, "sys/class/kfd/kfd/proc/4711")
	if d := read(t, s); d[0].Processes != num(0) {
		t.Errorf("processes %v after the last has ended", d[0].Processes)
	}
	for pid := range 3 {
		kernelfiletest.Write(t, root, fmt.Sprintf("sys/class/kfd/kfd/proc/%d/queues/7/gpuid", 800+pid), "33110\n")
	}
	if d := read(t, s); d[0].Processes != num(0) || d[1].Processes != num(3) {
		t.Errorf("processes %v and %v, want 0 and 3", d[0].Processes, d[1].Processes)
	}
	kernelfiletest.Write(t, root, "sys/class/kfd/kfd/proc/800/queues/8/gpuid", "no number\n")
	r, err := s.Read(context.Background())
	if err == nil || !strings.Contains(err.Error(), "queue 8 of process 800") {
		t.Errorf("error %v", err)
	}
	if r.Devices.Devices[1].Processes.OK {
		t.Error("processes are counted although one queue cannot be read")
	}
}

func TestManyQueues(t *testing.T) {
	root := lay(t, "mi300x")
	dir := filepath.Join(root, "sys/class/kfd/kfd/proc/4711/queues")
	for i := range maxQueues {
		if err := os.Mkdir(filepath.Join(dir, fmt.Sprint(i+10)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := newSource(t, root)
	r, err := s.Read(context.Background())
	if err == nil || !strings.Contains(err.Error(), "more than 8192 queues") || r.Devices.Devices[0].Processes.OK {
		t.Errorf("error %v, processes %v", err, r.Devices.Devices[0].Processes)
	}
}

// The kernel refuses what a control group keeps from a process, root or not, as it refuses to show this setting to
// anybody.
func TestComputeDriverHidden(t *testing.T) {
	const refused = "/proc/sys/vm/compact_memory"
	if _, err := os.ReadFile(refused); !errors.Is(err, fs.ErrPermission) {
		t.Fatalf("%s: error %v, want that it is refused", refused, err)
	}
	root := lay(t, "mi300x-cpx")
	id := "sys/class/kfd/kfd/topology/nodes/3/gpu_id"
	remove(t, root, id)
	if err := os.Symlink(refused, filepath.Join(root, id)); err != nil {
		t.Fatal(err)
	}
	s, _ := newSource(t, root)
	r, err := s.Read(context.Background())
	if err != nil || len(r.Notices) != 1 || r.Notices[0].Key != "drm-compute-hidden" {
		t.Errorf("error %v, notices %v", err, r.Notices)
	}
	if d := r.Devices.Devices[0]; d.Processes.OK || d.Slices.OK || d.SlicesBusy.OK {
		t.Errorf("processes %v, slices %v, at work %v: seven of eight parts were taken for all", d.Processes, d.Slices, d.SlicesBusy)
	}
}

func TestManyCards(t *testing.T) {
	root := t.TempDir()
	for i := range 20 {
		pci := fmt.Sprintf("0000:%02x:00.0", i)
		dir := filepath.Join("sys/bus/pci/devices", pci)
		kernelfiletest.Write(t, root, filepath.Join(dir, "vendor"), "0x1002\n")
		kernelfiletest.Write(t, root, filepath.Join(dir, "device"), "0x74a1\n")
		kernelfiletest.Write(t, root, filepath.Join(dir, "class"), "0x120000\n")
		entry := filepath.Join(root, "sys/class/drm", fmt.Sprintf("card%d", i))
		if err := errors.Join(os.MkdirAll(entry, 0o755), os.Symlink("../../../bus/pci/devices/"+pci, filepath.Join(entry, "device")),
			os.Symlink("../../drivers/amdgpu", filepath.Join(root, dir, "driver"))); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := newSource(t, root)
	if d := read(t, s); len(d) != 20 || d[19].Info.Index != num(19) || d[19].Info.PCI != "0000:13:00.0" {
		t.Errorf("%d devices", len(d))
	}
}

// A driver that is changed on an operator's word takes its cards with it; they are not missing.
func TestRelease(t *testing.T) {
	root := lay(t, "mi300x")
	s, _ := newSource(t, root)
	read(t, s)
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	remove(t, root, "sys/class/drm")
	if r, err := s.Read(context.Background()); !errors.Is(err, poll.ErrReleased) || r.Devices != nil {
		t.Errorf("reading %+v, error %v, want one that is poll.ErrReleased", r, err)
	}
	s.Resume()
	if _, err := s.Read(context.Background()); !errors.Is(err, poll.ErrAbsent) {
		t.Errorf("error %v, want that the cards are not there", err)
	}
}

func TestTime(t *testing.T) {
	s, _ := newSource(t, lay(t, "mi300x"))
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := s.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v after the deadline", err)
	}
	if _, err := s.Read(context.Background()); err != nil {
		t.Errorf("and then: %v", err)
	}
}

// FuzzFiles replaces a file by anything. No value may come from it that it does not say.
func FuzzFiles(f *testing.F) {
	files := []string{
		"gpu_busy_percent", "mem_info_vram_used", "mem_info_vram_total", "hwmon/hwmon5/power1_input", "hwmon/hwmon5/temp2_input", "ras/umc_err_count",
		"unique_id", "serial_number", "product_name", "device", "class", "current_compute_partition", "../../../class/kfd/kfd/topology/nodes/2/properties",
	}
	f.Add(0, []byte("97\n"))
	f.Add(3, []byte("4294967295"))
	f.Add(5, []byte("ue: 1\nce: 2\n"))
	f.Add(6, []byte("3a00000000000160"))
	f.Add(8, []byte("\xff\\\x00"))
	f.Add(12, []byte("location_id 9728\ndomain 99999999999\n"))
	root := lay(f, "mi300x")
	f.Fuzz(func(t *testing.T, which int, content []byte) {
		name := filepath.Join(root, device, files[max(which, -which, 0)%len(files)])
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s, _ := newSource(t, root)
		r, _ := s.Read(context.Background())
		if err := os.WriteFile(name, before, 0o600); err != nil {
			t.Fatal(err)
		}
		if n := len(r.Devices.Devices); n < 1 || n > 2 {
			t.Fatalf("%d devices of two cards", n)
		}
		seen := map[string]bool{}
		for _, d := range r.Devices.Devices {
			if d.Info.ID == "" || seen[d.Info.ID] || len(d.Info.ID) > telemetry.MaxName {
				t.Errorf("id %q", d.Info.ID)
			}
			seen[d.Info.ID] = true
			bounded(t, d, string(content))
		}
	})
}

// bounded fails where a reading is what no card can be, or a number that the file does not hold.
func bounded(t *testing.T, d poll.DeviceReading, content string) {
	t.Helper()
	if u, ok := d.Utilization.Get(); ok && (u < 0 || u > 1000) {
		t.Errorf("utilisation %d", u)
	}
	if m, ok := d.MemoryUsed.Get(); ok && (m < 0 || m > d.Info.Memory.Value) {
		t.Errorf("memory %d of %d", m, d.Info.Memory.Value)
	}
	if p, ok := d.Power.Get(); ok && (p <= 0 || p > maxPower) {
		t.Errorf("power %d", p)
	}
	if c, ok := d.Temperature.Get(); ok && (c < 0 || c > maxTemperature) {
		t.Errorf("temperature %d", c)
	}
	for _, n := range []telemetry.Opt[int64]{d.ECCUncorrected, d.ECCCorrected} {
		if v, ok := n.Get(); ok && v != 0 && v != 3 && !strings.Contains(content, fmt.Sprint(v)) {
			t.Errorf("%d errors, which %q does not hold", v, content)
		}
	}
	if n, ok := d.Processes.Get(); ok && n > 1 {
		t.Errorf("%d processes of one", n)
	}
}

func BenchmarkRead(b *testing.B) {
	s, _ := newSource(b, lay(b, "mi300x"))
	read(b, s)
	b.ReportAllocs()
	for b.Loop() {
		read(b, s)
	}
}
