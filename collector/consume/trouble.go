package consume

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// sayAgain is how long the log keeps quiet about trouble that goes on.
const sayAgain = time.Minute

// trouble keeps what fails at the moment and says so in the log: at once when the first thing fails, then once a minute,
// and when all is well again. A broker that restarts breaks hundreds of readers at one time.
type trouble struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	failing map[string]error
	said    time.Time
	since   time.Time
}

// report notes that what failed and is tried again in a while.
func (t *trouble) report(what string, err error, again time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if len(t.failing) == 0 {
		t.since, t.said = now, time.Time{}
	}
	t.failing[what] = err
	// A leader that moves or a connection that a broker ends in good order is ordinary; it is worth a line if it lasts.
	ordinary := errors.Is(err, io.EOF) && now.Sub(t.since) < 2*time.Second
	if ordinary || !t.said.IsZero() && now.Sub(t.said) < sayAgain {
		t.log.Debug("retrying", "what", what, "error", err, "in", again)
		return
	}
	t.said = now
	t.log.Warn("broker unreachable or refusing; retrying", "what", what, "failing", len(t.failing), "retry_in", again.Round(time.Millisecond), "error", err)
}

// recovered notes that what works.
func (t *trouble) recovered(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, failed := t.failing[what]; !failed {
		return
	}
	delete(t.failing, what)
	if len(t.failing) == 0 && !t.said.IsZero() {
		t.log.Info("broker recovered", "after", t.now().Sub(t.since).Round(time.Millisecond))
		t.said = time.Time{}
	}
}

func (t *trouble) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.failing)
}

// backoff doubles from min to max, with a quarter of chance, so that readers do not return all at one moment.
type backoff struct{ min, max, last time.Duration }

func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, b.min), b.max)
	return b.last - time.Duration(rand.Int64N(int64(b.last/4)+1))
}

func (b *backoff) reset() { b.last = 0 }

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
