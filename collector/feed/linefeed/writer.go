package linefeed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

const (
	timeout = 10 * time.Second
	// kept is how many figures wait for a database that does not answer: an hour of them, if one comes every ten seconds.
	kept = 360
	// keptBytes bounds them together: an hour of the figures of 150 centres. The newest waits in any case.
	keptBytes = 32 << 20
	// together bounds one request. The figures of a hundred centres are some 60 kB.
	together = 1 << 20
	// maxPause bounds how long a database may ask to be left alone: what waits is more than is kept of it after an hour.
	maxPause = 10 * time.Minute
)

// Writer writes what it is handed. Take may be called from any goroutine.
type Writer struct {
	cfg    Config
	client *http.Client
	log    *slog.Logger
	latest atomic.Pointer[capacity.Snapshot]

	// These belong to Run.
	waiting  [][]byte
	together int       // bytes of one request, at most
	after    time.Time // when the database may be asked again
	said     time.Time

	written, failed, dropped atomic.Int64
}

// New makes a writer that does nothing before Run.
func New(cfg Config, log *slog.Logger) (*Writer, error) {
	client, err := cfg.client()
	if err != nil {
		return nil, err
	}
	return &Writer{cfg: cfg, client: client, log: log, together: together}, nil
}

// Take gives the writer newer figures, for the next time that it writes.
func (w *Writer) Take(s *capacity.Snapshot) { w.latest.Store(s) }

// Stats count figures: one counts once, whatever the number of its lines.
type Stats struct {
	Written int64 // acknowledged by the database
	Failed  int64 // requests that failed; what was in them is tried again unless the database refused it
	Dropped int64 // given up: refused, or too many were waiting
}

// Stats returns the current counts.
func (w *Writer) Stats() Stats {
	return Stats{w.written.Load(), w.failed.Load(), w.dropped.Load()}
}

// Run writes once an interval, if there is something new, until ctx ends.
func (w *Writer) Run(ctx context.Context) {
	if w.cfg.URL == "" {
		return
	}
	defer w.client.CloseIdleConnections()
	tick := time.NewTicker(w.cfg.Interval.D())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s := w.latest.Swap(nil); s != nil {
			if lines, err := encode(s); err != nil {
				w.log.Error("figures cannot be written as line protocol", "error", err)
			} else {
				w.waiting = append(w.waiting, lines)
			}
		}
		over := w.over()
		w.waiting = slices.Delete(w.waiting, 0, over)
		w.dropped.Add(int64(over))
		for len(w.waiting) > 0 && ctx.Err() == nil && !time.Now().Before(w.after) && w.flush(ctx) {
		}
	}
}

// over is how many of the oldest figures are too many to wait.
func (w *Writer) over() int {
	n, size := 0, 0
	for n < min(len(w.waiting), kept) {
		size += len(w.waiting[len(w.waiting)-1-n])
		if n > 0 && size > keptBytes {
			break
		}
		n++
	}
	return len(w.waiting) - n
}

// answered is an answer of the database that is none of 2xx.
type answered struct {
	code         int
	status, body string
	pause        time.Duration // how long it asks to be left alone
}

func (e *answered) Error() string {
	return fmt.Sprintf("the database answered %s: %q", e.status, e.body)
}

// final reports whether the answer would be the same the next time.
func (e *answered) final() bool {
	return e.code == http.StatusBadRequest || e.code == http.StatusRequestEntityTooLarge || e.code == http.StatusUnprocessableEntity
}

// flush writes what waits, the oldest first, and reports whether to go on.
func (w *Writer) flush(ctx context.Context) bool {
	n, size := 0, 0
	for n < len(w.waiting) && (n == 0 || size+len(w.waiting[n]) <= w.together) {
		size += len(w.waiting[n])
		n++
	}
	err := w.post(ctx, bytes.Join(w.waiting[:n], nil))
	var no *answered
	if errors.As(err, &no) {
		w.after = time.Now().Add(no.pause)
	}
	switch {
	case err == nil:
		w.written.Add(int64(n))
	case no != nil && no.code == http.StatusRequestEntityTooLarge && n > 1:
		w.failed.Add(1)
		w.together = size / 2 // one figure at a time, if need be
		return true
	case no != nil && no.final():
		w.failed.Add(1)
		w.dropped.Add(int64(n))
		w.say(err)
	default:
		if ctx.Err() == nil {
			w.failed.Add(1)
			w.say(err)
		}
		return false
	}
	w.waiting = slices.Delete(w.waiting, 0, n)
	return true
}

// say warns once a minute.
func (w *Writer) say(err error) {
	if time.Since(w.said) > time.Minute {
		w.said = time.Now()
		w.log.Warn("cannot write line protocol", "waiting", len(w.waiting), "error", err)
	}
}

// post sends lines. An error never holds the URL, which may hold a secret.
func (w *Writer) post(ctx context.Context, lines []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.URL, bytes.NewReader(lines))
	if err != nil {
		return errors.New("write.url cannot be asked")
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	if err := w.cfg.authorize(r); err != nil {
		return err
	}
	resp, err := w.client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("write to %s: %w", r.URL.Host, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 300)) // what of it there is
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode/100 == 2 {
		return nil
	}
	return &answered{resp.StatusCode, resp.Status, strings.TrimSpace(string(body)), pause(resp.Header.Get("Retry-After"))}
}

// pause reads the header Retry-After: seconds, as databases give it. What cannot be read is no pause.
func pause(v string) time.Duration {
	s, err := strconv.ParseUint(v, 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(s)*time.Second, maxPause)
}
