// Package partial is the language in which collectors tell each other what they have summed up: one record a part, a part
// being one partition of one centre. See docs/partials.md.
package partial

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/telemetry"
)

// Schema is the version of the records that this package writes and reads.
const Schema = 1

// Partial is what the owner of a part knows of it: capacity cells in integers, and hosts by the pools they hold.
type Partial struct {
	Schema     int     `json:"schema"`
	Instance   string  `json:"instance"`   // the collector that wrote it
	Address    string  `json:"address"`    // where that collector answers HTTP
	Generation int32   `json:"generation"` // of the consumer group, by which it owned the part
	Sequence   int64   `json:"sequence"`   // grows from record to record of one writer
	AsOf       int64   `json:"as_of_ms"`   // when it was summed up, in ms since 1970 by the writer's clock
	Offsets    Offsets `json:"offsets"`
	Catalogue  string  `json:"catalogue"`
	Registry   string  `json:"registry"` // revision of the registry that classed the pools
	Rule       string  `json:"rule"`     // of accounting, by which hosts were summed up
	StaleAfter int64   `json:"stale_after_ms"`
	Pools      []Pool  `json:"pools"`
	Shapes     []Shape `json:"shapes"`
	Stats      Stats   `json:"stats"`

	// Seen is how much of the log of partials the writer had read when it decided what counts here.
	Seen       int64       `json:"seen"`
	Contenders []Contender `json:"contenders,omitempty"`
	Released   Hashes      `json:"released,omitempty"` // contested devices that are announced and claimed no more
}

// Offsets are those of the next records to read; -1 where none was read.
type Offsets struct {
	Inventory int64 `json:"inventory"`
	Telemetry int64 `json:"telemetry"`
}

// Pool is one pool of the part's centre with its cell. The lists stand in the order in which capacity.Cell has the fields.
type Pool struct {
	Cluster  string           `json:"cluster"`
	Kind     string           `json:"kind"`
	Vendor   string           `json:"vendor"`
	Model    string           `json:"model"`
	Class    string           `json:"class"`
	Basis    string           `json:"basis"`
	Peaks    map[string]int64 `json:"peaks,omitempty"` // Mflop/s by precision
	Domestic *bool            `json:"domestic,omitempty"`
	Memory   *int64           `json:"memory,omitempty"` // of a device, in bytes
	Entry    string           `json:"entry,omitempty"`  // the catalogue's row that peaks are from
	// The identifiers of cluster and centre in the registry.
	Identifier       string   `json:"identifier,omitempty"`
	CentreIdentifier string   `json:"centre_identifier,omitempty"`
	Devices          [5]int64 `json:"devices"` // busy, free, drained, faulty, stale
	Units            [5]int64 `json:"units"`
	Activity         [4]int64 `json:"activity"`   // devices by sm, by utilisation; active units × 1000; known units
	Power            [2]int64 `json:"power"`      // mW, devices
	FreeHosts        []int64  `json:"free_hosts"` // hosts by free devices, without the zeros at the end
}

// Shape counts the hosts that hold devices of one set of pools. Ages are pairs of a bin and the hosts in it, the bins being
// parts of 1/128 of stale_after.
type Shape struct {
	Pools  []int      `json:"pools"`
	Rated  int64      `json:"rated"`
	Online int64      `json:"online"`
	Ages   [][2]int64 `json:"ages,omitempty"`
	MaxMS  int64      `json:"max_ms"`
}

// Contender is a host that other parts contest a device with. It stands in none of the part's pools and shapes.
type Contender struct {
	Host      string    `json:"host"`
	Online    bool      `json:"online"`
	AgeMS     int64     `json:"age_ms"`
	Inventory int64     `json:"inventory_ms"`
	Devices   []Contest `json:"devices"`
}

// Contest is one device of a contender. Leaf is its pool; its state, in the order of Pool.Devices; its units; those at work; its power in
// mW and its activity in thousandths, -1 where they are unknown; 1 where activity is that of the multiprocessors.
type Contest struct {
	Leaf    [7]int64 `json:"leaf"`
	Claim   uint64   `json:"claim,omitempty,string"` // 0 of a device that nobody contests
	ID      string   `json:"id,omitempty"`
	Set     bool     `json:"set,omitempty"`
	Present int64    `json:"present_ms,omitempty"`
}

// Stats are counts of what is odd in the part.
type Stats struct {
	Hosts                int64 `json:"hosts"`
	UninventoriedHosts   int64 `json:"uninventoried_hosts"`
	UninventoriedDevices int64 `json:"uninventoried_devices"`
	ContestedDevices     int64 `json:"contested_devices"`
	SkewedHosts          int64 `json:"skewed_hosts"`
	UnsettledHosts       int64 `json:"unsettled_hosts"`
}

// Key is the Kafka key of a part's record.
func Key(centre string, number int) string { return centre + "/" + strconv.Itoa(number) }

// Kind says what a record of the partials topic is.
type Kind uint8

// The kinds of records.
const (
	Sums     Kind = iota // Partial
	Takeover             // Owner
	Claiming             // Claims, of one bucket
)

// ParseKey reads a key; ok is false for one that is none of a part.
func ParseKey(key string) (centre string, number int, kind Kind, bucket int, ok bool) {
	centre, rest, found := strings.Cut(key, "/")
	digits, last, more := strings.Cut(rest, "/")
	n, err := strconv.Atoi(digits)
	if !found || err != nil || n < 0 || strconv.Itoa(n) != digits || telemetry.ValidID(centre) != nil {
		return "", 0, 0, 0, false
	}
	switch bucket = strings.Index(bucketDigits, last); {
	case !more:
		return centre, n, Sums, 0, true
	case last == ownerSuffix:
		return centre, n, Takeover, 0, true
	case len(last) == 1 && bucket >= 0:
		return centre, n, Claiming, bucket, true
	default:
		return "", 0, 0, 0, false
	}
}

// Fill takes pools, shapes, catalogue and time from a snapshot of the part's fleet.
func (p *Partial) Fill(s *capacity.Snapshot) {
	p.Schema, p.AsOf, p.Catalogue, p.StaleAfter = Schema, s.AsOf.UnixMilli(), s.Catalogue, s.StaleAfter.Milliseconds()
	p.Registry, p.Rule = s.Registry, s.Rule
	p.Pools, p.Shapes = make([]Pool, len(s.Pools)), make([]Shape, len(s.Shapes))
	for i := range s.Pools {
		p.Pools[i] = poolOf(&s.Pools[i])
	}
	for i := range s.Shapes {
		sh := &s.Shapes[i]
		out := Shape{Pools: sh.Pools, Rated: sh.Rated, Online: sh.Online, MaxMS: sh.Ages.MaxMS}
		for bin, n := range sh.Ages.Bins {
			if n > 0 {
				out.Ages = append(out.Ages, [2]int64{int64(bin), int64(n)})
			}
		}
		p.Shapes[i] = out
	}
	p.Contenders = make([]Contender, len(s.Contenders))
	for i := range s.Contenders {
		c := &s.Contenders[i]
		out := Contender{Host: c.Host, Online: c.Online, AgeMS: c.AgeMS, Inventory: c.InventoryMS, Devices: make([]Contest, len(c.Devices))}
		for j := range c.Devices {
			d := &c.Devices[j]
			l := &d.Leaf
			out.Devices[j] = Contest{
				Leaf:  [7]int64{int64(d.Pool), int64(l.State), l.Units, l.Busy, l.PowerMW, l.Activity, 0},
				Claim: d.Claim, ID: d.ID, Set: d.Set, Present: d.PresentMS,
			}
			if l.SM {
				out.Devices[j].Leaf[6] = 1
			}
		}
		p.Contenders[i] = out
	}
}

func poolOf(pc *capacity.PoolCell) Pool {
	k, c := &pc.Pool, &pc.Cell
	out := Pool{
		Cluster: k.Cluster, Kind: string(k.Kind), Vendor: k.Vendor, Model: k.Model, Class: string(k.Class), Basis: string(k.Basis),
		Devices: c.Devices, Units: c.Units, Activity: [4]int64{c.SM, c.Utilisation, c.ActiveUnits, c.KnownUnits},
		Power: [2]int64{c.PowerMW, c.PowerDevices},
		Entry: k.Entry, Identifier: k.Identifier, CentreIdentifier: k.CentreIdentifier,
	}
	if v, ok := k.Domestic.Get(); ok {
		out.Domestic = &v
	}
	if v, ok := k.Memory.Get(); ok {
		out.Memory = new(int64(v))
	}
	for _, precision := range catalog.Precisions() {
		if v, ok := k.Peaks.Get(precision); ok {
			if out.Peaks == nil {
				out.Peaks = map[string]int64{}
			}
			out.Peaks[string(precision)] = v
		}
	}
	last := len(c.FreeHosts)
	for last > 0 && c.FreeHosts[last-1] == 0 {
		last--
	}
	out.FreeHosts = append([]int64{}, c.FreeHosts[:last]...)
	return out
}

// Encode writes a record's value.
func (p *Partial) Encode() ([]byte, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode partial: %w", err)
	}
	return b, nil
}

// ErrSchema says that a record is of a version that this collector does not know.
var ErrSchema = errors.New("schema is not known")

// Decode reads a record's value. What it returns is sound: indices lie within their lists, no count is below zero, and no peak beyond what a
// catalogue may have.
func Decode(value []byte) (*Partial, error) {
	p := &Partial{}
	if err := json.Unmarshal(value, p); err != nil {
		return nil, fmt.Errorf("decode partial: %w", err)
	}
	if p.Schema != Schema {
		return nil, fmt.Errorf("decode partial: schema %d: %w", p.Schema, ErrSchema)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("decode partial: %w", err)
	}
	return p, nil
}

// maxCount is beyond what any part counts; sums of maxCount from all parts there can be stay within an int64.
const maxCount = 1 << 56

// maxVersion bounds the names of what a part was summed up by, which stand in every answer.
const maxVersion = 64

func sound(counts ...int64) bool {
	for _, n := range counts {
		if n < 0 || n > maxCount {
			return false
		}
	}
	return true
}

func (p *Partial) check() error {
	if p.StaleAfter < 1 || p.StaleAfter > time.Hour.Milliseconds() || p.Generation < 0 || p.Seen < 0 {
		return fmt.Errorf("stale_after_ms %d, generation %d, seen %d", p.StaleAfter, p.Generation, p.Seen)
	}
	if len(p.Registry) > maxVersion || len(p.Rule) > maxVersion {
		return fmt.Errorf("registry %.80q, rule %.80q: want at most %d bytes", p.Registry, p.Rule, maxVersion)
	}
	st := &p.Stats
	if !sound(st.Hosts, st.UninventoriedHosts, st.UninventoriedDevices, st.ContestedDevices, st.SkewedHosts, st.UnsettledHosts) {
		return fmt.Errorf("stats %+v are out of bounds", *st)
	}
	for i := range p.Contenders {
		c := &p.Contenders[i]
		if !sound(c.AgeMS, c.Inventory) {
			return fmt.Errorf("contender %d: a time is out of bounds", i)
		}
		for j := range c.Devices {
			if err := c.Devices[j].check(len(p.Pools)); err != nil {
				return fmt.Errorf("contender %d: device %d: %w", i, j, err)
			}
		}
	}
	for i := range p.Pools {
		q := &p.Pools[i]
		if !sound(q.Devices[:]...) || !sound(q.Units[:]...) || !sound(q.Activity[:]...) || !sound(q.Power[:]...) || !sound(q.FreeHosts...) {
			return fmt.Errorf("pool %d: a count is out of bounds", i)
		}
		if q.Memory != nil && !sound(*q.Memory) {
			return fmt.Errorf("pool %d: memory %d", i, *q.Memory)
		}
		if len(q.FreeHosts) > capacity.MaxFree+1 {
			return fmt.Errorf("pool %d: %d free_hosts", i, len(q.FreeHosts))
		}
		for precision, peak := range q.Peaks {
			if peak < 0 || peak > catalog.MaxPeak {
				return fmt.Errorf("pool %d: a peak of %d Mflop/s by %.20q", i, peak, precision)
			}
		}
	}
	for i := range p.Shapes {
		s := &p.Shapes[i]
		if !sound(s.Rated, s.Online, s.MaxMS) {
			return fmt.Errorf("shape %d: a count is out of bounds", i)
		}
		for _, n := range s.Pools {
			if n < 0 || n >= len(p.Pools) {
				return fmt.Errorf("shape %d: there is no pool %d", i, n)
			}
		}
		least := int64(0) // bins ascend, so that none is there twice
		for _, a := range s.Ages {
			if a[0] < least || a[0] >= capacity.AgeBins || a[1] < 0 || a[1] > 1<<31 {
				return fmt.Errorf("shape %d: age bin %v", i, a)
			}
			least = a[0] + 1
		}
	}
	return nil
}

func (d *Contest) check(pools int) error {
	l := &d.Leaf
	switch {
	case l[0] < 0 || l[0] >= int64(pools):
		return fmt.Errorf("there is no pool %d", l[0])
	case l[1] < 0 || l[1] > int64(capacity.Stale):
		return fmt.Errorf("there is no state %d", l[1])
	case l[2] < 0 || l[2] > math.MaxInt32 || l[3] < 0 || l[3] > l[2] || l[4] < -1 || l[4] > math.MaxInt32 || l[5] < -1 || l[5] > 1000 || l[6]&^1 != 0:
		return fmt.Errorf("leaf %v is out of bounds", *l)
	case d.Claim != 0 && d.Claim != fleet.ClaimOf(d.Set, d.ID):
		return fmt.Errorf("the claim is not that of %q", d.ID)
	case d.Present < 0:
		return fmt.Errorf("present_ms %d", d.Present)
	}
	return nil
}

// LeafOf returns what a device adds to its pool.
func (d *Contest) LeafOf() capacity.Leaf {
	l := &d.Leaf
	return capacity.Leaf{State: capacity.State(l[1]), Units: l[2], Busy: l[3], PowerMW: l[4], Activity: l[5], SM: l[6] == 1}
}

// Pool returns pool i as the part's centre has it.
func (p *Partial) Pool(centre string, i int) capacity.PoolCell {
	q := &p.Pools[i]
	out := capacity.PoolCell{
		Pool: capacity.Pool{
			Centre: centre, Cluster: q.Cluster, Kind: telemetry.Kind(q.Kind), Vendor: q.Vendor, Model: q.Model,
			Class: capacity.Class(q.Class), Basis: capacity.Precision(q.Basis), Entry: q.Entry, Identifier: q.Identifier, CentreIdentifier: q.CentreIdentifier,
		},
		Cell: capacity.Cell{
			Devices: q.Devices, Units: q.Units, SM: q.Activity[0], Utilisation: q.Activity[1], ActiveUnits: q.Activity[2], KnownUnits: q.Activity[3],
			PowerMW: q.Power[0], PowerDevices: q.Power[1],
		},
	}
	if q.Domestic != nil {
		out.Pool.Domestic = telemetry.Known(*q.Domestic)
	}
	if q.Memory != nil {
		out.Pool.Memory = telemetry.Known(telemetry.Bytes(*q.Memory))
	}
	for precision, v := range q.Peaks {
		out.Pool.Peaks = out.Pool.Peaks.With(catalog.Precision(precision), v)
	}
	copy(out.Cell.FreeHosts[:], q.FreeHosts)
	return out
}

// AgesOf returns the ages of the shape's online hosts.
func (s *Shape) AgesOf() capacity.Ages {
	a := capacity.Ages{MaxMS: s.MaxMS}
	for _, b := range s.Ages {
		a.Bins[b[0]] += uint32(b[1])
	}
	return a
}
