package state

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// amd is an idle card as one source tells of it.
func amd(id, serial, pci string) poll.DeviceReading {
	r := idle()
	r.Info = telemetry.DeviceInfo{ID: id, Vendor: "amd", Serial: serial, PCI: pci}
	return r
}

// says is what a source answers in a tick.
func says(source string, devices ...poll.DeviceReading) poll.Result {
	for i := range devices {
		devices[i].Info.Source = source
	}
	r := answer(time.Time{}, devices...)
	r.Source = source
	return r
}

// fails is a source that does not answer.
func fails(source string) poll.Result {
	return poll.Result{Source: source, Health: poll.Health{Error: "hung"}}
}

// gone is a source whose hardware is not on this host.
func gone(source string) poll.Result {
	return poll.Result{Source: source, Health: poll.Health{OK: true, Absent: true, Error: "no driver"}}
}

func (b *bench) wantSource(v View, want ...string) {
	b.Helper()
	var got []string
	for _, d := range v.Devices {
		got = append(got, d.Info.Source)
	}
	if !slices.Equal(got, want) {
		b.Errorf("told by %v, want %v", got, want)
	}
}

func TestOneCardOfTwoSources(t *testing.T) {
	const addr, other = "0000:03:00.0", "0000:83:00.0"
	for name, c := range map[string]struct{ library, sysfs poll.DeviceReading }{
		"by id":      {amd("GPU-0c", "", ""), amd("GPU-0c", "", "")},
		"by address": {amd("amd-PCB1", "PCB1", addr), amd(addr, "", addr)},
		"by serial":  {amd("GPU-0c", "PCB1", ""), amd(addr, "PCB1", addr)},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			for range 3 {
				v := b.tick(says("library", c.library), says("sysfs", c.sysfs))
				b.want(v, c.library.Info.ID+"=free")
				b.wantSource(v, "library")
			}
			// A second card that only one of them sees is another.
			second := amd("GPU-1d", "PCB2", other)
			if v := b.tick(says("library", c.library), says("sysfs", c.sysfs, second)); len(v.Devices) != 2 {
				t.Errorf("%d devices", len(v.Devices))
			}
		})
	}
}

func TestIdentityStaysWhenSourcesComeAndGo(t *testing.T) {
	const addr = "0000:03:00.0"
	plain, better := amd(addr, "", addr), amd("GPU-0c9d", "PCB1", addr)
	b := newBench(t, nil)
	b.want(b.tick(fails("exporter"), says("sysfs", plain)), addr+"=free")
	v := b.tick(says("exporter", better), says("sysfs", plain))
	b.want(v, addr+"=free")
	b.wantSource(v, "exporter")
	if v.Devices[0].Info.Serial != "PCB1" {
		t.Errorf("what the better source tells is not taken: %+v", v.Devices[0].Info)
	}
	kept, _ := b.Remember()
	// After a restart only the exporter is there, and it knows no address any more.
	again := &bench{t, NewTracker(DefaultRules(), kept, Orders{}, "boot-1", b.now, slog.New(slog.DiscardHandler)), b.now}
	v = again.tick(says("exporter", amd("GPU-0c9d", "PCB1", "")))
	again.want(v, addr+"=free")
	if v.Devices[0].Info.PCI != addr {
		t.Errorf("the address is forgotten: %+v", v.Devices[0].Info)
	}
	again.want(again.tick(gone("exporter"), says("sysfs", plain)), addr+"=free")
	// Orders stand for the one id.
	o := Orders{}
	o.Drain(addr, Drain{Reason: "fan"})
	again.SetOrders(o)
	again.want(again.tick(says("exporter", better), says("sysfs", plain)), addr+"=drained(drained)")
}

func TestPreference(t *testing.T) {
	const addr = "0000:03:00.0"
	busyCard := amd("GPU-0c", "", addr)
	busyCard.Processes = telemetry.Known[int64](1)
	idleCard := amd(addr, "", addr)
	b := newBench(t, nil)
	v := b.tick(says("library", busyCard), says("sysfs", idleCard))
	b.want(v, "GPU-0c=busy(processes)")
	// A moment's silence of the better source does not let the other free the card; a longer one does.
	for range 5 {
		b.want(b.tick(fails("library"), says("sysfs", idleCard)), "GPU-0c=busy(processes)")
	}
	v = b.tick(fails("library"), says("sysfs", idleCard))
	b.want(v, "GPU-0c=free")
	b.wantSource(v, "sysfs")
	v = b.tick(says("library", busyCard), says("sysfs", idleCard))
	b.want(v, "GPU-0c=busy(processes)")
	b.wantSource(v, "library")
	// One that is not there at all leaves the field at once.
	v = b.tick(gone("library"), says("sysfs", idleCard))
	b.want(v, "GPU-0c=free")
	b.wantSource(v, "sysfs")
	// A better source that answers without the card has spoken.
	b.tick(says("library", busyCard), says("sysfs", idleCard))
	b.want(b.tick(says("library"), says("sysfs", idleCard)), "GPU-0c=faulty(missing)")
	// All sources silent: the card is not idle.
	b = newBench(t, nil)
	b.tick(says("library", busyCard), says("sysfs", idleCard))
	for range 6 {
		v = b.tick(fails("library"), fails("sysfs"))
	}
	b.want(v, "GPU-0c=faulty(source-silent)")
}

func TestSourcesSupplementEachOther(t *testing.T) {
	const addr = "0000:03:00.0"
	a, s := amd("GPU-0c", "", addr), amd(addr, "PCB1", addr)
	a.Power, a.MemoryUsed = telemetry.Opt[telemetry.Milliwatts]{}, telemetry.Known[telemetry.Bytes](7)
	s.Power, s.MemoryUsed = telemetry.Known[telemetry.Milliwatts](90000), telemetry.Known[telemetry.Bytes](8)
	s.Energy, s.XIDs, s.Info.Memory = telemetry.Known[telemetry.Millijoules](5), []int64{79}, telemetry.Known[telemetry.Bytes](64<<30)
	b := newBench(t, nil)
	d := b.tick(says("library", a), says("sysfs", s)).Devices[0]
	got := d.Samples[0]
	if len(d.Samples) != 1 || got.Power.Value != 90000 || got.MemoryUsed.Value != 7 || d.Info.Memory.Value != 64<<30 || d.Info.Serial != "PCB1" {
		t.Errorf("sampled %+v of %+v", got, d.Info)
	}
	if got.Energy.OK || got.XIDs != nil {
		t.Errorf("counters and events of another source were taken: %+v", got)
	}
	s.Fault = "unhealthy: says the exporter"
	b.want(b.tick(says("library", a), says("sysfs", s)), "GPU-0c=faulty(unhealthy)")
}

func TestWhatCannotBeToldApartCountsOnce(t *testing.T) {
	var log strings.Builder
	b := newBench(t, nil)
	b.Log = slog.New(slog.NewTextHandler(&log, nil))
	// The exporter knows serial numbers alone, sysfs addresses alone.
	exporter := []poll.DeviceReading{amd("amd-PCB1", "PCB1", ""), amd("amd-PCB2", "PCB2", "")}
	sysfs := []poll.DeviceReading{amd("0000:03:00.0", "", "0000:03:00.0"), amd("0000:83:00.0", "", "0000:83:00.0")}
	for range 3 {
		v := b.tick(says("exporter", exporter...), says("sysfs", sysfs...))
		b.want(v, "amd-PCB1=free amd-PCB2=free")
		if len(v.Left) != 1 || !strings.Contains(v.Left["sysfs"], "it may be amd-PCB1 of source exporter, and nothing tells") {
			t.Errorf("left out: %v", v.Left)
		}
	}
	if n := strings.Count(log.String(), "share nothing that tells which is which"); n != 2 {
		t.Errorf("said %d times, want once a device:\n%s", n, &log)
	}
	// Another vendor's cards are others.
	nvidia := amd("0000:04:00.0", "", "0000:04:00.0")
	nvidia.Info.Vendor = "nvidia"
	b.want(b.tick(says("exporter", exporter...), says("sysfs", append(sysfs, nvidia)...)), "0000:04:00.0=free amd-PCB1=free amd-PCB2=free")
}

func TestSharedAddressesAndSerialsMergeNothing(t *testing.T) {
	// Two dies of a 300I Duo, and four GPUs of an A16: one address, one serial number.
	b := newBench(t, nil)
	dies := []poll.DeviceReading{amd("die-1", "S1", "0000:81:00.0"), amd("die-2", "S1", "0000:81:00.0")}
	b.want(b.tick(says("exporter", dies...)), "die-1=free die-2=free")
	b.want(b.tick(says("exporter", dies...), says("sysfs", amd("0000:81:00.0", "", "0000:81:00.0"))), "die-1=free die-2=free")
}

func TestReplacedCard(t *testing.T) {
	const addr = "0000:03:00.0"
	b := newBench(t, nil)
	b.tick(says("library", amd("GPU-old1", "", addr)), says("sysfs", amd(addr, "", addr)))
	v := b.tick(says("library", amd("GPU-new1", "", addr)), says("sysfs", amd(addr, "", addr)))
	b.want(v, "GPU-new1=free GPU-old1=faulty(missing)")
	b.SetOrders(Orders{Forgotten: map[string]time.Time{"GPU-old1": b.now.Add(time.Millisecond)}})
	b.now = b.now.Add(time.Second)
	b.want(b.tick(says("library", amd("GPU-new1", "", addr)), says("sysfs", amd(addr, "", addr))), "GPU-new1=free")
}

func TestRenamedSource(t *testing.T) {
	b := newBench(t, nil)
	b.tick(says("exporter-127.0.0.1:8082", amd("GPU-0c", "", "")))
	kept, _ := b.Remember()
	again := &bench{t, NewTracker(DefaultRules(), kept, Orders{}, "boot-1", b.now, slog.New(slog.DiscardHandler)), b.now}
	again.want(again.tick(says("exporter-127.0.0.1:9082", amd("GPU-0c", "", ""))), "GPU-0c=free")
}

// TestNeverMoreDevicesThanCards lets three sources, each with its own knowledge of the same cards, come and go at will:
// no more devices are ever counted than there are cards, and none changes its id.
func TestNeverMoreDevicesThanCards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cards := rapid.IntRange(1, 4).Draw(t, "cards")
		knows := rapid.SampledFrom([]string{"uuid", "serial", "pci", "uuid pci", "serial pci", "uuid serial pci"})
		sources := map[string]string{}
		for _, s := range []string{"a", "b", "c"} {
			sources[s] = knows.Draw(t, s+" knows")
		}
		tell := func(source string, n int) poll.DeviceReading {
			r := idle()
			r.Info = telemetry.DeviceInfo{Vendor: "amd", Source: source}
			for _, k := range strings.Fields(sources[source]) {
				id := ""
				switch k {
				case "uuid":
					id = fmt.Sprintf("GPU-%04d", n)
				case "serial":
					r.Info.Serial = fmt.Sprintf("PCB%d", n)
					id = "amd-" + r.Info.Serial
				case "pci":
					r.Info.PCI = fmt.Sprintf("0000:0%d:00.0", n)
					id = r.Info.PCI
				}
				if r.Info.ID == "" {
					r.Info.ID = id
				}
			}
			return r
		}
		log := slog.New(slog.DiscardHandler)
		tracker := NewTracker(DefaultRules(), nil, Orders{}, "boot", t0, log)
		now, ids := t0, map[string]bool{}
		for range rapid.IntRange(1, 20).Draw(t, "ticks") {
			now = now.Add(time.Second)
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				var kept []Device
				for _, d := range tracker.sorted() {
					kept = append(kept, d.Device)
				}
				tracker = NewTracker(DefaultRules(), kept, Orders{}, "boot", now, log)
			}
			var results []poll.Result
			for _, s := range []string{"a", "b", "c"} {
				switch rapid.IntRange(0, 3).Draw(t, s) {
				case 0:
					results = append(results, fails(s))
				case 1:
					results = append(results, gone(s))
				default:
					var list []poll.DeviceReading
					for n := range cards {
						if rapid.IntRange(0, 9).Draw(t, "lists") > 0 {
							list = append(list, tell(s, n))
						}
					}
					results = append(results, says(s, list...))
				}
			}
			v := tracker.Apply(poll.Tick{Time: now, Results: results})
			if len(v.Devices) > cards {
				t.Fatalf("%d devices of %d cards: %+v", len(v.Devices), cards, v.Devices)
			}
			seen := map[string]bool{}
			for _, d := range v.Devices {
				seen[d.Info.ID] = true
			}
			for id := range ids {
				if !seen[id] {
					t.Fatalf("device %s is called otherwise now: %v", id, seen)
				}
			}
			ids = seen
		}
	})
}
