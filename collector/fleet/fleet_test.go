package fleet

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

const stale = 30 * time.Second

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// drawer draws records of a small fleet in which hosts share device ids, so that claims meet.
type drawer struct {
	t    *rapid.T
	now  time.Time
	seqs map[string]int64
}

func opt[T any](t *rapid.T, g *rapid.Generator[T]) telemetry.Opt[T] {
	if rapid.IntRange(0, 3).Draw(t, "known") == 0 {
		return telemetry.Opt[T]{}
	}
	return telemetry.Known(g.Draw(t, "value"))
}

func (d *drawer) header(host string) telemetry.Header {
	boot := rapid.SampledFrom([]string{"boot-a", "boot-b"}).Draw(d.t, "boot")
	d.seqs[host+boot]++
	seq := d.seqs[host+boot]
	if rapid.IntRange(0, 9).Draw(d.t, "restarted") == 0 {
		seq = 1
	}
	event := d.now.Add(time.Duration(rapid.IntRange(-90, 90).Draw(d.t, "event")) * time.Second)
	return telemetry.Header{Origin: telemetry.Origin{Centre: "x", Cluster: "default", Host: host}, Time: event, Boot: boot, Seq: seq}
}

func (d *drawer) ids() []string {
	ids := rapid.SliceOfNDistinct(rapid.IntRange(0, 7), 0, 5, rapid.ID[int]).Draw(d.t, "devices")
	out := make([]string, len(ids))
	for i, n := range ids {
		out[i] = fmt.Sprintf("GPU-%d", n)
		if n >= 6 {
			out[i] = fmt.Sprintf("0000:3%d:00.0", n)
		}
	}
	return out
}

func (d *drawer) inventory(host string) *telemetry.Inventory {
	inv := &telemetry.Inventory{Header: d.header(host)}
	inv.Cluster = rapid.SampledFrom([]string{"default", "hpc"}).Draw(d.t, "cluster")
	for _, id := range d.ids() {
		name := rapid.SampledFrom([]string{"m0", "M-0", "m1", "m9"}).Draw(d.t, "model")
		inv.Devices = append(inv.Devices, telemetry.DeviceInfo{ID: id, Vendor: "v", Name: name})
	}
	if rapid.Bool().Draw(d.t, "cpu") {
		inv.CPU = telemetry.Known(telemetry.CPUInfo{Vendor: "c", Name: "cpu", Cores: telemetry.Known(rapid.Int64Range(1, 64).Draw(d.t, "cores"))})
	}
	return inv
}

var anyState = rapid.SampledFrom([]telemetry.State{telemetry.Free, telemetry.Busy, telemetry.Drained, telemetry.Faulty})

func (d *drawer) report(host string) *telemetry.Report {
	r := &telemetry.Report{Header: d.header(host)}
	permille := rapid.Map(rapid.IntRange(0, 1000), func(i int) telemetry.Permille { return telemetry.Permille(i) })
	milliwatts := rapid.Map(rapid.IntRange(0, 700_000), func(i int) telemetry.Milliwatts { return telemetry.Milliwatts(i) })
	for _, id := range d.ids() {
		st := telemetry.DeviceStatus{ID: id, State: anyState.Draw(d.t, "state")}
		st.SMActivity, st.UtilizationMean, st.PowerMean = opt(d.t, permille), opt(d.t, permille), opt(d.t, milliwatts)
		if st.State == telemetry.Faulty {
			st.Reason = rapid.SampledFrom([]string{"missing", "lost: off the bus", "xid: 79"}).Draw(d.t, "reason")
		}
		if n := rapid.Int64Range(0, 7).Draw(d.t, "slices"); n > 0 {
			st.Slices, st.SlicesBusy = telemetry.Known(n), opt(d.t, rapid.Int64Range(0, n))
		}
		r.Devices = append(r.Devices, st)
	}
	if rapid.Bool().Draw(d.t, "cpu") {
		r.CPU = telemetry.Known(telemetry.CPUStatus{
			State: anyState.Draw(d.t, "cpu state"), CoresBusy: opt(d.t, rapid.Int64Range(0, 80)), UtilizationMean: opt(d.t, permille),
		})
		for i := range rapid.IntRange(0, 2).Draw(d.t, "packages") {
			r.Power = append(r.Power, telemetry.PowerStatus{Domain: fmt.Sprintf("package-%d", i), Mean: opt(d.t, milliwatts)})
		}
	}
	return r
}

// same fails unless the two snapshots hold the same, revisions apart.
func same(t *rapid.T, got, want *capacity.Snapshot) {
	t.Helper()
	g, w := *got, *want
	g.Revision, w.Revision = 0, 0
	if diff := cmp.Diff(&w, &g, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b capacity.Pool) bool { return a == b })); diff != "" {
		t.Fatalf("the fleet is not what its records say (-want +got):\n%s", diff)
	}
}

// TestFleetAgainstModel applies random records, replays, reorders, moves, retirements, silences and repricings, and
// compares with a computation from nothing after every one.
func TestFleetAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, m := New(Options{StaleAfter: stale, Pricing: testPricing(1)}), newModel(stale, testPricing(1))
		d := &drawer{t: t, now: start, seqs: map[string]int64{}}
		type sent struct {
			centre string
			inv    *telemetry.Inventory
			rep    *telemetry.Report
			at     time.Time
		}
		var log []sent
		apply := func(s sent) {
			var got, want Outcome
			if s.inv != nil {
				got, want = f.ApplyInventory(s.centre, s.inv, s.at), m.applyInventory(s.centre, s.inv, s.at)
			} else {
				got, want = f.ApplyReport(s.centre, s.rep, s.at), m.applyReport(s.centre, s.rep, s.at)
			}
			if got != want {
				t.Fatalf("outcome %s, want %s", got, want)
			}
		}
		centre := rapid.SampledFrom([]string{"a", "b"})
		host := rapid.SampledFrom([]string{"h0", "h1", "h2"})
		revision := int64(0)
		var last *capacity.Snapshot
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			at := d.now.Add(-time.Duration(rapid.IntRange(0, 5).Draw(t, "late")) * time.Second)
			op := rapid.IntRange(0, 11).Draw(t, "op")
			switch op {
			case 0, 1, 2:
				s := sent{centre: centre.Draw(t, "centre"), inv: d.inventory(host.Draw(t, "host")), at: at}
				log = append(log, s)
				apply(s)
			case 3, 4, 5, 6, 7:
				s := sent{centre: centre.Draw(t, "centre"), rep: d.report(host.Draw(t, "host")), at: at}
				log = append(log, s)
				apply(s)
			case 8: // a replay, with the broker's new time
				if len(log) > 0 {
					s := log[rapid.IntRange(0, len(log)-1).Draw(t, "again")]
					s.at = at
					apply(s)
				}
			case 9:
				c, h := centre.Draw(t, "centre"), host.Draw(t, "host")
				f.Retire(c, h)
				m.retire(c, h)
			case 10:
				d.now = d.now.Add(time.Duration(rapid.IntRange(1, 50).Draw(t, "seconds")) * time.Second)
			case 11:
				p := testPricing(rapid.Int64Range(1, 2).Draw(t, "generation"))
				f.Reprice(p)
				m.pricing = p
			}
			stirred := f.Stirred()
			snap := f.Fold(d.now)
			same(t, snap, m.fold(d.now))
			if op != 10 && last != nil && !stirred && !snap.SameStates(last) {
				t.Fatalf("states have changed and the fleet does not say so: %+v, before %+v", snap, last)
			}
			last = snap
			if err := f.Check(); err != nil {
				t.Fatal(err)
			}
			if snap.Revision < revision {
				t.Fatalf("revision fell from %d to %d", revision, snap.Revision)
			}
			revision = snap.Revision
		}
		empties(t, f, m)
	})
}

// empties retires everything and finds nothing left behind.
func empties(t *rapid.T, f *Fleet, m *model) {
	for k := range m.hosts {
		f.Retire(k.centre, k.id)
	}
	f.Fold(start.Add(24 * time.Hour)) // the uninventoried expire
	if s := f.Stats(); s != (Stats{}) {
		t.Fatalf("an empty fleet counts %+v", s)
	}
	if n := len(f.pools.lotOf) + len(f.pools.idOf) + len(f.shapes.of) + f.devices.owner.used + f.sets.owner.used + len(f.devices.rivals) + len(f.sets.rivals) + f.byID.used; n != 0 {
		t.Fatalf("an empty fleet holds %d things", n)
	}
	for id := range f.tally.cells {
		if f.tally.cells[id] != (capacity.Cell{}) {
			t.Fatalf("an empty fleet has a cell: %+v", f.tally.cells[id])
		}
	}
}

// TestOrderOfHostsDoesNotMatter interleaves the records of hosts in two ways; each host's own order stays.
func TestOrderOfHostsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &drawer{t: t, now: start, seqs: map[string]int64{}}
		type record struct {
			centre, host string
			inv          *telemetry.Inventory
			rep          *telemetry.Report
			at           time.Time
		}
		var records []record
		for range rapid.IntRange(1, 40).Draw(t, "records") {
			d.now = d.now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "seconds")) * time.Second)
			r := record{centre: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "centre"), host: rapid.SampledFrom([]string{"h0", "h1", "h2"}).Draw(t, "host"), at: d.now}
			if rapid.Bool().Draw(t, "inventory") {
				r.inv = d.inventory(r.host)
			} else {
				r.rep = d.report(r.host)
			}
			records = append(records, r)
		}
		build := func(order []int) *capacity.Snapshot {
			f := New(Options{StaleAfter: stale, Pricing: testPricing(1)})
			for _, i := range order {
				if r := records[i]; r.inv != nil {
					f.ApplyInventory(r.centre, r.inv, r.at)
				} else {
					f.ApplyReport(r.centre, r.rep, r.at)
				}
			}
			return f.Fold(d.now)
		}
		inOrder := make([]int, len(records))
		for i := range inOrder {
			inOrder[i] = i
		}
		want := build(inOrder)
		// A stable shuffle: draw hosts in random order, each handing out its records one after the other. Inventories and
		// reports travel on topics of their own, so they are apart as well.
		queues := map[string][]int{}
		var names []string
		for i, r := range records {
			k := fmt.Sprintf("%s/%s/%t", r.centre, r.host, r.inv != nil)
			if queues[k] == nil {
				names = append(names, k)
			}
			queues[k] = append(queues[k], i)
		}
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var order []int
		for len(order) < len(records) {
			if k := names[rnd.IntN(len(names))]; len(queues[k]) > 0 {
				order = append(order, queues[k][0])
				queues[k] = queues[k][1:]
			}
		}
		same(t, build(order), want)
	})
}

// TestPrimedDecodingMakesNoGarbage reads reports of more hosts than any table of strings holds.
func TestPrimedDecodingMakesNoGarbage(t *testing.T) {
	f, reports := benchFleet()
	var e telemetry.Encoder
	wire, keys := make([][]byte, len(reports)), make([][]byte, len(reports))
	for n, r := range reports {
		r.Centre = benchCentre(n)
		var err error
		if wire[n], err = e.AppendReport(nil, r); err != nil {
			t.Fatal(err)
		}
		keys[n] = []byte(r.Host)
	}
	var d telemetry.Decoder
	var got telemetry.Report
	n := 0
	garbage := testing.AllocsPerRun(len(reports)-1, func() {
		f.Prime(benchCentre(n), keys[n], &got)
		if err := d.Report(wire[n], &got); err != nil {
			t.Fatal(err)
		}
		if got.Header != reports[n].Header || got.Devices[7].ID != reports[n].Devices[7].ID {
			t.Fatalf("host %d: read %+v", n, got.Header)
		}
		n++
	})
	if garbage > 0 {
		t.Errorf("%v allocations a record", garbage)
	}
}
