package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"github.com/exameter/exameter/collector"
)

// run collects until ctx ends.
func (p *program) run(ctx context.Context) error {
	cfg, from, err := p.config()
	if err != nil {
		return err
	}
	log, err := cfg.Log.Logger(p.stderr)
	if err != nil {
		return err
	}
	log.Info("collector starts", "configuration", from, "version", version)
	hups := make(chan os.Signal, 1)
	signal.Notify(hups, syscall.SIGHUP)
	defer signal.Stop(hups)
	reload := make(chan struct{})
	go func() {
		for {
			select {
			case <-hups:
				notify(reloading())
				select {
				case reload <- struct{}{}:
				case <-ctx.Done():
					return
				}
				notify(daemon.SdNotifyReady)
			case <-ctx.Done():
				notify(daemon.SdNotifyStopping)
				return
			}
		}
	}()
	if os.Getenv("GOGC") == "" {
		// What a collector holds changes little, so that garbage is worth collecting sooner: a third less memory for a hundredth of a core.
		debug.SetGCPercent(collector.GCPercent)
	}
	err = collector.Run(ctx, cfg, collector.Options{
		Log: log, Version: version, Reload: reload, Alive: watchdog(),
		Ready: func(string) { notify(daemon.SdNotifyReady) },
	})
	if err == nil {
		log.Info("collector stopped")
	}
	return err
}

// notify tells systemd, where it listens. That nobody listens is no error.
func notify(state string) { _, _ = daemon.SdNotify(false, state) }

// reloading is what systemd wants to hear before a reload: the word and the monotonic time.
func reloading() string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return daemon.SdNotifyReloading
	}
	return fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000)
}

// watchdog returns what the collector is to call while it works; nil where systemd does not watch.
func watchdog() func() {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		return nil
	}
	var last time.Time
	return func() {
		if now := time.Now(); now.Sub(last) >= every/3 {
			last = now
			notify(daemon.SdNotifyWatchdog)
		}
	}
}
