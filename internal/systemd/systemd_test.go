package systemd

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// listen is systemd; what it returns waits for the next message.
func listen(t *testing.T) func() string {
	t.Helper()
	addr := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: addr, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	t.Setenv("NOTIFY_SOCKET", addr)
	return func() string {
		t.Helper()
		b := make([]byte, 4096)
		if err := l.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

// TestSignals reloads and stops, in the order that systemd wants to hear. A reload before the service works must not say that it does.
func TestSignals(t *testing.T) {
	heard := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	wait := Signals(ctx, func() { Status("within\nthe reload") })
	hears := func(wants ...string) {
		t.Helper()
		for _, want := range wants {
			if got := heard(); !strings.HasPrefix(got, want) {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
	}
	hangUp := func() {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	ready.Store(false)
	hangUp()
	hears("STATUS=within the reload")
	hangUp()
	hears("STATUS=within the reload")
	Ready()
	hears("READY=1")
	hangUp()
	hears("RELOADING=1\nMONOTONIC_USEC=", "STATUS=within the reload", "READY=1")
	stop()
	wait()
	if got := heard(); got != "STOPPING=1" {
		t.Errorf("heard %q", got)
	}
}

// TestWatchdog says that it is alive a third of the time that it is given, however often it is called.
func TestWatchdog(t *testing.T) {
	if Watchdog() != nil {
		t.Fatal("nobody watches, and yet there is something to call")
	}
	heard := listen(t)
	t.Setenv("WATCHDOG_USEC", "300000")
	alive := Watchdog()
	began := time.Now()
	for range 10_000 {
		alive()
	}
	if got := heard(); got != "WATCHDOG=1" {
		t.Errorf("heard %q", got)
	}
	time.Sleep(max(0, 110*time.Millisecond-time.Since(began)))
	alive()
	if got := heard(); got != "WATCHDOG=1" {
		t.Errorf("heard %q", got)
	}
}
