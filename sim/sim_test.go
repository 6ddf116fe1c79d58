package sim

import (
	"hash/fnv"
	"io"
	"testing"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// record is what one simulated record came to.
type record struct {
	topic, host string
	value       []byte
}

// play lets a province speak for so long, by a clock of its own, and hands over every record, all acknowledged.
func play(t *testing.T, p *Province, from time.Time, d time.Duration, each func(record)) time.Time {
	t.Helper()
	at := from
	for ; !at.After(from.Add(d)); at = at.Add(tick) {
		for _, c := range p.centres {
			c.evolve(at)
			for b := (batch{more: true}); b.more; {
				if err := c.collect(&b, at, 100); err != nil {
					t.Fatal(err)
				}
				c.acknowledge(&b, func(int) bool { return false })
				for i := range b.messages {
					m := &b.messages[i]
					each(record{m.topic, m.host.origin.Host, b.value(m)})
				}
			}
		}
	}
	return at.Add(-tick)
}

func province(t *testing.T, s Spec) *Province {
	t.Helper()
	p, err := New(s, start)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDefaultProvinceHasTheRealOrder(t *testing.T) {
	p := province(t, Spec{Calm: true})
	for _, c := range p.centres {
		for _, h := range c.hosts {
			h.known = true
		}
	}
	books := p.Books(start, time.Minute)
	cat := catalog.Default()
	all := books.Price(cat, func(*Pool) bool { return true })
	accelerators := books.Price(cat, func(q *Pool) bool { return q.Kind == telemetry.Accelerator })
	domestic := books.Price(cat, func(q *Pool) bool {
		m, ok := cat.LookupMemory(q.Vendor, q.Name, telemetry.Known(q.Memory))
		return q.Kind == telemetry.Accelerator && ok && m.Domestic.Value
	})
	t.Logf("%d hosts, %d accelerators (%d domestic, %d unpriced), %s Eflops, of them accelerators %s, domestic %s",
		books.HostsRated, accelerators.Devices.Rated, domestic.Devices.Rated, accelerators.Devices.Unpriced,
		all.Eflops.Rated.Eflops(), accelerators.Eflops.Rated.Eflops(), domestic.Eflops.Rated.Eflops())
	if r := all.Eflops.Rated; r < 84*capacity.Eflop || r > 86*capacity.Eflop {
		t.Errorf("rated %s Eflops, want about 85", r.Eflops())
	}
	if accelerators.Eflops.Rated*100 < all.Eflops.Rated*98 {
		t.Errorf("accelerators are %s of %s Eflops, want over 98 %%", accelerators.Eflops.Rated.Eflops(), all.Eflops.Rated.Eflops())
	}
	books.Declared = true
	declared := books.Price(cat, func(*Pool) bool { return true }).Eflops.Rated
	intelligent := books.Price(cat, func(q *Pool) bool { return q.Kind == telemetry.Accelerator && q.Counted != Super }).Eflops.Rated
	if declared < 84*capacity.Eflop || intelligent*100 < declared*98 {
		t.Errorf("as declared, %s of %s Eflops are of class intelligent, want over 98 %%", intelligent.Eflops(), declared.Eflops())
	}
	if s := float64(domestic.Devices.Rated) / float64(accelerators.Devices.Rated); s < 0.88 || s > 0.95 {
		t.Errorf("%.3f of the accelerators are domestic, want about nine in ten", s)
	}
	if all.Devices.Unpriced == 0 {
		t.Error("nothing is unpriced, so the province shows no such device")
	}
}

// Every vendor whose accelerators the agent reads has some, by names that the catalogue finds. What it cannot price is
// shown as unpriced.
func TestDefaultProvinceHasAllVendors(t *testing.T) {
	p := province(t, Spec{Calm: true})
	for _, c := range p.centres {
		for _, h := range c.hosts {
			h.known = true
		}
	}
	cat := catalog.Default()
	vendors, unpriced, kinds := map[string]int64{}, map[string]bool{}, map[string]bool{}
	for _, q := range p.Books(start, time.Minute).Pools {
		devices := q.Busy + q.Free + q.Drained + q.Faulty + q.Stale
		if q.Kind == telemetry.CPU {
			m, priced := cat.CPU(q.CPU)
			kinds[m.Vendor] = true
			if !priced {
				unpriced[m.ID] = true
			}
			continue
		}
		vendors[q.Vendor] += devices
		m, found := cat.LookupMemory(q.Vendor, q.Name, telemetry.Known(q.Memory))
		if !found {
			t.Errorf("the catalogue does not find %q of %s", q.Name, q.Vendor)
			continue
		}
		if _, priced := m.Peaks.Get(catalog.FP16); !priced {
			unpriced[m.ID] = true
		}
	}
	for _, v := range []string{
		"huawei", "cambricon", "hygon", "metax", "iluvatar", "enflame", "kunlunxin", "moorethreads", "t-head", "amd", "intel", "nvidia",
	} {
		if vendors[v] < 8 {
			t.Errorf("%d accelerators of %s", vendors[v], v)
		}
	}
	for _, v := range []string{"huawei", "hygon", "intel", "amd", "phytium", "loongson", "zhaoxin"} {
		if !kinds[v] {
			t.Errorf("no processors of %s", v)
		}
	}
	for _, id := range []string{"kunlunxin-p800", "cambricon-mlu590", "enflame-s60", "metax-c550", "moorethreads-s5000", "t-head-ppu-zw810e", "intel-gaudi-2", "zhaoxin-kaisheng-kh-40000-16"} {
		if !unpriced[id] {
			t.Errorf("%s has a price: say so in the tests and the guide, or show another that has none; unpriced are %v", id, unpriced)
		}
	}
}

// A supercomputer counts by FP64 and a farm for rendering by FP32, where a collector has the declarations.
func TestCountedAsDeclared(t *testing.T) {
	for by, want := range map[Counting]int64{"": 8 * 165_200_000, Rendering: 8 * 82_600_000, Super: 8 * 1_300_000} {
		c := Centre{ID: "c", Weight: 1, Groups: []Group{{"farm", "nvidia-4090", 1}}}
		if by != "" {
			c.Counted = map[string]Counting{"farm": by}
		}
		p := province(t, Spec{Hosts: 1, Centres: []Centre{c}, Calm: true})
		p.centres[0].hosts[0].known = true
		books := p.Books(start, time.Minute)
		cards := func(q *Pool) bool { return q.Kind == telemetry.Accelerator }
		plain := books.Price(catalog.Default(), cards).Eflops.Rated
		books.Declared = true
		if got := books.Price(catalog.Default(), cards).Eflops.Rated; int64(got) != want || int64(plain) != 8*165_200_000 {
			t.Errorf("counted by %q: %d Mflop/s, without declarations %d, want %d and %d", by, got, plain, want, 8*165_200_000)
		}
	}
}

func TestSharesAddUp(t *testing.T) {
	for _, c := range []struct {
		n       int
		weights []int
		want    []int
	}{
		{10, []int{1, 1}, []int{5, 5}},
		{10, []int{1, 1, 1}, []int{4, 3, 3}},
		{1, []int{1, 5, 2}, []int{0, 1, 0}},
		{0, []int{3, 4}, []int{0, 0}},
		{7, []int{16, 14, 11, 1}, []int{3, 2, 2, 0}},
	} {
		got, sum := shares(c.n, c.weights), 0
		for i := range got {
			sum += got[i]
			if got[i] != c.want[i] {
				t.Errorf("shares(%d, %v) = %v, want %v", c.n, c.weights, got, c.want)
				break
			}
		}
		if sum != c.n {
			t.Errorf("shares(%d, %v) = %v add up to %d", c.n, c.weights, got, sum)
		}
	}
}

func TestSpecRefuses(t *testing.T) {
	group := []Group{{"a", "kunpeng", 1}}
	for name, s := range map[string]Spec{
		"hosts":       {Hosts: -1},
		"many hosts":  {Hosts: MaxHosts + 1},
		"interval":    {Interval: time.Millisecond},
		"ramp":        {Ramp: time.Hour},
		"speed":       {Speed: -1},
		"no centre":   {Centres: []Centre{}},
		"centre id":   {Centres: []Centre{{ID: "A b", Weight: 1, Groups: group}}},
		"twice":       {Centres: []Centre{{ID: "a", Weight: 1, Groups: group}, {ID: "a", Weight: 1, Groups: group}}},
		"no group":    {Centres: []Centre{{ID: "a", Weight: 1}}},
		"no server":   {Centres: []Centre{{ID: "a", Weight: 1, Groups: []Group{{"a", "abacus", 1}}}}},
		"cluster":     {Centres: []Centre{{ID: "a", Weight: 1, Groups: []Group{{"-", "kunpeng", 1}}}}},
		"weightless":  {Centres: []Centre{{ID: "a", Groups: group}}},
		"counted":     {Centres: []Centre{{ID: "a", Weight: 1, Groups: group, Counted: map[string]Counting{"b": Super}}}},
		"counted so":  {Centres: []Centre{{ID: "a", Weight: 1, Groups: group, Counted: map[string]Counting{"a": "twice"}}}},
		"group light": {Centres: []Centre{{ID: "a", Weight: 1, Groups: []Group{{"a", "kunpeng", 0}}}}},
	} {
		if p, err := New(s, start); err == nil {
			t.Errorf("%s: made %d hosts of it", name, len(p.centres))
		}
	}
}

// sum plays a province and returns a checksum of every record, in order, and their number.
func sum(t *testing.T, s Spec) (uint64, int) {
	t.Helper()
	h, n := fnv.New64a(), 0
	play(t, province(t, s), start, 30*time.Second, func(r record) {
		_, _ = io.WriteString(h, r.topic+r.host)
		_, _ = h.Write(r.value)
		n++
	})
	return h.Sum64(), n
}

func TestSeedDecidesEverything(t *testing.T) {
	s := Spec{Seed: 7, Hosts: 200, Speed: 600}
	first, n := sum(t, s)
	if again, m := sum(t, s); again != first || m != n {
		t.Errorf("one seed gave two histories: %x of %d records, %x of %d", first, n, again, m)
	}
	s.Seed = 8
	if other, _ := sum(t, s); other == first {
		t.Error("two seeds gave one history")
	}
}

// The ledger is held against a second reading of the same records, by the decoder and nothing of the simulation.
func TestLedgerSaysWhatTheRecordsSay(t *testing.T) {
	p := province(t, Spec{Seed: 3, Hosts: 300, Speed: 100})
	type last struct {
		at    time.Time
		state map[telemetry.State]int64
		parts int64
	}
	hosts, devices := map[string]*last{}, map[string]int64{}
	var dec telemetry.Decoder
	hear := func(r record) {
		if topic, inventory, _ := telemetry.CentreOfTopic(r.topic); topic == "" {
			t.Fatalf("topic %q", r.topic)
		} else if inventory {
			var inv telemetry.Inventory
			if err := dec.Inventory(r.value, &inv); err != nil {
				t.Fatalf("%v\n%s", err, r.value)
			}
			if inv.Centre != topic || inv.Host != r.host {
				t.Fatalf("record of %q on topic of %q, key %q", inv.Origin, topic, r.host)
			}
			devices[r.host] = int64(len(inv.Devices))
			return
		}
		var rep telemetry.Report
		if err := dec.Report(r.value, &rep); err != nil {
			t.Fatalf("%v\n%s", err, r.value)
		}
		l := &last{at: rep.Time, state: map[telemetry.State]int64{}}
		for _, d := range rep.Devices {
			l.state[d.State]++
			switch {
			case d.State != telemetry.Busy:
			case d.Slices.OK:
				l.parts += (capacity.UnitsPerDevice*d.SlicesBusy.Value + d.Slices.Value - 1) / d.Slices.Value
			default:
				l.parts += capacity.UnitsPerDevice
			}
		}
		hosts[r.host] = l
	}
	now := play(t, p, start, 90*time.Second, hear)
	for _, h := range p.centres[0].crews[0].hosts[:rack] {
		p.centres[0].silence(p.centres[0].crews[0], h)
	}
	now = play(t, p, now, 20*time.Second, hear)
	const staleAfter = 15 * time.Second
	var want, got Pool
	online := int64(0)
	for id, n := range devices {
		l := hosts[id]
		if l == nil || now.Sub(l.at) > staleAfter {
			want.Stale += n
			continue
		}
		online++
		want.Busy, want.Free = want.Busy+l.state[telemetry.Busy], want.Free+l.state[telemetry.Free]
		want.Drained, want.Faulty = want.Drained+l.state[telemetry.Drained], want.Faulty+l.state[telemetry.Faulty]
		want.Parts[0] += l.parts
	}
	books := p.Books(now, staleAfter)
	for _, q := range books.Pools {
		if q.Kind == telemetry.Accelerator {
			got.Busy, got.Free, got.Drained, got.Faulty, got.Stale = got.Busy+q.Busy, got.Free+q.Free, got.Drained+q.Drained, got.Faulty+q.Faulty, got.Stale+q.Stale
			got.Parts[0] += q.Parts[0]
		}
	}
	if got != want {
		t.Errorf("ledger %+v\nrecords %+v", got, want)
	}
	if books.HostsRated != int64(len(devices)) || books.HostsOnline != online || len(devices) != 300 {
		t.Errorf("ledger has %d hosts, %d online; records %d, %d", books.HostsRated, books.HostsOnline, len(devices), online)
	}
	for name, n := range map[string]int64{"busy": got.Busy, "free": got.Free, "drained": got.Drained, "faulty": got.Faulty, "stale": got.Stale} {
		if n == 0 {
			t.Errorf("no device was %s: the history shows too little", name)
		}
	}
	if got.Parts[0]%capacity.UnitsPerDevice == 0 {
		t.Error("no partitioned card was at work")
	}
}

func TestFiguresAddUp(t *testing.T) {
	p := province(t, Spec{Seed: 5, Hosts: 300, Speed: 1000})
	now := play(t, p, start, time.Minute, func(record) {})
	s := p.Books(now, 15*time.Second).Summary(catalog.Default())
	if len(s.Centres) != 12 {
		t.Fatalf("%d centres", len(s.Centres))
	}
	var sum Figures
	for _, c := range s.Centres {
		sum.Devices.Rated += c.Devices.Rated
		sum.Devices.Busy += c.Devices.Busy
		sum.Devices.Unpriced += c.Devices.Unpriced
		sum.Eflops.Rated += c.Eflops.Rated
		sum.Eflops.Busy += c.Eflops.Busy
		sum.Eflops.Stale += c.Eflops.Stale
		for _, f := range []struct{ whole, parts capacity.Flops }{
			{c.Eflops.Rated, c.Eflops.Online + c.Eflops.Stale},
			{c.Eflops.Online, c.Eflops.Healthy + c.Eflops.Drained + c.Eflops.Faulty},
			{c.Eflops.Healthy, c.Eflops.Busy + c.Eflops.Free},
		} {
			if f.whole != f.parts {
				t.Errorf("%s: %s is not %s", c.Centre, f.whole.Eflops(), f.parts.Eflops())
			}
		}
	}
	total := s.Total
	if sum.Devices.Rated != total.Devices.Rated || sum.Devices.Busy != total.Devices.Busy || sum.Devices.Unpriced != total.Devices.Unpriced ||
		sum.Eflops.Rated != total.Eflops.Rated || sum.Eflops.Busy != total.Eflops.Busy || sum.Eflops.Stale != total.Eflops.Stale {
		t.Errorf("centres add up to %+v, the total is %+v", sum, total)
	}
	if total.Eflops.Busy == 0 || total.Eflops.Free == 0 || s.Hosts.Rated != 300 {
		t.Errorf("total %+v, hosts %+v", total, s.Hosts)
	}
}

// What the broker did not take is not in the books, and is said again.
func TestWhatWasNotAcknowledgedIsSaidAgain(t *testing.T) {
	p := province(t, Spec{Seed: 1, Hosts: 20, Calm: true})
	c := p.centres[0]
	now := start.Add(10 * time.Second)
	c.evolve(now)
	var b batch
	if err := c.collect(&b, now, 100); err != nil {
		t.Fatal(err)
	}
	n := len(b.messages)
	c.acknowledge(&b, func(int) bool { return true })
	if books := p.Books(now, time.Minute); books.HostsRated != 0 || n == 0 {
		t.Fatalf("%d hosts entered of %d records refused", books.HostsRated, n)
	}
	if err := c.collect(&b, now, 100); err != nil || len(b.messages) != n {
		t.Fatalf("said %d records again of %d, %v", len(b.messages), n, err)
	}
	c.acknowledge(&b, func(i int) bool { return b.messages[i].inventory })
	if books := p.Books(now, time.Minute); books.HostsRated != 0 {
		t.Errorf("%d hosts entered without an inventory", books.HostsRated)
	}
	if err := c.collect(&b, now, 100); err != nil || len(b.messages) != n {
		t.Fatalf("said %d records again of %d, %v", len(b.messages), n, err)
	}
	c.acknowledge(&b, func(int) bool { return false })
	if err := c.collect(&b, now, 100); err != nil || len(b.messages) != 0 {
		t.Errorf("%d records although all is said, %v", len(b.messages), err)
	}
	if books := p.Books(now, time.Minute); books.HostsRated != int64(len(c.hosts)) {
		t.Errorf("%d hosts entered of %d", books.HostsRated, len(c.hosts))
	}
}

// The load of a long history follows the hour, and troubles keep their share. Hosts are many, because a group of one or two
// is at work as a whole or not at all.
func TestDaysAndNights(t *testing.T) {
	p := province(t, Spec{Seed: 2, Hosts: 1500, Speed: 1800})
	busyAt := func(after time.Duration) float64 {
		now := start
		for at := start; !at.After(start.Add(after)); at = at.Add(evolveEvery) {
			for _, c := range p.centres {
				c.evolve(at)
			}
			now = at
		}
		busy, devices := 0, 0
		for _, c := range p.centres {
			for _, h := range c.hosts {
				busy, devices = busy+popcount(h.busy), devices+max(len(h.devices), 1)
			}
		}
		t.Logf("at %s: %d of %d busy", p.centres[0].simulated(now).In(cst).Format("15:04"), busy, devices)
		return float64(busy) / float64(devices)
	}
	day := busyAt(0)                  // 16:00
	night := busyAt(24 * time.Second) // twelve hours later
	if day < 0.75 || day > 0.9 || night < 0.4 || night > 0.6 {
		t.Errorf("busy by day %.2f, by night %.2f", day, night)
	}
	start := start.Add(24 * time.Second)
	for at := start; at.Before(start.Add(5 * time.Minute)); at = at.Add(evolveEvery) { // a week
		for _, c := range p.centres {
			c.evolve(at)
		}
	}
	faulty, devices, drained, silent, hosts := 0, 0, 0, 0, 0
	for _, c := range p.centres {
		for _, h := range c.hosts {
			hosts, devices, faulty = hosts+1, devices+len(h.devices), faulty+popcount(h.faulty)
			if h.drained {
				drained++
			}
			if h.silent {
				silent++
			}
			if h.busy&^h.all() != 0 && len(h.devices) > 0 {
				t.Fatalf("host %s works on devices it does not have: %x", h.name, h.busy)
			}
		}
	}
	if s := float64(faulty) / float64(devices); s < 0.002 || s > 0.01 {
		t.Errorf("%.4f of the devices are faulty", s)
	}
	if s := float64(drained) / float64(hosts); s < 0.002 || s > 0.04 {
		t.Errorf("%.4f of the hosts are drained", s)
	}
	if s := float64(silent) / float64(hosts); s > 0.03 {
		t.Errorf("%.4f of the hosts are silent", s)
	}
}

func BenchmarkReport(b *testing.B) {
	p, err := New(Spec{Hosts: 1000, Calm: true}, start)
	if err != nil {
		b.Fatal(err)
	}
	c := p.centres[0]
	var out batch
	b.ReportAllocs()
	at, records := start, 0
	for b.Loop() {
		at = at.Add(c.spec.Interval)
		c.now = at
		if err := c.collect(&out, at, len(c.hosts)); err != nil {
			b.Fatal(err)
		}
		c.acknowledge(&out, func(int) bool { return false })
		records += len(out.messages)
		b.SetBytes(int64(len(out.buf)))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(records), "ns/record")
}
