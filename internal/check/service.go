package check

import (
	"context"
	"os"
	"os/exec"
	"strings"
)

// Shown asks systemd how a unit is. It is empty where systemd does not run.
func Shown(ctx context.Context, unit string) (string, error) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemctl", "show", "--no-pager", "--property="+strings.Join(unitKeys, ","), unit).Output()
	return string(out), err
}

// Service says how the unit is that systemd runs the program by, and reports whether it runs.
func (r *Report) Service(unit string) (running bool) {
	switch {
	case r.shownErr != nil:
		r.OK("service", "systemctl does not tell about %s: %v", unit, r.shownErr)
		return false
	case r.shown == "":
		r.OK("service", "systemd does not run here: whoever starts the program must start it again when it ends")
		return false
	}
	return r.unit(unit, r.shown)
}

var unitKeys = []string{"LoadState", "ActiveState", "SubState", "Result", "NRestarts", "UnitFileState", "WatchdogUSec", "MemoryMax", "StatusText"}

// unit says how a unit is, by what systemctl show prints of it.
func (r *Report) unit(unit, shown string) (running bool) {
	v := map[string]string{}
	for line := range strings.Lines(shown) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		v[key] = value
	}
	switch {
	case v["LoadState"] == "not-found":
		r.OK("service", "no unit %s is installed: whoever starts the program must start it again when it ends", unit)
	case v["LoadState"] != "loaded":
		r.Fail("service", "%s is %s", unit, v["LoadState"])
		r.Do("systemctl status %s tells why; systemctl unmask %s where it is masked", unit, unit)
	case v["ActiveState"] == "failed":
		r.Fail("service", "%s has failed: %s, after %s restarts", unit, v["Result"], v["NRestarts"])
		r.Do("journalctl -u %s tells why; then systemctl reset-failed %s && systemctl start %s", unit, unit, unit)
	case v["ActiveState"] == "inactive":
		r.Warn("service", "%s does not run", unit)
		r.Do("systemctl enable --now %s", unit)
	case v["SubState"] == "auto-restart":
		r.Fail("service", "%s ends and is started again, %s times so far: %s", unit, v["NRestarts"], v["Result"])
		r.Do("journalctl -u %s tells why", unit)
	case v["UnitFileState"] == "disabled":
		r.Warn("service", "%s runs, and would not after a boot", unit)
		r.Do("systemctl enable %s", unit)
	case v["WatchdogUSec"] == "0" || v["WatchdogUSec"] == "infinity":
		r.Warn("service", "%s runs without a watchdog: one that hangs would not be started again", unit)
		r.Do("take WatchdogSec=0 out of its drop-ins: systemctl cat %s", unit)
	default:
		r.OK("service", "%s is %s, watchdog %s, %s restarts: %s", unit, v["ActiveState"], v["WatchdogUSec"], v["NRestarts"], v["StatusText"])
	}
	return v["ActiveState"] == "active"
}
