package httpfeed

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/feed/streamfeed"
)

const (
	resumeParameter = "last_event_id"
	resumeHeader    = "Last-Event-ID"
)

// stream answers GET /v1/stream with server-sent events until one side goes.
func (src Source) stream(w http.ResponseWriter, r *http.Request) {
	q, resume, err := parseStream(r)
	if err != nil {
		refuse(w, err)
		return
	}
	if src.snapshot(w) == nil {
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events until its buffer is full
	if r.Method == http.MethodHead {
		return
	}
	watcher, err := src.Stream.Watch(q, resume)
	if err != nil {
		unwatched(w, err)
		return
	}
	defer watcher.Close()
	// The server's deadlines are for requests that end.
	rc := http.NewResponseController(w)
	if err := rc.SetReadDeadline(time.Time{}); err != nil {
		problem(w, http.StatusInternalServerError, "", "this connection cannot be kept open")
		return
	}
	send := func(b []byte) error {
		if err := rc.SetWriteDeadline(watcher.Deadline()); err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		return rc.Flush()
	}
	if send([]byte("retry: 1000\n\n")) != nil {
		return
	}
	for {
		event, last := watcher.Next(r.Context())
		if event != nil {
			if err := send(event); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					watcher.Blocked()
				}
				return
			}
		}
		if last != nil {
			return // it went away, or it was told why it has to
		}
	}
}

// unwatched says why there is no stream.
func unwatched(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, streamfeed.ErrFull), errors.Is(err, streamfeed.ErrQueries):
		w.Header().Set("Retry-After", "10")
		problem(w, http.StatusServiceUnavailable, "", err.Error())
	case errors.Is(err, streamfeed.ErrEarly), errors.Is(err, streamfeed.ErrStopped):
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, "", err.Error())
	default:
		refuse(w, err)
	}
}

// parseStream reads what is asked, and from where on. A header, which a reader that reconnects by itself sends, wins over the
// parameter, which stays as it was.
func parseStream(r *http.Request) (capacity.Query, *streamfeed.Point, error) {
	p, err := readParameters(r.URL.RawQuery)
	if err != nil {
		return capacity.Query{}, nil, err
	}
	q := p.question()
	from, given := p.one(resumeParameter)
	name := resumeParameter
	if h := r.Header.Values(resumeHeader); len(h) > 0 {
		from, given, name = h[0], true, resumeHeader
		if len(h) > 1 {
			p.fail(name, fmt.Errorf("is given %d times, want once", len(h)))
		}
	}
	if err := p.done(); err != nil || !given || from == "" {
		return q, nil, err
	}
	point, err := streamfeed.ParsePoint(from)
	if err != nil {
		return q, nil, &badParameter{name, err}
	}
	return q, &point, nil
}
