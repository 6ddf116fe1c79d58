// Package kernelfile reads the small text files of procfs and sysfs, the same ones every second, without garbage.
package kernelfile

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// File is a text file of the kernel that is kept open and read again from its beginning: the kernel makes its content
// anew at every read from offset zero. It is not safe for concurrent use.
type File struct {
	path string
	file *os.File
	buf  []byte
}

// New names a file of which at most limit bytes are read. It opens nothing.
func New(path string, limit int) *File { return &File{path: path, buf: make([]byte, limit)} }

// Path returns the file's path.
func (f *File) Path() string { return f.path }

// Read returns what the file says now. The bytes are valid until the next Read. A file that was open and fails is
// opened once more, because its driver may have gone and come back meanwhile.
func (f *File) Read() ([]byte, error) {
	wasOpen := f.file != nil
	b, err := f.read()
	if err != nil && wasOpen {
		b, err = f.read()
	}
	return b, err
}

func (f *File) read() ([]byte, error) {
	if f.file == nil {
		file, err := open(f.path)
		if err != nil {
			return nil, err
		}
		f.file = file
	}
	n, err := f.file.ReadAt(f.buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		// The error of the read is the one to tell; that of closing a file that was only read says nothing more.
		_ = f.Close()
		return nil, err
	}
	return f.buf[:n], nil
}

// Close closes the file. A later Read opens it again.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// Head reads at most limit bytes of a file that is read once.
func Head(path string, limit int) ([]byte, error) {
	f := New(path, limit)
	b, err := f.Read()
	if err != nil {
		return nil, err
	}
	return b, f.Close()
}

// open opens a file without the runtime's poller. Some sysfs files can be polled and some of their drivers answer
// EAGAIN: a file of os.Open would then wait for ever.
func open(path string) (*os.File, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		return os.NewFile(uintptr(fd), path), nil
	}
}
