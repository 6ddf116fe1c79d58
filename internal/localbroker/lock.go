package localbroker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrInUse says that another process has the data directory open.
var ErrInUse = errors.New("in use by another process")

// dirLock keeps a second broker off a data directory. The kernel lets go of it when the process ends, however it ends.
type dirLock struct{ file *os.File }

// lockDir makes the directory if it is missing, and takes its lock.
func lockDir(dir string) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, errors.Join(fmt.Errorf("lock the data directory %q: %w", dir, err), f.Close())
	}
	return &dirLock{f}, nil
}

// release lets go of the lock. A nil lock is none.
func (l *dirLock) release() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}
