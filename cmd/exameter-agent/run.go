package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/agent"
	"github.com/exameter/exameter/internal/systemd"
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
	ctx, stop := context.WithCancel(ctx)
	told := systemd.Signals(ctx, func() { p.reload(ctx, log, reload) })
	defer func() { stop(); told() }()
	systemd.Status("starting: the sources have not all answered yet")
	return agent.Run(ctx, c, agent.Options{
		Log: log, Level: level, Version: version, Reload: reload, Alive: systemd.Watchdog(),
		Ready: systemd.Ready, Status: systemd.Status,
	})
}

// reload hands on what the configuration says now. A wrong one is said so and changes nothing.
func (p *program) reload(ctx context.Context, log *slog.Logger, to chan<- agent.Config) {
	c, _, err := p.config()
	if err != nil {
		log.Error("the configuration was not reloaded; the one before stays in force", "error", err)
		return
	}
	select {
	case to <- c:
	case <-ctx.Done():
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
