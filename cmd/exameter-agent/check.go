package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/agent"
	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/internal/check"
)

// areas are what a check can look at, in the order in which it does.
var areas = []string{"configuration", "identity", "state", "sources", "kafka", "service"}

// unit is what systemd runs the agent as, and user as whom.
const (
	unit = "exameter-agent.service"
	user = "exameter"
)

func (p *program) checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "check", Short: "Say in plain words what was found, what is missing, and what to do",
		Long: "Looks at the configuration, the host's identity, the state directory, every source of readings, the brokers, the topics,\n" +
			"the clock and the unit: a line each (ok, warn or FAIL), and what to do where something must be done. Without a\n" +
			"configuration it looks at the hardware alone. Called by root it looks as the user " + user + ", as the agent does.\n\n" +
			"Exits with 0 where the agent can work, warnings or not; with 1 where something must be mended; with 2 where it was\n" +
			"called wrongly. It changes nothing and sends nothing.",
		Args: cobra.NoArgs,
	}
	call := check.Flags(c, areas...)
	c.RunE = p.do(func(ctx context.Context, _ []string) error {
		if err := call.Validate(); err != nil {
			return &misuse{err}
		}
		r := check.New("exameter-agent", version, p.stdout, call.JSON(), chinese)
		p.check(ctx, r, call.Wanted)
		if err := r.End(); err != nil {
			return err
		}
		if r.Failed() {
			return errSaid
		}
		return nil
	})
	return c
}

// check looks at the areas that are wanted. The configuration is read in any case.
func (p *program) check(ctx context.Context, r *check.Report, wanted func(string) bool) {
	r.AsService(ctx, p.process, unit, user, wanted)
	c, found, err := p.config()
	switch {
	case err != nil:
		// The hardware can be looked at all the same; the paths in a wrong file are not to be trusted.
		r.Fail("configuration", "%v", err)
		if errors.Is(err, fs.ErrPermission) {
			r.Do("chgrp %s %s && chmod 0640 %s", user, p.path, p.path)
		} else {
			r.Do("mend the line; exameter-agent.yaml(5) explains every key")
		}
		c, found = agent.DefaultConfig(), false
	case !found:
		r.Warn("configuration", "there is no %s: the hardware alone is looked at", defaultPath)
		r.Do("write it, with centre and kafka.brokers, or name another with --config")
	case wanted("configuration"):
		r.OK("configuration", "%s: centre %s, cluster %s, brokers %s", p.path, c.Centre, c.Cluster, strings.Join(c.Kafka.Brokers, ", "))
	}
	if wanted("identity") {
		checkIdentity(r, c)
		checkClock(r, time.Now())
	}
	var remembered []state.Device
	var orders state.Orders
	if wanted("state") {
		remembered, orders = checkState(r, c, found)
		checkSpool(r, c, found)
	}
	if wanted("sources") {
		boot := ""
		if id, err := agent.Identify(c); err == nil {
			boot = id.Boot
		}
		checkSources(ctx, r, c, state.NewTracker(c.Rules(), remembered, orders, boot, time.Now(), slog.New(slog.DiscardHandler)))
	}
	if wanted("kafka") && found {
		checkKafka(ctx, r, c)
	}
	if wanted("service") {
		r.Service(unit)
		checkBounds(r, c)
	}
}

// checkState looks at the state directory and returns what stands in it.
func checkState(r *check.Report, c agent.Config, installed bool) (remembered []state.Device, orders state.Orders) {
	s := &state.Store{Dir: c.Paths.State, Look: true}
	switch err := s.Writable(); {
	case err == nil:
		r.OK("state", "%s can be written", s.Dir)
	case installed:
		switch {
		case errors.Is(err, fs.ErrNotExist):
			r.Fail("state", "there is no %s", s.Dir)
		case errors.Is(err, fs.ErrPermission):
			r.Fail("state", "%s may not be written by this user", s.Dir)
		default:
			r.Fail("state", "%v", err)
		}
		r.Do("install -d -o %s -g %s -m 0750 %s, or name another directory: paths.state", user, user, s.Dir)
	default:
		r.OK("state", "there is no %s yet: no agent has run on this host", s.Dir)
		return nil, orders
	}
	remembered, err := s.Devices()
	if err != nil {
		r.Fail("state", "%v", err)
		r.Do("look at the file; the agent sets it aside and starts afresh without it")
	}
	o, _, err := s.Orders()
	switch {
	case err != nil:
		r.Fail("orders", "%v", err)
		r.Do("exameter-agent undrain, or drain again: until then the host is drained")
	case o.Host != nil:
		r.Warn("orders", "this host is drained since %s: %s", o.Host.Since.Format(time.RFC3339), o.Host.Reason)
		r.Do("exameter-agent undrain")
	case len(o.Devices) > 0:
		r.Warn("orders", "drained: %s", strings.Join(o.Drained(), ", "))
		r.Do("exameter-agent undrain --device ID")
	}
	return remembered, o
}

// checkBounds sees whether what the configuration asks for fits into what the unit allows.
func checkBounds(r *check.Report, c agent.Config) {
	if c.Queue.Bytes > roomForQueue {
		r.Warn("queue", "queue.bytes is %d MiB, and the unit allows the agent 64 MiB in all", int64(c.Queue.Bytes)>>20)
		r.Do("systemctl edit %s: MemoryMax= and Environment=GOMEMLIMIT= larger by as much", unit)
	}
}

// roomForQueue is how much may wait in memory within the limits of the unit.
const roomForQueue = 16 << 20
