package check

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
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

// AsService makes the check see what the service sees: its user, where become is given and root calls, and the secrets that systemd keeps
// for it while it runs.
func (r *Report) AsService(unit, user string, become func(string) error, say bool) {
	if dir := "/run/credentials/" + unit; os.Getenv("CREDENTIALS_DIRECTORY") == "" {
		if _, err := os.Stat(dir); err == nil {
			os.Setenv("CREDENTIALS_DIRECTORY", dir)
		}
	}
	if become == nil || syscall.Geteuid() != 0 {
		return
	}
	err := become(user)
	switch {
	case errors.Is(err, ErrNoUser):
		r.Warn("user", "there is no user %s: what follows is what root may, and the service may less", user)
		r.Do("systemd-sysusers, where the package is installed")
	case err != nil:
		r.Warn("user", "%v", err)
	case say:
		r.OK("user", "looks as %s, as the service does", user)
	}
}
