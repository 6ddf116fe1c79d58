package consume

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// stallAfter is how long a follower may stand still with records before it, or without an answer.
const stallAfter = 30 * time.Second

// freshFor is how long ago everything must have been read, for what comes next to have been written just now: some answers without a record.
const freshFor = 3 * time.Second

// longestPause is the longest time between two attempts to reach a broker: what a broker's return is noticed later at most.
const longestPause = 2 * time.Second

// hushed is how long nothing comes in the partials topic, to which every collector writes every second, before the leaders are looked for: the one that is asked may
// be parted from the others, and not know that it leads no more.
const hushed = 3 * time.Second

// A partition that is followed closely yields a record or two an answer, and then most of the work is asking. After so
// few bytes the next question waits a little, so that the answer to it is worth its while.
const (
	fewBytes = 64 << 10
	linger   = 20 * time.Millisecond
)

// follower reads one partition from its start position on, over as many sessions as it takes.
type follower struct {
	c      *Consumer
	p      Partition
	epoch  int64
	cancel context.CancelFunc
	gate   chan struct{} // of an inventory: closed here; of telemetry: waited for; nil where there is none

	next   int64 // offset to go on from; -1 before the first session
	target int64 // end of the partition when it was first opened
	caught bool
	bad    int64 // offset of a corrupt batch
	tries  int   // how often it was read

	moved atomic.Int64 // when it last had an answer, in ns of the wall clock
	busy  atomic.Bool  // it waits for its records to be taken, which is not a stall
	place atomic.Int64 // next, for others to read
	lag   atomic.Int64
	ready atomic.Bool

	mu      sync.Mutex
	current *session
	left    bool // the session was ended because another broker leads
}

// run follows until ctx ends.
func (f *follower) run(ctx context.Context) {
	f.place.Store(-1)
	if !f.p.Inventory && f.gate != nil {
		f.busy.Store(true)
		select {
		case <-f.gate:
		case <-ctx.Done():
			return
		}
		f.busy.Store(false)
		f.touch()
	}
	wait := backoff{min: 100 * time.Millisecond, max: longestPause}
	for ctx.Err() == nil {
		before, began := f.next, time.Now()
		err := f.session(ctx)
		if ctx.Err() != nil {
			return
		}
		// A partition to which nothing is written, as an inventory mostly is, was in order as well.
		if f.next > before || time.Since(began) > longestPause {
			wait.reset()
		}
		f.c.reconnects.Add(1)
		if f.moves() {
			f.touch()
			continue
		}
		d := wait.next()
		f.c.troub.report(f.p.String(), err, d)
		f.c.Relook()
		f.touch()
		sleep(ctx, d)
	}
}

// session connects and reads until something fails.
func (f *follower) session(ctx context.Context) error {
	leader, err := f.c.leader(f.p)
	if err != nil {
		return err
	}
	d, err := f.c.cfg.Dialer()
	if err != nil {
		return err
	}
	s, err := dial(ctx, d, leader, f.p.Topic, f.p.Number)
	if err != nil {
		return err
	}
	defer s.close()
	f.hold(s)
	defer f.hold(nil)
	if f.next < 0 {
		if err := f.open(s); err != nil {
			return err
		}
	}
	still := time.Now() // since when it stands still with records before it
	var end time.Time   // when everything had been read; zero: not in this session
	heard := still
	for {
		if err := f.catchUp(ctx); err != nil {
			return err
		}
		got, err := s.fetch(f.next)
		if errors.Is(err, kafka.OffsetOutOfRange) {
			err = f.reopen(s)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		f.touch()
		f.c.troub.recovered(f.p.String())
		if f.next < got.high || f.p != partials {
			heard = time.Now()
		} else if time.Since(heard) > hushed {
			heard = time.Now()
			f.c.Relook()
		}
		before := f.next
		if err := f.take(ctx, got, time.Since(end) < freshFor); err != nil {
			return err
		}
		if f.next >= got.high {
			end = time.Now()
		} else {
			end = time.Time{}
		}
		f.lag.Store(max(got.high-f.next, 0))
		if len(got.records) < fewBytes {
			sleep(ctx, linger)
		}
		switch {
		case f.next > before || got.high <= f.next:
			still = time.Now()
		case time.Since(still) > stallAfter:
			f.c.stalls.Add(1)
			return fmt.Errorf("stalled at offset %d although there are records up to %d", f.next, got.high)
		}
	}
}

// open finds where to begin: an inventory at its beginning, telemetry a little while ago.
func (f *follower) open(s *session) error {
	first, end, err := s.offsets()
	if err != nil {
		return fmt.Errorf("read offsets: %w", err)
	}
	next := first
	if !f.p.Inventory {
		at, ok, err := s.offsetAt(f.c.cfg.Now().Add(-f.c.cfg.Rewind))
		if err != nil {
			return fmt.Errorf("read offset by time: %w", err)
		}
		if next = end; ok {
			next = at
		}
	}
	f.target = end
	f.set(next)
	return nil
}

// reopen begins anew after the place to go on from turned out not to exist: retention passed it, or the partition was
// made anew.
func (f *follower) reopen(s *session) error {
	first, end, err := s.offsets()
	if err != nil {
		return fmt.Errorf("read offsets: %w", err)
	}
	if f.next >= first && f.next <= end {
		return fmt.Errorf("offset %d is refused although it lies between %d and %d", f.next, first, end)
	}
	f.c.lost.Add(1)
	f.c.cfg.Log.Warn("the place to go on from is gone, going on from the first record there is",
		"partition", f.p.String(), "offset", f.next, "first", first)
	f.target = min(f.target, end)
	f.set(first)
	return nil
}

// take hands fetched records over. Fresh says that they were written just now. A batch that cannot be read is fetched twice more, in case it was damaged on the
// way, and then skipped.
func (f *follower) take(ctx context.Context, got fetched, fresh bool) error {
	if err := f.enter(ctx, got.buffer); err != nil {
		return err
	}
	records, next, err := parseBatches(got.records, f.next, got.buffer)
	if len(records) == 0 {
		got.buffer.release()
	} else if err := f.send(ctx, &Batch{Partition: f.p, Records: records, Fresh: fresh, done: got.buffer.release}); err != nil {
		got.buffer.release() // nobody has it
		return err
	}
	f.set(next)
	var corrupt *corruptError
	if !errors.As(err, &corrupt) {
		return err
	}
	if f.bad != next {
		f.bad, f.tries = next, 0
	}
	if f.tries++; f.tries < 3 {
		return fmt.Errorf("offset %d: %w", next, err)
	}
	f.c.corrupt.Add(1)
	f.c.cfg.Log.Error("a record batch cannot be read and is skipped",
		"partition", f.p.String(), "offset", next, "next", corrupt.next, "error", err)
	f.set(corrupt.next)
	return nil
}

// enter waits until an answer may be inflated. The partials topic does not wait: it is what others wait for.
func (f *follower) enter(ctx context.Context, b *buffer) error {
	if f.p.Shared() {
		return nil
	}
	f.busy.Store(true)
	defer f.busy.Store(false)
	select {
	case f.c.places <- struct{}{}:
		b.places = f.c.places
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// catchUp says once that the end of the partition's first listing is reached. The word travels behind the records, so it
// is true when they are applied.
func (f *follower) catchUp(ctx context.Context) error {
	if f.caught || f.next < f.target {
		return nil
	}
	f.caught = true
	f.ready.Store(true)
	err := f.send(ctx, &Batch{Partition: f.p, done: func() { f.c.applied(f) }})
	if err == nil && f.p.Inventory {
		close(f.gate)
	}
	return err
}

// send waits until the batch is taken.
func (f *follower) send(ctx context.Context, b *Batch) error {
	f.busy.Store(true)
	defer func() {
		f.busy.Store(false)
		f.touch()
	}()
	b.Epoch = f.epoch
	select {
	case f.c.cfg.Route(f.p) <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *follower) set(next int64) {
	f.next = next
	f.place.Store(next)
}

func (f *follower) touch() { f.moved.Store(time.Now().UnixNano()) }

// stuck reports whether the follower has had no answer for longer than its deadlines allow.
func (f *follower) stuck() bool {
	return !f.busy.Load() && time.Since(time.Unix(0, f.moved.Load())) > stallAfter
}

// hold notes the session for interrupt.
func (f *follower) hold(s *session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current = s
}

// leave ends the current session if it is with another broker than the one that leads by now, and reports whether it was.
func (f *follower) leave(leader kafka.Broker) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == nil || f.current.leader == leader {
		return false
	}
	f.left = true
	_ = f.current.conn.Close() // the reader notices
	return true
}

// moves reports whether the last session ended because another broker leads.
func (f *follower) moves() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := f.left
	f.left = false
	return left
}

// interrupt ends the current session.
func (f *follower) interrupt() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.touch()
	if f.current != nil {
		_ = f.current.conn.Close() // the reader notices
	}
}

func (f *follower) status() Status {
	return Status{Partition: f.p, Next: f.place.Load(), Lag: f.lag.Load(), CaughtUp: f.ready.Load()}
}
