// Package network gives the programs of a test a network each, with an address of its own, joins these by a switch, and breaks what joins them:
// cables are pulled, packets are lost in one direction or both, connections are refused. The networks are Linux network namespaces within a user
// namespace of the test, so that no rights are needed and nothing is left over: all of it is gone with the test's process.
package network

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/exameter/exameter/test/process"
)

// inside says that a test process runs in a network of its own.
const inside = "EXAMETER_NETWORK"

// Inside reports whether the test runs in a network of its own. Where it does not, it is run in one, in another process, and is over afterwards.
func Inside(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pattern := "^" + t.Name() + "$"
	if _, part, found := strings.Cut(flag.Lookup("test.run").Value.String(), "/"); found {
		pattern += "/" + part
	}
	cmd := process.Command(t.Context(), self, "-test.run", pattern, "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatalf("make a network for the test: %v", err)
	}
	passed := false
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // it has ended, and says how
		}
		passed = passed || strings.HasPrefix(line, "--- PASS: "+t.Name()+" ")
		t.Log(strings.TrimSuffix(line, "\n"))
	}
	if err := cmd.Wait(); err != nil || !passed {
		t.Fatalf("in a network of its own: %v", err)
	}
	return false
}

// Host is a place for programs, with a network of its own.
type Host struct {
	Addr string // by which the others reach it, and the test, over what can be broken
	Side string // by which the test alone reaches it, whatever is broken

	name   string
	port   string // of the switch
	number int
	holder *process.Process
}

// Network is some hosts, and the switch that joins them. The test itself is at the switch.
type Network struct{ hosts []*Host }

// New makes hosts and joins them. They are gone when the test ends.
func New(t *testing.T, names ...string) *Network {
	t.Helper()
	n := &Network{}
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(run("ip", "link", "set", "lo", "up"))
	for subnet, bridge := range map[string]string{"10.77.0": "switch", "10.78.0": "side"} {
		must(run("ip", "link", "add", bridge, "type", "bridge"))
		must(run("ip", "addr", "add", subnet+".254/24", "dev", bridge))
		must(run("ip", "link", "set", bridge, "up"))
	}
	for i, name := range names {
		h := &Host{
			name: name, number: i + 1, port: fmt.Sprintf("port%d", i+1),
			Addr: fmt.Sprintf("10.77.0.%d", i+1), Side: fmt.Sprintf("10.78.0.%d", i+1),
		}
		n.hosts = append(n.hosts, h)
		var err error
		h.holder, err = process.Start(filepath.Join(dir, name), nil, "unshare", "--net", "sleep", "infinity")
		must(err)
		t.Cleanup(func() { _ = h.holder.Kill() })
		must(h.wired())
	}
	return n
}

// wired waits until the host's network is there, and connects it.
func (h *Host) wired() error {
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		if its, err := os.Readlink(h.namespace()); err == nil && its != own {
			break
		}
		if time.Since(began) > time.Minute || !h.holder.Running() {
			return fmt.Errorf("host %s has no network: %s", h.name, h.holder.Log())
		}
	}
	pid := strconv.Itoa(h.holder.PID())
	side := fmt.Sprintf("side%d", h.number)
	return errors.Join(
		run("ip", "link", "add", h.port, "type", "veth", "peer", "name", "eth0", "netns", pid),
		run("ip", "link", "set", h.port, "master", "switch", "up"),
		run("ip", "link", "add", side, "type", "veth", "peer", "name", "eth1", "netns", pid),
		run("ip", "link", "set", side, "master", "side", "up"),
		h.run("ip", "link", "set", "lo", "up"),
		h.run("ip", "addr", "add", h.Addr+"/24", "dev", "eth0"),
		h.run("ip", "addr", "add", h.Side+"/24", "dev", "eth1"),
		h.run("ip", "link", "set", "eth0", "up"),
		h.run("ip", "link", "set", "eth1", "up"),
		h.run("nft", "add table inet faults; add chain inet faults in { type filter hook input priority 0; }"),
	)
}

func (h *Host) namespace() string { return fmt.Sprintf("/proc/%d/ns/net", h.holder.PID()) }

// Enter is what a command begins with that is to run at the host.
func (h *Host) Enter() []string { return []string{"nsenter", "--net=" + h.namespace()} }

func (h *Host) run(args ...string) error { return run(append(h.Enter(), args...)...) }

// Host returns a host by its name, which is one of those given to New.
func (n *Network) Host(name string) *Host {
	return n.hosts[slices.IndexFunc(n.hosts, func(h *Host) bool { return h.name == name })]
}

// Unplug pulls the host's cable out of the switch: to the host the line is dead, and its routes stay.
func (h *Host) Unplug() error { return run("ip", "link", "set", h.port, "down") }

// Plug puts it in again.
func (h *Host) Plug() error { return run("ip", "link", "set", h.port, "up") }

// Down shuts the host's interface, and with it go its routes: whoever sends is told that the network is unreachable.
func (h *Host) Down() error { return h.run("ip", "link", "set", "eth0", "down") }

// Up opens it again.
func (h *Host) Up() error { return h.run("ip", "link", "set", "eth0", "up") }

// Lose loses so many of a hundred packets on their way from one host to another, until Heal. Those of the other direction arrive.
func (h *Host) Lose(percent int, to *Host) error {
	return to.run("nft", fmt.Sprintf("add rule inet faults in ip saddr %s numgen random mod 100 <= %d counter drop", h.Addr, percent-1))
}

// Refuse answers whatever the host sends over TCP to another with a reset, as firewalls do, until Heal.
func (h *Host) Refuse(to *Host) error {
	return to.run("nft", fmt.Sprintf("add rule inet faults in ip saddr %s meta l4proto tcp counter reject with tcp reset", h.Addr))
}

// Heal takes back what Lose and Refuse did, and returns how many packets that was.
func (n *Network) Heal() (packets int, err error) {
	for _, h := range n.hosts {
		args := append(h.Enter(), "nft", "list", "table", "inet", "faults")
		out, err := exec.CommandContext(context.Background(), args[0], args[1:]...).Output()
		if err != nil {
			return packets, fmt.Errorf("read the counters of %s: %w", h.name, err)
		}
		for _, rest := range strings.Split(string(out), "counter packets ")[1:] {
			number, _, _ := strings.Cut(rest, " ")
			one, err := strconv.Atoi(number)
			if err != nil {
				return packets, err
			}
			packets += one
		}
		if err := h.run("nft", "flush", "chain", "inet", "faults", "in"); err != nil {
			return packets, err
		}
	}
	return packets, nil
}

func run(args ...string) error {
	out, err := exec.CommandContext(context.Background(), args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
