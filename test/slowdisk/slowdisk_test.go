package slowdisk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDisk does to a disk what the agent and Kafka do, while it is quick, slow, broken and hanging.
func TestDisk(t *testing.T) {
	if !May(t) {
		return
	}
	d := Run(t)
	set := func(s Settings) {
		t.Helper()
		if err := d.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(filepath.Join(d.Dir, "log"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), f.Truncate(10<<20), f.Sync()); err != nil {
		t.Fatal(err)
	}
	// An index is written to through memory, and read as a file.
	m, err := unix.Mmap(int(f.Fd()), 0, 10<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	copy(m[5000:], "offset")
	if err := errors.Join(unix.Msync(m, unix.MS_SYNC), unix.Munmap(m)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 6)
	if _, err := f.ReadAt(b, 5000); err != nil || string(b) != "offset" {
		t.Errorf("read %q, %v", b, err)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(filepath.Dir(d.Dir), "below", "log"), &st); err != nil || st.Blocks*512 > 1<<20 {
		t.Errorf("a file with a hole takes %d blocks, %v", st.Blocks, err)
	}
	if err := os.Rename(f.Name(), f.Name()+".0"); err != nil {
		t.Fatal(err)
	}
	folder, err := os.Open(d.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		t.Fatal(err)
	}

	took := func(what func() error) (time.Duration, error) {
		began := time.Now()
		err := what()
		return time.Since(began), err
	}
	write := func() error { _, err := f.WriteAt(bytes.Repeat([]byte{1}, 4096), 0); return err }
	set(Settings{Write: 300 * time.Millisecond})
	if d, err := took(write); err != nil || d < 300*time.Millisecond {
		t.Errorf("a write took %s, %v", d, err)
	}
	set(Settings{Sync: 300 * time.Millisecond})
	if d, err := took(f.Sync); err != nil || d < 300*time.Millisecond {
		t.Errorf("a sync took %s, %v", d, err)
	}
	set(Settings{Rate: 8192})
	if d, err := took(func() error { return errors.Join(write(), write()) }); err != nil || d < 900*time.Millisecond {
		t.Errorf("8 KiB took %s, %v", d, err)
	}
	set(Settings{FailsWrite: true})
	if err := errors.Join(write()); !errors.Is(err, syscall.EIO) {
		t.Errorf("write to a broken disk: %v", err)
	}
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("sync of a broken disk: %v", err)
	}

	set(Settings{Hangs: true})
	done := make(chan error, 1)
	go func() { done <- write() }()
	select {
	case err := <-done:
		t.Errorf("a disk that hangs wrote: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	set(Settings{})
	if err := <-done; err != nil {
		t.Error(err)
	}
	if d, err := took(write); err != nil || d > 5*time.Second {
		t.Errorf("a write took %s, %v", d, err)
	}
}
