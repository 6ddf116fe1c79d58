// Package slowdisk mounts a disk that is as slow as a test says, hangs when it says, or fails: a folder of the real file system, shown by FUSE.
//
// A process of its own serves it, so that a test that touches a disk that hangs does not wait for itself. The mount goes when the test ends, and
// when the test process does, whatever became of that. As with a real disk, a process that waits for one that hangs cannot be killed before it
// answers.
package slowdisk

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Settings are how the disk is. The zero value is as quick as what lies below.
type Settings struct {
	Write time.Duration // how much longer each write takes, and each change of a file or a folder
	Sync  time.Duration // how much longer each sync takes
	Read  time.Duration // how much longer each read takes
	// Rate is how many bytes are written in a second, all files together; 0 for as many as one likes.
	Rate       int64
	Hangs      bool // nothing is answered, whatever it is, until this is taken back
	FailsWrite bool // writes, changes and syncs end with EIO
	FailsSync  bool // syncs alone do
	FailsRead  bool // what is read ends with EIO
}

// Disk is a mounted disk.
type Disk struct {
	Dir string // where it is mounted

	mu     sync.Mutex
	cmd    *exec.Cmd
	to     *json.Encoder
	from   *bufio.Scanner
	closer func() error
	done   chan struct{}
}

// May reports whether this process may mount a disk. Where it may not, the test is run by another process, in a user namespace of its own, and is
// over when May returns.
func May(t *testing.T) bool {
	t.Helper()
	const inside = "EXAMETER_SLOWDISK"
	header, data := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	if data[0].Effective>>unix.CAP_SYS_ADMIN&1 == 1 || os.Getenv(inside) != "" {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--mount", self, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("in a user namespace: %v\n%s", err, out)
	}
	t.Logf("in a user namespace:\n%s", out)
	return false
}

// Run mounts a disk until the test ends.
func Run(tb testing.TB) *Disk {
	tb.Helper()
	d, err := Start(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

// Start mounts a disk below dir. Call Close at the end, before programs that it may hold up are waited for.
func Start(dir string) (*Disk, error) {
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		return nil, fmt.Errorf("a slow disk needs FUSE, and that this user may open /dev/fuse: %w", err)
	} else if err := f.Close(); err != nil {
		return nil, err
	}
	text, err := build()
	if err != nil {
		return nil, fmt.Errorf("build what serves the slow disk: %w", err)
	}
	program := filepath.Join(dir, "serve")
	if err := os.WriteFile(program, text, 0o700); err != nil {
		return nil, err
	}
	below := filepath.Join(dir, "below")
	d := &Disk{Dir: filepath.Join(dir, "disk"), done: make(chan struct{})}
	for _, name := range []string{below, d.Dir} {
		if err := os.Mkdir(name, 0o755); err != nil {
			return nil, err
		}
	}
	d.cmd = exec.Command(program, below, d.Dir)
	// No signal when this process ends: it sees that its input does, and unmounts.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	d.cmd.Stderr = os.Stderr
	in, err := d.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.to, d.from, d.closer = json.NewEncoder(in), bufio.NewScanner(out), in.Close
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(d.done)
		_ = d.cmd.Wait()
	}()
	if err := d.Set(Settings{}); err != nil {
		return nil, errors.Join(fmt.Errorf("mount a slow disk: %w", err), d.Close())
	}
	return d, nil
}

// build returns the program that serves disks. It is linked once, however many disks a test has.
var build = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "slowdisk-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "serve")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "github.com/exameter/exameter/test/slowdisk/serve").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return os.ReadFile(program)
})

// Set makes the disk be as settings say, at once; what waits goes on accordingly.
func (d *Disk) Set(s Settings) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.to.Encode(s); err != nil {
		return fmt.Errorf("change the slow disk: %w", err)
	}
	if !d.from.Scan() || d.from.Text() != "so be it" {
		return fmt.Errorf("change the slow disk: it said %q", d.from.Text())
	}
	return nil
}

// Close unmounts the disk, and lets go of whoever waits for it.
func (d *Disk) Close() error {
	_ = d.closer()
	select {
	case <-d.done:
	case <-time.After(10 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.done
	}
	if err := unix.Unmount(d.Dir, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmount the slow disk: %w", err)
	}
	return nil
}
