package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/internal/check"
)

// areas are what a check can look at, in the order in which it does. Registry and catalogue are part of the configuration.
var areas = []string{"configuration", "kafka", "http", "service"}

// unit is what systemd runs the collector as, and user as whom.
const (
	unit = "exameter-collector.service"
	user = "exameter"
)

// checkTimeout bounds what a check waits for the brokers.
const checkTimeout = 30 * time.Second

func (p *program) checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "check", Short: "Say in plain words whether everything is in place, and what to do",
		Long: "Looks at the configuration, the registry, the catalogue, the brokers, the topics, the group, the address that is listened at,\n" +
			"who may ask there, and the unit: a line each (ok, warn or FAIL), and what to do where something must be done. Called by root it looks as\n" +
			"the user " + user + ", as the collector does.\n\n" +
			"Exits with 0 where the collector can work, warnings or not; with 1 where something must be mended; with 2 where it was\n" +
			"called wrongly. It changes nothing.",
		Args: cobra.NoArgs,
	}
	call := check.Flags(c, areas...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		p.called = true
		if err := call.Validate(); err != nil {
			return &misuse{err}
		}
		r := check.New("exameter-collector", version, p.stdout, call.JSON(), chinese)
		p.check(c.Context(), r, call.Wanted)
		if err := r.End(); err != nil {
			return err
		}
		if r.Failed() {
			return errSaid
		}
		return nil
	}
	return c
}

// check says what is in place and what is missing.
func (p *program) check(ctx context.Context, r *check.Report, wanted func(string) bool) {
	r.AsService(ctx, p.process, unit, user, wanted)
	cfg, from, err := p.config()
	if err != nil {
		r.Fail("configuration", "%v", err)
		if errors.Is(err, fs.ErrPermission) {
			r.Do("chgrp %s %s && chmod 0640 %s", user, from, from)
		} else {
			r.Do("mend the line; exameter-collector.yaml(5) explains every key")
		}
		return
	}
	reg := &registry.Registry{}
	if wanted("configuration") {
		r.OK("configuration", "%s: brokers %s, group %s", from, strings.Join(cfg.Kafka.Brokers, ", "), cfg.Group)
		reg = checkFiles(r, &cfg)
	} else if cfg.Registry != "" {
		if loaded, err := registry.Load(cfg.Registry); err == nil {
			reg = loaded
		}
	}
	if wanted("kafka") {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		checkKafka(ctx, r, &cfg, reg)
	}
	running := false
	if wanted("service") {
		running = r.Service(unit)
	}
	if wanted("http") {
		checkListen(r, cfg.HTTP.Listen, running)
		checkAccess(r, &cfg.HTTP, time.Now())
	}
}

// checkFiles looks at the registry, the catalogue and the secret of a database.
func checkFiles(r *check.Report, cfg *collector.Config) *registry.Registry {
	reg := &registry.Registry{}
	if cfg.Registry == "" {
		r.Warn("registry", "none is configured: centres have no names, declarations or targets")
		r.Do("write one, as exameter-registry.yaml(5) tells, and name it as registry")
	} else if loaded, err := registry.Load(cfg.Registry); err != nil {
		r.Fail("registry", "%v", err)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			r.Do("write one, as exameter-registry.yaml(5) tells, or take registry out of the configuration")
		case errors.Is(err, fs.ErrPermission):
			r.Do("chgrp %s %s && chmod 0640 %s", user, cfg.Registry, cfg.Registry)
		default:
			r.Do("mend the file; a running collector keeps the one before")
		}
	} else {
		reg = loaded
		r.OK("registry", "%s: %d centres", cfg.Registry, len(reg.Centres))
	}
	if cat, err := catalog.Load(cfg.Catalogue); err != nil {
		r.Fail("catalogue", "%v", err)
		r.Do("exameter catalog verify FILE lists every mistake")
	} else {
		r.OK("catalogue", "version %s: %d accelerator models, %d microarchitectures", cat.Version(), len(cat.Models()), len(cat.CPUs()))
		for _, w := range cat.Warnings() {
			r.Warn("catalogue", "%s", w)
			r.Do("exameter catalog verify FILE lists every mistake")
		}
	}
	r.Secret("write.token_file", cfg.Write.TokenFile)
	return reg
}

// checkListen sees whether the address can be listened at: that it is taken is right where the collector runs.
func checkListen(r *check.Report, addr string, running bool) {
	l, err := net.Listen("tcp", addr)
	switch {
	case err == nil:
		_ = l.Close()
		r.OK("http", "%s can be listened at", addr)
	case errors.Is(err, syscall.EADDRINUSE) && running:
		r.OK("http", "%s is listened at, by the collector that runs", addr)
	case errors.Is(err, syscall.EADDRINUSE):
		r.Fail("http", "%s is taken by another program", addr)
		r.Do("ss -ltnp tells by which; or choose another: http.listen")
	case errors.Is(err, os.ErrPermission):
		r.Fail("http", "%s may not be listened at by this user: ports below 1024 are root's", addr)
		r.Do("choose a port from 1024 on: http.listen")
	default:
		r.Fail("http", "%v", err)
		r.Do("mend http.listen: an address of this host, and a port")
	}
}
