package streamfeed

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

// A figure that moves all the time has moved when it differs by so much from what was sent.
const (
	utilisationStep = 0.01
	shareStep       = 0.01 // of power, and of processors' Eflops at work
)

// maxWelcomes bounds the first events that are kept for those who come next.
const maxWelcomes = 64

// channel is the stream of one question, a list of events that its watchers walk along, each at its own pace. What all have
// passed is garbage.
type channel struct {
	o     *Options
	key   string
	query capacity.Query

	watchers int // belongs to the hub's lock

	mu       sync.Mutex
	last     *event
	base     *capacity.Snapshot // what who comes now begins with, at last's revision or later, nothing having changed between
	revision int64              // up to which watchers have been told
	head     head
	sent     map[string]moving  // what groups were sent with
	spoke    time.Time          // when the last event was made, a heartbeat included
	looked   time.Time          // when moving figures were looked at last
	seen     *capacity.Snapshot // what they were looked at in

	changes  *capacity.Changes    // of base; nil before somebody needs it
	welcomes map[string]*welcomed // first events at base, by what was asked for
}

// event is one event as it goes over the wire.
type event struct {
	data     []byte
	revision int64 // -1 of a heartbeat
	made     time.Time
	final    bool
	next     *event
	ready    chan struct{} // closed once next is there
}

// head is what deltas do not tell.
type head struct {
	catalogue, registry, rule string
	cut                       bool
}

func headOf(s *capacity.Snapshot) head { return head{s.Catalogue, s.Registry, s.Rule, s.Cut} }

// moving are the figures of a group that move all the time.
type moving struct {
	utilisation *float64
	power       float64
	busy, all   capacity.Flops
	at          time.Time
}

func movingOf(f *capacity.Figure, at time.Time) moving {
	return moving{f.Utilisation, f.PowerW, f.Eflops.Busy, f.Eflops.Healthy, at}
}

// moved reports whether m is far from what was sent.
func (m *moving) moved(sent *moving) bool {
	if (m.utilisation == nil) != (sent.utilisation == nil) {
		return true
	}
	far := func(a, b, whole float64) bool { return math.Abs(a-b) > shareStep*whole }
	return m.utilisation != nil && math.Abs(*m.utilisation-*sent.utilisation) >= utilisationStep ||
		far(m.power, sent.power, max(m.power, sent.power)) || far(float64(m.busy), float64(sent.busy), float64(max(m.all, sent.all)))
}

// newChannel begins a stream at a snapshot.
func newChannel(o *Options, key string, q capacity.Query, s *capacity.Snapshot) (*channel, error) {
	now := time.Now()
	c := &channel{o: o, key: key, query: q, last: &event{ready: make(chan struct{})}, sent: map[string]moving{}, spoke: now, looked: now}
	c.begin(s)
	c.revision, c.head, c.seen = s.Revision, headOf(s), s
	all, err := c.all()
	if err != nil {
		return nil, err
	}
	c.remember(all, now, func(int) bool { return true })
	return c, nil
}

// begin makes s the snapshot that newcomers begin with.
func (c *channel) begin(s *capacity.Snapshot) {
	if c.base != s {
		c.base, c.changes, c.welcomes = s, nil, map[string]*welcomed{}
	}
}

// all answers the channel's question at base.
func (c *channel) all() (*capacity.Changes, error) {
	if c.changes == nil {
		var err error
		if c.changes, err = c.base.Changes(c.query); err != nil {
			return nil, err
		}
	}
	return c.changes, nil
}

// remember notes with what figures groups were sent.
func (c *channel) remember(all *capacity.Changes, now time.Time, sent func(i int) bool) {
	groups := all.Document.Groups
	for i := range groups {
		if sent(i) {
			c.sent[all.Keys[i]] = movingOf(&groups[i].Figure, now)
		}
	}
	if len(c.sent) > len(groups) {
		there := make(map[string]bool, len(groups))
		for _, key := range all.Keys {
			there[key] = true
		}
		for key := range c.sent {
			if !there[key] {
				delete(c.sent, key)
			}
		}
	}
}

// advance tells watchers what is new at s, and reports whether that made an event.
func (c *channel) advance(s *capacity.Snapshot, now time.Time, renew bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.final {
		return false
	}
	newer := s != c.base
	c.begin(s)
	anew := renew || headOf(s) != c.head || s.Revision < c.revision
	look := s != c.seen && now.Sub(c.looked) >= c.o.Refresh
	if anew || look || newer && s.ChangedSince(c.query, c.revision) {
		if e := c.tell(now, anew, look); e != nil {
			c.append(e, now)
			return true
		}
	}
	if newer {
		c.revision = s.Revision // nothing has changed up to it
	}
	if now.Sub(c.spoke) >= c.o.Heartbeat {
		c.append(&event{data: []byte(": heartbeat\n\n"), revision: -1}, now)
		return true
	}
	return false
}

// tell makes the next event: a whole document if the stream begins anew, else what changed.
func (c *channel) tell(now time.Time, anew, look bool) *event {
	all, err := c.all()
	if err != nil {
		return nil // the query was answered when the channel was made, so it is not refused now
	}
	e := &event{revision: c.base.Revision}
	sent := func(int) bool { return true }
	var d *capacity.Delta
	if !anew {
		sent = func(i int) bool { return all.Changed(i, c.revision) || look && c.due(all, i, now) }
		d = all.Delta(c.revision, sent)
	}
	if d == nil {
		e.data = encode("snapshot", c.id(), all.Document)
	} else {
		e.data = encode("delta", c.id(), d)
	}
	c.remember(all, now, sent)
	c.revision, c.head = c.base.Revision, headOf(c.base)
	if look || anew {
		c.looked, c.seen = now, c.base
	}
	return e
}

// due reports whether a group is sent although its counts are as they were: its figures have moved, or it was not sent for long.
func (c *channel) due(all *capacity.Changes, i int, now time.Time) bool {
	sent, known := c.sent[all.Keys[i]]
	is := movingOf(&all.Document.Groups[i].Figure, now)
	return !known || now.Sub(sent.at) >= c.o.Renew || is.moved(&sent)
}

// append hands the next event to the watchers.
func (c *channel) append(e *event, now time.Time) {
	e.made, e.ready = time.Now(), make(chan struct{}) // working it out took time that is not the watchers' fault
	last := c.last
	last.next, c.last = e, e
	c.spoke = now
	close(last.ready)
}

// id is the id of events at base. Where the collector is cut off from the log it is no place to go on from.
func (c *channel) id() string {
	id := strconv.FormatInt(c.base.Revision, 10)
	if c.base.Cut {
		id += cutSuffix
	}
	return id
}

// encode writes an event. JSON without indentation has no line ends but the encoder's last, so its data is one line.
func encode(kind, id string, data any) []byte {
	var b bytes.Buffer
	b.WriteString("id: " + id + "\nevent: " + kind + "\ndata: ")
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(data); err != nil {
		panic(err) // documents and deltas hold finite numbers and texts
	}
	b.WriteByte('\n')
	return bytes.Clone(b.Bytes())
}
