package streamfeed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Reasons for which a stream ends; see docs/stream.md.
const (
	ReasonSlow     = "slow"
	ReasonStopping = "stopping"
)

// Bye is the last event of a stream.
func Bye(reason string) []byte {
	return []byte("event: bye\ndata: {\"reason\":\"" + reason + "\"}\n\n")
}

const cutSuffix = "-cut"

// Point is an event id that a reader goes on from.
type Point struct {
	Revision int64
	Cut      bool // everything was stale at it, because the collector was cut off from the log
}

// maxPoint is longer than any id.
const maxPoint = 40

// ParsePoint reads an event id.
func ParsePoint(s string) (Point, error) {
	if len(s) > maxPoint {
		return Point{}, fmt.Errorf("%.40q… is not the id of an event", s)
	}
	digits, cut := strings.CutSuffix(s, cutSuffix)
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != digits {
		return Point{}, fmt.Errorf("%q is not the id of an event: want a revision", s)
	}
	return Point{n, cut}, nil
}

// ErrSlow says that a watcher did not take events as fast as they came.
var ErrSlow = errors.New("the watcher is too slow")

// Watcher walks along a stream. It belongs to one goroutine.
type Watcher struct {
	h     *Hub
	c     *channel
	came  time.Time
	first []byte
	at    *event
	ahead int64 // events before this revision are skipped: the reader has been further already, on another collector
}

// welcomed is a first event.
type welcomed struct{ data []byte }

// join finds out what the watcher begins with.
func (w *Watcher) join(resume *Point) error {
	c := w.c
	c.mu.Lock()
	defer c.mu.Unlock()
	w.at, w.ahead = c.last, 0
	fresh := resume == nil || resume.Cut || c.base.Cut
	if !fresh && resume.Revision > c.base.Revision {
		// Another collector was faster. What comes next tells what changed since then, and a little before it.
		w.ahead, w.first = resume.Revision, []byte(": waiting for the revision\n\n")
		return nil
	}
	name := ""
	if !fresh {
		name = strconv.FormatInt(resume.Revision, 10)
	}
	known := c.welcomes[name]
	if known == nil {
		all, err := c.all()
		if err != nil {
			return err
		}
		known = &welcomed{}
		if d := all.Delta(atOf(resume), nil); !fresh && d != nil {
			known.data = encode("delta", c.id(), d)
		} else {
			known.data = encode("snapshot", c.id(), all.Document)
		}
		if len(c.welcomes) < maxWelcomes {
			c.welcomes[name] = known
		}
	}
	w.first = known.data
	return nil
}

func atOf(p *Point) int64 {
	if p == nil {
		return -1
	}
	return p.Revision
}

// Next waits for the next event and returns it as it goes over the wire, with io.EOF if it is the last one. Events are shared
// and must not be changed.
func (w *Watcher) Next(ctx context.Context) ([]byte, error) {
	if first := w.first; first != nil {
		w.first = nil
		return first, nil
	}
	for {
		select {
		case <-w.at.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		w.at = w.at.next
		e := w.at
		switch {
		case e.final:
			return e.data, io.EOF
		case time.Since(e.made) > w.h.o.Patience:
			w.h.slow.Add(1)
			return Bye(ReasonSlow), ErrSlow
		case w.ahead == 0 || e.revision >= w.ahead:
			w.ahead = 0
			return e.data, nil
		case time.Since(w.came) > w.h.o.Patience:
			// The log does not get there: it was begun anew.
			if err := w.join(nil); err != nil {
				return nil, err
			}
			first := w.first
			w.first = nil
			return first, nil
		case e.revision < 0:
			return e.data, nil
		}
	}
}

// Deadline is until when the watcher has to have taken an event that is handed to it now.
func (w *Watcher) Deadline() time.Time { return time.Now().Add(w.h.o.Block) }

// Blocked notes that it did not.
func (w *Watcher) Blocked() { w.h.slow.Add(1) }

// Close lets the watcher go.
func (w *Watcher) Close() {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	w.h.leave(w.c)
}
