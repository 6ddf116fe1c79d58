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
	"strings"
	"sync/atomic"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

const (
	timeout = 10 * time.Second
	// kept is how many figures wait for a database that does not answer: an hour of them, if one comes every ten seconds.
	kept = 360
	// together bounds one request. The figures of a hundred centres are some 60 kB.
	together = 1 << 20
)

// Writer writes what it is handed. Take may be called from any goroutine.
type Writer struct {
	cfg    Config
	client *http.Client
	log    *slog.Logger
	latest atomic.Pointer[capacity.Snapshot]

	waiting [][]byte // belongs to Run
	said    time.Time

	written, failed, dropped atomic.Int64
}

// New makes a writer that does nothing before Run.
func New(cfg Config, log *slog.Logger) (*Writer, error) {
	client, err := cfg.client()
	if err != nil {
		return nil, err
	}
	return &Writer{cfg: cfg, client: client, log: log}, nil
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
		if over := len(w.waiting) - kept; over > 0 {
			w.waiting = w.waiting[over:]
			w.dropped.Add(int64(over))
		}
		for len(w.waiting) > 0 && ctx.Err() == nil && w.flush(ctx) {
		}
	}
}

// refused is an answer that would be the same the next time.
type refused struct{ status, body string }

func (e *refused) Error() string {
	return fmt.Sprintf("the database answered %s: %q", e.status, e.body)
}

// flush writes what waits, the oldest first, and reports whether that is no longer waiting.
func (w *Writer) flush(ctx context.Context) bool {
	n, size := 0, 0
	for n < len(w.waiting) && (n == 0 || size+len(w.waiting[n]) <= together) {
		size += len(w.waiting[n])
		n++
	}
	err := w.post(ctx, bytes.Join(w.waiting[:n], nil))
	var no *refused
	switch {
	case err == nil:
		w.written.Add(int64(n))
	case errors.As(err, &no):
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
	w.waiting = w.waiting[n:]
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
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusRequestEntityTooLarge || resp.StatusCode == http.StatusUnprocessableEntity:
		return &refused{resp.Status, strings.TrimSpace(string(body))}
	default:
		return fmt.Errorf("%s answered %s: %q", r.URL.Host, resp.Status, strings.TrimSpace(string(body)))
	}
}
