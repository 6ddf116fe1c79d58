package main

import (
	"bufio"
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/test/process"
)

// servers is the centre whose hosts have real agents, on simulated cards.
const servers = "servers"

const (
	serversOf = 2
	cardsOf   = 8
)

// server is a host with a real agent.
type server struct {
	host, dir string
	agent     *process.Process
	kills     []time.Time
}

// room is the servers, and what their cards do.
type room struct {
	*findings
	programs, library string
	brokers           [serversOf]string // how each server reaches them
	enter             []string          // what a command begins with that starts an agent where it is to run
	every             atomic.Int64      // ns between two cards of a server that change

	mu      sync.Mutex
	servers []*server
	busy    [serversOf]uint8
}

// open prepares the servers and starts their agents.
func (r *room) open(dir string) error {
	for i := range serversOf {
		s := &server{host: fmt.Sprintf("server-%d", i), dir: filepath.Join(dir, fmt.Sprintf("server-%d", i))}
		if err := os.MkdirAll(s.dir, 0o755); err != nil {
			return err
		}
		text := fmt.Sprintf("centre: %s\nhost: {id: %s}\nkafka:\n  brokers: [%s]\nintervals: {sample: 100ms, report: 1s}\nsources:\n  nvml: {library: %q}\n  power: {enabled: false}\npaths: {state: %s}\nspool: {pace: 50}\nlog: {level: debug}\n",
			servers, s.host, r.brokers[i], r.library, s.dir)
		if err := os.WriteFile(filepath.Join(s.dir, "agent.yaml"), []byte(text), 0o600); err != nil {
			return err
		}
		r.servers = append(r.servers, s)
		if err := r.write(i); err != nil {
			return err
		}
		if err := r.start(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *room) start(s *server) (err error) {
	command := append(slices.Clone(r.enter), filepath.Join(r.programs, "exameter-agent"), "run", "--config", filepath.Join(s.dir, "agent.yaml"))
	s.agent, err = process.Start(filepath.Join(s.dir, "log"), []string{"EXAMETER_NVMLSIM=" + filepath.Join(s.dir, "cards")}, command[0], command[1:]...)
	return err
}

// kill kills the agents and starts them again.
func (r *room) kill() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.servers {
		if err := s.agent.Kill(); err != nil {
			return err
		}
		s.kills = append(s.kills, time.Now())
		if err := r.start(s); err != nil {
			return err
		}
	}
	return nil
}

// write writes what the cards of a server do, at once.
func (r *room) write(i int) error {
	var text strings.Builder
	fmt.Fprintf(&text, "cards = %d\n", cardsOf)
	for c := range cardsOf {
		fmt.Fprintf(&text, "[gpu %d]\nuuid = GPU-5eed0000-0000-4000-80%02d-0000000000%02d\n", c, i, c)
		if r.busy[i]>>c&1 != 0 {
			text.WriteString("processes = 4711\nused = 81920 MiB\nutilisation = 97 40\n")
		}
	}
	path := filepath.Join(r.servers[i].dir, "cards")
	if err := os.WriteFile(path+".new", []byte(text.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// work makes cards begin and end work until ctx ends.
func (r *room) work(ctx context.Context, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	for i := 0; ; i = (i + 1) % serversOf {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(r.every.Load()) / serversOf):
		}
		r.mu.Lock()
		r.busy[i] ^= 1 << random.IntN(cardsOf)
		err := r.write(i)
		r.mu.Unlock()
		if err != nil {
			r.violate("the servers' cards work", "%v", err)
			return
		}
	}
}

// devices is what is true of the servers' cards.
func (r *room) devices() (d capacity.Devices) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, busy := range r.busy {
		d.Busy += int64(bits.OnesCount8(busy))
	}
	d.Rated = serversOf * cardsOf
	d.Online, d.Healthy, d.Free = d.Rated, d.Rated, d.Rated-d.Busy
	return d
}

// made returns the numbers of the reports that an agent made, with when it did, as its log has them.
func (s *server) made() (map[name]time.Time, error) {
	f, err := os.Open(filepath.Join(s.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all := map[name]time.Time{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		rest, number, ok := strings.Cut(lines.Text(), ` msg="made a report" seq=`)
		if !ok {
			continue
		}
		seq, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			continue // cut short by a kill
		}
		stamp, _, _ := strings.Cut(strings.TrimPrefix(rest, "time="), " ")
		at, err := time.Parse(time.RFC3339, stamp)
		if err != nil {
			return nil, err
		}
		all[name{host: s.host, seq: seq}] = at
	}
	return all, nil
}

// fate is what became of the reports of the real agents.
type fate struct {
	made, waiting  int           // waiting: not in Kafka yet, or lost
	withMemory     int           // gone with the memory of an agent that was killed
	oldest         time.Duration // how long before the kill the oldest of these was made
	dropped        int64         // as the agents' counters say
	doubled        int           // by a second attempt after an outcome that was not known
	disordered     int
	doubledUnasked int // without a fault about
}

// account adds up what became of the agents' reports that were made before a moment.
func (r *room) account(rec *records, until time.Time, faulty func(time.Time) bool) (f fate, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.servers {
		made, err := s.made()
		if err != nil {
			return f, err
		}
		rec.mu.Lock()
		missing := 0
		for n, at := range made {
			if at.After(until) {
				continue
			}
			f.made++
			seen := rec.seen[n]
			if seen == nil {
				if before, killed := s.killedAfter(at); killed {
					f.withMemory++
					f.oldest = max(f.oldest, before)
				} else {
					missing++
				}
				continue
			}
			if seen.times > 1 && faulty(seen.written) {
				f.doubled += seen.times - 1
			} else {
				f.doubledUnasked += seen.times - 1
			}
		}
		f.dropped += rec.dropped[s.host]
		f.waiting += max(missing-int(rec.dropped[s.host]), 0)
		f.disordered += disorder(rec, s.host)
		rec.mu.Unlock()
	}
	return f, nil
}

// killedAfter returns how long after a moment the agent was killed, if it may have had what it made then in its memory alone: an attempt to send
// takes up to ten seconds, and a batch is acknowledged as a whole.
func (s *server) killedAfter(at time.Time) (time.Duration, bool) {
	for _, k := range s.kills {
		if d := k.Sub(at); d >= 0 && d < inMemory {
			return d, true
		}
	}
	return 0, false
}

// disorder counts reports that came late and stand in Kafka before one that was made before them and came late as well.
func disorder(rec *records, host string) (n int) {
	var last int64
	for _, one := range rec.real[host] {
		s := rec.seen[one]
		if s.written.Sub(s.made) < overdue {
			continue
		}
		if one.seq < last {
			n++
		}
		last = max(last, one.seq)
	}
	return n
}
