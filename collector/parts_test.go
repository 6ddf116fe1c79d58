package collector

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/hosts"
	"github.com/exameter/exameter/collector/view"
	"github.com/exameter/exameter/telemetry"
)

const shedStale = 30 * time.Second

var shedParts = []consume.Part{{Centre: "a", Number: 0}, {Centre: "a", Number: 1}, {Centre: "b", Number: 0}}

// shed is a group of collectors without Kafka and without clocks: what they write lands in one log in any order that a broker
// allows, each reads it at its own pace, records get lost, and parts change hands at any moment.
type shed struct {
	t          *rapid.T
	now        time.Time
	generation int32
	collectors []*shedCollector
	parts      []*shedPart
	log        []shedRecord
	judge      *view.View   // reads every record at once
	whole      *fleet.Fleet // one fleet for all, which decides what is right
	seq        int64
	settled    map[string]bool // devices that must count from now on, because nobody drops them any more
	most       int             // hosts of a part that may contend
}

type shedRecord struct {
	key   string
	value []byte
	at    time.Time
}

type shedCollector struct {
	name     string
	sequence int64
	view     *view.View
	read     int
	queue    []shedWrite // what is on its way to the log
}

type shedWrite struct {
	part *shedPart
	record
}

type shedPart struct {
	id      consume.Part
	hosts   []string
	history []func(*fleet.Fleet)
	owner   *shedCollector
	state   *part
	last    map[string]*telemetry.Inventory // of each host; nil where it is retired
}

// shedPricing makes every device a pool of its own, so that one that counts twice is seen.
func shedPricing() fleet.Pricing {
	return fleet.Pricing{Catalogue: "test", Pool: func(s fleet.Source) capacity.Pool {
		p := capacity.Pool{Centre: s.Centre, Cluster: s.Cluster, Kind: s.Kind, Vendor: s.Vendor, Model: s.Name, Class: capacity.Intelligent, Basis: catalog.FP16}
		if s.Kind == telemetry.CPU {
			p.Vendor, p.Model = s.CPU.Vendor, s.CPU.Name
		}
		return p
	}}
}

func newShed(t *rapid.T) *shed {
	s := &shed{
		t: t, now: time.UnixMilli(1_795_420_800_000), generation: 1, judge: view.New(), settled: map[string]bool{},
		whole: fleet.New(fleet.Options{StaleAfter: shedStale, Pricing: shedPricing()}),
		most:  rapid.SampledFrom([]int{100, 1, 2}).Draw(t, "most contenders"),
	}
	for i := range 3 {
		s.collectors = append(s.collectors, &shedCollector{name: fmt.Sprintf("collector-%d", i), view: view.New()})
	}
	hosts := [][]string{{"h0", "h1"}, {"h2", "h3"}, {"h0", "h4"}} // h0 is a cloned machine-id
	for i, id := range shedParts {
		p := &shedPart{id: id, hosts: hosts[i], last: map[string]*telemetry.Inventory{}}
		s.parts = append(s.parts, p)
		s.own(p, s.collectors[i])
	}
	return s
}

// own gives a part to a collector, which rebuilds it from its records.
func (s *shed) own(p *shedPart, c *shedCollector) {
	p.owner = c
	p.state = newPart(p.id, 1, s.now, fleet.Options{StaleAfter: shedStale, Pricing: shedPricing(), MaxContenders: s.most})
	for _, apply := range p.history {
		apply(p.state.fleet)
	}
}

func (s *shed) apply(p *shedPart, do func(*fleet.Fleet)) {
	p.history = append(p.history, do)
	do(p.state.fleet)
	do(s.whole)
}

func (s *shed) header(host string) telemetry.Header {
	s.seq++
	return telemetry.Header{Origin: telemetry.Origin{Centre: "x", Cluster: "default", Host: host}, Time: s.now, Boot: "boot", Seq: s.seq}
}

// inventory lets a host of the part say what it has: some cards of a few that all hosts share, and its processors. Where it only
// adds, it keeps what it had.
func (s *shed) inventory(p *shedPart, adds bool) {
	host := rapid.SampledFrom(p.hosts).Draw(s.t, "host")
	inv := &telemetry.Inventory{Header: s.header(host)}
	inv.Cluster = rapid.SampledFrom([]string{"default", "hpc"}).Draw(s.t, "cluster")
	if last := p.last[host]; adds && last != nil {
		inv.Devices, inv.CPU = slices.Clone(last.Devices), last.CPU
	}
	for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 5), 0, 4, rapid.ID[int]).Draw(s.t, "cards") {
		id := fmt.Sprintf("GPU-%d", n)
		if !slices.ContainsFunc(inv.Devices, func(d telemetry.DeviceInfo) bool { return d.ID == id }) {
			inv.Devices = append(inv.Devices, telemetry.DeviceInfo{ID: id, Vendor: "v", Name: id})
		}
	}
	if rapid.Bool().Draw(s.t, "cpu") {
		inv.CPU = telemetry.Known(telemetry.CPUInfo{Vendor: "c", Name: "cpu-" + host, Cores: telemetry.Known(int64(64))})
	}
	p.last[host] = inv
	at := s.now
	s.apply(p, func(f *fleet.Fleet) { f.ApplyInventory(p.id.Centre, inv, at) })
}

func (s *shed) report(p *shedPart) {
	host := rapid.SampledFrom(p.hosts).Draw(s.t, "host")
	r := &telemetry.Report{Header: s.header(host)}
	for n := range 6 {
		st := telemetry.DeviceStatus{ID: fmt.Sprintf("GPU-%d", n)}
		st.State = rapid.SampledFrom([]telemetry.State{telemetry.Free, telemetry.Busy, telemetry.Faulty, ""}).Draw(s.t, "state")
		if st.State == "" {
			continue
		}
		if st.State == telemetry.Faulty {
			st.Reason = rapid.SampledFrom([]string{"missing", "xid: 79"}).Draw(s.t, "reason")
		}
		st.PowerMean = telemetry.Known(telemetry.Milliwatts(n + 1))
		r.Devices = append(r.Devices, st)
	}
	at := s.now
	s.apply(p, func(f *fleet.Fleet) { f.ApplyReport(p.id.Centre, r, at) })
}

func (s *shed) retire(p *shedPart) {
	host := rapid.SampledFrom(p.hosts).Draw(s.t, "host")
	p.last[host] = nil
	s.apply(p, func(f *fleet.Fleet) { f.Retire(p.id.Centre, host) })
}

func (s *shed) step(p *shedPart) {
	records, err := p.state.step(p.owner.view, &author{
		instance: p.owner.name, generation: s.generation, now: s.now,
		next: func() int64 { p.owner.sequence++; return p.owner.sequence },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range records {
		p.owner.queue = append(p.owner.queue, shedWrite{p, r})
	}
	slices.SortStableFunc(p.owner.queue, func(a, b shedWrite) int { return int(a.sequence - b.sequence) })
}

// write lets the first record that a collector has on its way reach the log, or get lost.
func (s *shed) write(c *shedCollector, lost bool) {
	if len(c.queue) == 0 {
		return
	}
	w := c.queue[0]
	c.queue = c.queue[1:]
	if lost {
		return
	}
	offset := int64(len(s.log))
	s.log = append(s.log, shedRecord{w.key, w.value, s.now})
	if outcome, err := s.judge.Apply([]byte(w.key), w.value, offset, s.now); err != nil {
		s.t.Fatalf("%s was %s: %v", w.key, outcome, err)
	}
	s.once()
}

func (s *shed) read(c *shedCollector) {
	if c.read == len(s.log) {
		return
	}
	r := s.log[c.read]
	_, _ = c.view.Apply([]byte(r.key), r.value, int64(c.read), r.at)
	c.read++
}

// once fails if the log says at any revision that a device counts twice, or that one has vanished.
func (s *shed) once() {
	snapshot := s.judge.Snapshot(nil)
	counts := shedCounts(snapshot)
	for model, n := range counts {
		if n > 1 || n < 0 {
			s.t.Fatalf("revision %d: %s counts %d times", snapshot.Revision, model, n)
		}
	}
	for model := range s.settled {
		if counts[model] != 1 {
			s.t.Fatalf("revision %d: %s vanished", snapshot.Revision, model)
		}
	}
}

// handOver gives a part to another collector; all others go on under the new generation.
func (s *shed) handOver() {
	s.generation++
	s.own(s.parts[rapid.IntRange(0, 2).Draw(s.t, "part")], s.collectors[rapid.IntRange(0, 2).Draw(s.t, "collector")])
}

// act does one thing at random; calm leaves out what makes a host claim less.
func (s *shed) act(calm bool) {
	p, c := s.parts[rapid.IntRange(0, 2).Draw(s.t, "part")], s.collectors[rapid.IntRange(0, 2).Draw(s.t, "collector")]
	switch n := rapid.IntRange(0, 99).Draw(s.t, "act"); {
	case n < 8:
		s.inventory(p, calm)
	case n < 10 && !calm:
		s.retire(p)
	case n < 20:
		s.report(p)
	case n < 40:
		s.step(p)
	case n < 63:
		s.write(c, n == 40)
	case n < 90:
		for range rapid.IntRange(1, 8).Draw(s.t, "records") {
			s.read(c)
		}
	case n < 94:
		s.handOver()
	default:
		s.now = s.now.Add(time.Duration(rapid.IntRange(1, 1500).Draw(s.t, "ms")) * time.Millisecond)
	}
}

// rest lets everything on its way arrive, until nothing is left to be said but how time goes on.
func (s *shed) rest() {
	for range 12 {
		s.now = s.now.Add(1100 * time.Millisecond)
		for _, p := range s.parts {
			s.step(p)
		}
		for _, c := range s.collectors {
			for len(c.queue) > 0 {
				s.write(c, false)
			}
		}
		for _, c := range s.collectors {
			for c.read < len(s.log) {
				s.read(c)
			}
		}
	}
}

// exact fails unless the sum of the parts is what one fleet of all hosts says.
func (s *shed) exact() {
	want, got := s.whole.Fold(s.now), s.judge.Snapshot(nil)
	if diff := cmp.Diff(shedStates(got), s.listed()); diff != "" {
		s.t.Fatalf("lists of hosts have other devices than those that count (-counted +listed):\n%s", diff)
	}
	if s.most < 100 {
		// Where not all may contend, who had a device first keeps it, and one that nobody had waits for room.
		all := shedCounts(want)
		for model := range shedCounts(got) {
			if all[model] == 0 {
				s.t.Fatalf("%s counts, and there is none", model)
			}
		}
		return
	}
	if diff := cmp.Diff(shedFigures(want), shedFigures(got), cmpopts.EquateEmpty()); diff != "" {
		s.t.Fatalf("the parts do not add up to the whole (-want +got):\n%s", diff)
	}
}

// listed is how often each device is listed as one that counts, by its state, over the lists of all parts.
func (s *shed) listed() map[string]int64 {
	q, err := hosts.Query{Pools: capacity.Query{Kind: capacity.KindAll}}.Normal()
	if err != nil {
		s.t.Fatal(err)
	}
	won, counts := s.judge.Won(nil), map[string]int64{}
	for _, p := range s.parts {
		for _, h := range p.state.fleet.Hosts(&fleet.Search{Query: q, Now: s.now, Wins: func(centre, host string, set bool, id string) bool {
			return won[view.Won{Centre: centre, Number: p.id.Number, Host: host, Set: set, ID: id}]
		}}, p.id.Centre, p.hosts) {
			if h == nil {
				continue
			}
			for _, d := range h.Devices {
				if d.NotCounted == "" {
					counts[h.Centre+" "+d.Model+" "+d.State]++
				}
			}
		}
	}
	return counts
}

// shedStates is how often each device counts, by its state.
func shedStates(s *capacity.Snapshot) map[string]int64 {
	counts := map[string]int64{}
	for _, p := range s.Pools {
		for state, n := range p.Cell.Devices {
			if n != 0 {
				counts[p.Pool.Centre+" "+p.Pool.Model+" "+hosts.StateNames[state]] += n
			}
		}
	}
	return counts
}

// shedCounts is how often each device counts.
func shedCounts(s *capacity.Snapshot) map[string]int64 {
	counts := map[string]int64{}
	for _, p := range s.Pools {
		for _, n := range p.Cell.Devices {
			counts[p.Pool.Model] += n
		}
	}
	maps.DeleteFunc(counts, func(_ string, n int64) bool { return n == 0 })
	return counts
}

// shedFigures names pools and shapes by what they are instead of where they stand, and leaves empty ones out.
func shedFigures(s *capacity.Snapshot) map[string]string {
	out := map[string]string{}
	name := func(i int) string {
		p := s.Pools[i].Pool
		return p.Centre + "/" + p.Cluster + "/" + p.Model
	}
	for i := range s.Pools {
		if c := s.Pools[i].Cell; c != (capacity.Cell{}) {
			out[name(i)] = fmt.Sprintf("%+v", c)
		}
	}
	for _, sh := range s.Shapes {
		if sh.Rated == 0 {
			continue
		}
		var names []string
		for _, p := range sh.Pools {
			names = append(names, name(p))
		}
		slices.Sort(names)
		out[fmt.Sprint("hosts of ", names)] = fmt.Sprintf("%d rated, %d online", sh.Rated, sh.Online)
	}
	return out
}

// TestOnceAcrossParts holds any number of parts and owners to what one fleet of all hosts says: no device ever counts twice at any
// revision, whatever gets lost, late or into other hands; none vanishes while nobody drops it; and all is exact when rest comes.
func TestOnceAcrossParts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newShed(rt)
		for range rapid.IntRange(50, 400).Draw(rt, "acts") {
			s.act(false)
		}
		s.rest()
		s.exact()
		for model := range shedCounts(s.judge.Snapshot(nil)) {
			s.settled[model] = true
		}
		for range rapid.IntRange(0, 200).Draw(rt, "calm acts") {
			s.act(true)
		}
		s.rest()
		s.exact()
	})
}
