package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/exameter/exameter/internal/config"
)

// ErrNoUser says that the user of the service does not exist on this host.
var ErrNoUser = errors.New("no such user")

// Become makes this process one of the named user's, where root runs it: what follows sees what the service sees.
func Become(name string) error {
	if syscall.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return ErrNoUser
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("user %s: %w", name, err)
	}
	if err := errors.Join(syscall.Setgroups([]int{gid}), syscall.Setgid(gid), syscall.Setuid(uid)); err != nil {
		return fmt.Errorf("become %s: %w", name, err)
	}
	return nil
}

// Process is what a check may do with the process and the system that it runs in. Tests, whose process goes on, leave it empty.
type Process struct {
	Become func(user string) error                                // makes the process one of the user's
	Shown  func(ctx context.Context, unit string) (string, error) // asks systemd for a unit
}

// Here is the process and the system as they are.
var Here = Process{Become, Shown}

// AsService makes the check see what the service sees: its user, where root calls, and the secrets that systemd keeps for it while it runs.
// What root alone may ask systemd is asked before, where the service is of interest.
func (r *Report) AsService(ctx context.Context, p Process, unit, user string, wanted func(area string) bool) {
	if p.Shown != nil && wanted("service") {
		r.shown, r.shownErr = p.Shown(ctx, unit)
	}
	if p.Become == nil || syscall.Geteuid() != 0 {
		return
	}
	if dir := "/run/credentials/" + unit; os.Getenv(config.Credentials) == "" {
		if _, err := os.Stat(dir); err == nil {
			os.Setenv(config.Credentials, dir)
		}
	}
	err := p.Become(user)
	switch {
	case errors.Is(err, ErrNoUser):
		r.Warn("user", "there is no user %s: what follows is what root may, and the service may less", user)
		r.Do("systemd-sysusers, where the package is installed")
	case err != nil:
		r.Warn("user", "%v", err)
	case wanted("configuration"):
		r.OK("user", "looks as %s, as the service does", user)
	}
}
