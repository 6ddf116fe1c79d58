package publish

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/exameter/exameter/agent/spool"
)

// Times of what goes to disk.
const (
	syncEvery  = 5 * time.Second // what is newer may be lost with the machine, not with the process
	retryWrite = 5 * time.Second // after a disk did not take a record
)

// Queue is where records wait in memory. A batch stays in it until it is acknowledged.
type Queue interface {
	Next(maxRecords int, maxBytes int64) (b spool.Batch, closed bool)
	Wake() <-chan struct{}
	Ack(b spool.Batch, n int)
	Reject(b spool.Batch, i int)
	Stats() spool.Stats
}

// Lane is a way for records into Kafka, on which they keep their order. Where it has a disk, what Kafka cannot be given goes there; once Kafka
// takes records again, what is new goes first, and what lies on disk after it, at a pace.
type Lane struct {
	Queue Queue
	Disk  *spool.Disk // nil for none; while the publisher runs it belongs to it
	Pace  float64     // records a second from disk, above zero
	// Back is called when Kafka takes records again that it did not take before; nil where nobody wants to know. It does not block.
	Back func()
}

// Stats counts what is in the lane and what fell out of it.
func (l *Lane) Stats() spool.Stats {
	s := l.Queue.Stats()
	if l.Disk != nil {
		s = s.Add(l.Disk.Stats())
	}
	return s
}

// sender empties one lane.
type sender struct {
	Lane
	p   *Publisher
	log *slog.Logger

	trouble   complaint
	backoff   time.Duration
	down      bool      // Kafka did not take the last records
	retry     time.Time // when it is to be tried again, where it is down
	replay    time.Time // when the next records from disk may go, where it is not
	write     time.Time // when the disk is to be tried again
	synced    time.Time
	unsynced  bool
	complaint time.Time // about the disk
	greeted   bool
}

// run sends until ctx ends, or the queue is closed and empty.
func (s *sender) run(ctx context.Context) {
	s.trouble, s.backoff = complaint{log: s.log}, minBackoff
	defer s.keep()
	for ctx.Err() == nil {
		b, closed := s.Queue.Next(maxBatchRecords, maxBatchBytes)
		now := time.Now()
		some, spooled := len(b.Records) > 0, s.spooled()
		switch {
		case some && !s.down:
			s.deliver(ctx, b, s.Queue.Ack, s.Queue.Reject)
		case some && s.Disk != nil && !now.Before(s.write):
			s.spill(b)
		case s.down && !now.Before(s.retry) && spooled:
			s.fromDisk(ctx)
		case s.down && !now.Before(s.retry) && some:
			s.deliver(ctx, b, s.Queue.Ack, s.Queue.Reject)
		case !s.down && spooled && !now.Before(s.replay):
			s.fromDisk(ctx)
		case closed && !some:
			return
		default:
			s.sync(false)
			s.wait(ctx, now, spooled)
		}
	}
}

func (s *sender) spooled() bool { return s.Disk != nil && s.Disk.Stats().Records > 0 }

// wait waits until there may be something to do.
func (s *sender) wait(ctx context.Context, now time.Time, spooled bool) {
	next := now.Add(time.Minute)
	until := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	switch {
	case s.down:
		until(s.retry)
	case spooled:
		until(s.replay)
	}
	if s.down && s.Disk != nil && s.write.After(now) {
		until(s.write)
	}
	if s.unsynced {
		until(s.synced.Add(syncEvery))
	}
	timer := time.NewTimer(max(time.Until(next), time.Millisecond))
	defer timer.Stop()
	select {
	case <-s.Queue.Wake():
	case <-timer.C:
	case <-ctx.Done():
	}
}

// deliver sends a batch from where it waits.
func (s *sender) deliver(ctx context.Context, b spool.Batch, ack, reject func(spool.Batch, int)) {
	n, err := s.p.send(ctx, b.Records)
	ack(b, n)
	switch {
	case err == nil:
		s.well(b.Records[0].Topic)
	case ctx.Err() != nil:
	case hopeless(err):
		reject(b, n)
		s.log.Error("Kafka refused a record for good; it is dropped and counted", "bytes", len(b.Records[n].Value), "error", err)
	default:
		// Spread over half to one and a half, so that the agents of a centre do not come back in step.
		wait := s.backoff/2 + rand.N(s.backoff)
		s.backoff = min(s.backoff*2, maxBackoff)
		s.down, s.retry = true, time.Now().Add(wait)
		s.trouble.raise(err, s.p.waiting(), wait)
	}
}

// well notes that Kafka took records.
func (s *sender) well(topic string) {
	s.trouble.over()
	s.backoff = minBackoff
	if s.down {
		s.down = false
		if s.Back != nil {
			s.Back()
		}
	}
	if !s.greeted {
		s.log.Info("Kafka has the first records", "topic", topic)
		s.greeted = true
	}
}

// fromDisk sends the oldest records on disk, as many as go in a second.
func (s *sender) fromDisk(ctx context.Context) {
	b, err := s.Disk.Next(min(max(int(s.Pace), 1), maxBatchRecords), maxBatchBytes)
	if err != nil {
		s.diskFails(err)
		s.retry, s.replay = time.Now().Add(retryWrite), time.Now().Add(retryWrite)
		return
	}
	if len(b.Records) == 0 {
		return
	}
	s.deliver(ctx, b, func(b spool.Batch, n int) { s.diskFails(s.Disk.Ack(b, n)) }, func(b spool.Batch, i int) { s.diskFails(s.Disk.Reject(b, i)) })
	s.replay = time.Now().Add(time.Duration(float64(len(b.Records)) / s.Pace * float64(time.Second)))
	if !s.down && !s.spooled() {
		s.log.Info("everything that waited on disk is in Kafka")
	}
}

// spill moves a batch to disk, and reports whether all of it is there.
func (s *sender) spill(b spool.Batch) bool {
	n := 0
	for ; n < len(b.Records); n++ {
		if err := s.Disk.Append(b.Records[n]); err != nil {
			s.diskFails(err)
			s.write = time.Now().Add(retryWrite)
			break
		}
	}
	s.Queue.Ack(b, n)
	s.unsynced = s.unsynced || n > 0
	s.sync(false)
	return n == len(b.Records)
}

// sync brings what went to the disk's file system to the disk, where it is time or where it has to be.
func (s *sender) sync(now bool) {
	if s.unsynced && (now || time.Since(s.synced) >= syncEvery) {
		s.synced, s.unsynced = time.Now(), false
		s.diskFails(s.Disk.Sync())
	}
}

// keep moves what is left in memory to disk when the lane ends.
func (s *sender) keep() {
	if s.Disk == nil {
		return
	}
	for {
		b, _ := s.Queue.Next(maxBatchRecords, maxBatchBytes)
		if len(b.Records) == 0 {
			break
		}
		if !s.spill(b) {
			break
		}
	}
	s.sync(true)
}

// diskFails says what is wrong with the disk, once a minute at most.
func (s *sender) diskFails(err error) {
	if err != nil && time.Since(s.complaint) > complainEvery {
		s.complaint = time.Now()
		s.log.Warn("the spool on disk does not take or give records; they wait in memory", "error", err, "remedy", "make room on the disk, and look after it")
	}
}
