package spool

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"time"
)

func TestLook(t *testing.T) {
	c := newClock()
	o := c.options(filepath.Join(t.TempDir(), "spool"))
	if _, err := Look(o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("where there is none: %v", err)
	}
	d := open(t, o)
	defer d.Close()
	looks := func(when string, oldest time.Duration) {
		t.Helper()
		s, err := Look(o)
		if err != nil {
			t.Fatal(err)
		}
		if have := d.Stats(); s.Records != have.Records || s.Bytes != have.Bytes {
			t.Errorf("%s: looks as %+v, and there are %+v", when, s, have)
		}
		if s.Oldest != oldest || s.Full {
			t.Errorf("%s: looks as %+v, want the oldest to be of %s", when, s, oldest)
		}
	}
	looks("empty", 0)
	appendAll(t, d, 0, 3, 100)
	c.pass(10 * time.Minute)
	looks("a few", 10*time.Minute)
	appendAll(t, d, 3, 300, 2000) // several segments
	if len(d.segments) < 3 {
		t.Fatalf("%d segments", len(d.segments))
	}
	looks("many", 10*time.Minute)
	b, err := d.Next(2, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Ack(b, 2); err != nil {
		t.Fatal(err)
	}
	looks("two delivered", 10*time.Minute)
	o.Boot = "boot-2" // only the clock tells how old they are then
	c.uptime = time.Minute
	looks("after a boot", 10*time.Minute)
}
