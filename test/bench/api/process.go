package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/exameter/exameter/test/process"
)

// child is a process of the bench: this program in another role.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser // what it is told
	said string         // its first line
	read chan struct{}
}

// start starts this program in a role on a core, and returns once it has said its first line. What it says after that goes to
// standard output.
func start(ctx context.Context, o *options, core string, nice int, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	words := []string{
		"nice", "-n", strconv.Itoa(nice), self, "-hosts", strconv.Itoa(o.hosts), "-copies", strconv.Itoa(o.copies), "-partitions", strconv.Itoa(o.partitions),
		"-probes", strconv.Itoa(o.probes), "-rate", strconv.FormatFloat(o.rate, 'f', -1, 64), "-warm", o.warm.String(), "-for", o.long.String(),
	}
	if o.realtime && nice == 0 {
		words = append([]string{"chrt", "--fifo", "10"}, words[3:]...)
	}
	if o.pin {
		words = append([]string{"taskset", "-c", core}, words...)
	}
	words = append(words, args...)
	c := &child{cmd: process.Command(ctx, words[0], words[1:]...)}
	if o.pin {
		c.cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(o.procs))
	}
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", strings.Join(args, " "), err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return nil, fmt.Errorf("%s ended before it said anything: %w", strings.Join(args, " "), c.cmd.Wait())
	}
	c.said = lines.Text()
	c.read = make(chan struct{})
	go func() {
		defer close(c.read)
		for lines.Scan() {
			fmt.Println(lines.Text())
		}
	}()
	return c, nil
}

// pid is that of the role itself: taskset and nice become what they start.
func (c *child) pid() int { return c.cmd.Process.Pid }

// wait waits for the end of the process, and of what it says.
func (c *child) wait() error {
	<-c.read
	return c.cmd.Wait()
}

// end ends the process.
func (c *child) end() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	_ = c.wait() // that it was ended is no news
}
