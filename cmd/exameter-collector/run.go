package main

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/internal/systemd"
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
	reload := make(chan struct{})
	ctx, stop := context.WithCancel(ctx)
	told := systemd.Signals(ctx, func() {
		select {
		case reload <- struct{}{}:
		case <-ctx.Done():
		}
	})
	defer func() { stop(); told() }()
	if os.Getenv("GOGC") == "" {
		// What a collector holds changes little, so that garbage is worth collecting sooner: a third less memory for a hundredth of a core.
		debug.SetGCPercent(collector.GCPercent)
	}
	err = collector.Run(ctx, cfg, collector.Options{
		Log: log, Version: version, Reload: reload, Alive: systemd.Watchdog(),
		Ready: func(string) { systemd.Ready() }, Status: systemd.Status,
	})
	if err == nil {
		log.Info("collector stopped")
	}
	return err
}
