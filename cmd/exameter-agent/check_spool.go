package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/exameter/exameter/agent"
	"github.com/exameter/exameter/agent/spool"
	"github.com/exameter/exameter/internal/check"
)

// nearly is how full a spool is, and how old what waits in it, in hundredths of what is allowed, when somebody should know before anything is
// dropped.
const nearly = 80

// checkSpool looks at what waits on disk for Kafka, and at whether more could.
func checkSpool(r *check.Report, c agent.Config, installed bool) {
	if !installed {
		return
	}
	if c.Spool.Bytes == 0 {
		r.OK("spool", "nothing is kept on disk while Kafka is out of reach: spool.bytes is 0B")
		return
	}
	o := spool.DiskOptions{Dir: filepath.Join(c.Paths.State, "spool"), Now: time.Now, Uptime: func() time.Duration {
		up, _ := agent.Uptime()
		return up
	}}
	if id, err := agent.Identify(c); err == nil {
		o.Boot = id.Boot
	}
	s, err := spool.Look(o)
	sayOfSpool(r, c, o.Dir, s, err)
}

// sayOfSpool says how a spool stands.
func sayOfSpool(r *check.Report, c agent.Config, dir string, s spool.Standing, err error) {
	const mib = 1 << 20
	bytes, age := int64(c.Spool.Bytes), c.Spool.Age.D()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.OK("spool", "nothing waits: there is no %s yet", dir)
	case errors.Is(err, fs.ErrPermission):
		r.Warn("spool", "%s may not be written by this user: while Kafka is out of reach, reports wait in memory alone", dir)
		r.Do("chown -R %s:%s %s", user, user, dir)
	case err != nil:
		r.Warn("spool", "%v", err)
		r.Do("look at %s; while Kafka is out of reach, reports wait in memory alone", dir)
	case s.Full:
		r.Warn("spool", "%s: its file system is nearly full, so that new reports push out old ones; %d wait", dir, s.Records)
		r.Do("free some room there, or name another directory: paths.state")
	case s.Bytes*100 >= bytes*nearly || s.Oldest*100 >= age*nearly:
		r.Warn("spool", "%d reports wait, %.1f of %.1f MiB, the oldest for %s of %s: the oldest will be dropped", s.Records, float64(s.Bytes)/mib, float64(bytes)/mib, s.Oldest.Round(time.Second), age)
		r.Do("see that Kafka can be reached; until then, larger bounds: spool.bytes, spool.age")
	case s.Records > 0:
		r.OK("spool", "%d reports wait, %.1f of %.1f MiB, the oldest for %s of %s", s.Records, float64(s.Bytes)/mib, float64(bytes)/mib, s.Oldest.Round(time.Second), age)
	default:
		r.OK("spool", "nothing waits; at most %.1f MiB may, for %s, in %s", float64(bytes)/mib, age, dir)
	}
}
