package poll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Defaults of a Config.
const (
	DefaultInterval = time.Second
	DefaultDeadline = 800 * time.Millisecond
)

// longestTick bounds a tick whatever the interval, so that whoever runs the poller stays responsive.
const longestTick = 5 * time.Second

// Config says what a Poller polls.
type Config struct {
	Sources  []Member
	Interval time.Duration    // time between two ticks, DefaultInterval where zero
	Now      func() time.Time // time.Now where nil
	Log      *slog.Logger     // slog.Default() where nil
}

// Member is a source with the time it is given to answer.
type Member struct {
	Source
	Deadline time.Duration // DefaultDeadline where zero; may be longer than the interval
}

// Tick is one round of readings. Nothing in it is older than the tick before.
type Tick struct {
	Time    time.Time
	Results []Result // in the order of the sources
}

// Result is what one source said since the tick before.
type Result struct {
	Source string
	Health Health
	// Answers are those that arrived since the tick before, oldest first: usually one, none when the source did not
	// answer, two when a late one was followed by one in time. An answer is handed on once and never again.
	Answers []Answer
}

// Answer is the outcome of one Read.
type Answer struct {
	Time    time.Time // when it arrived
	Took    time.Duration
	Reading Reading
	Err     error // beside a reading: the reading is incomplete
}

// Health says how a source does, apart from what it reads.
type Health struct {
	OK     bool          // its last reading was complete and in time
	Error  string        // what failed, in words
	Took   time.Duration // the last reading that came back; zero before the first
	Missed int64         // readings since the start that failed or came too late
	Absent bool          // what it reads is not on this host
	// Pending says that a reading is under way and still within its deadline.
	Pending bool
}

// Poller asks every source once a tick, each from a goroutine of its own. A source that hangs delays nobody: the tick
// goes on without it, and it is not asked again before its call returned. A source that panics ends the program: its
// goroutine is not guarded, because a dead source must not look like a quiet one.
type Poller struct {
	interval time.Duration
	now      func() time.Time
	log      *slog.Logger
	workers  []*worker
	released bool
}

// New makes a Poller and starts the goroutines of its sources, which wait for the first Sample.
func New(c Config) *Poller {
	p := &Poller{interval: c.Interval, now: c.Now, log: c.Log}
	if p.interval <= 0 {
		p.interval = DefaultInterval
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.Default()
	}
	for _, m := range c.Sources {
		w := &worker{
			name: m.Name(), source: m.Source, deadline: m.Deadline, now: p.now, log: p.log.With("source", m.Name()),
			jobs: make(chan job, 1), answers: make(chan Answer, 1), done: make(chan struct{}),
			notices: map[string]bool{},
		}
		if w.deadline <= 0 {
			w.deadline = DefaultDeadline
		}
		p.workers = append(p.workers, w)
		go w.run()
	}
	return p
}

// SetInterval changes the time between two ticks, which bounds how long one may last.
func (p *Poller) SetInterval(d time.Duration) { p.interval = d }

// Release lets go of every driver that a source holds, or takes them up again. It takes effect with the next tick.
func (p *Poller) Release(release bool) { p.released = release }

// Sample asks every source that is not still busy and waits for the answers: until each has come or is too late, and
// never for longer than four fifths of the interval or five seconds.
func (p *Poller) Sample(ctx context.Context) Tick {
	t := Tick{Time: p.now(), Results: make([]Result, len(p.workers))}
	tick, cancel := context.WithTimeout(ctx, min(p.interval*4/5, longestTick))
	defer cancel()
	for _, w := range p.workers {
		w.begin(ctx, p.released)
	}
	for i, w := range p.workers {
		w.await(tick)
		t.Results[i] = w.result()
	}
	return t
}

// Stop closes the sources, each after its last reading. It waits for at most the given time and returns an error that
// names the sources which still hang and are left behind.
func (p *Poller) Stop(within time.Duration) error {
	for _, w := range p.workers {
		close(w.jobs)
	}
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	var errs []error
	expired := false
	for _, w := range p.workers {
		if !expired {
			select {
			case <-w.done:
				errs = append(errs, w.closed)
				continue
			case <-timeout.C:
				expired = true
			}
		}
		select {
		case <-w.done:
			errs = append(errs, w.closed)
		default:
			errs = append(errs, fmt.Errorf("source %s: did not return within %v and is left behind", w.name, within))
		}
	}
	return errors.Join(errs...)
}
