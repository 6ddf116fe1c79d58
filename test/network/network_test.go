package network

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const port = "4711"

// TestHosts asks one host from another over each kind of broken network, and from the side, which is in order all the time.
func TestHosts(t *testing.T) {
	if !Inside(t) {
		return
	}
	n := New(t, "a", "b")
	a, b := n.Host("a"), n.Host("b")
	var listener net.Listener
	var packets net.PacketConn
	if err := b.within(func() (err error) {
		if listener, err = net.Listen("tcp", "0.0.0.0:"+port); err == nil {
			packets, err = net.ListenPacket("udp", "0.0.0.0:"+port)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	defer packets.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("hello")) // whoever dialled says whether it came
			_ = c.Close()
		}
	}()
	var timeout net.Error
	silent := func(err error) bool {
		return errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, syscall.EHOSTUNREACH)
	}
	for _, c := range []struct {
		name          string
		fault, repair func() error
		want          func(error) bool
		arrives       bool // what asks for no answer
	}{
		{"in order", nil, nil, nil, true},
		{"unplugged", a.Unplug, a.Plug, silent, false},
		{"shut", a.Down, a.Up, func(err error) bool { return errors.Is(err, syscall.ENETUNREACH) }, false},
		{"requests lost", func() error { return a.Lose(100, b) }, n.healed(t), silent, false},
		{"answers lost", func() error { return b.Lose(100, a) }, n.healed(t), silent, true},
		{"refused", func() error { return a.Refuse(b) }, n.healed(t), func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }, true},
	} {
		if c.fault != nil {
			if err := c.fault(); err != nil {
				t.Fatal(err)
			}
			if err := a.within(func() error { return hear(b.Addr) }); !c.want(err) {
				t.Errorf("%s: %v", c.name, err)
			}
			_ = a.within(func() error { return tell(b.Addr, c.name) }) // where it cannot be sent it does not arrive
			if heard := told(packets); slices.Contains(heard, c.name) != c.arrives {
				t.Errorf("%s: what asks for no answer arrives: %t, want %t", c.name, !c.arrives, c.arrives)
			}
			if err := hear(b.Side); err != nil {
				t.Errorf("%s: from the side: %v", c.name, err)
			}
			if err := c.repair(); err != nil {
				t.Fatal(err)
			}
		}
		for began := time.Now(); ; {
			err := a.within(func() error { return hear(b.Addr) })
			if err == nil {
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("%s, and repaired: %v", c.name, err)
			}
		}
	}
}

// healed heals, and wants that there was something to heal.
func (n *Network) healed(t *testing.T) func() error {
	return func() error {
		packets, err := n.Heal()
		if packets == 0 {
			t.Error("no packet was kept")
		}
		return err
	}
}

// within does something at a host. Programs die with the thread that started them, so it comes back from there.
func (h *Host) within(do func() error) (err error) {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer own.Close()
	its, err := os.Open(h.namespace())
	if err != nil {
		return err
	}
	defer its.Close()
	if err := unix.Setns(int(its.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	err = do()
	if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	runtime.UnlockOSThread()
	return err
}

// hear dials a host and reads what it says.
func hear(addr string) error {
	c, err := net.DialTimeout("tcp", net.JoinHostPort(addr, port), 2*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 5))
	return err
}

// tell sends a host a packet that asks for no answer.
func tell(addr, what string) error {
	c, err := net.Dial("udp", net.JoinHostPort(addr, port))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(what))
	return err
}

// told are the packets that have come, and come within a second.
func told(packets net.PacketConn) (all []string) {
	_ = packets.SetReadDeadline(time.Now().Add(time.Second))
	for buf := make([]byte, 100); ; {
		n, _, err := packets.ReadFrom(buf)
		if err != nil {
			return all
		}
		all = append(all, string(buf[:n]))
	}
}
