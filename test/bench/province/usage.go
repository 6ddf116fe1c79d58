package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/exameter/exameter/test/process"
)

// ownCPU is the processor time that this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail with these arguments
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func machineLoad() string {
	b, _ := os.ReadFile("/proc/loadavg")
	return strings.Join(strings.Fields(string(b))[:3], " ")
}

// micros is the time each of n took.
func micros(d time.Duration, n int64) float64 {
	return float64(d.Nanoseconds()) / 1e3 / float64(max(n, 1))
}

// pin lets a process run on these cores alone.
func pin(pid int, cores string) error {
	if out, err := exec.Command("taskset", "-a", "-c", "-p", cores, strconv.Itoa(pid)).CombinedOutput(); err != nil {
		return fmt.Errorf("pin process %d to %s: %w\n%s", pid, cores, err, out)
	}
	return nil
}

// progress is what a process of the bench says of itself.
type progress struct {
	Wall    time.Duration `json:"wall"` // since it started
	CPU     time.Duration `json:"cpu"`
	Reports int64         `json:"reports"`
	Hosts   int64         `json:"hosts"` // with inventory
	Text    string        `json:"text"`  // a row of the table, or an address
}

func say(p progress) { _ = json.NewEncoder(os.Stdout).Encode(p) }

// child starts this program again in a role, on some cores, and hands on what it says until it ends or each returns
// false, whereupon it is ended.
func child(ctx context.Context, o *options, cores string, each func(pid int, p progress) bool, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args = append([]string{"-c", cores, self, "-hosts", strconv.Itoa(o.hosts), "-rounds", strconv.Itoa(o.rounds), "-brokers", o.brokers}, args...)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := process.Command(ctx, "taskset", args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(strings.Count(cores, ",")+1))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	in := bufio.NewScanner(out)
	for in.Scan() {
		var p progress
		if err := json.Unmarshal(in.Bytes(), &p); err != nil {
			fmt.Fprintln(os.Stderr, in.Text())
			continue
		}
		if !each(cmd.Process.Pid, p) {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			break
		}
	}
	_, _ = io.Copy(io.Discard, out)
	return cmd.Wait()
}
