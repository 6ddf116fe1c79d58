// Package systemd tells systemd how a service is: ready, reloading, stopping, alive, and in words. Where systemd does not listen, all of it
// does nothing. See sd_notify(3).
package systemd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// ready says whether the service has said that it works.
var ready atomic.Bool

// Ready says that the service works.
func Ready() {
	ready.Store(true)
	notify(daemon.SdNotifyReady)
}

// Reloading says that the configuration is being read anew; Ready ends it.
func Reloading() {
	state := daemon.SdNotifyReloading
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err == nil {
		state += fmt.Sprintf("\nMONOTONIC_USEC=%d", now.Nano()/1000)
	}
	notify(state)
}

// Stopping says that the service ends.
func Stopping() { notify(daemon.SdNotifyStopping) }

// Status says in plain words how the service is: what systemctl status shows.
func Status(text string) { notify("STATUS=" + strings.ReplaceAll(text, "\n", " ")) }

// notify sends a state. That nobody listens is no error.
func notify(state string) { _, _ = daemon.SdNotify(false, state) }

// Watchdog returns what a service is to call while it works, as often as it likes; nil where systemd does not watch.
func Watchdog() func() {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		return nil
	}
	var mu sync.Mutex
	var last time.Time
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(last) >= every/3 {
			last = now
			notify(daemon.SdNotifyWatchdog)
		}
	}
}

// Signals carries out what systemd asks for while a service runs: it calls reload at each SIGHUP and says so, and says that the service
// stops when ctx ends. The function it returns waits until that was said. Of a reload before the service has said that it works, nothing is
// said: its end would be taken for the end of the start.
func Signals(ctx context.Context, reload func()) (wait func()) {
	hups := make(chan os.Signal, 1)
	signal.Notify(hups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer signal.Stop(hups)
		for {
			select {
			case <-ctx.Done():
				Stopping()
				return
			case <-hups:
				if !ready.Load() {
					reload()
					continue
				}
				Reloading()
				reload()
				Ready()
			}
		}
	}()
	return func() { <-done }
}
