package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/exameter/exameter/test/bench/probe"
	"github.com/exameter/exameter/test/process"
)

// measured is the collector under measurement.
type measured struct {
	o    *options
	addr string
	pid  int

	kafka  string
	probes *probe.Probes

	counting atomic.Bool
	events   atomic.Int64 // taken by watchers
	bytes    atomic.Int64
	lost     atomic.Int64

	mu        sync.Mutex
	revisions map[int64]*arrival
}

// arrival is how an event came to the watchers.
type arrival struct {
	stamp       time.Time // the broker's, of the last record in it
	first, last time.Time
	watchers    int
}

// measure compares the collector without watchers and with them.
func (m *measured) measure(ctx context.Context, out io.Writer) error {
	if err := m.ready(ctx); err != nil {
		return err
	}
	m.revisions = map[int64]*arrival{}
	time.Sleep(5 * time.Second)
	cpuBefore, err := m.cpu(ctx)
	if err != nil {
		return err
	}
	before := process.Resident(m.pid)
	began := time.Now()
	var watching sync.WaitGroup
	watch, stop := context.WithCancel(ctx)
	defer watching.Wait()
	defer stop()
	if err := m.connect(watch, &watching); err != nil {
		return err
	}
	f := figures{Watchers: m.o.watchers, Query: m.o.query, ConnectS: time.Since(began).Seconds()}
	time.Sleep(3 * time.Second)
	watching.Go(func() { m.probes.Run(watch, m.addr, m.kafka) })
	m.counting.Store(true)
	with, err := m.cpu(ctx)
	if err != nil {
		return err
	}
	m.counting.Store(false)
	f.MemoryKiB = float64(process.Resident(m.pid)-before) / 1024 / float64(m.o.watchers)
	f.CPU = with - cpuBefore
	time.Sleep(2 * time.Second) // what was counted is with all
	m.sum(&f)
	f.StreamMS, f.FeedMS, f.Changes = m.probes.Known()
	return f.print(out)
}

// ready waits until the collector answers.
func (m *measured) ready(ctx context.Context) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		resp, err := http.Get("http://" + m.addr + "/readyz")
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("the collector at %s was not ready within a minute", m.addr)
}

// connect opens all streams, a hundred at a time.
func (m *measured) connect(ctx context.Context, watching *sync.WaitGroup) error {
	var g errgroup.Group
	g.SetLimit(100)
	for range m.o.watchers {
		g.Go(func() error {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.addr)
			if err != nil {
				return err
			}
			in := bufio.NewReaderSize(conn, 512)
			if _, err := fmt.Fprintf(conn, "GET /v1/stream?%s HTTP/1.1\r\nHost: bench\r\n\r\n", m.o.query); err != nil {
				return err
			}
			line, err := in.ReadString('\n')
			if err != nil || !strings.Contains(line, " 200 ") {
				return fmt.Errorf("the answer was %q: %w", line, err)
			}
			context.AfterFunc(ctx, func() { _ = conn.Close() })
			watching.Go(func() {
				m.read(in)
				if ctx.Err() == nil {
					m.lost.Add(1)
				}
			})
			return nil
		})
	}
	return g.Wait()
}

var dataPrefix = []byte(`data: {"revision":`)

// read takes events until the stream ends. Of an event only its beginning is looked at, so that watchers cost little.
func (m *measured) read(in *bufio.Reader) {
	size := 0
	for whole := true; ; {
		line, more, err := in.ReadLine()
		if err != nil {
			return
		}
		if whole && bytes.HasPrefix(line, dataPrefix) {
			m.take(line[len(dataPrefix):], time.Now())
			size = 0
		}
		if size += len(line); !more && m.counting.Load() {
			m.bytes.Add(int64(size))
			size = 0
		}
		whole = !more
	}
}

// take notes that an event, whose data begin with b, has come.
func (m *measured) take(b []byte, now time.Time) {
	if !m.counting.Load() {
		return
	}
	digits, rest, _ := bytes.Cut(b, []byte(`,"as_of":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	revision, err := strconv.ParseInt(string(digits), 10, 64)
	stamp, terr := time.Parse(time.RFC3339Nano, string(text))
	if err != nil || terr != nil {
		return
	}
	m.events.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.revisions[revision]
	if a == nil {
		a = &arrival{stamp: stamp, first: now}
		m.revisions[revision] = a
	}
	a.watchers++
	a.last = now
}

// sum sums up what came. The first and the last event of the time may not be with all watchers within it.
func (m *measured) sum(f *figures) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var revisions []int64
	for r := range m.revisions {
		revisions = append(revisions, r)
	}
	slices.Sort(revisions)
	var first, last []int
	for _, r := range revisions[min(1, len(revisions)):max(len(revisions)-1, min(1, len(revisions)))] {
		a := m.revisions[r]
		first, last = append(first, int(a.first.Sub(a.stamp).Milliseconds())), append(last, int(a.last.Sub(a.stamp).Milliseconds()))
		if missing := m.o.watchers - a.watchers; missing > 0 {
			m.lost.Add(int64(missing))
		}
	}
	f.Events = float64(len(revisions)) / m.o.span.Seconds()
	f.EventBytes = float64(m.bytes.Load()) / float64(max(m.events.Load(), 1))
	f.MicrosCPU = f.CPU * m.o.span.Seconds() * 1e6 / float64(max(m.events.Load(), 1))
	f.FirstMS, f.LastMS, f.Lost = spread(first), spread(last), int(m.lost.Load())
}

func spread(v []int) (out [3]int) {
	if len(v) == 0 {
		return out
	}
	slices.Sort(v)
	return [3]int{v[len(v)/2], v[len(v)*99/100], v[len(v)-1]}
}

// cpu is how many processors the collector uses, over the time that is measured.
func (m *measured) cpu(ctx context.Context) (float64, error) {
	before := process.CPU(m.pid)
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(m.o.span):
	}
	after := process.CPU(m.pid)
	if after == 0 {
		return 0, errors.New("the collector is gone")
	}
	return (after - before).Seconds() / m.o.span.Seconds(), nil
}
