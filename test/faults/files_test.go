package faults

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOutOfFiles takes the collector's last file descriptors: it says so, answers those it can, with the truth, and everybody again once there
// are some.
func TestOutOfFiles(t *testing.T) {
	w := newWorld(t, 60)
	early := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}} // was connected before
	if err := w.exact(early); err != nil {
		t.Fatal(err)
	}
	var before unix.Rlimit
	few := unix.Rlimit{Cur: uint64(w.freeFile() + 4), Max: 1 << 16}
	if err := unix.Prlimit(w.collector.PID(), unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	few.Max = before.Max
	if err := unix.Prlimit(w.collector.PID(), unix.RLIMIT_NOFILE, &few, nil); err != nil {
		t.Fatal(err)
	}
	var open []net.Conn
	t.Cleanup(func() {
		for _, c := range open {
			_ = c.Close()
		}
	})
	took := w.eventually(soon, func() error {
		c, err := net.Dial("tcp", w.addr)
		if err != nil {
			return err
		}
		open = append(open, c)
		if !strings.Contains(w.collector.Log(), "too many open files") {
			return fmt.Errorf("the collector has not said that it is out of files, %d connections open", len(open))
		}
		return nil
	})
	t.Logf("out of files with %d connections, said after %v", len(open), took.Round(time.Millisecond))
	late := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for began := time.Now(); time.Since(began) < 8*time.Second; time.Sleep(200 * time.Millisecond) {
		// Connections that say nothing for five seconds are closed, others take their place.
		if c, err := net.Dial("tcp", w.addr); err == nil {
			open = append(open, c)
		}
		if err := w.exact(early); err != nil {
			t.Fatalf("whoever was connected before: %v", err)
		}
	}
	if !w.collector.Running() {
		t.Fatal("the collector has ended")
	}
	if err := unix.Prlimit(w.collector.PID(), unix.RLIMIT_NOFILE, &before, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("answers a new connection after %v", w.eventually(soon, func() error { return w.exact(late) }).Round(time.Millisecond))
	if n := strings.Count(w.collector.Log(), "too many open files"); n > 15 {
		t.Errorf("said %d times within ten seconds", n)
	}
}

// freeFile is the lowest file descriptor that the collector does not use, which is the next that it gets.
func (w *world) freeFile() int {
	w.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.collector.PID()))
	if err != nil {
		w.Fatal(err)
	}
	used := map[int]bool{}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			used[n] = true
		}
	}
	n := 0
	for used[n] {
		n++
	}
	return n
}
