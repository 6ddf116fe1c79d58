package collector

import (
	"hash/fnv"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/consume"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/partial"
	"github.com/exameter/exameter/collector/view"
)

// publishEvery is how often an unchanged part is published, so that its age says whether it has an owner.
const publishEvery = time.Second

// settleWithin bounds how long the first sums of a part wait for its announcements to be read back.
const settleWithin = 30 * time.Second

// part is one part while this collector owns it.
type part struct {
	id     consume.Part
	epoch  int64
	opened time.Time
	fleet  *fleet.Fleet
	next   [2]int64 // offsets of the next records, by kind of topic

	takeover  int64     // the sequence number of the word that this collector has taken over; 0 before it gave it
	said      time.Time // when it did
	begun     bool      // it was read back, and the announcer has taken over
	announcer announcer

	last       *capacity.Snapshot // what was published last
	generation int32              // under which it was
	when       time.Time
	checked    time.Time // when the fleet was recounted last

	tally tally
}

// newPart begins a part anew.
func newPart(id consume.Part, epoch int64, opened time.Time, o fleet.Options) *part {
	o.Shared = true
	return &part{id: id, epoch: epoch, opened: opened, next: [2]int64{-1, -1}, fleet: fleet.New(o)}
}

// record is a record of the partials topic in the making. A later one of the same key takes its place.
type record struct {
	key      string
	sequence int64
	value    []byte
}

// author says who publishes, and as of when.
type author struct {
	instance, address string
	generation        int32
	next              func() int64 // the next sequence number
	now               time.Time
}

// step brings a part that is rebuilt in step with the log of partials, and returns what is to be published of it.
func (p *part) step(v *view.View, a *author) ([]record, error) {
	s := v.Standing(p.id.Centre, p.id.Number, p.announcer.version, p.last == nil)
	all := !p.begun
	switch {
	case p.begun:
		p.announcer.change(p.fleet.Changes())
		all = p.announcer.read(&s, a.now)
	case p.takeover > 0 && s.Writer == a.instance && s.Last >= p.takeover:
		p.begun = true
		p.tally.begin(v.Part(p.id.Centre, p.id.Number)) // of the owner before: this one has published none
		p.announcer.begin(a.instance, &s, p.fleet.Changes())
	case a.now.Sub(p.said) >= publishEvery:
		return p.take(a)
	default:
		return nil, nil
	}
	var out []record
	// The sums of an owner before stand until the first ones of this owner are complete.
	if p.last != nil || !p.announcer.waiting() || a.now.Sub(p.opened) > settleWithin {
		if all || p.last == nil || p.fleet.Unsettled() {
			p.fleet.Settle(all || p.last == nil, p.announcer.standing)
		}
		sums, err := p.sums(a)
		if err != nil {
			return nil, err
		}
		if sums != nil {
			out = append(out, *sums)
		}
	}
	for bucket, c := range p.announcer.records(a.generation, p.last == nil, a.now, a.next) {
		value, err := c.Encode()
		if err != nil {
			return nil, err
		}
		out = append(out, record{partial.ClaimsKey(p.id.Centre, p.id.Number, bucket), c.Sequence, value})
	}
	return out, nil
}

// take says that this collector takes the part over, again and again until that is read back.
func (p *part) take(a *author) ([]record, error) {
	o := partial.Owner{Instance: a.instance, Address: a.address, Generation: a.generation, Sequence: a.next()}
	p.said = a.now
	if p.takeover == 0 {
		p.takeover = o.Sequence
	}
	value, err := o.Encode()
	return []record{{partial.OwnerKey(p.id.Centre, p.id.Number), o.Sequence, value}}, err
}

// phase is a part's own place in a second.
func (p *part) phase() time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(p.id.String()))
	return time.Duration(h.Sum32()) % publishEvery
}

// sums returns the part's sums where they are due: at once when a device has changed state, else once a second. Nil where they are not.
func (p *part) sums(a *author) (*record, error) {
	due := a.generation != p.generation || a.now.Sub(p.when) >= publishEvery || p.announcer.releasing()
	if !due && !p.fleet.Stirred() {
		return nil, nil
	}
	s := p.fleet.Fold(a.now)
	if !due && p.last.SameStates(s) {
		return nil, nil
	}
	stats := p.fleet.Stats()
	out := partial.Partial{
		Instance: a.instance, Address: a.address, Generation: a.generation, Sequence: a.next(), Seen: p.announcer.revision,
		Offsets: partial.Offsets{Inventory: p.next[inventories], Telemetry: p.next[reports]},
		Stats: partial.Stats{
			Hosts: stats.Hosts, UninventoriedHosts: stats.UninventoriedHosts, UninventoriedDevices: stats.UninventoriedDevices,
			ContestedDevices: stats.ContestedDevices, SkewedHosts: stats.SkewedHosts, UnsettledHosts: stats.UnsettledHosts,
		},
	}
	out.Fill(s)
	out.Released = p.announcer.summed(out.Sequence, p.fleet.Waived())
	value, err := out.Encode()
	if err != nil {
		return nil, err
	}
	if p.when = a.now; p.last == nil {
		p.when = a.now.Add(-p.phase()) // parts that begin together go on apart
	}
	p.last, p.generation = s, a.generation
	return &record{partial.Key(p.id.Centre, p.id.Number), out.Sequence, value}, nil
}
