package boot

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/test/process"
)

// machine is a booted system.
type machine struct {
	t      *testing.T
	name   string
	nspawn *process.Process
	leader int // its first process, as this system numbers it
}

// root runs a command as root, by sudo where this user is somebody else.
func root(args ...string) []string {
	if os.Geteuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	return args
}

// cached is the path of something that make test-boot prepares.
func cached(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("../..", pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("there is no %s: run make test-boot, which makes it", pattern)
	}
	path, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(path); err == nil { // so that the test runs anew where it changed
		f.Close()
	}
	return path
}

// boot starts a machine of the test's own, which ends with it. It has the packages in /packages, the simulated NVIDIA driver where the loader looks for
// the real one, and this program, to be its Kafka.
func boot(t *testing.T) *machine {
	t.Helper()
	t.Parallel()
	ready := cached(t, ".cache/boot/*.ready")
	dir := t.TempDir()
	m := &machine{t: t, name: fmt.Sprintf("exameter-boot-%d-%s", os.Getpid(), strings.ToLower(t.Name()))}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	packages := filepath.Dir(cached(t, ".cache/boot/packages/exameter-agent_*_"+runtime.GOARCH+".deb"))
	library := map[string]string{"amd64": "/usr/lib/x86_64-linux-gnu", "arm64": "/usr/lib/aarch64-linux-gnu"}[runtime.GOARCH]
	pidfile := filepath.Join(dir, "pid")
	args := root("./machine.sh", m.name, strings.TrimSuffix(ready, ".ready"), pidfile,
		"--bind-ro="+packages+":/packages",
		"--bind-ro="+cached(t, "test/nvmlsim/libnvidia-ml-sim.so")+":"+library+"/libnvidia-ml.so.1",
		"--bind-ro="+cached(t, "test/nvmlsim/scenarios/h200-idle.conf")+":/srv/cards.conf",
		"--bind-ro="+self+":/srv/broker")
	m.nspawn, err = process.Start(filepath.Join(dir, "log"), nil, args[0], args[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.end(pidfile) })
	m.wait("the machine to boot", 60*time.Second, func() bool {
		if !m.nspawn.Running() {
			t.Fatalf("systemd-nspawn ended:\n%s", m.nspawn.Log())
		}
		if m.leader == 0 {
			m.leader = leaderOf(pidfile)
			return false
		}
		state, _ := m.try("systemctl", "is-system-running")
		return state == "running" || state == "degraded"
	})
	m.delegate()
	m.run("sh", "-c", "echo 127.0.0.1 kafka.test >>/etc/hosts") // so that services look a name up
	return m
}

// leaderOf finds the first process of the container, below that of machine.sh; 0 where it is not there yet.
func leaderOf(pidfile string) int {
	text, err := os.ReadFile(pidfile)
	if err != nil {
		return 0
	}
	for pids := strings.Fields(string(text)); len(pids) > 0; pids = pids[1:] {
		if name, _ := os.ReadFile("/proc/" + pids[0] + "/comm"); strings.TrimSpace(string(name)) == "systemd" {
			n, _ := strconv.Atoi(pids[0])
			return n
		}
		children, _ := os.ReadFile("/proc/" + pids[0] + "/task/" + pids[0] + "/children")
		pids = append(pids, strings.Fields(string(children))...)
	}
	return 0
}

// delegate lets the machine's systemd use the control groups that are its own. In the one hierarchy it may from the start; nspawn shows the
// old ones read-only.
func (m *machine) delegate() {
	m.t.Helper()
	m.run("sh", "-c", `for c in memory cpu cpuacct devices pids blkio; do
		[ ! -e /sys/fs/cgroup/$c/cgroup.procs ] || mount -o remount,bind,rw,nosuid,nodev,noexec /sys/fs/cgroup/$c || exit 1
	done
	[ ! -e /sys/fs/cgroup/memory/cgroup.procs ] || systemctl daemon-reexec`)
}

// end stops the machine and removes the control groups that were made for it.
func (m *machine) end(pidfile string) {
	if pid, err := os.ReadFile(pidfile); err == nil && m.nspawn.Running() {
		args := root("kill", "-KILL", strings.TrimSpace(string(pid)))
		_ = exec.Command(args[0], args[1:]...).Run()
	}
	select {
	case <-m.nspawn.Done():
	case <-time.After(20 * time.Second):
		m.t.Error("the machine does not end")
	}
	args := root("sh", "-c", `for i in 1 2 3 4 5 6 7 8 9 10; do
		find /sys/fs/cgroup -depth -type d -path "/sys/fs/cgroup*/`+m.name+`*" -exec rmdir {} + 2>/dev/null
		[ -n "$(find /sys/fs/cgroup -type d -name '`+m.name+`')" ] || exit 0
		sleep 0.2
	done; exit 1`)
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		m.t.Errorf("control groups of the machine stay behind: %v %s", err, out)
	}
}

// try runs a command in the machine, as root, and returns what it printed.
func (m *machine) try(args ...string) (out string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	args = root(append([]string{
		"nsenter", "--target", strconv.Itoa(m.leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--",
		"/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive",
	}, args...)...)
	var b bytes.Buffer
	cmd := process.Command(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &b, &b
	err = cmd.Run()
	return strings.TrimSpace(b.String()), err
}

// run is try where failing ends the test.
func (m *machine) run(args ...string) string {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// write makes a file in the machine, or fills one that is there.
func (m *machine) write(path, text string) {
	m.t.Helper()
	m.run("sh", "-c", `mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1"`, "write", path, text)
}

// wait polls until something is so.
func (m *machine) wait(what string, within time.Duration, so func() bool) {
	m.t.Helper()
	for end := time.Now().Add(within); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("waited %v for %s\n%s", within, what, m.journal())
		}
	}
}

// journal is the end of what the machine's services said.
func (m *machine) journal() string {
	if m.leader == 0 {
		return m.nspawn.Log()
	}
	out, _ := m.try("journalctl", "--no-pager", "--lines=60", "--output=short-monotonic")
	return out
}

// show asks systemd for one property of a unit.
func (m *machine) show(unit, property string) string {
	m.t.Helper()
	return m.run("systemctl", "show", "--value", "--property="+property, unit)
}

// install installs packages of this project, as apt does it.
func (m *machine) install(names ...string) {
	m.t.Helper()
	files := make([]string, len(names))
	for i, n := range names {
		files[i] = "/packages/" + filepath.Base(cached(m.t, ".cache/boot/packages/"+n+"_*_"+runtime.GOARCH+".deb"))
	}
	m.run(append([]string{"apt-get", "-qq", "-o", "Dpkg::Options::=--force-confold", "install", "--reinstall", "--yes"}, files...)...)
}

// kafka starts a broker in the machine.
func (m *machine) kafka(addr string) {
	m.t.Helper()
	m.run("systemd-run", "--quiet", "--unit=kafka", "--setenv="+brokerAt+"="+addr, "/srv/broker")
}

// files lists what is on the machine's disk, apart from what package managers and systemd keep of any package.
func (m *machine) files() []string {
	m.t.Helper()
	all := strings.Split(m.run("find", "/", "-xdev", "-path", "/proc", "-prune", "-o", "-path", "/sys", "-prune", "-o", "-path", "/run", "-prune", "-o",
		"-path", "/tmp", "-prune", "-o", "-path", "/dev", "-prune", "-o", "-path", "/var/lib/dpkg", "-prune", "-o", "-path", "/var/cache", "-prune", "-o",
		"-path", "/var/log", "-prune", "-o", "-path", "/var/lib/apt", "-prune", "-o", "-path", "/var/tmp", "-prune", "-o", "-print"), "\n")
	slices.Sort(all)
	return all
}

// left are files that were not there before.
func left(before, after []string) (more []string) {
	for _, f := range after {
		if _, found := slices.BinarySearch(before, f); !found {
			more = append(more, f)
		}
	}
	return more
}
