package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/test/process"
)

const centre = "soak"

// soaked is the agent that is watched.
type soaked struct{ process *process.Process }

// outages are counted, with the most that the agent kept on disk meanwhile.
type outages struct{ count, spooled atomic.Int64 }

// startAgent starts an agent with eight simulated cards, one of which has errors all the time, and takes its broker away again and again.
func startAgent(ctx context.Context, g *errgroup.Group, o *options, dir string) (*soaked, *outages, error) {
	behind, err := freeAddr()
	if err != nil {
		return nil, nil, err
	}
	way, err := openRelay(behind)
	if err != nil {
		return nil, nil, err
	}
	b, err := localbroker.Start(localbroker.Options{Addr: behind, Advertise: way.addr, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, errors.Join(err, way.Close())
	}
	if err := create(ctx, broker.Config{Brokers: []string{way.addr}}, localbroker.Bounded(broker.CentreTopics(centre, 1), time.Minute)); err != nil {
		return nil, nil, errors.Join(err, way.Close(), b.Close())
	}
	library, err := filepath.Abs(o.library)
	if err != nil {
		return nil, nil, err
	}
	cards, file := filepath.Join(dir, "cards"), filepath.Join(dir, "agent.yaml")
	text := fmt.Sprintf("centre: %s\nhost:\n  id: soaked\nkafka:\n  brokers: [%s]\nintervals:\n  sample: %s\n  report: %s\nsources:\n  nvml:\n    library: %q\n"+
		"queue:\n  records: 16\nspool:\n  bytes: 1MiB\n  pace: 20\npaths:\n  state: %s\n",
		centre, way.addr, time.Duration(float64(time.Second)/o.speed), time.Duration(float64(10*time.Second)/o.speed), library, dir)
	if err := errors.Join(os.WriteFile(cards, []byte(scenario(0)), 0o644), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		return nil, nil, err
	}
	p, err := process.Start(filepath.Join(dir, "agent.log"), []string{"EXAMETER_NVMLSIM=" + cards}, filepath.Join(o.bin, "exameter-agent"), "run", "--config", file)
	if err != nil {
		return nil, nil, err
	}
	out := &outages{}
	g.Go(func() error {
		err := out.run(ctx, o, dir, way)
		return errors.Join(err, way.Close(), b.Close())
	})
	return &soaked{p}, out, nil
}

// scenario is a host whose first card has another error of its memory in every cycle.
func scenario(n int) string {
	return fmt.Sprintf("cards = 8\nevent_step = 0.1\n[gpu *]\nprocesses = 4711\nused = 80GiB\nutilisation = 97 41\nsm = 83\n[gpu 0]\necc_corrected = %d\nxid = 31 @%d\n", n, n%7+1)
}

func (t *outages) run(ctx context.Context, o *options, dir string, way *relay) error {
	for n := 1; ; n++ {
		next := filepath.Join(dir, "cards.new")
		if err := errors.Join(os.WriteFile(next, []byte(scenario(n)), 0o644), os.Rename(next, filepath.Join(dir, "cards"))); err != nil {
			return err
		}
		if !sleep(ctx, o.cycle-o.away) {
			return nil
		}
		way.cut(true)
		going := sleep(ctx, o.away)
		t.spooled.Store(max(t.spooled.Load(), size(filepath.Join(dir, "spool"))))
		way.cut(false)
		if !going {
			return nil
		}
		t.count.Add(1)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// size is how long the segments of a spool are together.
func size(dir string) (n int64) {
	files, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	for _, f := range files {
		if st, err := os.Stat(f); err == nil {
			n += st.Size()
		}
	}
	return n
}

// relay passes connections on, until it is cut.
type relay struct {
	net.Listener
	addr, to string

	mu     sync.Mutex
	away   bool
	opened map[net.Conn]bool
}

func openRelay(to string) (*relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{Listener: l, addr: l.Addr().String(), to: to, opened: map[net.Conn]bool{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.pass(c)
		}
	}()
	return r, nil
}

// cut ends all connections and takes no more, or takes them again.
func (r *relay) cut(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
	for c := range r.opened {
		if away {
			_ = c.Close()
		}
	}
}

func (r *relay) pass(c net.Conn) {
	defer c.Close()
	r.mu.Lock()
	away := r.away
	r.opened[c] = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.opened, c)
		r.mu.Unlock()
	}()
	if away {
		return
	}
	d, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer d.Close()
	go func() {
		_, _ = io.Copy(d, c)
		_ = d.Close()
	}()
	_, _ = io.Copy(c, d)
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
