package sim

import (
	"fmt"
	"math/rand/v2"

	"github.com/exameter/exameter/telemetry"
)

// server is one kind of server, as its vendors' tools describe it.
type server struct {
	vendor, device   string // of the accelerators; empty where it has none
	devices          int
	memory           telemetry.Bytes
	tdp              telemetry.Milliwatts
	source           string
	driver, firmware string
	slices           int64 // compute slices of each card; 0 where cards are whole
	sm               bool  // the card says how busy its multiprocessors are
	id               func(*rand.Rand) string

	product, os, kernel, arch string
	cpu                       telemetry.CPUInfo
	hostMemory                telemetry.Bytes
}

const gib = telemetry.Bytes(1 << 30)

// servers are the kinds of server that a group may be made of.
var servers = map[string]*server{
	"ascend-910b1": ascend("910B1", 8, 64*gib),
	"ascend-910b2": ascend("910B2", 8, 64*gib),
	"ascend-910b3": ascend("910B3", 8, 64*gib),
	"ascend-910b4": ascend("910B4", 8, 32*gib),
	"ascend-910c":  ascend("Ascend910_9391", 16, 64*gib),

	"hygon-k100-ai": hygon("K100_AI", 400_000),
	"hygon-bw1000":  hygon("BW1000", 300_000),

	"metax-c500": onHygon(server{
		vendor: "metax", device: "MetaX C500", devices: 8, memory: 64 * gib, tdp: 350_000,
		source: "metax", driver: "3.0.11", firmware: "1.26.1.0", id: prefixed("GPU-", 8, 4, 4, 4, 12),
	}),
	"iluvatar-bi-v150": onHygon(server{
		vendor: "iluvatar", device: "Iluvatar BI-V150", devices: 16, memory: 32 * gib, tdp: 175_000,
		source: "iluvatar", driver: "4.2.0", id: prefixed("GPU-", 8, 4, 4, 4, 12),
	}),
	"metax-c550": onHygon(server{
		vendor: "metax", device: "MetaX C550", devices: 8, memory: 64 * gib, tdp: 450_000,
		source: "metax", driver: "3.0.11", firmware: "1.26.1.0", id: prefixed("GPU-", 8, 4, 4, 4, 12),
	}),
	"moorethreads-s5000": onHygon(server{
		vendor: "moorethreads", device: "MTT S5000", devices: 8, memory: 80 * gib, tdp: 700_000,
		source: "moorethreads", driver: "3.3.1", id: prefixed("", 8, 4, 4, 4, 12),
	}),
	"moorethreads-s4000": onHygon(server{
		vendor: "moorethreads", device: "MTT S4000", devices: 8, memory: 48 * gib, tdp: 450_000,
		source: "moorethreads", driver: "2.7.0", id: prefixed("GPU-", 8, 4, 4, 4, 12),
	}),
	"cambricon-mlu590": onHygon(server{
		vendor: "cambricon", device: "MLU590-M9", devices: 8, memory: 96 * gib, tdp: 550_000,
		source: "cambricon", driver: "6.2.10", id: prefixed("", 8, 4, 4, 4, 12),
	}),
	"cambricon-mlu370": onHygon(server{
		vendor: "cambricon", device: "MLU370-X8", devices: 16, memory: 24 * gib, tdp: 125_000,
		source: "cambricon", driver: "5.10.22", id: prefixed("", 8, 4, 4, 4, 12),
	}),
	"kunlunxin-p800": onHygon(server{
		vendor: "kunlunxin", device: "P800 OAM", devices: 8, memory: 96 * gib, tdp: 400_000,
		source: "kunlunxin", driver: "5.0.21", id: prefixed("", 16),
	}),

	"kunlunxin-r300": onKunpeng(server{
		vendor: "kunlunxin", device: "R300", devices: 8, memory: 32 * gib, tdp: 300_000,
		source: "kunlunxin", driver: "4.0.26", id: prefixed("", 16),
	}),
	"enflame-t21": onHygon(server{
		vendor: "enflame", device: "Enflame T21", devices: 8, memory: 32 * gib, tdp: 300_000,
		source: "enflame", driver: "1.3.4", id: prefixed("", 20),
	}),
	"enflame-s60": onHygon(server{
		vendor: "enflame", device: "Enflame S60", devices: 8, memory: 48 * gib, tdp: 300_000,
		source: "enflame", driver: "1.3.4", id: prefixed("", 20),
	}),
	"t-head-ppu": onXeon(server{
		vendor: "t-head", device: "PPU-ZW810E", devices: 16, memory: 96 * gib, tdp: 400_000,
		source: "t-head", driver: "1.5.1", id: prefixed("GPU-", 8, 4, 4, 4, 12),
	}),

	"nvidia-h20":      nvidia("NVIDIA H20", 8, 96*gib, 400_000, 0, true),
	"nvidia-h800":     nvidia("NVIDIA H800", 8, 80*gib, 700_000, 0, true),
	"nvidia-a800":     nvidia("NVIDIA A800-SXM4-80GB", 8, 80*gib, 400_000, 0, false),
	"nvidia-a800-mig": nvidia("NVIDIA A800-SXM4-80GB", 8, 80*gib, 400_000, 7, false),
	"nvidia-l40s":     nvidia("NVIDIA L40S", 8, 48*gib, 350_000, 0, false),
	"nvidia-4090":     nvidia("NVIDIA GeForce RTX 4090", 8, 24*gib, 450_000, 0, false),
	"nvidia-a6000":    nvidia("NVIDIA RTX A6000", 8, 48*gib, 300_000, 0, false),
	"nvidia-6000-ada": nvidia("NVIDIA RTX 6000 Ada Generation", 8, 48*gib, 300_000, 0, false),

	"amd-mi300x": onEPYC(server{
		vendor: "amd", device: "AMD Instinct MI300X OAM", devices: 8, memory: 192 * gib, tdp: 750_000,
		source: "amd", driver: "6.12.12", id: prefixed("GPU-", 16),
	}),
	"amd-mi250": onEPYC(server{ // four boards of two devices
		vendor: "amd", device: "AMD INSTINCT MI250 (MCM) OAM AC MBA", devices: 8, memory: 64 * gib, tdp: 280_000,
		source: "amd", driver: "6.12.12", id: prefixed("GPU-", 16),
	}),
	"intel-gaudi-2": onXeon(server{
		vendor: "intel", device: "HL-225", devices: 8, memory: 96 * gib, tdp: 600_000,
		source: "intel", driver: "1.20.1", id: prefixed("01P0-HL2080A0-15-", 6, 2, 2, 2),
	}),
	"intel-max-1550": onXeon(server{
		vendor: "intel", device: "Intel(R) Data Center GPU Max 1550", devices: 8, memory: 128 * gib, tdp: 600_000,
		source: "intel", driver: "1.24.0", id: prefixed("", 8, 4, 4, 4, 12),
	}),

	"kunpeng":         onKunpeng(server{}),
	"hygon-7390":      onHygon(server{}),
	"xeon-8480":       onXeon(server{}),
	"epyc-9654":       onEPYC(server{}),
	"phytium-s2500":   onPhytium(server{}),
	"loongson-3c5000": onLoongson(server{}),
	"zhaoxin-kh40000": onZhaoxin(server{}),
}

func ascend(name string, devices int, memory telemetry.Bytes) *server {
	return onKunpeng(server{
		vendor: "huawei", device: name, devices: devices, memory: memory, tdp: 350_000,
		source: "huawei", driver: "25.2.0", id: prefixed("", 16),
	})
}

func hygon(name string, tdp telemetry.Milliwatts) *server {
	return onHygon(server{
		vendor: "hygon", device: name, devices: 8, memory: 64 * gib, tdp: tdp,
		source: "hygon", driver: "6.2.26", id: prefixed("GPU-", 16),
	})
}

func nvidia(name string, devices int, memory telemetry.Bytes, tdp telemetry.Milliwatts, slices int64, sm bool) *server {
	return onXeon(server{
		vendor: "nvidia", device: name, devices: devices, memory: memory, tdp: tdp, slices: slices, sm: sm,
		source: "nvml", driver: "570.133.20", firmware: "96.00.BC.00.01", id: prefixed("GPU-", 8, 4, 4, 4, 12),
	})
}

func onKunpeng(s server) *server {
	s.product, s.os, s.kernel, s.arch, s.hostMemory = "Kunpeng 920 server", "openEuler 24.03 (LTS-SP1)", "6.6.0-72.0.0.76.oe2403sp1.aarch64", "aarch64", 1024*gib
	s.cpu = telemetry.CPUInfo{
		Vendor: "0x48", Part: "0xd01", Sockets: known(4), Cores: known(192), Threads: known(192), MaxClock: mhz(2600),
		Flags: "asimd asimddp asimdhp",
	}
	return &s
}

func onHygon(s server) *server {
	s.product, s.os, s.kernel, s.arch, s.hostMemory = "Hygon 7390 server", "Kylin Linux Advanced Server V10 (Halberd)", "4.19.90-89.11.v2401.ky10.x86_64", "x86_64", 1024*gib
	s.cpu = telemetry.CPUInfo{
		Vendor: "HygonGenuine", Name: "Hygon C86 7390 32-core Processor", Family: known(24), Model: known(4), Stepping: known(1),
		Sockets: known(2), Cores: known(64), Threads: known(128), BaseClock: mhz(2700), MaxClock: mhz(3300), Flags: "avx avx2 fma",
	}
	return &s
}

func onXeon(s server) *server {
	s.product, s.os, s.kernel, s.arch, s.hostMemory = "Xeon 8480 server", "Ubuntu 22.04.5 LTS", "5.15.0-139-generic", "x86_64", 2048*gib
	s.cpu = telemetry.CPUInfo{
		Vendor: "GenuineIntel", Name: "Intel(R) Xeon(R) Platinum 8480+", Family: known(6), Model: known(143), Stepping: known(8),
		Sockets: known(2), Cores: known(112), Threads: known(224), BaseClock: mhz(2000), MaxClock: mhz(3800),
		Flags: "amx_bf16 amx_int8 amx_tile avx avx2 avx512_bf16 avx512_fp16 avx512_vnni avx512f avx512vl fma",
	}
	return &s
}

func onEPYC(s server) *server {
	s.product, s.os, s.kernel, s.arch, s.hostMemory = "EPYC 9654 server", "Ubuntu 24.04.2 LTS", "6.8.0-60-generic", "x86_64", 2304*gib
	s.cpu = telemetry.CPUInfo{
		Vendor: "AuthenticAMD", Name: "AMD EPYC 9654 96-Core Processor", Family: known(25), Model: known(17), Stepping: known(1),
		Sockets: known(2), Cores: known(192), Threads: known(384), MaxClock: mhz(3707), BaseClock: mhz(2400),
		Flags: "avx avx2 avx512_bf16 avx512f avx512vl fma",
	}
	return &s
}

func onPhytium(s server) *server {
	s.product, s.os, s.kernel, s.arch, s.hostMemory = "S2500 server", "Kylin Linux Advanced Server V10 (Halberd)", "4.19.90-89.11.v2401.ky10.aarch64", "aarch64", 512*gib
	s.cpu = telemetry.CPUInfo{
		Vendor: "0x70", Part: "0x663", Sockets: known(2), Cores: known(128), Threads: known(128), MaxClock: mhz(2100), Flags: "asimd",
	}
	return &s
}

func onLoongson(s server) *server {
	s.product, s.os, s.kernel, s.arch, s.hostMemory = "3C5000 server", "Loongnix-Server Linux release 23", "6.6.0-72.0.0.76.loongarch64", "loongarch64", 256*gib
	s.cpu = telemetry.CPUInfo{
		Vendor: "Loongson", Name: "Loongson-3C5000", Sockets: known(4), Cores: known(64), Threads: known(64), BaseClock: mhz(2200), Flags: "lasx lsx",
	}
	return &s
}

// onZhaoxin is a server whose processors are unpriced: nobody has published how wide their arithmetic is.
func onZhaoxin(s server) *server {
	s.product, s.os, s.kernel, s.arch, s.hostMemory = "KH-40000 server", "Kylin Linux Advanced Server V10 (Halberd)", "4.19.90-89.11.v2401.ky10.x86_64", "x86_64", 512*gib
	s.cpu = telemetry.CPUInfo{
		Vendor: "Shanghai", Name: "ZHAOXIN KaiSheng KH-40000/16@2.2GHz", Family: known(7), Model: known(91), Stepping: known(2),
		Sockets: known(2), Cores: known(32), Threads: known(32), MaxClock: mhz(2200), Flags: "avx avx2 fma",
	}
	return &s
}

func known(n int64) telemetry.Opt[int64] { return telemetry.Known(n) }

func mhz(n telemetry.Megahertz) telemetry.Opt[telemetry.Megahertz] { return telemetry.Known(n) }

// prefixed makes ids of groups of so many hexadecimal digits, joined by hyphens.
func prefixed(prefix string, digits ...int) func(*rand.Rand) string {
	return func(r *rand.Rand) string {
		id := prefix
		for i, n := range digits {
			if i > 0 {
				id += "-"
			}
			id += hex(r, n)
		}
		return id
	}
}

// hex draws n hexadecimal digits, at most 16 at a time.
func hex(r *rand.Rand, n int) string {
	out := ""
	for ; n > 16; n -= 16 {
		out += fmt.Sprintf("%016x", r.Uint64())
	}
	return out + fmt.Sprintf("%0*x", n, r.Uint64()>>(64-4*n))
}
