package poll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// worker is one source with its goroutine. Only run is executed by that goroutine; everything else belongs to the
// caller of Sample.
type worker struct {
	name     string
	source   Source
	deadline time.Duration
	now      func() time.Time
	log      *slog.Logger

	jobs    chan job
	answers chan Answer
	done    chan struct{}
	closed  error // set before done is closed

	busy    bool            // a reading is under way
	began   time.Time       // when it began
	current context.Context // ends at its deadline
	missed  bool            // it has been counted as missed
	got     []Answer
	health  Health
	notices map[string]bool
	said    string    // the error last logged; empty while the source is well
	saidAt  time.Time // and when
}

// job is one reading to make.
type job struct {
	ctx     context.Context
	cancel  context.CancelFunc
	began   time.Time
	release bool
}

// repeatAfter bounds how often a source that keeps failing in different words is logged.
const repeatAfter = time.Minute

func (w *worker) run() {
	defer close(w.done)
	released := false
	for j := range w.jobs {
		err := w.setReleased(&released, j.release)
		var r Reading
		if err == nil {
			r, err = w.source.Read(j.ctx)
		}
		now := w.now()
		w.answers <- Answer{Time: now, Took: now.Sub(j.began), Reading: r, Err: err}
		j.cancel() // after the answer, which must not look as if its time had passed
	}
	if err := w.source.Close(); err != nil {
		w.closed = fmt.Errorf("close source %s: %w", w.name, err)
	}
}

// setReleased brings the source to the wanted state before it is read. A source that holds no driver has none to
// release.
func (w *worker) setReleased(is *bool, want bool) error {
	r, ok := w.source.(Releaser)
	if !ok || *is == want {
		return nil
	}
	if want {
		if err := r.Release(); err != nil {
			return fmt.Errorf("release the driver: %w", err)
		}
	} else {
		r.Resume()
	}
	*is = want
	return nil
}

// begin takes an answer that came since the tick before, and starts a fresh reading unless one is still under way.
func (w *worker) begin(ctx context.Context, release bool) {
	w.got = nil
	if w.busy {
		select {
		case a := <-w.answers:
			w.take(a)
		default:
			return
		}
	}
	w.busy, w.missed, w.began = true, false, w.now()
	var cancel context.CancelFunc
	w.current, cancel = context.WithTimeout(ctx, w.deadline)
	w.jobs <- job{ctx: w.current, cancel: cancel, began: w.began, release: release}
}

// await waits for the reading under way until it answers, its deadline passes or the tick ends.
func (w *worker) await(tick context.Context) {
	if w.missed {
		return // it had its time in an earlier tick
	}
	select {
	case a := <-w.answers:
		w.take(a)
		return
	case <-w.current.Done():
	case <-tick.Done():
	}
	select {
	case a := <-w.answers: // it answered while another source was waited for
		w.take(a)
	default:
	}
}

// take ends the reading under way. What it says of the source stands until the next answer.
func (w *worker) take(a Answer) {
	w.busy = false
	w.got = append(w.got, a)
	h := &w.health
	h.Took, h.Absent, h.Error = a.Took, errors.Is(a.Err, ErrAbsent), ""
	h.OK = a.Err == nil && a.Took <= w.deadline || h.Absent || errors.Is(a.Err, ErrReleased)
	switch {
	case a.Err != nil:
		h.Error = a.Err.Error()
	case !h.OK:
		h.Error = fmt.Sprintf("answers late: the last took %v, deadline %v", a.Took.Round(time.Millisecond), w.deadline)
	}
	if !h.OK {
		w.miss()
	}
	w.say(a.Reading.Notices)
}

// miss counts the reading under way as missed, once.
func (w *worker) miss() {
	if !w.missed {
		w.health.Missed++
	}
	w.missed = true
}

// result settles the health of the source at the end of a tick.
func (w *worker) result() Result {
	h := &w.health
	h.Pending = w.busy && w.now().Sub(w.began) < w.deadline
	if w.busy && !h.Pending {
		if h.OK || len(w.got) == 0 { // else the last answer was late, or failed, which says more
			h.Error = fmt.Sprintf("no answer since %s, deadline %v", w.began.UTC().Format(time.RFC3339), w.deadline)
		}
		h.OK, h.Absent = false, false
		w.miss()
	}
	w.logHealth()
	return Result{Source: w.name, Health: *h, Answers: w.got}
}

// say logs each notice once.
func (w *worker) say(notices []Notice) {
	for _, n := range notices {
		if !w.notices[n.Key] {
			w.notices[n.Key] = true
			if n.Remedy == "" {
				w.log.Info(n.Text)
				continue
			}
			w.log.Warn(n.Text, "remedy", n.Remedy)
		}
	}
}

// logHealth logs when a source fails, when it fails differently (once a minute at most) and when it is well again.
func (w *worker) logHealth() {
	now := w.now()
	switch {
	case w.health.OK && w.said != "":
		w.said = ""
		w.log.Info("source is well again")
	case !w.health.OK && w.health.Error != "" && w.health.Error != w.said && (w.said == "" || now.Sub(w.saidAt) >= repeatAfter):
		w.said, w.saidAt = w.health.Error, now
		w.log.Warn("source failed", "error", w.health.Error)
	}
}
