package agent

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/exameter/exameter/agent/publish"
	"github.com/exameter/exameter/agent/report"
	"github.com/exameter/exameter/agent/spool"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/telemetry"
)

// outbox numbers and encodes records and puts them where the publisher finds them.
type outbox struct {
	publisher *publish.Publisher
	whole     *spool.Queue // the latest inventory
	stream    *spool.Queue // reports
	disk      *spool.Disk  // where those wait that Kafka cannot be given; nil for nowhere
	lane      publish.Lane // of reports
	back      chan struct{}
	encoder   telemetry.Encoder
	key       []byte
	uptime    func() (time.Duration, error)
	log       *slog.Logger
	centre    string
	numbers   [2]sequence // of inventories and reports
	troubles  troubles
}

func newOutbox(c Config, host Identity, uptime func() (time.Duration, error), log *slog.Logger) *outbox {
	o := &outbox{
		whole: spool.NewLatest(), stream: spool.NewQueue(c.Queue.Records, int64(c.Queue.Bytes)),
		key: []byte(host.ID), uptime: uptime, log: log, centre: c.Centre, back: make(chan struct{}, 1),
		encoder: telemetry.Encoder{LeaveOut: true},
	}
	o.disk = openSpool(c, host.Boot, uptime, log)
	o.lane = publish.Lane{Queue: o.stream, Disk: o.disk, Pace: c.Spool.Pace, Back: func() {
		select {
		case o.back <- struct{}{}:
		default:
		}
	}}
	topics := []string{telemetry.InventoryTopic(c.Centre), telemetry.TelemetryTopic(c.Centre)}
	o.publisher = publish.New(c.Kafka, "exameter-agent", topics, log, publish.Lane{Queue: o.whole}, o.lane)
	return o
}

// openSpool opens the spool, without which the agent goes on.
func openSpool(c Config, boot string, uptime func() (time.Duration, error), log *slog.Logger) *spool.Disk {
	if c.Spool.Bytes == 0 {
		return nil
	}
	var last time.Duration
	d, err := spool.OpenDisk(spool.DiskOptions{
		Dir: filepath.Join(c.Paths.State, "spool"), MaxBytes: int64(c.Spool.Bytes), MaxAge: c.Spool.Age.D(), Boot: boot,
		Uptime: func() time.Duration {
			if up, err := uptime(); err == nil {
				last = up
			}
			return last
		},
	})
	if err != nil {
		log.Warn("reports that Kafka cannot be given wait in memory alone", "error", err, "remedy", "give the agent's user a state directory: paths.state")
		return nil
	}
	if s := d.Stats(); s.Records+s.Dropped+s.Broken > 0 {
		log.Info("reports wait on disk from before", "records", s.Records, "bytes", s.Bytes, "too_old", s.Dropped, "broken", s.Broken)
	}
	return d
}

// end closes the spool, if that is done before ctx ends. The publisher has ended by then; where the disk is not at rest, a call to it has not returned, and
// what was to follow is gone.
func (o *outbox) end(ctx context.Context, rest bool) {
	if o.disk == nil {
		return
	}
	if n := o.stream.Stats().Records; n > 0 {
		o.log.Warn("stopped before everything was on disk; what waited in memory is gone", "records", n)
	}
	if !rest {
		return
	}
	closed := make(chan error, 1)
	go func() { closed <- o.disk.Close() }()
	select {
	case err := <-closed:
		o.troubles.say(o.log, "close the spool", err)
	case <-ctx.Done():
	}
}

func (o *outbox) resize(q Queue) { o.stream.Resize(q.Records, int64(q.Bytes)) }

func (o *outbox) close() {
	o.whole.Close()
	o.stream.Close()
}

func (o *outbox) backlog() report.Backlog {
	s := o.whole.Stats().Add(o.lane.Stats())
	return report.Backlog{Queued: s.Records, Dropped: s.Dropped + s.Broken}
}

func (o *outbox) inventory(g *report.Gatherer, now time.Time, host telemetry.HostInfo) {
	b, err := o.encodeInventory(g, now, host)
	o.troubles.say(o.log, "make an inventory", err)
	if err == nil {
		o.troubles.say(o.log, "tell all of an inventory", o.encoder.Left)
		o.whole.Put(spool.Record{Topic: telemetry.InventoryTopic(o.centre), Key: o.key, Value: b})
	}
}

// clockInOrder reports that the clock shows a time at which no record can be made, as one does that nobody has set since the board's battery died.
// What was sampled waits for the report after it is set.
func clockInOrder(now time.Time) error {
	if err := telemetry.ValidTime(now); err != nil {
		return fmt.Errorf("this host's clock is wrong and has to be set: %w", err)
	}
	return nil
}

func (o *outbox) encodeInventory(g *report.Gatherer, now time.Time, host telemetry.HostInfo) ([]byte, error) {
	if err := clockInOrder(now); err != nil {
		return nil, err
	}
	seq, err := o.numbers[0].next(o.uptime)
	if err != nil {
		return nil, err
	}
	return o.encoder.AppendInventory(nil, g.Inventory(now, seq, host))
}

func (o *outbox) report(g *report.Gatherer, now time.Time, rules state.Rules) {
	b, err := o.encodeReport(g, now, rules)
	o.troubles.say(o.log, "make a report", err)
	if err == nil {
		o.troubles.say(o.log, "tell all of a report", o.encoder.Left)
		o.log.Debug("made a report", "seq", o.numbers[1].last)
		o.stream.Put(spool.Record{Topic: telemetry.TelemetryTopic(o.centre), Key: o.key, Value: b})
	}
}

func (o *outbox) encodeReport(g *report.Gatherer, now time.Time, rules state.Rules) ([]byte, error) {
	if err := clockInOrder(now); err != nil {
		return nil, err
	}
	seq, err := o.numbers[1].next(o.uptime)
	if err != nil {
		return nil, err
	}
	return o.encoder.AppendReport(nil, g.Report(now, seq, rules, o.backlog()))
}

// sequence numbers records of one kind within a boot. A number is the milliseconds since boot, or the number before
// plus one where that is more: so they grow across a restart of the agent without anything being written down, for as
// long as it makes fewer than a thousand records a second. Gaps mean nothing.
type sequence struct{ last int64 }

func (s *sequence) next(uptime func() (time.Duration, error)) (int64, error) {
	up, err := uptime()
	if err != nil {
		return 0, err
	}
	s.last = max(s.last+1, up.Milliseconds())
	return s.last, nil
}

// Uptime is the time since boot, sleep included, by a clock that nobody can set.
func Uptime() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0, errors.Join(errors.New("read the time since boot"), err)
	}
	return time.Duration(t.Nano()), nil
}

// schedule says when something is due that every host does at one interval, each host at a moment of its own: 150,000
// hosts that started together must not report together for ever.
type schedule struct {
	every, phase int64 // ns
	slot         int64 // the last one that passed
}

func newSchedule(host string, every time.Duration) schedule {
	h := fnv.New64a()
	h.Write([]byte(host))
	return schedule{every: int64(every), phase: int64(h.Sum64() % uint64(every))}
}

// passed says whether a new slot began since the last call.
func (s *schedule) passed(now time.Time) bool {
	slot := (now.UnixNano() - s.phase) / s.every
	if slot == s.slot {
		return false
	}
	s.slot = slot
	return true
}
