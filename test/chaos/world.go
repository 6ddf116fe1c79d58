package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/sim"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/kafka"
	"github.com/exameter/exameter/test/network"
	"github.com/exameter/exameter/test/process"
	"github.com/exameter/exameter/test/slowdisk"
)

const (
	collectors = 3
	brokers    = 3
	hosts      = 300
	partitions = 3

	reportEvery = 2 * time.Second // of simulated hosts
	staleAfter  = 10 * time.Second
	pollEvery   = 200 * time.Millisecond

	// Bounds of what may pass before something counts as wrong. The machine may be slow and busy: what is measured is reported.
	lately        = 8 * time.Second  // how far back the ledger is kept
	freshFor      = 3 * time.Second  // how old an answer is that need not be flagged
	feedFresh     = 12 * time.Second // the feed is written every ten seconds where nothing changes
	agesTo        = reportEvery + 3*time.Second
	grace         = 5 * time.Second
	wrongFor      = 15 * time.Second
	recoverWithin = 2 * time.Minute
	inMemory      = 25 * time.Second // how long what is sent may be in an agent's memory alone, at most
	overdue       = 21 * time.Second // how late a report can be that did not wait on disk
	aftermath     = 30 * time.Second // how long after a fault records may still be sent again because of it
)

// world is a Kafka, a province that reports to it, and collectors that answer for it.
type world struct {
	*records
	*room
	out io.Writer
	dir string
	lan *network.Network // in which brokers, collectors and servers have a host each; nil where all are on loopback, and what is cut is a relay

	cluster    *kafka.Cluster
	disks      []*slowdisk.Disk // the brokers', where those can be made slow
	province   *sim.Province
	driver     *sim.Driver
	collectors []*collector
	broken     []window // when brokers were not in order, or agents were killed
	kinds      map[kind]int
	recoveries []recovery

	stopDriving context.CancelFunc
	end         context.CancelFunc
	running     sync.WaitGroup
	spoiled     atomic.Int64 // what was written to do harm

	mu     sync.Mutex // guards broken, what is up, and what collectors counted
	up     map[*process.Process]string
	unkept map[*process.Process]int64 // records that could not be used and are not in quarantine, by collector and life
}

type window struct{ from, to time.Time }

// recovery is how long after a fault was repaired everything was right again.
type recovery struct {
	step                       step
	fault                      time.Duration // until it was repaired
	leaders                    time.Duration // from then on, until every partition had a leader and two replicas in sync: Kafka is back
	collectors, feed, agents   time.Duration
	flagged, feedFlagged, mute time.Duration // from when it began, at most
}

// collector is one collector, in a process of its own.
type collector struct {
	*watch
	program, conf, log, addr string
	enter                    []string // what the command begins with that starts it where it is to run
	p                        *process.Process
}

func (w *world) logf(format string, args ...any) {
	fmt.Fprintf(w.out, "%7.1f s  %s\n", time.Since(w.findings().began).Seconds(), fmt.Sprintf(format, args...))
}

func (w *world) findings() *findings { return w.records.judge.findings }

// The hosts of a world in a network, by their numbers.
const (
	brokerHost    = "broker %d"
	collectorHost = "collector %d"
	serversHost   = "servers"
)

// ground is what a world stands on.
type ground struct {
	lan       *network.Network // in which all have a host; on loopback where it is nil
	slowDisks bool             // whether the brokers' disks can be made slow
}

// start builds the programs and starts everything. Whoever calls it closes the world.
func start(ctx context.Context, dir string, seed uint64, out io.Writer, on ground) (*world, error) {
	w := &world{out: out, dir: dir, lan: on.lan, kinds: map[kind]int{}, up: map[*process.Process]string{}, unkept: map[*process.Process]int64{}}
	f := &findings{began: time.Now(), count: map[string]int{}, first: map[string]string{}}
	f.say = w.logf
	w.records = newRecords(&judge{findings: f, bodies: map[string][32]byte{}})
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return w, fmt.Errorf("find the module: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(mod)))
	programs := filepath.Join(dir, "bin")
	if err := process.Build(ctx, programs, "chaos", "exameter-agent", "exameter-collector"); err != nil {
		return w, err
	}
	if text, err := exec.CommandContext(ctx, "make", "-C", filepath.Join(root, "test", "nvmlsim")).CombinedOutput(); err != nil {
		return w, fmt.Errorf("build the simulated driver library: %w\n%s", err, text)
	}
	options := kafka.Options{Brokers: brokers, Heap: "256m", Relayed: on.lan == nil}
	for i := 0; on.lan != nil && i < brokers; i++ {
		h := on.lan.Host(fmt.Sprintf(brokerHost, i))
		options.Places = append(options.Places, kafka.Place{Host: h.Addr, Enter: h.Enter()})
	}
	for i := 0; on.slowDisks && i < brokers; i++ {
		place := filepath.Join(dir, fmt.Sprintf("disk-%d", i))
		if err := os.Mkdir(place, 0o755); err != nil {
			return w, err
		}
		d, err := slowdisk.Start(place)
		if err != nil {
			return w, err
		}
		w.disks, options.Data = append(w.disks, d), append(options.Data, d.Dir)
	}
	if w.cluster, err = kafka.Start(ctx, filepath.Join(dir, "kafka"), options); err != nil {
		return w, err
	}
	if w.province, err = sim.New(sim.Spec{Seed: seed, Hosts: hosts, Centres: sim.DefaultCentres()[:4], Interval: reportEvery, Speed: 10, Version: "chaos"}, time.Now()); err != nil {
		return w, err
	}
	w.room = &room{findings: f, programs: programs, library: filepath.Join(root, "test", "nvmlsim", "libnvidia-ml-sim.so")}
	for i := range serversOf {
		w.room.brokers[i] = w.way(i, serversOf)
	}
	if on.lan != nil {
		w.room.enter = on.lan.Host(serversHost).Enter()
	}
	w.room.every.Store(int64(2 * time.Second))
	w.ledger = &ledger{province: w.province, servers: w.room.devices, rated: map[string]int64{}}
	return w, w.populate(ctx, seed, programs)
}

// way is how one of several programs reaches the brokers, as configurations have it: straight, or, as the last collector and the last server do, by
// the way that can be cut. In a network each names another broker first.
func (w *world) way(i, of int) string {
	addrs := w.cluster.Addrs()
	switch {
	case w.lan != nil:
		i %= len(addrs)
		addrs = slices.Concat(addrs[i:], addrs[:i])
	case i == of-1:
		addrs = w.cluster.RelayedAddrs()
	}
	return strings.Join(addrs, ", ")
}

// populate makes the topics, and starts what writes and what reads.
func (w *world) populate(ctx context.Context, seed uint64, programs string) error {
	cfg := broker.Config{Brokers: w.cluster.Addrs()}
	client, transport, err := cfg.Client("chaos")
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	topics := broker.SharedTopics()
	for _, c := range append(w.province.Centres(), servers) {
		topics = append(topics, broker.CentreTopics(c, partitions)...)
	}
	making, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err := broker.Create(making, client, topics, brokers); err != nil {
		return err
	}
	if err := w.whole(ctx); err != nil {
		return err
	}
	if err := w.open(w.dir); err != nil {
		return err
	}
	for _, s := range w.servers {
		w.up[s.agent] = s.host
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	driving, stop := context.WithCancel(running)
	w.end, w.stopDriving = end, stop
	w.driver = &sim.Driver{Province: w.province, Broker: cfg, Log: slog.New(slog.DiscardHandler), Once: true, Sent: w.note}
	w.running.Go(func() {
		if err := w.driver.Run(driving); err != nil {
			w.logf("the simulated province: %v", err)
		}
	})
	w.running.Go(func() { w.work(driving, seed) })
	var names []string
	for _, t := range topics {
		if t.Name != telemetry.PartialsTopic {
			names = append(names, t.Name)
		}
	}
	w.running.Go(func() {
		if err := w.read(running, cfg.Brokers, names); err != nil {
			w.violate(kept, "%v", err)
		}
	})
	if err := w.gather(running); err != nil {
		return err
	}
	w.running.Go(func() { w.poisoning(driving, cfg) })
	return w.collect(ctx, running, programs)
}

// gather keeps the ledger, and waits until every host has said what it has.
func (w *world) gather(running context.Context) error {
	time.Sleep(4 * time.Second)
	w.ledger.enter()
	w.running.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-running.Done():
				return
			case <-tick.C:
				w.ledger.enter()
			}
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		have := int64(0)
		for _, c := range w.province.Centres() {
			have += w.ledger.most(c)
		}
		if have == int64(w.province.Devices()) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after a minute Kafka has %d of %d simulated devices", have, w.province.Devices())
		}
	}
}

// collect starts the collectors, and watches what they answer from when all of it is right for the first time.
func (w *world) collect(ctx, running context.Context, programs string) error {
	addrs, err := process.FreeAddrs(collectors)
	if err != nil {
		return err
	}
	for i, addr := range addrs {
		c := &collector{
			watch: newWatch(fmt.Sprintf("collector %d", i)), program: filepath.Join(programs, "exameter-collector"),
			conf: filepath.Join(w.dir, fmt.Sprintf("collector-%d.yaml", i)), log: filepath.Join(w.dir, fmt.Sprintf("collector-%d.log", i)), addr: addr,
		}
		listen := "listen: " + addr
		if w.lan != nil {
			h := w.lan.Host(fmt.Sprintf(collectorHost, i))
			c.enter, c.addr = h.Enter(), h.Side+":8470"
			listen = fmt.Sprintf("listen: 0.0.0.0:8470\n  advertise: %s:8470", h.Addr)
		}
		text := fmt.Sprintf("kafka:\n  brokers: [%s]\nhttp:\n  %s\ninstance: collector-%d\nstale_after: %s\nlog: {level: debug}\n", w.way(i, collectors), listen, i, staleAfter)
		if err := os.WriteFile(c.conf, []byte(text), 0o600); err != nil {
			return err
		}
		w.collectors = append(w.collectors, c)
		if err := w.startCollector(i); err != nil {
			return err
		}
	}
	if err := w.complete(ctx); err != nil {
		return err
	}
	for _, c := range w.collectors {
		w.running.Go(func() { w.poll(running, c.watch, c.addr) })
	}
	w.running.Go(func() { w.check(running) })
	w.running.Go(func() { w.alive(running) })
	w.running.Go(func() { w.count(running) })
	return nil
}

// complete waits until every collector, and the feed, has all devices.
func (w *world) complete(ctx context.Context) error {
	began := time.Now()
	for ; ; time.Sleep(200 * time.Millisecond) {
		missing := ""
		for _, c := range w.collectors {
			have, err := c.rated(ctx)
			if want := w.all(); err != nil || have != want {
				missing = fmt.Sprintf("%s has %d of %d devices, %v", c.name, have, want, err)
			}
		}
		w.records.mu.Lock()
		for _, c := range w.ledger.centres() {
			if have, want := w.scopes["centre/"+c].Devices.Rated, w.ledger.most(c); have != want {
				missing = fmt.Sprintf("the feed has %d of %d devices of %s", have, want, c)
			}
		}
		w.records.mu.Unlock()
		if missing == "" {
			w.logf("everything runs, and every collector and the feed have all %d devices, %.1f s after the collectors' start", w.all(), time.Since(began).Seconds())
			return nil
		}
		if time.Since(began) > recoverWithin || ctx.Err() != nil {
			return errors.Join(ctx.Err(), fmt.Errorf("the start is not complete after %s: %s", time.Since(began), missing))
		}
	}
}

func (w *world) all() (n int64) {
	for _, c := range w.ledger.centres() {
		n += w.ledger.most(c)
	}
	return n
}

func (w *world) startCollector(i int) error {
	c := w.collectors[i]
	command := append(slices.Clone(c.enter), c.program, "run", "--config", c.conf)
	p, err := process.Start(c.log, nil, command[0], command[1:]...)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c.p = p
	w.up[p] = c.name
	return nil
}

// expected notes that a process ends because it was told to.
func (w *world) expected(p *process.Process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.up, p)
}

// alive wants no program to end that nobody ended.
func (w *world) alive(ctx context.Context) {
	for ctx.Err() == nil {
		w.mu.Lock()
		for p, who := range w.up {
			if !p.Running() {
				w.violate("programs go on", "%s ended by itself:\n%s", who, p.Log())
				delete(w.up, p)
			}
		}
		w.mu.Unlock()
		time.Sleep(200 * time.Millisecond)
	}
}

// whole waits until every partition has all its replicas in sync.
func (w *world) whole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, recoverWithin)
	defer cancel()
	for {
		err := w.cluster.InSync(ctx, brokers)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the brokers do not come together: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// close ends everything.
func (w *world) close() {
	if w.end != nil {
		w.end()
	}
	for _, c := range w.collectors {
		if c.p != nil {
			w.expected(c.p)
			_ = c.p.Signal(syscall.SIGCONT)
			_ = c.p.Kill()
		}
	}
	if w.room != nil {
		for _, s := range w.servers {
			if s.agent != nil {
				w.expected(s.agent)
				_ = s.agent.Kill()
			}
		}
	}
	for _, d := range w.disks {
		_ = d.Set(slowdisk.Settings{}) // who waits for a disk cannot be killed
	}
	if w.cluster != nil {
		w.cluster.Close()
	}
	for _, d := range w.disks {
		if err := d.Close(); err != nil {
			w.logf("%v", err)
		}
	}
	w.running.Wait()
}
