// Package replicas kills collectors. Three of them share a simulated province under load; whichever is killed, the answers
// of the others are held against the simulator's own ledger at every step.
package replicas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/localbroker"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/kafka"
	"github.com/exameter/exameter/test/process"
)

const (
	replicas   = 3
	partitions = 4
	staleAfter = 30 * time.Second
	// exactWithin is what is promised: how long after a kill the answer may be behind.
	exactWithin = 10 * time.Second
	// lately is how far back the ledger is kept. What is on its way when it is asked is found a little earlier in it.
	lately = 5 * time.Second
)

// kills is how often a collector is killed; the environment may ask for more.
func kills(t *testing.T) int {
	s := os.Getenv("EXAMETER_KILLS")
	if s == "" {
		return 3
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("EXAMETER_KILLS: %q is not a number above zero", s)
	}
	return n
}

func TestKillOnKafka(t *testing.T) {
	kill(t, kafka.Run(t, kafka.Options{}).Addrs(), broker.SharedTopics())
}

func TestKillOnEmbeddedBroker(t *testing.T) {
	b, err := localbroker.Start(localbroker.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	kill(t, []string{b.Addr()}, localbroker.Bounded(broker.SharedTopics(), time.Minute))
}

// province is a simulated province under load, with its ledger of the last seconds.
type province struct {
	*sim.Province
	movers *movers
	mu     sync.Mutex
	books  []books
}

type books struct {
	at      time.Time
	centres map[string]capacity.Devices
}

func kill(t *testing.T, brokers []string, topics []broker.Topic) {
	p := drive(t, brokers, topics)
	dir := t.TempDir()
	program := filepath.Join(dir, "exameter-collector")
	if err := process.Build(t.Context(), dir, "replicas", "exameter-collector"); err != nil {
		t.Fatal(err)
	}
	var all []*replica
	for i := range replicas {
		r := &replica{t: t, program: program, conf: filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), log: filepath.Join(dir, fmt.Sprintf("%d.log", i)), addr: process.FreeAddr(t)}
		text := fmt.Sprintf("kafka:\n  brokers: [%s]\nhttp:\n  listen: %s\ninstance: replica-%d\nstale_after: %s\n", strings.Join(brokers, ", "), r.addr, i, staleAfter)
		if err := os.WriteFile(r.conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r.start()
		t.Cleanup(r.end)
		all = append(all, r)
	}
	begun := time.Now()
	p.exact(t, all, time.Minute, false)
	said := listen(t, brokers)
	t.Logf("complete and exact %.1f s after the start", time.Since(begun).Seconds())
	// Two more centres, for which nobody is restarted.
	m := move(t, brokers)
	for _, r := range all {
		r.until(func(doc *capacity.Document) bool {
			n := int64(0)
			for _, g := range doc.Groups {
				if strings.HasPrefix(g.Centre, "moved-") {
					n += g.Devices.Rated
				}
			}
			return n == moverCards
		})
	}
	p.movers = m
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	gaps := 0
	for n := range kills(t) {
		victim := random.IntN(len(all))
		if n == 0 {
			victim = said.writer(len(all))
		}
		time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
		if err := all[victim].p.Kill(); err != nil {
			t.Fatal(err)
		}
		var left []*replica
		for i, r := range all {
			if i != victim {
				left = append(left, r)
			}
		}
		hosts := make(chan lists, 1)
		go func() { hosts <- listed(left[0], p.Centres(), 2*exactWithin) }()
		took, behind := p.exact(t, left, exactWithin, true)
		l := <-hosts
		if l.err != nil {
			t.Errorf("lists of hosts after a kill: %v", l.err)
		}
		gaps += l.gaps
		t.Logf("hosts: %d pages, of which %d said that parts are missing; the slowest took %s", l.pages, l.gaps, l.longest)
		t.Logf("kill %d, of collector %d: %d parts were behind, exact again after %.1f s", n+1, victim, behind, took.Seconds())
		all[victim].start()
		p.exact(t, all, 30*time.Second, false)
	}
	if gaps == 0 {
		t.Error("no list of hosts ever said that the parts of a dead collector are missing")
	}
	stop(t, p, all)
	said.checked(p)
	for _, r := range all {
		r.checked()
	}
}

// stopFor is how long a collector is held at least: EXAMETER_STOP, or as long as its successors take.
func stopFor(t *testing.T) time.Duration {
	s := os.Getenv("EXAMETER_STOP")
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatalf("EXAMETER_STOP: %v", err)
	}
	return d
}

// stop holds a collector for longer than its session lasts and lets it go on: it does not know that it was replaced, and may
// not spoil what its successors say.
func stop(t *testing.T, p *province, all []*replica) {
	if err := all[0].p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	_, behind := p.exact(t, all[1:], exactWithin, true)
	time.Sleep(stopFor(t) - time.Since(stopped))
	if err := all[0].p.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	took, _ := p.exact(t, all, exactWithin, false)
	t.Logf("stop of collector 0 for %.1f s: %d parts were behind; all exact %.1f s after it went on", time.Since(stopped).Seconds()-took.Seconds(), behind, took.Seconds())
}

// drive makes the topics and lets the province speak.
func drive(t *testing.T, brokers []string, topics []broker.Topic) *province {
	t.Helper()
	sp, err := sim.New(sim.Spec{Seed: 7, Hosts: 400, Interval: 2 * time.Second, Speed: 30, Version: "test"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cfg := broker.Config{Brokers: brokers}
	client, transport, err := cfg.Client("test")
	if err != nil {
		t.Fatal(err)
	}
	defer transport.CloseIdleConnections()
	for _, c := range sp.Centres() {
		topics = append(topics, broker.CentreTopics(c, partitions)...)
	}
	making, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := broker.Create(making, client, topics, 1); err != nil {
		t.Fatal(err)
	}
	p := &province{Province: sp}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	running.Go(func() {
		d := &sim.Driver{Province: sp, Broker: cfg, Log: slog.New(slog.DiscardHandler)}
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	running.Go(func() {
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				p.enter()
			}
		}
	})
	time.Sleep(5 * time.Second) // every host has spoken
	return p
}

// enter notes what the ledger says now.
func (p *province) enter() {
	now := time.Now()
	all := p.Books(now, staleAfter)
	b := books{at: now, centres: map[string]capacity.Devices{}}
	for _, c := range p.Centres() {
		b.centres[c] = all.Price(catalog.Default(), func(q *sim.Pool) bool { return q.Centre == c && q.Kind == telemetry.Accelerator }).Devices
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.books = append(p.books, b)
	for now.Sub(p.books[0].at) > lately {
		p.books = p.books[1:]
	}
}

// known reports whether the ledger said so of a centre lately, and what it says now.
func (p *province) known(centre string, d capacity.Devices) (yes bool, now capacity.Devices) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.books {
		yes = yes || b.centres[centre] == d
	}
	return yes, p.books[len(p.books)-1].centres[centre]
}

// exact asks the replicas again and again until all of them answer what the ledger says. Whatever they answer until then, no
// card may count twice, and no centre may vanish. A replica that is not ready yet says so and is asked again. After a kill, only
// what they answer after parts were behind proves anything.
func (p *province) exact(t *testing.T, rs []*replica, within time.Duration, killed bool) (took time.Duration, behind int) {
	t.Helper()
	begun := time.Now()
	var matched []map[string]bool
	for range rs {
		matched = append(matched, map[string]bool{})
	}
	for {
		done := true
		var wrong []string
		for i, r := range rs {
			doc, err := r.ask()
			if err != nil {
				done, wrong = false, append(wrong, err.Error())
				continue
			}
			behind = max(behind, doc.Parts.Behind)
			if p.movers != nil {
				if exact, have := p.movers.check(doc); !exact && doc.Parts.Behind == 0 {
					done, wrong = false, append(wrong, fmt.Sprintf("cards that move: %v", have))
				}
			}
			handed := !killed || behind > 0 && doc.Parts.Behind == 0
			have := map[string]capacity.Devices{}
			for _, g := range doc.Groups {
				have[g.Centre] = g.Devices
			}
			for _, centre := range p.Centres() {
				yes, now := p.known(centre, have[centre])
				switch d := have[centre]; {
				case d.Rated > now.Rated:
					t.Fatalf("%s counts twice: %+v, the ledger says %+v", centre, d, now)
				case d.Rated < now.Rated:
					t.Fatalf("%s lost cards: %+v, the ledger says %+v", centre, d, now)
				case d.Online == 0 && now.Online > 0 && r.cut:
					done, wrong = false, append(wrong, "cut off from the log, and says so")
				case d.Online == 0 && now.Online > 0:
					t.Fatalf("%s vanished: %+v, the ledger says %+v", centre, d, now)
				case yes && handed && doc.Parts.Behind == 0:
					matched[i][centre] = true
				case !matched[i][centre]:
					wrong = append(wrong, fmt.Sprintf("%s: %+v, the ledger says %+v, parts %+v", centre, d, now, doc.Parts))
				}
				done = done && matched[i][centre]
			}
		}
		if took = time.Since(begun); done {
			return took, behind
		}
		if took > within {
			t.Fatalf("not exact after %s:\n%s", took.Round(time.Millisecond), strings.Join(wrong, "\n"))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// replica is one collector, in a process of its own.
type replica struct {
	t                        *testing.T
	program, conf, log, addr string
	p                        *process.Process
	cut                      bool // its last answer said that it heard nothing of the log any more
}

func (r *replica) start() {
	r.t.Helper()
	p, err := process.Start(r.log, nil, r.program, "run", "--config", r.conf)
	if err != nil {
		r.t.Fatal(err)
	}
	r.p = p
}

func (r *replica) end() {
	if err := r.p.Kill(); err != nil {
		r.t.Error(err)
	}
	if r.t.Failed() {
		r.t.Logf("log of %s:\n%s", r.addr, r.p.Log())
	}
}

func (r *replica) ask() (*capacity.Document, error) {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + r.addr + "/v1/capacity?by=centre")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(string(body))
	}
	r.cut = strings.HasSuffix(strings.Trim(resp.Header.Get("ETag"), `"`), "-cut")
	doc := &capacity.Document{}
	return doc, json.Unmarshal(body, doc)
}

// checked fails unless the self-check of the fleets ran and found nothing.
func (r *replica) checked() {
	r.t.Helper()
	resp, err := http.Get("http://" + r.addr + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	said := string(body)
	if !strings.Contains(said, `exameter_self_checks_total{result="different"} 0`) || strings.Contains(said, `exameter_self_checks_total{result="equal"} 0`) {
		r.t.Errorf("self-check of %s: want some equal and none different", r.addr)
	}
}

// until asks until the answer is right.
func (r *replica) until(right func(*capacity.Document) bool) {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		doc, err := r.ask()
		if err == nil && right(doc) {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("never came: %v, %+v", err, doc)
		}
	}
}
