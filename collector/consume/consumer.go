// Package consume follows the inventory and telemetry topics of all centres and hands their records over in order, with
// the broker's time. It rebuilds first: a partition's inventory from its beginning, then its telemetry from a little
// while ago, then both as they come.
package consume

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/telemetry"
)

// Record is one Kafka record. A Value of nil is a tombstone.
type Record struct {
	Offset int64
	Time   time.Time // the broker's where the topic says LogAppendTime, else the producer's
	Key    []byte
	Value  []byte
}

// Partition names one partition of a topic of a centre.
type Partition struct {
	Topic     string
	Number    int
	Centre    string
	Inventory bool // else telemetry
}

func (p Partition) String() string { return fmt.Sprintf("%s[%d]", p.Topic, p.Number) }

// Part names the partitions of one number of a centre's topics. They hold all records of some of its hosts.
type Part struct {
	Centre string
	Number int
}

func (p Part) String() string { return fmt.Sprintf("%s/%d", p.Centre, p.Number) }

// Part returns the part that a partition belongs to.
func (p Partition) Part() Part { return Part{p.Centre, p.Number} }

// partials is the partition of the partials topic, which is read from its beginning like an inventory.
var partials = Partition{Topic: telemetry.PartialsTopic, Inventory: true}

// feed is the partition of the capacity topic, which is read in the same way. Nothing waits for it.
var feed = Partition{Topic: telemetry.CapacityTopic, Inventory: true}

// Feed reports whether the partition is that of the capacity topic.
func (p Partition) Feed() bool { return p.Topic == telemetry.CapacityTopic }

// Shared reports whether the partition belongs to no centre.
func (p Partition) Shared() bool { return p.Centre == "" }

// Batch is some records of one partition, in order. Whoever receives it calls Done when they are applied.
type Batch struct {
	Partition
	Records []Record
	Epoch   int64 // the one that Config.Owned gave
	Fresh   bool  // the records were written just now: everything before them had been read moments ago
	done    func()
}

// Done says that the batch was applied. The memory of its keys and values is then taken for other records.
func (b *Batch) Done() {
	if b.done != nil {
		b.done()
	}
}

// Config says what to follow.
type Config struct {
	Brokers []string
	Dialer  func() (*kafka.Dialer, error) // called for every connection, so that a changed password is found
	Log     *slog.Logger
	Now     func() time.Time
	Rewind  time.Duration // how far back telemetry is read at the start

	Centres  func() []string // centres to follow
	Discover bool            // follow all other centres whose topics exist as well
	Every    time.Duration   // how often new topics, partitions and leaders are looked for

	// Owned reports whether a part is to be followed, and under which epoch; a part that comes under another one is read
	// anew. Nil follows all parts.
	Owned func(Part) (epoch int64, ok bool)
	// Listed is called with the parts of wanted centres whenever they were looked for, and with whether the partials
	// topic, which is followed where it exists, is there.
	Listed func(parts []Part, partials bool)
	// Route says where the batches of a partition go, instead of to the one channel.
	Route func(Partition) chan<- *Batch
	// AppendTime reports whether a topic has its broker's time. It is asked of each telemetry topic, and of those that have not again and again.
	AppendTime func(ctx context.Context, topic string) (bool, error)
}

// Consumer follows partitions.
type Consumer struct {
	cfg   Config
	troub trouble

	mu         sync.Mutex
	leaders    map[Partition]leader
	brokers    []string // as the brokers know each other
	followers  map[Partition]*follower
	gates      map[Partition]chan struct{} // by inventory partition; closed when it is caught up
	started    bool                        // the topics were listed once
	pending    map[Partition]bool          // partitions that are not applied up to the end they had when they were opened
	creates    map[string]bool             // telemetry topics known to carry their producers' times
	rechecks   atomic.Bool                 // whether they still do is being asked
	places     chan struct{}               // taken by answers that are inflated
	kick       chan struct{}
	reassign   chan struct{}
	reconnects atomic.Int64
	stalls     atomic.Int64
	lost       atomic.Int64
	corrupt    atomic.Int64
}

// New makes a consumer that sends to out, which may be nil where cfg says where to route.
func New(cfg Config, out chan<- *Batch) *Consumer {
	if cfg.Every <= 0 {
		cfg.Every = 10 * time.Second
	}
	if cfg.Owned == nil {
		cfg.Owned = func(Part) (int64, bool) { return 0, true }
	}
	if cfg.Listed == nil {
		cfg.Listed = func([]Part, bool) {}
	}
	if cfg.Route == nil {
		cfg.Route = func(Partition) chan<- *Batch { return out }
	}
	c := &Consumer{
		cfg:     cfg,
		pending: map[Partition]bool{}, reassign: make(chan struct{}, 1),
		leaders: map[Partition]leader{}, followers: map[Partition]*follower{}, gates: map[Partition]chan struct{}{},
		creates: map[string]bool{}, kick: make(chan struct{}, 1), places: make(chan struct{}, inHand),
	}
	c.troub = trouble{log: cfg.Log, now: cfg.Now, failing: map[string]error{}}
	return c
}

// Run follows until ctx ends, and returns when all followers have stopped. It fails only for what cannot mend itself.
func (c *Consumer) Run(ctx context.Context) error {
	var followers sync.WaitGroup
	defer followers.Wait()
	wait := backoff{min: 200 * time.Millisecond, max: longestPause}
	for ctx.Err() == nil {
		next := c.cfg.Every
		if err := c.look(ctx); err != nil {
			next = min(wait.next(), c.cfg.Every)
			c.troub.report("topics", err, next)
			sleep(ctx, next)
			continue
		}
		wait.reset()
		c.troub.recovered("topics")
		c.cfg.Listed(c.listed())
		c.assign(ctx, &followers)
		c.recheck(ctx, &followers)
		c.unstick()
		c.rest(ctx, &followers, next)
	}
	return nil
}

// rest waits until it is time to look again.
func (c *Consumer) rest(ctx context.Context, followers *sync.WaitGroup, next time.Duration) {
	over := time.NewTimer(next)
	defer over.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-over.C:
			return
		case <-c.reassign:
			c.assign(ctx, followers)
		case <-c.kick:
			// A follower lost its leader. One look serves all that ask within the pause.
			sleep(ctx, 100*time.Millisecond)
			return
		}
	}
}

// Reassign makes the consumer ask anew what is owned.
func (c *Consumer) Reassign() {
	select {
	case c.reassign <- struct{}{}:
	default:
	}
}

// wants reports whether a partition is worth following, whoever owns it.
func (c *Consumer) wants(p Partition, centres []string) bool {
	return p.Shared() || c.cfg.Discover || slices.Contains(centres, p.Centre)
}

// listed returns the parts there are, and whether there is the partials topic.
func (c *Consumer) listed() (parts []Part, shared bool) {
	centres := c.cfg.Centres()
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := map[Part]bool{}
	for p := range c.leaders {
		switch {
		case p.Shared():
			shared = shared || p == partials
		case c.wants(p, centres) && !seen[p.Part()]:
			seen[p.Part()] = true
			parts = append(parts, p.Part())
		}
	}
	return parts, shared
}

// assign starts and stops followers, so that exactly the owned partitions of wanted centres are followed.
func (c *Consumer) assign(ctx context.Context, wg *sync.WaitGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := map[Partition]int64{}
	centres := c.cfg.Centres()
	all := make([]Partition, 0, len(c.leaders))
	for p := range c.leaders {
		if !c.wants(p, centres) {
			continue
		}
		epoch, owned := int64(0), true
		if !p.Shared() {
			epoch, owned = c.cfg.Owned(p.Part())
		}
		if owned {
			all, wanted[p] = append(all, p), epoch
		}
	}
	for p, f := range c.followers {
		if epoch, ok := wanted[p]; !ok || epoch != f.epoch {
			c.cfg.Log.Debug("following a partition ends", "partition", p.String())
			f.cancel()
			delete(c.followers, p)
			delete(c.gates, p)
			delete(c.pending, p)
			c.troub.recovered(p.String())
		}
	}
	// Inventories come first, so that telemetry finds their gates.
	slices.SortFunc(all, func(a, b Partition) int {
		if a.Inventory != b.Inventory {
			if a.Inventory {
				return -1
			}
			return 1
		}
		return slices.Compare([]string{a.Topic, fmt.Sprintf("%08d", a.Number)}, []string{b.Topic, fmt.Sprintf("%08d", b.Number)})
	})
	for _, p := range all {
		if c.followers[p] != nil {
			continue
		}
		if !p.Feed() {
			c.pending[p] = true
		}
		c.start(ctx, p, wanted[p], wg)
	}
	c.started = true
}

// start follows one more partition. The caller holds the lock.
func (c *Consumer) start(ctx context.Context, p Partition, epoch int64, wg *sync.WaitGroup) {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{c: c, p: p, epoch: epoch, cancel: cancel, next: -1}
	f.touch()
	if p.Inventory {
		c.gates[p] = make(chan struct{})
		f.gate = c.gates[p]
	} else {
		twin := Partition{Topic: telemetry.InventoryTopic(p.Centre), Number: p.Number, Centre: p.Centre, Inventory: true}
		f.gate = c.gates[twin]
		if f.gate == nil {
			c.cfg.Log.Warn("telemetry has no inventory partition beside it: its devices cannot be counted", "partition", p.String())
		}
		if p.Number == 0 && c.cfg.AppendTime != nil {
			wg.Go(func() { c.checkTime(ctx, p.Topic) })
		}
	}
	c.followers[p] = f
	wg.Go(func() {
		defer cancel()
		f.run(ctx)
	})
}

// checkTime finds out whether the records of a topic carry their producers' times, and says so when that is new.
func (c *Consumer) checkTime(ctx context.Context, topic string) {
	ok, err := c.cfg.AppendTime(ctx, topic)
	if err != nil {
		c.cfg.Log.Debug("cannot read the settings of a topic", "topic", topic, "error", err)
		return
	}
	c.mu.Lock()
	said := c.creates[topic]
	if delete(c.creates, topic); !ok {
		c.creates[topic] = true
	}
	c.mu.Unlock()
	switch {
	case !ok && !said:
		c.cfg.Log.Warn("topic does not use LogAppendTime: ages depend on the hosts' clocks", "topic", topic,
			"remedy", "set message.timestamp.type=LogAppendTime on the topic")
	case ok && said:
		c.cfg.Log.Info("topic uses LogAppendTime by now", "topic", topic)
	}
}

// recheck asks anew for the topics of which was said that they carry their producers' times: that may have been mended, or they may be no more. It
// does nothing while it is still asking.
func (c *Consumer) recheck(ctx context.Context, wg *sync.WaitGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	there := map[string]bool{}
	for p := range c.leaders {
		there[p.Topic] = true
	}
	maps.DeleteFunc(c.creates, func(topic string, _ bool) bool { return !there[topic] })
	if len(c.creates) == 0 || !c.rechecks.CompareAndSwap(false, true) {
		return
	}
	topics := slices.Collect(maps.Keys(c.creates))
	wg.Go(func() {
		defer c.rechecks.Store(false)
		for _, topic := range topics {
			c.checkTime(ctx, topic)
		}
	})
}

// unstick closes the sessions of followers that have not moved for long: their deadlines should have ended them.
func (c *Consumer) unstick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, f := range c.followers {
		if f.stuck() {
			c.stalls.Add(1)
			c.cfg.Log.Warn("a partition reader stalled and is started anew", "partition", p.String())
			f.interrupt()
		}
	}
}

// leader returns a partition's leader, and asks for a look where there is none.
func (c *Consumer) leader(p Partition) (kafka.Broker, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.leaders[p]
	if l.Host == "" {
		return l.Broker, fmt.Errorf("%s has no leader", p)
	}
	return l.Broker, nil
}

// Relook makes Run look for topics and leaders soon.
func (c *Consumer) Relook() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// applied notes that a follower's partition was applied up to the end it had when it was opened.
func (c *Consumer) applied(f *follower) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.followers[f.p] == f {
		delete(c.pending, f.p)
	}
}

// Rebuilt reports whether a part that is followed under an epoch is applied up to the end it had when it was opened.
func (c *Consumer) Rebuilt(p Part, epoch int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := false
	for _, kind := range [...]Partition{
		{Topic: telemetry.InventoryTopic(p.Centre), Number: p.Number, Centre: p.Centre, Inventory: true},
		{Topic: telemetry.TelemetryTopic(p.Centre), Number: p.Number, Centre: p.Centre},
	} {
		f := c.followers[kind]
		if _, exists := c.leaders[kind]; f == nil && !exists {
			continue
		}
		if f == nil || f.epoch != epoch || c.pending[kind] {
			return false
		}
		found = true
	}
	return found
}

// Ready reports whether everything that is followed is applied up to the end it had when it was opened. If it is not, waiting
// says what for.
func (c *Consumer) Ready() (ready bool, waiting string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.started {
		return false, "the topics have not been listed yet: no broker has answered"
	}
	if len(c.pending) == 0 {
		return true, ""
	}
	first := ""
	for p := range c.pending {
		if s := p.String(); first == "" || s < first {
			first = s
		}
	}
	return false, fmt.Sprintf("%d partitions are still being read, among them %s", len(c.pending), first)
}

// Status is where one partition stands.
type Status struct {
	Partition
	Next     int64 // offset of the next record; -1 where none was read yet
	Lag      int64 // records not read yet, as of the last fetch
	CaughtUp bool  // it reached the end that the partition had when it was first opened
}

// Stats count what happened to all followers.
type Stats struct {
	Reconnects   int64
	Stalls       int64
	OffsetsLost  int64 // times that retention had passed the place to go on from
	Corrupt      int64 // record batches that could not be read and were skipped
	ProducerTime []string
	Failing      int // partitions and look-ups that fail at the moment
	Partitions   []Status
}

// Stats returns the current counts, partitions in order.
func (c *Consumer) Stats() Stats {
	s := Stats{
		Reconnects: c.reconnects.Load(), Stalls: c.stalls.Load(), OffsetsLost: c.lost.Load(), Corrupt: c.corrupt.Load(),
		Failing: c.troub.count(),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for t := range c.creates {
		s.ProducerTime = append(s.ProducerTime, t)
	}
	slices.Sort(s.ProducerTime)
	for _, f := range c.followers {
		s.Partitions = append(s.Partitions, f.status())
	}
	slices.SortFunc(s.Partitions, func(a, b Status) int {
		if a.Topic != b.Topic {
			return slices.Compare([]string{a.Topic}, []string{b.Topic})
		}
		return a.Number - b.Number
	})
	return s
}
