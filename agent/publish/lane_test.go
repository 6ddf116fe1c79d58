package publish

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/exameter/exameter/agent/spool"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/test/process"
)

// outage is a lane with a disk whose broker is not there.
type outage struct {
	t    *testing.T
	addr string
	dir  string
	q    *spool.Queue
	disk *spool.Disk
	back atomic.Int32
	stop func()
	out  *logs
}

func newOutage(t *testing.T, dir string, pace float64) *outage {
	t.Helper()
	o := &outage{t: t, addr: process.FreeAddr(t), dir: dir}
	o.run(pace)
	return o
}

// run begins to publish what is on disk and what comes.
func (o *outage) run(pace float64) {
	o.t.Helper()
	began := time.Now()
	disk, err := spool.OpenDisk(spool.DiskOptions{Dir: o.dir, MaxBytes: 1 << 20, MaxAge: time.Hour, Boot: "boot", Uptime: func() time.Duration { return time.Since(began) }})
	if err != nil {
		o.t.Fatal(err)
	}
	o.q, o.disk, o.out = spool.NewQueue(1000, 1<<20), disk, &logs{}
	p := New(broker.Config{Brokers: []string{o.addr}}, "test", []string{tele}, slog.New(slog.NewTextHandler(o.out, nil)),
		Lane{Queue: o.q, Disk: disk, Pace: pace, Back: func() { o.back.Add(1) }})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	o.stop = func() {
		cancel()
		<-done
		if err := disk.Close(); err != nil {
			o.t.Error(err)
		}
	}
}

// waits waits until so many records lie on disk, and none in memory.
func (o *outage) waits(n int64) {
	o.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if o.disk.Stats().Records == n && o.q.Stats().Records == 0 {
			return
		}
	}
	o.t.Fatalf("on disk %+v, in memory %+v, want %d on disk\n%s", o.disk.Stats(), o.q.Stats(), n, o.out)
}

// broker brings the broker.
func (o *outage) broker() *kfake.Cluster {
	o.t.Helper()
	_, port, _ := strings.Cut(o.addr, ":")
	var n int
	if _, err := fmt.Sscan(port, &n); err != nil {
		o.t.Fatal(err)
	}
	return cluster(o.t, kfake.Ports(n), kfake.SeedTopics(1, tele))
}

func numbered(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("record %d", i))
	}
	return out
}

// TestOutage goes through an outage that the process does not survive: everything made in it comes to Kafka, once and in order; what is new
// comes before it, and what waits comes at a pace.
func TestOutage(t *testing.T) {
	o := newOutage(t, t.TempDir(), 5)
	for i := range 12 {
		o.q.Put(record(tele, i))
	}
	o.waits(12)
	o.stop()
	o.run(5)
	for i := range 8 {
		o.q.Put(record(tele, 12+i))
	}
	o.waits(20)
	began := time.Now()
	o.broker()
	for o.back.Load() == 0 {
		if time.Since(began) > 15*time.Second {
			t.Fatalf("the broker is back, and is not noticed\n%s", o.out)
		}
		time.Sleep(time.Millisecond)
	}
	noticed := time.Now()
	o.q.Put(record(tele, 100))
	o.waits(0)
	took := time.Since(noticed)
	got, _ := consume(t, []string{o.addr}, tele, 1, 21)
	live := slices.Index(got, "record 100")
	if rest := slices.Delete(slices.Clone(got), live, live+1); !slices.Equal(rest, numbered(0, 20)) {
		t.Errorf("what waited came as %v", rest)
	}
	if live > 10 {
		t.Errorf("what is new came after %d others", live)
	}
	if took < 2*time.Second {
		t.Errorf("15 records came within %s, and the pace is 5 a second", took)
	}
	o.stop()
	if n := o.back.Load(); n != 1 {
		t.Errorf("Kafka came back %d times", n)
	}
	if !strings.Contains(o.out.String(), "everything that waited on disk is in Kafka") {
		t.Errorf("the log does not say that all is well again:\n%s", o.out)
	}
}

// TestStopInAnOutage keeps what waits in memory, and sends it the next time.
func TestStopInAnOutage(t *testing.T) {
	o := newOutage(t, t.TempDir(), 100)
	for i := range 5 {
		o.q.Put(record(tele, i))
	}
	o.q.Close()
	o.stop()
	if s := o.q.Stats(); s.Records != 0 || s.Dropped != 0 {
		t.Errorf("in memory is left %+v", s)
	}
	o.broker()
	o.run(100)
	o.waits(0)
	got, _ := consume(t, []string{o.addr}, tele, 1, 5)
	if !slices.Equal(got, numbered(0, 5)) {
		t.Errorf("came %v", got)
	}
	o.stop()
}

// TestHopelessOnDisk drops a record that Kafka never takes, and goes on behind it.
func TestHopelessOnDisk(t *testing.T) {
	o := newOutage(t, t.TempDir(), 100)
	for i := range 3 {
		o.q.Put(record(tele, i))
		if i == 1 {
			o.q.Put(spool.Record{Topic: tele, Key: []byte("host-1"), Value: noise(1, 200<<10)})
		}
	}
	o.waits(4)
	c := o.broker()
	refuseLarge(c)
	o.waits(0)
	got, _ := consume(t, []string{o.addr}, tele, 1, 3)
	if !slices.Equal(got, numbered(0, 3)) {
		t.Errorf("came %v", got)
	}
	if s := o.disk.Stats(); s.Dropped != 1 || s.Broken != 0 {
		t.Errorf("%+v", s)
	}
	o.stop()
}

// TestFullDisk fills a file system of its own: what does not go there waits in memory, and all of it arrives in order.
func TestFullDisk(t *testing.T) {
	if os.Getenv("EXAMETER_FULL_DISK") == "" {
		// A mount of its own, which the test's children alone see.
		dir := t.TempDir()
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--map-root-user", "sh", "-c",
			`mount -t tmpfs -o size=256k none "$0" && exec "$1" -test.run '^TestFullDisk$' -test.v`, dir, self)
		cmd.Env = append(os.Environ(), "EXAMETER_FULL_DISK="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestFullDisk") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	o := newOutage(t, os.Getenv("EXAMETER_FULL_DISK"), 1000)
	const n = 400
	for i := range n {
		r := record(tele, i)
		r.Value = append(r.Value, noise(uint32(i), 1500)...)
		o.q.Put(r)
	}
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(o.out.String(), "the spool on disk does not take"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a disk of 256 KiB took 600 kB: %+v\n%s", o.disk.Stats(), o.out)
		}
	}
	if s := o.disk.Stats(); s.Records == 0 || s.Dropped+o.q.Stats().Records+s.Records != n {
		t.Errorf("on disk %+v, in memory %+v", s, o.q.Stats())
	}
	o.broker()
	o.waits(0)
	left := n - int(o.disk.Stats().Dropped)
	got, _ := consume(t, []string{o.addr}, tele, 1, left)
	var numbers []int
	for _, v := range got {
		var i int
		if _, err := fmt.Sscanf(v, "record %d", &i); err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, i)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(numbers)))) != left {
		t.Errorf("%d records came, not all of them once", len(numbers))
	}
	o.stop()
}
