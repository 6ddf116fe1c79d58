package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/exameter/exameter/agent"
	"github.com/exameter/exameter/internal/check"
	"github.com/exameter/exameter/telemetry"
)

// checkIdentity says who this host is, and looks for signs that it shares its identity with others.
func checkIdentity(r *check.Report, c agent.Config) {
	id, err := agent.Identify(c)
	if err != nil {
		what, _, _ := strings.Cut(err.Error(), ": run ") // what to do follows
		r.Fail("identity", "%s", what)
		r.Do("systemd-machine-id-setup; in a container, mount the host's /etc/machine-id read-only; or set host.id")
		return
	}
	r.OK("identity", "host %s, name %s, boot %s", id.ID, id.Info.Name, id.Boot)
	if c.Host.ID == "" {
		if sign := cloned(r, c.Paths.Etc); sign != "" {
			r.Warn("identity", "%s", sign)
			r.Do("if other hosts were made from the same image: rm /etc/machine-id && systemd-machine-id-setup on each, then restart")
		}
	}
	r.OK("system", "%s, kernel %s, %s", orUnknown(r, id.Info.OS), orUnknown(r, id.Info.Kernel), orUnknown(r, id.Info.Arch))
}

// checkClock sees whether a record can be made at a time such as the clock shows.
func checkClock(r *check.Report, now time.Time) {
	if telemetry.ValidTime(now) != nil {
		r.Fail("clock", "this host's clock shows %s, at which no report can be made", now.UTC().Format(time.DateTime))
		r.Do("set it: timedatectl set-time, chrony or systemd-timesyncd; and see why it was lost: hwclock, the board's battery")
	}
}

// cloneAge is how much older than the keys of this host's ssh daemon a machine id may be. Both are made when a system is installed or first
// starts; an image that carries its machine id along gets new keys on each host and keeps the id.
const cloneAge = 24 * time.Hour

// cloned says what makes the machine id look like one that other hosts have as well; nothing where it does not.
func cloned(r *check.Report, etc string) string {
	path := filepath.Join(etc, "machine-id")
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	if id := strings.TrimSpace(string(b)); id != "" && strings.Count(id, id[:1]) == len(id) || id == "0123456789abcdef0123456789abcdef" {
		return r.Say("the id in %s was written by hand, and other hosts may have it too", path)
	}
	made, err := os.Stat(path)
	if err != nil {
		return ""
	}
	keys, _ := filepath.Glob(filepath.Join(etc, "ssh/ssh_host_*_key.pub"))
	for _, key := range keys {
		if info, err := os.Stat(key); err == nil && info.ModTime().Sub(made.ModTime()) > cloneAge {
			return r.Say("%s is of %s and this host's ssh keys are of %s: the host may be a copy of another that has the same id",
				path, made.ModTime().Format(time.DateOnly), info.ModTime().Format(time.DateOnly))
		}
	}
	return ""
}

func orUnknown(r *check.Report, s string) string {
	if strings.TrimSpace(s) == "" {
		return r.Say("unknown")
	}
	return s
}
