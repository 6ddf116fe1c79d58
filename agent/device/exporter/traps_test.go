package exporter

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

// look reads a text by detection among the built-in profiles, or by the named one.
func look(t *testing.T, profile, text string, change ...func(*surroundings)) ([]poll.DeviceReading, error) {
	t.Helper()
	all := BuiltIn()
	if profile != "" {
		p, err := all.Named(profile)
		if err != nil {
			t.Fatal(err)
		}
		all = Profiles{p}
	}
	return lookBy(t, all, profile != "", text, change...)
}

func lookBy(t *testing.T, all Profiles, named bool, text string, change ...func(*surroundings)) ([]poll.DeviceReading, error) {
	t.Helper()
	wanted := all.metrics()
	served, err := parse(strings.NewReader(text), func(name []byte) bool { return wanted[string(name)] })
	if err != nil {
		return nil, err
	}
	f, err := all.detect(served, named)
	if err != nil {
		return nil, err
	}
	around := surroundings{source: "exporter", named: named, now: t0, maxAge: DefaultMaxAge, bus: bus{t.TempDir()}}
	for _, c := range change {
		c(&around)
	}
	return f.read(f.prefix, served, around)
}

// one reads a text that must hold one device, without complaint.
func one(t *testing.T, text string) poll.DeviceReading {
	t.Helper()
	d, err := look(t, "", text)
	if err != nil || len(d) != 1 {
		t.Fatalf("%d devices, %v; want one of %s", len(d), err, text)
	}
	return d[0]
}

func wantPower(t *testing.T, d []poll.DeviceReading, want ...string) {
	t.Helper()
	var got []string
	for i := range d {
		got = append(got, known(d[i].Power, ""))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("power %v mW, want %v", got, want)
	}
}

const (
	dcgm0  = `{gpu="0",UUID="GPU-5eed0001-0a0b-4c0d-8e0f-00000000000a",device="nvidia0",modelName="NVIDIA H100 80GB HBM3"}`
	npu0   = `{id="0",model_name="910B3-Ascend-V1",vdie_id="A1040C10-2B31A0E7-5C0E1D21",pcie_bus_info="0000:C1:00.0"}`
	metax0 = `{deviceId="0",uuid="GPU-5eed0002-0a0b-4c0d-8e0f-000000000001",modelName="MXC500"`
	gcu0   = `{uuid="GCU-X70000010005",name="Enflame T20",busid="0000:22:00.0",minor_number="0"}`
	ix0    = `{gpu="0",name="Iluvatar BI-V100",uuid="GPU-6a1b9f02-5a6c-5d0c-9c0e-1f7d3a2b4c01"}`
)

func TestTrapUnits(t *testing.T) {
	f := func(q quantity, unit string, served float64, want int64) {
		t.Helper()
		if got, ok := convert(q, unit, served); !ok || got != want {
			t.Errorf("%v %s is %d, %v; want %d", served, unit, got, ok, want)
		}
	}
	f(powers, "W", 101.3, 101300)
	f(powers, "mW", 101300, 101300)
	f(powers, "uW", 101300000, 101300)
	f(powers, "dW", 1013, 101300)
	f(powers, wattsOrMilliwatts, 131, 131000)
	f(powers, wattsOrMilliwatts, 131000, 131000)
	f(memories, "B", 1<<30, 1<<30)
	f(memories, "KiB", 1<<20, 1<<30)
	f(memories, "MiB", 1024, 1<<30)
	f(memories, "KB", 1, 1000)
	f(shares, "%", 87.5, 875)
	f(shares, "ratio", 0.875, 875)
	f(clocks, "Hz", 1.6e9, 1600)
	f(temperatures, "mC", 47500, 48)

	// The vendors' own: MetaX prints KB and mW, Enflame per cent of the limit beside watts, Gaudi milliwatts as watts.
	d := one(t, `mx_memory_used`+metax0+`,type="vram"} 1048576`+"\n"+`mx_board_power`+metax0+`} 71250`+"\n")
	if d.MemoryUsed.Value != 1<<30 || d.Power.Value != 71250 {
		t.Errorf("MetaX: %d B, %d mW; want 1 GiB and 71.25 W", d.MemoryUsed.Value, d.Power.Value)
	}
	d = one(t, "enflame_gcu_power_usage"+gcu0+" 22.2\nenflame_gcu_power_consumption"+gcu0+" 56\n")
	if d.Power.Value != 56000 {
		t.Errorf("Enflame: %d mW, want 56 W", d.Power.Value)
	}
	gaudi := `{Serial="AN1",UUID="01P4-HL3090A0-18-U5V001-10-01-01"}`
	d = one(t, "accelerator_power_usage_watts"+gaudi+" 226000\nhabanalabs_power_mW"+gaudi+" 226000\n")
	if d.Power.Value != 226000 {
		t.Errorf("Gaudi: %d mW, want 226 W", d.Power.Value)
	}
	// Iluvatar's exporter does not say whether it prints watts or milliwatts.
	for _, served := range []string{"131", "131000"} {
		if d = one(t, "ix_power_usage"+ix0+" "+served+"\n"); d.Power.Value != 131000 {
			t.Errorf("Iluvatar: %s is %d mW, want 131 W", served, d.Power.Value)
		}
	}
}

func TestTrapSentinels(t *testing.T) {
	for _, v := range []string{
		"-1", "NaN", "+Inf", "-Inf", "9223372036854775794", "9223372036854775807", "18446744073709551615", "2147483632",
		"2147483647", "4294967295", "140737488355328", "1e300", "-9223372036854775808",
	} {
		var text strings.Builder
		for _, m := range []string{
			"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_TOTAL",
			"DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "DCGM_FI_DEV_XID_ERRORS",
			"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_DEV_ROW_REMAP_FAILURE",
		} {
			if v == "-1" && m == "DCGM_FI_DEV_GPU_TEMP" {
				continue // a temperature
			}
			if m == "DCGM_FI_DEV_ROW_REMAP_FAILURE" && !strings.HasPrefix(v, "9223372036854775") {
				continue // says something only where it is a number of failures
			}
			text.WriteString(m + dcgm0 + " " + v + "\n")
		}
		d := one(t, text.String())
		if d.Fault != "" || len(d.XIDs) > 0 || d.Info.Memory.OK {
			t.Errorf("%s: fault %q, XIDs %v, memory %v", v, d.Fault, d.XIDs, d.Info.Memory)
		}
		d.Info = telemetry.DeviceInfo{}
		if got := format([]poll.DeviceReading{d}); got != "\n\n" {
			t.Errorf("%s is taken for a reading:%s", v, got)
		}
	}
	// Of Enflame, -1 is unsupported, and a temperature of -1 °C as well.
	d := one(t, "enflame_gcu_usage"+gcu0+" -1\nenflame_gcu_temperatures"+gcu0+" -1\nenflame_gcu_health"+gcu0+" -1\n")
	if d.Utilization.OK || d.Temperature.OK || d.Fault != "" {
		t.Errorf("Enflame's -1 is read as %+v", d)
	}
}

func TestTrapOtherUnitThanSaid(t *testing.T) {
	// More than everything is not a reading: 1 is not a hundredth of what it should be, nor 150 % a load.
	d := one(t, "DCGM_FI_DEV_GPU_UTIL"+dcgm0+" 150\nDCGM_FI_DEV_FB_USED"+dcgm0+" 81559\nDCGM_FI_DEV_FB_TOTAL"+dcgm0+" 80\nDCGM_FI_DEV_POWER_USAGE"+dcgm0+" 641200\n")
	if d.Utilization.OK || d.MemoryUsed.OK || d.Power.OK {
		t.Errorf("read %s", format([]poll.DeviceReading{d}))
	}
}

func TestTrapMissingIsUnknown(t *testing.T) {
	d := one(t, "npu_chip_info_temperature"+npu0+" 47\n")
	if d.Utilization.OK || d.MemoryUsed.OK || d.Processes.OK || d.Power.OK || !d.Temperature.OK {
		t.Errorf("read %s", format([]poll.DeviceReading{d}))
	}
	// The host says how many there are.
	devices, err := look(t, "", "machine_npu_nums 8\nnpu_chip_info_temperature"+npu0+" 47\n")
	if len(devices) != 1 || err == nil || !strings.Contains(err.Error(), "counts 8 devices and tells of 1") {
		t.Errorf("%d devices, %v", len(devices), err)
	}
}

func TestTrapBoardsShareTheirPower(t *testing.T) {
	chip := func(i int, model, pci string, watts string) string {
		return fmt.Sprintf("npu_chip_info_power{id=\"%d\",model_name=%q,vdie_id=\"A1040C10-2B31A0E7-%08d\",pcie_bus_info=%q} %s\n", i, model, 10000000+i, pci, watts)
	}
	// A 300I with four 310, each of which shows the board's 61 W.
	four := ""
	for i := range 4 {
		four += chip(i, "310-Ascend-V1", fmt.Sprintf("0000:0%d:00.0", i+1), "61")
	}
	d, err := look(t, "", "machine_npu_nums 4\nmachine_card_nums 1\n"+four)
	if err != nil {
		t.Fatal(err)
	}
	wantPower(t, d, "15250", "15250", "15250", "15250")
	// Without the count of boards nobody knows which share is whose.
	if d, err = look(t, "", four); err != nil {
		t.Fatal(err)
	}
	wantPower(t, d, "", "", "", "")
	// A 300I Duo: two dies of one address; and a 300I Pro beside it.
	d, err = look(t, "", chip(0, "310P3-Ascend-V1", "0000:81:00.0", "73.2")+chip(1, "310P3-Ascend-V1", "0000:81:00.0", "73.2")+chip(2, "310P3-Ascend-V1", "0000:82:00.0", "40"))
	if err != nil || len(d) != 3 {
		t.Fatalf("%d devices, %v", len(d), err)
	}
	wantPower(t, d, "36600", "36600", "40000")
	// A K200 of two chips, named by the configuration.
	sys := machine(t, [4]string{"0000:01:00.0", "0x1d22", "0x120000", "0x3684"}, [4]string{"0000:02:00.0", "0x1d22", "0x120000", "0x3684"})
	d, err = look(t, "", "node_xpu_powerUsage{devid=\"0\"} 99.001\nnode_xpu_powerUsage{devid=\"1\"} 99.001\n", func(a *surroundings) { a.model, a.bus = "K200", bus{sys} })
	if err != nil {
		t.Fatal(err)
	}
	wantPower(t, d, "49500", "49500") // 0.5 mW less each, rather than more than was drawn
	// An MI250 shows its power on one of its two dies.
	die := func(i int, watts string) string {
		return fmt.Sprintf("gpu_average_package_power{gpu_id=\"%d\",serial_number=\"PCB0042\",card_model=\"AMD Instinct MI250\",gpu_partition_id=\"0\"} %s\n", i, watts)
	}
	if d, err = look(t, "", die(0, "312")+die(1, "0")); err != nil {
		t.Fatal(err)
	}
	wantPower(t, d, "312000", "")
}

// Devices of one board are devices each: the catalogue holds what one of them can do.
func TestTrapBoardsAreSeveralDevices(t *testing.T) {
	cat := catalog.Default()
	f := func(text string, devices, perBoard int) {
		t.Helper()
		d, err := look(t, "", text)
		if err != nil || len(d) != devices {
			t.Fatalf("%d devices, %v; want %d", len(d), err, devices)
		}
		for i := range d {
			m, ok := cat.Lookup(d[i].Info.Vendor, d[i].Info.Name)
			if !ok || m.DevicesPerBoard != perBoard {
				t.Errorf("%s %q is %+v in the catalogue, want a model of %d devices a board", d[i].Info.Vendor, d[i].Info.Name, m, perBoard)
			}
		}
	}
	rows := func(n int, row string) (text string) {
		for i := range n {
			text += strings.ReplaceAll(row, "#", fmt.Sprint(i)) + "\n"
		}
		return text
	}
	f(rows(2, `npu_chip_info_power{id="#",model_name="Ascend910_9392-V1",vdie_id="A1040C10-2B31A0E7-5C0E1D2#",pcie_bus_info="0000:c#:00.0"} 220`), 2, 2)
	f(rows(2, `mlu_power_usage{mlu="#",model="MLU370-X8",sn="508212300217",uuid="20221012-4016-0000-0000-00a1b2c3d4e#",vf=""} 90`), 2, 2)
	f(rows(2, `mlu_power_usage{mlu="#",model="MLU370-X8",sn="508212300217"} 90`), 2, 2)
	f(rows(2, `ix_power_usage{gpu="#",name="Iluvatar BI-V150",uuid="GPU-6a1b9f02-5a6c-5d0c-9c0e-1f7d3a2b4c0#"} 90`), 2, 2)
	f(rows(2, `gpu_average_package_power{gpu_id="#",serial_number="PCB0042",card_model="AMD Instinct MI250",gpu_partition_id="0"} 300`), 2, 2)
	f(rows(4, `DCGM_FI_DEV_POWER_USAGE{gpu="#",UUID="GPU-5eed0003-0a0b-4c0d-8e0f-00000000000#",modelName="NVIDIA A16",DCGM_FI_DEV_SERIAL="1652222014738"} 20`), 4, 4)
}

func TestTrapSlicesAreNoDevices(t *testing.T) {
	f := func(name, text string, want ...string) {
		t.Helper()
		d, err := look(t, "", text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for i := range d {
			got = append(got, d[i].Info.ID+" "+known(d[i].Utilization, "‰")+" "+known(d[i].MemoryUsed, "B")+" "+known(d[i].Power, "mW"))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	mlu := func(metric, more, v string) string {
		return "mlu_" + metric + `{mlu="0",model="MLU590",sn="sn-0000001",` + more + "} " + v + "\n"
	}
	f("MIM of Cambricon",
		mlu("power_usage", `type="mlu590.mim-2m.16g",uuid="20221012-4016-0000-0000-00a1b2c3d5f1",vf="1"`, "30")+
			mlu("power_usage", `type="mlu590",uuid="20221012-4016-0000-0000-00a1b2c3d4e5",vf=""`, "90")+
			mlu("utilization", `type="mlu590.mim-2m.16g",uuid="20221012-4016-0000-0000-00a1b2c3d5f1",vf="1"`, "100")+
			mlu("utilization", `type="mlu590",uuid="20221012-4016-0000-0000-00a1b2c3d4e5",vf=""`, "33"),
		"20221012-4016-0000-0000-00a1b2c3d4e5 330‰  90000mW")
	f("MIG of NVIDIA",
		strings.ReplaceAll("DCGM_FI_DEV_FB_USED"+dcgm0+" 1024\n", "}", `,GPU_I_PROFILE="1g.10gb",GPU_I_ID="7"}`)+
			strings.ReplaceAll("DCGM_FI_DEV_FB_USED"+dcgm0+" 2048\n", "}", `,GPU_I_PROFILE="1g.10gb",GPU_I_ID="8"}`)+
			strings.ReplaceAll("DCGM_FI_PROF_GR_ENGINE_ACTIVE"+dcgm0+" 0.25\n", "}", `,GPU_I_PROFILE="1g.10gb",GPU_I_ID="8"}`),
		"GPU-5eed0001-0a0b-4c0d-8e0f-00000000000a 250‰ 3221225472B ")
	vgcu := strings.TrimSuffix(gcu0, "}")
	f("virtual GCUs of Enflame, whose card has no series of its own then",
		"enflame_vgcu_usage"+vgcu+`,vgcu="0"} 40`+"\nenflame_vgcu_usage"+vgcu+`,vgcu="1"} 0`+"\n"+
			"enflame_vgcu_memory_used_bytes"+vgcu+`,vgcu="0"} 1000`+"\nenflame_vgcu_memory_used_bytes"+vgcu+`,vgcu="1"} 24`+"\n",
		"GCU-X70000010005 400‰ 1024B ")
	f("virtual DCUs and vNPUs",
		`dcu_power_usage{device_id="TPX1A0200717",minor_number="0",name="K100_AI"} 104`+"\n"+`vdcu_usage{vdcu_minor_number="0",device_id="TPX1A0200717"} 7`+"\n",
		"hygon-TPX1A0200717   104000mW")
	f("vNPUs of Huawei", "npu_chip_info_power"+npu0+" 101\n"+
		`vnpu_pod_aicore_utilization{id="0",v_dev_id="100",vdie_id="ffff",is_virtual="true"} 50`+"\n"+`npu_container_info{containerID="x"} 1`+"\n",
		"A1040C10-2B31A0E7-5C0E1D21   101000mW")
	amd := func(metric string, id, part int, v string) string {
		return fmt.Sprintf("gpu_%s{gpu_id=\"%d\",serial_number=\"692244000101\",card_model=\"AMD Instinct MI300X\",gpu_partition_id=\"%d\"} %s\n", metric, id, part, v)
	}
	f("partitions of AMD, the later of which show 0 W",
		amd("package_power", 0, 0, "430")+amd("package_power", 1, 1, "0")+amd("gfx_activity", 0, 0, "0")+amd("gfx_activity", 1, 1, "55")+
			amd("used_vram", 0, 0, "1")+amd("used_vram", 1, 1, "2"),
		"amd-692244000101 550‰ 3145728B 430000mW")
}

func TestTrapPodsRepeatSeries(t *testing.T) {
	row := func(metric, pod, v string) string {
		return metric + metax0 + `,type="vram",exported_pod="` + pod + `"} ` + v + "\n"
	}
	d := one(t, row("mx_memory_used", "a", "1024")+row("mx_memory_used", "b", "1024")+row("mx_gpu_usage", "a", "50")+row("mx_gpu_usage", "b", "52"))
	if d.MemoryUsed.Value != 1<<20 || d.Utilization.Value != 520 {
		t.Errorf("%d B and %d ‰, want one MiB, and the highest of what two pods show", d.MemoryUsed.Value, d.Utilization.Value)
	}
}

func TestTrapStaleTimestamps(t *testing.T) {
	at := func(d time.Duration) string { return fmt.Sprint(t0.Add(d).UnixMilli()) }
	for stamp, fresh := range map[string]bool{
		"": true, at(0): true, at(-29 * time.Second): true, at(20 * time.Second): true,
		at(-31 * time.Second): false, at(time.Hour): false, "1606402000": false, "-5": false,
	} {
		d, err := look(t, "", "npu_chip_info_utilization"+npu0+" 0 "+stamp+"\nnpu_chip_info_hbm_used_memory"+npu0+" 3317 "+stamp+"\n")
		if len(d) != 1 {
			t.Fatalf("stamp %q: %d devices, %v: what exists does not age", stamp, len(d), err)
		}
		if d[0].Utilization.OK != fresh || d[0].MemoryUsed.OK != fresh {
			t.Errorf("stamp %q: utilisation %v, memory %v; want them known: %v", stamp, d[0].Utilization, d[0].MemoryUsed, fresh)
		}
		if told := err != nil && strings.Contains(err.Error(), "older than 30s"); told == fresh {
			t.Errorf("stamp %q: error %v", stamp, err)
		}
	}
}

func TestTrapDCGMOfThreeVendors(t *testing.T) {
	f := func(device, model, vendor string) {
		t.Helper()
		d, err := look(t, "", fmt.Sprintf("DCGM_FI_DEV_GPU_UTIL{gpu=\"0\",UUID=\"GPU-5eed0001-0a0b-4c0d-8e0f-00000000000a\",device=%q,modelName=%q} 5\n", device, model))
		if vendor == "" {
			if err == nil || !strings.Contains(err.Error(), model) {
				t.Errorf("%s: %d devices, %v; want it unknown, by its name", model, len(d), err)
			}
			return
		}
		if err != nil || len(d) != 1 || d[0].Info.Vendor != vendor || d[0].Info.Name != model {
			t.Errorf("%s is %+v, %v; want %s", model, d, err, vendor)
		}
	}
	f("nvidia0", "NVIDIA H100 80GB HBM3", "nvidia")
	f("nvidia0", "Tesla V100-SXM2-32GB", "nvidia")
	f("nvidia0", "A100-SXM4-40GB", "nvidia")
	f("nvidia0", "", "nvidia")
	f("mtgpu0", "MTT S5000", "moorethreads")
	f("mtgpu0", "", "moorethreads")
	f("ppu0", "PPU-ZW810E", "t-head")
	f("nvidia0", "PPU-ZW810E", "t-head")
	f("card0", "Somebody's GPU", "")
	// Who names NVIDIA's profile does not get others' cards counted as NVIDIA's.
	for _, model := range []string{"MTT S5000", "PPU-ZW810E"} {
		d, err := look(t, "nvidia-dcgm-exporter", fmt.Sprintf("DCGM_FI_DEV_GPU_UTIL{gpu=\"0\",UUID=\"GPU-5eed0001-0a0b-4c0d-8e0f-00000000000a\",modelName=%q} 5\n", model))
		if err == nil || len(d) > 0 || !strings.Contains(err.Error(), model) {
			t.Errorf("%d devices, %v", len(d), err)
		}
	}
}

func TestTrapCollidingNames(t *testing.T) {
	cat := catalog.Default()
	f := func(text, model, name, id string) {
		t.Helper()
		sys := machine(t, [4]string{"0000:01:00.0", "0x1d22", "0x120000", "0x3684"})
		d, err := look(t, "", text, func(a *surroundings) { a.model, a.bus = model, bus{sys} })
		if err != nil || len(d) != 1 || d[0].Info.Name != name {
			t.Fatalf("%+v, %v", d, err)
		}
		if m, ok := cat.Lookup(d[0].Info.Vendor, d[0].Info.Name); !ok || m.ID != id {
			t.Errorf("%s %q is %v, want %s", d[0].Info.Vendor, name, m, id)
		}
	}
	f(`dcu_temp{device_id="TPX1A0200717",name="K100"} 41`+"\n", "", "K100", "hygon-k100")
	f(`node_xpu_temp{devid="0"} 41`+"\n", "K100", "K100", "kunlunxin-k100")
	f(strings.ReplaceAll("enflame_gcu_usage"+gcu0+" 1\n", "T20", "S60"), "", "Enflame S60", "enflame-s60")
	f(`DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="MTT-11aa22bb-0000-4000-8000-0000000000a0",modelName="MTT S60"} 1`+"\n", "", "MTT S60", "moorethreads-s60")
}

// TestTrapSlowEnergyCounters wants power from what is served as power: counters stand still between two renewals.
func TestTrapSlowEnergyCounters(t *testing.T) {
	d := one(t, "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"+dcgm0+" 2468013579\nDCGM_FI_DEV_POWER_USAGE"+dcgm0+" 641.2\n")
	if d.Energy.OK || d.Power.Value != 641200 {
		t.Errorf("energy %v, power %v", d.Energy, d.Power)
	}
}

// TestRenamedMetrics reads an exporter whose metrics an operator renamed, by a profile of the operator's own.
func TestRenamedMetrics(t *testing.T) {
	const text = `acme_load{card="0",id="20221012-4016-0000-0000-00a1b2c3d4e5",model="MLU590"} 0.5` + "\n" +
		`acme_watts{card="0",id="20221012-4016-0000-0000-00a1b2c3d4e5",model="MLU590"} 90` + "\n"
	if _, err := look(t, "", text); err == nil || !strings.Contains(err.Error(), "none of the metrics") {
		t.Errorf("error %v", err)
	}
	p := &Profile{origin: "file"}
	if err := config.Read(strings.NewReader(`
profile: acme
vendor: cambricon
exporter: Acme's
detect: {metrics: [load]}
prefixes: [acme_]
key: [card]
identity: {uuid: [id], index: [card], name: [model]}
readings:
  utilisation: [{metric: load, unit: ratio}]
  power: [{metric: watts, unit: W}]
`), "acme.yaml", p); err != nil {
		t.Fatal(err)
	}
	d, err := lookBy(t, append(Profiles{p}, BuiltIn()...), false, text)
	if err != nil || len(d) != 1 || d[0].Utilization.Value != 500 || d[0].Power.Value != 90000 || d[0].Info.Vendor != "cambricon" {
		t.Errorf("%+v, %v", d, err)
	}
}
