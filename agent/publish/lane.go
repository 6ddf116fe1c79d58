package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/exameter/exameter/agent/spool"
)

// Times of what goes to disk.
const (
	syncEvery  = 5 * time.Second        // what is newer may be lost with the machine, not with the process
	retryWrite = 5 * time.Second        // after a disk did not take or give records
	slowAfter  = 5 * time.Second        // a disk that takes longer is complained of
	writeFor   = time.Second            // what a slow disk is given at once: the rest can still be sent
	keepWithin = 400 * time.Millisecond // what waits in memory at the end has as long to go to disk
)

// Queue is where records wait in memory. A batch stays in it until it is acknowledged.
type Queue interface {
	Next(maxRecords int, maxBytes int64) (b spool.Batch, closed bool)
	Wake() <-chan struct{}
	Ack(b spool.Batch, n int)
	Reject(b spool.Batch, i int)
	Lend(maxRecords int, maxBytes int64) []spool.Record
	Settle(n int)
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
	read      time.Time // when the disk may be read again
	write     time.Time // when the disk is to be tried again
	synced    time.Time
	unsynced  bool
	complaint time.Time // about the disk
	greeted   bool

	work  chan func() func() // for the disk's goroutine
	done  chan func()        // what came of it, for this one
	busy  time.Time          // since when the disk is at work; zero where it is not
	ready spool.Batch        // read from disk, to be sent
}

// run sends until ctx ends, or the queue is closed and empty. It reports whether the disk has come to rest.
func (s *sender) run(ctx context.Context) bool {
	s.trouble, s.backoff = complaint{log: s.log}, minBackoff
	if s.Disk != nil {
		s.work, s.done = make(chan func() func(), 1), make(chan func(), 1)
		defer close(s.work)
		go func() {
			for do := range s.work {
				s.done <- do()
			}
		}()
	}
	for ctx.Err() == nil {
		s.answered(nil)
		b, closed := s.Queue.Next(maxBatchRecords, maxBatchBytes)
		now := time.Now()
		some, idle, spooled := len(b.Records) > 0, s.Disk != nil && s.busy.IsZero(), s.spooled()
		// Where Kafka is down, what is oldest is what it is tried with.
		turn := s.down && !now.Before(s.retry) || !s.down && !now.Before(s.replay)
		switch {
		case some && !s.down:
			s.deliver(ctx, b, s.Queue.Ack, s.Queue.Reject)
		case some && turn && now.Before(s.read): // what lies on disk cannot be tried
			s.deliver(ctx, b, s.Queue.Ack, s.Queue.Reject)
		case idle && s.unsynced && time.Since(s.synced) >= syncEvery:
			s.sync()
		case some && idle && !now.Before(s.write):
			s.spill()
		case idle && turn && len(s.ready.Records) > 0:
			s.fromDisk(ctx)
		case idle && turn && spooled && !now.Before(s.read):
			s.fetch()
		case some && turn:
			s.deliver(ctx, b, s.Queue.Ack, s.Queue.Reject)
		case closed && !some && s.busy.IsZero():
			return s.keep()
		default:
			s.wait(ctx, now, spooled)
		}
	}
	return s.keep()
}

func (s *sender) spooled() bool { return s.Disk != nil && s.Disk.Stats().Records > 0 }

// give gives the disk something to do, which returns what is to be done in this goroutine afterwards.
func (s *sender) give(do func() func()) {
	s.busy = time.Now()
	s.work <- do
}

// answered takes in what came of what the disk was given, if it answers before a moment comes; without one, if it has answered. It reports
// whether the disk is at rest.
func (s *sender) answered(until <-chan time.Time) bool {
	if s.busy.IsZero() {
		return true
	}
	if until == nil {
		select {
		case then := <-s.done:
			s.rest(then)
		default:
		}
	} else {
		select {
		case then := <-s.done:
			s.rest(then)
		case <-until:
		}
	}
	return s.busy.IsZero()
}

func (s *sender) rest(then func()) {
	s.busy = time.Time{}
	then()
}

// wait waits until there may be something to do.
func (s *sender) wait(ctx context.Context, now time.Time, spooled bool) {
	next := now.Add(time.Minute)
	until := func(t time.Time) {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	if s.down {
		until(s.retry)
		until(s.write)
	} else if spooled {
		until(s.replay)
	}
	if spooled {
		until(s.read)
	}
	if s.busy.IsZero() {
		if s.unsynced {
			until(s.synced.Add(syncEvery))
		}
	} else if until(s.busy.Add(slowAfter)); now.Sub(s.busy) > slowAfter {
		s.diskFails(errSlow)
	}
	timer := time.NewTimer(max(time.Until(next), time.Millisecond))
	defer timer.Stop()
	select {
	case <-s.Queue.Wake():
	case then := <-s.done:
		s.rest(then)
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

// fetch reads the oldest records on disk, as many as go in a second.
func (s *sender) fetch() {
	n := min(max(int(s.Pace), 1), maxBatchRecords)
	s.give(func() func() {
		b, err := s.Disk.Next(n, maxBatchBytes)
		return func() {
			if s.ready = b; err != nil {
				s.diskFails(err)
				s.read = time.Now().Add(retryWrite)
			}
		}
	})
}

// fromDisk sends what was read from disk. What Kafka does not take is read again.
func (s *sender) fromDisk(ctx context.Context) {
	b := s.ready
	s.ready = spool.Batch{}
	sent, refused := 0, -1
	s.deliver(ctx, b, func(_ spool.Batch, n int) { sent = n }, func(_ spool.Batch, i int) { refused = i })
	s.replay = time.Now().Add(time.Duration(float64(len(b.Records)) / s.Pace * float64(time.Second)))
	if sent == 0 && refused < 0 {
		return
	}
	s.give(func() func() {
		err := s.Disk.Ack(b, sent)
		if refused >= 0 {
			err = errors.Join(err, s.Disk.Reject(b, refused))
		}
		return func() {
			s.diskFails(err)
			if !s.down && !s.spooled() {
				s.log.Info("everything that waited on disk is in Kafka")
			}
		}
	})
}

// spill moves the oldest records in memory to disk.
func (s *sender) spill() {
	records := s.Queue.Lend(maxBatchRecords, maxBatchBytes)
	s.give(func() func() {
		n, err := 0, error(nil)
		for began := time.Now(); n < len(records) && time.Since(began) < writeFor; {
			if err = s.Disk.Append(records[n]); err != nil {
				break
			}
			n++
		}
		return func() {
			s.Queue.Settle(n)
			s.unsynced = s.unsynced || n > 0
			s.wrote(err)
		}
	})
}

// sync brings what went to the disk's file system to the disk.
func (s *sender) sync() {
	s.synced = time.Now()
	s.give(func() func() {
		err := s.Disk.Sync()
		return func() {
			s.unsynced = err != nil
			s.wrote(err)
		}
	})
}

// wrote notes how it went to write to the disk.
func (s *sender) wrote(err error) {
	if err != nil {
		s.diskFails(err)
		s.write = time.Now().Add(retryWrite)
	}
}

// keep moves what is left in memory to disk when the lane ends, as far as that goes in time, and reports whether the disk is at rest.
func (s *sender) keep() bool {
	if s.Disk == nil {
		return true
	}
	until := time.After(keepWithin)
	for s.answered(until) {
		switch {
		case s.write.After(time.Now()):
			return true
		case s.Queue.Stats().Records > 0:
			s.spill()
		case s.unsynced:
			s.sync()
		default:
			return true
		}
	}
	return false
}

var errSlow = fmt.Errorf("it has not answered for more than %s", slowAfter)

// diskFails says what is wrong with the disk, once a minute at most.
func (s *sender) diskFails(err error) {
	if err != nil && time.Since(s.complaint) > complainEvery {
		s.complaint = time.Now()
		s.log.Warn("the spool on disk does not take or give records; they wait in memory", "error", err, "remedy", "make room on the disk, and look after it")
	}
}
