// Package kafka starts real Apache Kafka brokers for tests, on loopback or where they are told: KRaft mode, one process a broker, each broker
// also a controller. The jars come from pom.xml by `make kafka`.
package kafka

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/test/process"
)

// readyWithin bounds the start of a cluster, and the restart of a broker, on a slow and busy machine.
const readyWithin = 2 * time.Minute

// Options of a cluster; the zero value is one plaintext broker.
type Options struct {
	// Brokers is their number; 1 where zero.
	Brokers int
	// Heap is the largest Java heap of a broker; 384m where empty.
	Heap string
	// Settings are added to the properties of every broker, and win over those the cluster sets itself.
	Settings map[string]string
	// Secure, where it is given, keeps strangers out.
	Secure *Secure
	// Relayed makes a second way to the brokers, which RelayedAddrs tells and Cut cuts. It does not go together with Secure.
	Relayed bool
	// Places are where the brokers run, one for each; on loopback where there are none.
	Places []Place
	// Data are folders that are there, one a broker, where brokers keep what they are given; each broker's own place where it is empty.
	Data []string
}

// Place is where a broker runs.
type Place struct {
	Host  string   // the address by which clients and other brokers reach it
	Enter []string // what the command begins with that starts a program there
}

// Cluster is a set of running brokers. Its methods may be called from several goroutines.
type Cluster struct {
	// Took is the time from Start to ready, formatting included.
	Took time.Duration

	mu      sync.Mutex
	brokers []*broker
	relays  []*relay
}

// Run starts a cluster for a test and stops it when the test ends. Brokers' logs are shown where the test failed.
func Run(tb testing.TB, o Options) *Cluster {
	tb.Helper()
	dir := tb.TempDir()
	c, err := Start(tb.Context(), dir, o)
	if err != nil {
		tb.Fatalf("start Kafka: %v", err)
	}
	tb.Cleanup(func() {
		c.Close()
		if tb.Failed() {
			for _, b := range c.brokers {
				tb.Logf("end of the log of broker %d:\n%s", b.id, b.process.Log())
			}
		}
	})
	tb.Logf("Kafka with %d broker(s) was ready after %v", len(c.brokers), c.Took.Round(time.Millisecond))
	return c
}

// Start formats storage below dir, starts the brokers and returns when all of them serve. Call Close at the end. Should
// the calling process die first, the brokers die with it.
func Start(ctx context.Context, dir string, o Options) (*Cluster, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	classpath, err := jars()
	if err != nil {
		return nil, err
	}
	c, err := plan(dir, classpath, o)
	if err != nil {
		return nil, err
	}
	if o.Relayed {
		for _, b := range c.brokers {
			r, err := startRelay(b.mutual, b.sasl)
			if err != nil {
				c.Close()
				return nil, err
			}
			c.relays = append(c.relays, r)
		}
	}
	id := clusterID()
	for _, b := range c.brokers {
		if err := b.format(ctx, id, o.Secure.formatting()); err != nil {
			return nil, err
		}
	}
	for _, b := range c.brokers {
		if err := b.start(); err != nil {
			c.Close()
			return nil, err
		}
	}
	if err := c.ready(ctx); err != nil {
		c.Close()
		return nil, err
	}
	c.Took = time.Since(began)
	return c, nil
}

// Addrs are the brokers' addresses, in the order of their numbers. They outlive restarts.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.brokers))
	for i, b := range c.brokers {
		addrs[i] = b.addr
	}
	return addrs
}

// RelayedAddrs are the brokers' addresses for those who reach them by the second way.
func (c *Cluster) RelayedAddrs() []string {
	addrs := make([]string, len(c.brokers))
	for i, b := range c.brokers {
		addrs[i] = b.mutual
	}
	return addrs
}

// Cut lets nothing through any more on the second way to the brokers, or everything again.
func (c *Cluster) Cut(yes bool) {
	for _, r := range c.relays {
		r.cut(yes)
	}
}

// PIDs are the numbers of the brokers' processes.
func (c *Cluster) PIDs() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	pids := make([]int, len(c.brokers))
	for i, b := range c.brokers {
		pids[i] = b.process.PID()
	}
	return pids
}

// Stop shuts broker i down in order, i counting from 0.
func (c *Cluster) Stop(i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.brokers[i].stop()
}

// Kill ends broker i at once, as a power failure of its machine would, i counting from 0.
func (c *Cluster) Kill(i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.brokers[i].kill()
}

// Restart starts brokers again on their old data and addresses, and returns when they serve. Where all were down, those that make a quorum
// have to be started together.
func (c *Cluster) Restart(ctx context.Context, which ...int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for _, i := range which {
		if err := c.brokers[i].start(); err != nil {
			return err
		}
	}
	for _, i := range which {
		if err := c.brokers[i].serving(ctx, 1); err != nil {
			return err
		}
	}
	return nil
}

// Running reports whether broker i has not ended.
func (c *Cluster) Running(i int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.brokers[i].running()
}

// Signal sends a signal to broker i: SIGSTOP makes it stand still as a suspended machine does.
func (c *Cluster) Signal(i int, s os.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.brokers[i].process.Signal(s)
}

// Close ends all brokers at once; their data is the caller's to remove.
func (c *Cluster) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.brokers {
		_ = b.kill() // Nothing is lost that a test still wants.
	}
	for _, r := range c.relays {
		r.close()
	}
}

func (c *Cluster) ready(ctx context.Context) error {
	for _, b := range c.brokers {
		if err := b.serving(ctx, len(c.brokers)); err != nil {
			return err
		}
	}
	return nil
}

// plan chooses ports and writes every broker's properties.
func plan(dir, classpath string, o Options) (*Cluster, error) {
	n := max(o.Brokers, 1)
	addrs, err := process.FreeAddrs(4 * n)
	if err != nil {
		return nil, err
	}
	heap := o.Heap
	if heap == "" {
		heap = "384m"
	}
	c := &Cluster{}
	for i := range n {
		b := &broker{
			id: i + 1, dir: filepath.Join(dir, "broker"+strconv.Itoa(i+1)),
			addr: addrs[4*i], controller: addrs[4*i+1], sasl: addrs[4*i+2], mutual: addrs[4*i+3],
			classpath: classpath, heap: heap,
		}
		if i < len(o.Places) {
			b.enter = o.Places[i].Enter
			b.addr, b.controller = net.JoinHostPort(o.Places[i].Host, "9092"), net.JoinHostPort(o.Places[i].Host, "9093")
		}
		b.data = filepath.Join(b.dir, "data")
		if len(o.Data) > 0 {
			b.data = filepath.Join(o.Data[i], "data") // Kafka takes no folder that has a lost+found or the like
		}
		c.brokers = append(c.brokers, b)
	}
	if o.Secure != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		if err := o.Secure.prepare(dir); err != nil {
			return nil, err
		}
	}
	for _, b := range c.brokers {
		if err := os.MkdirAll(b.dir, 0o755); err != nil {
			return nil, err
		}
		given := o.Settings
		if o.Relayed {
			given = relayed(b, given)
		}
		extra, err := o.Secure.with(b, given)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(b.properties(), []byte(settings(b, c.brokers, extra)), 0o644); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// relayed adds the listener to which a broker's relay leads.
func relayed(b *broker, given map[string]string) map[string]string {
	all := maps.Clone(given)
	if all == nil {
		all = map[string]string{}
	}
	all["listeners"] = fmt.Sprintf("CLIENT://%s,CONTROLLER://%s,RELAYED://%s", b.addr, b.controller, b.sasl)
	all["advertised.listeners"] = fmt.Sprintf("CLIENT://%s,RELAYED://%s", b.addr, b.mutual)
	all["listener.security.protocol.map"] = "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,RELAYED:PLAINTEXT"
	return all
}

// jars returns the Java class path of Kafka, or says how to get it.
func jars() (string, error) {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("find the folder of this source file")
	}
	lib := filepath.Join(filepath.Dir(here), "target", "lib")
	if found, _ := filepath.Glob(filepath.Join(lib, "kafka_*.jar")); len(found) != 1 {
		return "", fmt.Errorf("no Kafka in %s: run `make kafka` first", lib)
	}
	return filepath.Join(lib, "*"), nil
}

// clusterID makes a Kafka UUID: 16 bytes in URL-safe base64. One that begins with a hyphen would read as an option.
func clusterID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // It never fails: it ends the process instead.
	b[0] &= 0x7f
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// serving waits until the broker answers and knows n brokers in all.
func (b *broker) serving(ctx context.Context, n int) error {
	for {
		err := b.knows(ctx, n)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("broker %d at %s is not ready: %w\nend of its log:\n%s", b.id, b.addr, err, b.process.Log())
		case <-b.process.Done():
			return fmt.Errorf("broker %d at %s ended while starting; end of its log:\n%s", b.id, b.addr, b.process.Log())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (b *broker) knows(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := kafkago.DialContext(ctx, "tcp", b.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	brokers, err := conn.Brokers()
	if err != nil {
		return err
	}
	if len(brokers) < n {
		return fmt.Errorf("knows %d of %d brokers", len(brokers), n)
	}
	_, err = conn.Controller()
	return err
}
