package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/exameter/exameter/agent/state"
)

// Times of the state directory.
const (
	watchEvery = 500 * time.Millisecond // how often orders are looked for
	saveAgain  = 5 * time.Second        // after the devices could not be written
	stuckAfter = 5 * time.Second        // a state directory that takes longer is complained of
)

// keeper reads and writes the state directory in a goroutine of its own: a disk that is slow, or hangs, holds up what is remembered and what is
// ordered, and never a tick.
type keeper struct {
	store    *state.Store
	log      *slog.Logger
	orders   state.Orders // that stand
	distrust bool         // they stand in for some that could not be read
	unsaved  []state.Device
	save     time.Time // when they are to be tried
	troubles troubles

	devices chan []state.Device // the latest to be remembered
	news    chan state.Orders   // the latest orders, where they changed
	since   atomic.Int64        // when the goroutine began with what it is about, Unix ns; 0 while it waits
	quit    chan struct{}
	done    chan struct{}
}

// keep begins to keep a directory in which the given orders stand, or for whose orders, which could not be read, they stand in.
func keep(store *state.Store, orders state.Orders, distrust bool, log *slog.Logger) *keeper {
	k := &keeper{
		store: store, orders: orders, distrust: distrust, log: log, devices: make(chan []state.Device, 1), news: make(chan state.Orders, 1),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	go k.run()
	return k
}

func (k *keeper) run() {
	defer close(k.done)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		k.since.Store(0)
		last := false
		select {
		case d := <-k.devices:
			k.unsaved, k.save = d, time.Time{}
		case <-tick.C:
		case <-k.quit:
			last = true
			select {
			case d := <-k.devices:
				k.unsaved, k.save = d, time.Time{}
			default:
			}
		}
		now := time.Now()
		k.since.Store(now.UnixNano())
		if k.unsaved != nil && !now.Before(k.save) {
			err := k.store.SaveDevices(k.unsaved)
			k.troubles.say(k.log, "remember the devices", err)
			if k.save = time.Now().Add(saveAgain); err == nil {
				k.unsaved = nil
			}
		}
		if last {
			return
		}
		k.watch()
	}
}

// watch looks for new orders.
func (k *keeper) watch() {
	o, changed, err := k.store.Orders()
	if errors.Is(err, state.ErrCorrupt) {
		// The orders that stood still stand.
		err = errors.Join(err, k.store.KeepOrders(k.orders))
		changed = false
	} else if err == nil && !changed && k.distrust {
		// The file that could not be read is gone. What holds until somebody says otherwise is to stand in one.
		k.troubles.say(k.log, "keep the orders", k.store.KeepOrders(k.orders))
	}
	k.troubles.say(k.log, "read the orders", err)
	if !changed {
		return
	}
	k.orders, k.distrust = o, false
	replace(k.news, o)
}

// remember has devices written, in place of those that were not yet.
func (k *keeper) remember(d []state.Device) { replace(k.devices, d) }

// replace puts the latest into a channel that has room for one, and that nobody else writes to.
func replace[T any](c chan T, v T) {
	select {
	case <-c:
	default:
	}
	c <- v
}

// stuck is an error where the directory has not answered for long.
func (k *keeper) stuck() error {
	if since := k.since.Load(); since != 0 && time.Since(time.Unix(0, since)) > stuckAfter {
		return fmt.Errorf("its disk has not answered for more than %s", stuckAfter)
	}
	return nil
}

// end has what is to be remembered written, after which the goroutine ends.
func (k *keeper) end() { close(k.quit) }

// ended waits for that until ctx ends. A call that hangs is left behind.
func (k *keeper) ended(ctx context.Context) {
	select {
	case <-k.done:
	case <-ctx.Done():
	}
}
