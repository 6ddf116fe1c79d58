package poll_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// fake is a source whose readings take the times it is told to, each once, and no time after that.
type fake struct {
	name   string
	takes  []time.Duration
	err    error
	notice string
	reads  int64
	closed bool
}

func (f *fake) Name() string { return f.name }

func (f *fake) Read(context.Context) (poll.Reading, error) {
	f.reads++
	n := f.reads
	if len(f.takes) > 0 {
		d := f.takes[0]
		f.takes = f.takes[1:]
		time.Sleep(d)
	}
	r := poll.Reading{Host: &poll.HostReading{LoadMilli: telemetry.Known(n)}}
	if f.notice != "" {
		r.Notices = []poll.Notice{{Key: "k", Text: f.notice, Remedy: "mend it"}}
	}
	return r, f.err
}

func (f *fake) Close() error { f.closed = true; return nil }

// numbers lists which reads of a source a tick brought.
func numbers(r poll.Result) string {
	var out []string
	for _, a := range r.Answers {
		if a.Reading.Host != nil {
			out = append(out, fmt.Sprint(a.Reading.Host.LoadMilli.Value))
		}
	}
	return strings.Join(out, " ")
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestHungSourceDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := &fake{name: "nvml", takes: []time.Duration{0, 5500 * time.Millisecond}}
		well := &fake{name: "cpu"}
		p := poll.New(poll.Config{Sources: []poll.Member{{Source: hung}, {Source: well}}, Log: quiet()})
		var brought, took []string
		for range 9 {
			start := time.Now()
			tick := p.Sample(t.Context())
			took = append(took, time.Since(start).String())
			brought = append(brought, numbers(tick.Results[0])+"/"+numbers(tick.Results[1]))
			if n := len(brought); n == 4 {
				h := tick.Results[0].Health
				if h.OK || !strings.HasPrefix(h.Error, "no answer since 2000-01-01T00:00:01Z") || h.Missed != 1 {
					t.Errorf("health of the hung source = %+v", h)
				}
			}
			time.Sleep(time.Second - time.Since(start))
		}
		// Its second reading begins at 1 s and returns at 6.5 s: handed on once, at 7 s, beside a fresh one.
		if got, want := strings.Join(brought, ", "), "1/1, /2, /3, /4, /5, /6, /7, 2 3/8, 4/9"; got != want {
			t.Errorf("brought %q, want %q", got, want)
		}
		if got, want := strings.Join(took, " "), "0s 800ms 0s 0s 0s 0s 0s 0s 0s"; got != want {
			t.Errorf("ticks took %q, want %q", got, want)
		}
		if err := p.Stop(time.Second); err != nil || !hung.closed || !well.closed {
			t.Errorf("stop: %v, closed %v %v", err, hung.closed, well.closed)
		}
	})
}

func TestLateSourceIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fake{name: "slow", takes: []time.Duration{900 * time.Millisecond, 900 * time.Millisecond, 900 * time.Millisecond}}
		p := poll.New(poll.Config{Sources: []poll.Member{{Source: slow}}, Log: quiet()})
		defer p.Stop(time.Second)
		var last poll.Result
		for i := range 3 {
			start := time.Now()
			last = p.Sample(t.Context()).Results[0]
			if want := []string{"", "1", "2"}[i]; numbers(last) != want {
				t.Errorf("tick %d brought %q, want %q", i, numbers(last), want)
			}
			time.Sleep(time.Second - time.Since(start))
		}
		if last.Health.OK || last.Health.Error != "answers late: the last took 900ms, deadline 800ms" || last.Health.Missed != 3 {
			t.Errorf("health = %+v", last.Health)
		}
	})
}

func TestLongDeadlineDoesNotHoldTheTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fake{name: "nvml", takes: []time.Duration{1500 * time.Millisecond}}
		p := poll.New(poll.Config{Sources: []poll.Member{{Source: slow, Deadline: 3 * time.Second}}, Log: quiet()})
		defer p.Stop(time.Second)
		start := time.Now()
		if h := p.Sample(t.Context()).Results[0].Health; !h.Pending || h.Missed != 0 {
			t.Errorf("health = %+v, want a reading under way", h)
		}
		if d := time.Since(start); d != 800*time.Millisecond {
			t.Errorf("the tick took %v", d)
		}
		time.Sleep(time.Second)
		r := p.Sample(t.Context()).Results[0]
		if numbers(r) != "1 2" || !r.Health.OK || r.Health.Missed != 0 {
			t.Errorf("brought %q, health %+v", numbers(r), r.Health)
		}
	})
}

// TestEveryMissedReadingIsCounted wants those counted that end between two ticks, where nobody waits for them.
func TestEveryMissedReadingIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		takes, deadline time.Duration
		err             error
		want            string
	}{
		"failed":            {900 * time.Millisecond, 3 * time.Second, errors.New("no such device"), "no such device"},
		"late":              {1950 * time.Millisecond, 1900 * time.Millisecond, nil, "answers late: the last took 1.95s, deadline 1.9s"},
		"late and failed":   {1950 * time.Millisecond, 1900 * time.Millisecond, errors.New("no such device"), "no such device"},
		"late and not here": {1950 * time.Millisecond, 1900 * time.Millisecond, poll.ErrAbsent, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				f := &fake{name: "nvml", takes: slices.Repeat([]time.Duration{c.takes}, 20), err: c.err}
				p := poll.New(poll.Config{Sources: []poll.Member{{Source: f, Deadline: c.deadline}}, Log: slog.New(slog.NewTextHandler(&log, nil))})
				defer p.Stop(3 * time.Second)
				var answers int64
				var h poll.Health
				for range 10 {
					start := time.Now()
					r := p.Sample(t.Context()).Results[0]
					answers, h = answers+int64(len(r.Answers)), r.Health
					time.Sleep(time.Second - time.Since(start))
				}
				if absent := c.want == ""; absent {
					if !h.OK || !h.Absent || log.Len() > 0 {
						t.Errorf("health %+v, log %s", h, &log)
					}
					return
				}
				if h.OK || h.Error != c.want || h.Missed != answers || answers < 3 {
					t.Errorf("after %d answers health is %+v", answers, h)
				}
				if said := strings.Count(log.String(), "source failed"); said != 1 || strings.Contains(log.String(), "well again") {
					t.Errorf("log:\n%s", &log)
				}
			})
		})
	}
}

func TestStopLeavesAHungSourceBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := &fake{name: "nvml", takes: []time.Duration{time.Hour}}
		p := poll.New(poll.Config{Sources: []poll.Member{{Source: hung}, {Source: &fake{name: "cpu"}}}, Log: quiet()})
		p.Sample(t.Context())
		start := time.Now()
		err := p.Stop(time.Second)
		if err == nil || err.Error() != "source nvml: did not return within 1s and is left behind" {
			t.Errorf("stop: %v", err)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("stop took %v", d)
		}
		time.Sleep(2 * time.Hour) // lets the goroutine of the hung source end with the test
	})
}

func TestNoticesAndFailuresAreSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := &fake{name: "power", notice: "energy counters are unreadable", err: errors.New("permission denied")}
		p := poll.New(poll.Config{Sources: []poll.Member{{Source: f}}, Log: slog.New(slog.NewTextHandler(&log, nil))})
		defer p.Stop(time.Second)
		for range 5 {
			p.Sample(t.Context())
			time.Sleep(time.Second)
		}
		f.err = nil
		h := p.Sample(t.Context()).Results[0].Health
		if !h.OK || h.Missed != 5 {
			t.Errorf("health = %+v", h)
		}
		for text, want := range map[string]int{"energy counters": 1, "mend it": 1, "permission denied": 1, "well again": 1} {
			if got := strings.Count(log.String(), text); got != want {
				t.Errorf("%q was logged %d times, want %d", text, got, want)
			}
		}
	})
}

func TestAbsentIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "nvml", err: fmt.Errorf("libnvidia-ml.so.1: %w", poll.ErrAbsent)}
		p := poll.New(poll.Config{Sources: []poll.Member{{Source: f}}, Log: quiet()})
		defer p.Stop(time.Second)
		if h := p.Sample(t.Context()).Results[0].Health; !h.OK || !h.Absent || h.Missed != 0 {
			t.Errorf("health = %+v", h)
		}
	})
}

// driver is a source that holds a driver.
type driver struct {
	fake
	log      []string
	released bool
}

func (d *driver) Read(ctx context.Context) (poll.Reading, error) {
	if d.released {
		d.log = append(d.log, "refused")
		return poll.Reading{}, poll.ErrReleased
	}
	d.log = append(d.log, "read")
	return d.fake.Read(ctx)
}
func (d *driver) Release() error { d.log, d.released = append(d.log, "release"), true; return nil }
func (d *driver) Resume()        { d.log, d.released = append(d.log, "resume"), false }

func TestReleaseAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{fake: fake{name: "nvml"}}
		p := poll.New(poll.Config{Sources: []poll.Member{{Source: d}}, Log: quiet()})
		defer p.Stop(time.Second)
		for _, release := range []bool{false, true, true, false} {
			p.Release(release)
			if h := p.Sample(t.Context()).Results[0].Health; !h.OK || h.Missed != 0 || (h.Error != "") != release {
				t.Errorf("health = %+v with release %v", h, release)
			}
			time.Sleep(time.Second)
		}
		if got, want := strings.Join(d.log, " "), "read release refused refused resume read"; got != want {
			t.Errorf("calls %q, want %q", got, want)
		}
	})
}
