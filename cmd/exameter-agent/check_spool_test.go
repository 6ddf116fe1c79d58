package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/agent"
	"github.com/exameter/exameter/agent/spool"
	"github.com/exameter/exameter/internal/check"
)

func TestSpoolIsSaid(t *testing.T) {
	c := agent.DefaultConfig()
	wait := fmt.Errorf("look: %w", fs.ErrPermission)
	for name, s := range map[string]struct {
		spool.Standing
		err  error
		want string
	}{
		"none yet":     {err: fs.ErrNotExist, want: "ok    spool             nothing waits: there is no /d yet\n"},
		"empty":        {want: "ok    spool             nothing waits; at most 64.0 MiB may, for 24h0m0s, in /d\n"},
		"some":         {Standing: spool.Standing{Records: 7, Bytes: 1 << 20, Oldest: time.Hour}, want: "ok    spool             7 reports wait, 1.0 of 64.0 MiB, the oldest for 1h0m0s of 24h0m0s\n"},
		"nearly full":  {Standing: spool.Standing{Records: 7, Bytes: 60 << 20, Oldest: time.Hour}, want: "warn  spool             7 reports wait, 60.0 of 64.0 MiB"},
		"nearly old":   {Standing: spool.Standing{Records: 7, Bytes: 1 << 20, Oldest: 23 * time.Hour}, want: "the oldest will be dropped\n                        → see that Kafka"},
		"no room":      {Standing: spool.Standing{Records: 7, Bytes: 1 << 20, Full: true}, want: "warn  spool             /d: its file system is nearly full"},
		"not writable": {err: wait, want: "warn  spool             /d may not be written by this user"},
		"unreadable":   {err: errors.New("input/output error"), want: "warn  spool             input/output error\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			r := &check.Report{Out: &out}
			sayOfSpool(r, c, "/d", s.Standing, s.err)
			if !strings.Contains(out.String(), s.want) || r.Failed() {
				t.Errorf("got\n%swant %q", &out, s.want)
			}
		})
	}
}

// TestCheckOfASpool looks at one that an agent has open.
func TestCheckOfASpool(t *testing.T) {
	path, dir := configFile(t, []string{"127.0.0.1:1"}, "")
	d, err := spool.OpenDisk(spool.DiskOptions{Dir: filepath.Join(dir, "spool"), MaxBytes: 1 << 20, MaxAge: time.Hour, Uptime: func() time.Duration { return time.Second }})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for range 3 {
		if err := d.Append(spool.Record{Topic: "t", Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
	}
	code, out, _ := call(t, "check", "--config", path, "--only", "state")
	if code != 0 || !strings.Contains(out, "3 reports wait, 0.0 of 64.0 MiB") {
		t.Errorf("code %d\n%s", code, out)
	}
}
