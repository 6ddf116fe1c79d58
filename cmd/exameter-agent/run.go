package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/exameter/exameter/agent"
)

func (p *program) runCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Report until stopped; SIGHUP reads the configuration anew",
		Long: "Reports until it is stopped by SIGTERM or SIGINT. SIGHUP reads the configuration anew; one that is wrong leaves\n" +
			"everything as it is.",
		Args: cobra.NoArgs, RunE: p.do(p.run),
	}
}

func (p *program) run(ctx context.Context, _ []string) error {
	c, found, err := p.config()
	if err != nil {
		return err
	}
	if !found {
		return &misuse{fmt.Errorf("there is no %s: name a configuration with --config", defaultPath)}
	}
	beModest()
	level := &slog.LevelVar{}
	level.Set(c.Log.SlogLevel())
	log := logger(p.stderr, c.Log.Format, level)

	reload := make(chan agent.Config)
	hups := make(chan os.Signal, 1)
	signal.Notify(hups, syscall.SIGHUP)
	defer signal.Stop(hups)
	ctx, stop := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		p.reloads(ctx, log, hups, reload)
	}()
	defer func() { stop(); <-told }()
	return agent.Run(ctx, c, agent.Options{
		Log: log, Level: level, Version: version, Reload: reload, Alive: watchdog(),
		Ready: func() { notify(daemon.SdNotifyReady) },
	})
}

// reloads hands on what the configuration says after each SIGHUP. A wrong one is said so and changes nothing.
func (p *program) reloads(ctx context.Context, log *slog.Logger, hups <-chan os.Signal, reload chan<- agent.Config) {
	for {
		select {
		case <-ctx.Done():
			notify(daemon.SdNotifyStopping)
			return
		case <-hups:
		}
		notify(reloading())
		if c, _, err := p.config(); err != nil {
			log.Error("the configuration was not reloaded; the one before stays in force", "error", err)
		} else {
			select {
			case reload <- c:
			case <-ctx.Done():
			}
		}
		notify(daemon.SdNotifyReady)
	}
}

func logger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// beModest keeps a guest small on hosts with hundreds of cores, unless the environment says otherwise. Calls into
// drivers that block do not count against the processors.
func beModest() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(2, runtime.NumCPU()))
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// notify tells systemd, where it listens. That nobody listens is no error.
func notify(state string) { _, _ = daemon.SdNotify(false, state) }

// reloading is what systemd wants to hear before a reload: the word and the monotonic time. See sd_notify(3).
func reloading() string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return daemon.SdNotifyReloading
	}
	return fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000)
}

// watchdog returns what the agent is to call while it works; nil where systemd does not watch.
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

func (p *program) sampleCommand() *cobra.Command {
	var centre, cluster, host string
	c := &cobra.Command{
		Use: "sample", Short: "Print what an agent would report of this host, as line protocol",
		Long: "Takes two samples and prints one inventory and one report of this host, as they would go to Kafka. It needs no\n" +
			"broker and no configuration, and leaves orders to drain and devices seen before aside.",
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&centre, "centre", "", "centre to report for (default: the configured one, else \"unset\")")
	c.Flags().StringVar(&cluster, "cluster", "", "cluster to report for (default: the configured one)")
	c.Flags().StringVar(&host, "host", "", "id of the host (default: the configured one, else from its machine id)")
	c.RunE = p.do(func(ctx context.Context, _ []string) error {
		cfg, found, err := p.config()
		if err != nil {
			return err
		}
		if !found {
			cfg.Centre = "unset"
		}
		for to, from := range map[*string]string{&cfg.Centre: centre, &cfg.Cluster: cluster, &cfg.Host.ID: host} {
			if from != "" {
				*to = from
			}
		}
		inventory, report, err := agent.Sample(ctx, cfg, agent.Options{Log: logger(p.stderr, "text", slog.LevelWarn), Version: version})
		if err != nil {
			return err
		}
		_, err = p.stdout.Write(append(inventory, report...))
		if errors.Is(err, syscall.EPIPE) {
			return nil // whoever reads has seen enough
		}
		return err
	})
	return c
}
