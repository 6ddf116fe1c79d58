//go:build linux && cgo

package nvml

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

const (
	// eventWait is how long one wait for an event lasts, and so how long it takes to stop.
	eventWait = 250 // ms
	// eventPause follows an error of the wait: with a lost card in the set some drivers fail every wait at once.
	eventPause = time.Second
	// maxPending is where XID errors that nobody collected are thinned out to one of each number.
	maxPending = 256
)

// xidLog collects XID errors by device until they are read. It outlives the driver's initialisation, so that an error
// that came just before a driver change is not lost.
type xidLog struct {
	mu      sync.Mutex
	pending map[string][]int64
}

func (l *xidLog) add(id string, xid uint64) {
	if xid >= allOnes32 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pending[id]
	if len(p) >= maxPending && slices.Contains(p, int64(xid)) || len(p) >= 4*maxPending {
		return
	}
	l.pending[id] = append(p, int64(xid))
}

// take returns the errors of a device since the call before, oldest first.
func (l *xidLog) take(id string) []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pending[id]
	if p != nil {
		delete(l.pending, id)
	}
	return p
}

// watcher receives events on its own goroutine, because the wait for one blocks in the driver.
type watcher struct {
	drv   driver
	cards []*card
	log   *slog.Logger
	xids  *xidLog

	stopping atomic.Bool
	stopped  chan struct{} // closed when the goroutine has left the driver
	wake     chan struct{} // closed to end a pause
}

func watch(drv driver, cards []*card, xids *xidLog, log *slog.Logger) *watcher {
	w := &watcher{drv: drv, cards: cards, log: log, xids: xids, stopped: make(chan struct{}), wake: make(chan struct{})}
	go w.run()
	return w
}

// stop ends the goroutine and waits until it has left the driver. It is called once.
func (w *watcher) stop() {
	w.stopping.Store(true)
	close(w.wake)
	<-w.stopped
}

func (w *watcher) run() {
	defer close(w.stopped)
	failures := 0
	for !w.stopping.Load() {
		c := w.follow()
		if c == nvml.ERROR_NOT_SUPPORTED || c == nvml.ERROR_FUNCTION_NOT_FOUND {
			w.log.Info("no XID errors from this driver", "error", failure(c))
			return
		}
		if c == nvml.SUCCESS {
			return
		}
		if failures++; failures == 1 {
			w.log.Warn("waiting for XID errors failed, trying on", "error", failure(c))
		}
		select {
		case <-w.wake:
		case <-time.After(eventPause):
		}
	}
}

// follow subscribes to all cards that are in reach and records their errors until it is stopped, which is success, or
// the driver fails.
func (w *watcher) follow() nvml.Return {
	set, c := w.drv.events()
	if c != nvml.SUCCESS {
		return c
	}
	defer set.free()
	ids := map[uintptr]string{}
	c = nvml.ERROR_NOT_SUPPORTED
	for _, card := range w.cards {
		if card.dev == nil || card.lost.Load() {
			continue
		}
		if r := set.register(card.dev); r == nvml.SUCCESS {
			ids[card.dev.key()] = card.info.ID
		} else if r != nvml.ERROR_NOT_SUPPORTED {
			c = r
		}
	}
	if len(ids) == 0 {
		return c
	}
	for !w.stopping.Load() {
		key, xid, c := set.wait(eventWait)
		switch id, known := ids[key]; {
		case c == nvml.ERROR_TIMEOUT:
		case c != nvml.SUCCESS:
			return c
		case !known:
			w.log.Warn("XID error of an unknown device", "xid", xid)
		default:
			w.xids.add(id, xid)
		}
	}
	return nvml.SUCCESS
}
