// Package cpio writes the archives inside RPM packages, in the format that cpio(5) calls new ASCII. It stands in for the module
// of this name, with as much of it as nfpm calls, and differs in one thing: names are relative to where the archive is unpacked.
package cpio

import (
	"errors"
	"fmt"
	"io"
)

// FileMode is st_mode.
type FileMode int64

// Header is what an archive says of a file before its content.
type Header struct {
	Name  string
	Mode  FileMode
	Size  int64
	Links int
}

// Writer writes an archive. The content of each file follows its header at once.
type Writer struct {
	w     io.Writer
	inode int
	left  int64 // of the content of the last file
	pad   int64 // behind it
}

// trailer is the name of the entry that ends an archive.
const trailer = "TRAILER!!!"

// NewWriter returns a writer of an archive.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// WriteHeader begins a file.
func (w *Writer) WriteHeader(h *Header) error {
	if err := w.finish(); err != nil {
		return err
	}
	w.inode++
	return w.header(h, "."+h.Name)
}

// Write writes content of the file that was begun last.
func (w *Writer) Write(p []byte) (int, error) {
	if int64(len(p)) > w.left {
		return 0, errors.New("cpio: more content than the header says")
	}
	n, err := w.w.Write(p)
	w.left -= int64(n)
	return n, err
}

// Close ends the archive.
func (w *Writer) Close() error {
	if err := w.finish(); err != nil {
		return err
	}
	w.inode = 0
	return w.header(&Header{Links: 1}, trailer)
}

// header writes magic, inode, mode, user, group, links, time, size, four numbers of devices, length of the name and checksum, which
// has no meaning here; then the name, up to a multiple of four. What rpm wants to know of owners and times stands elsewhere.
func (w *Writer) header(h *Header, name string) error {
	b := fmt.Appendf(nil, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		w.inode, int64(h.Mode), 0, 0, h.Links, 0, h.Size, 0, 0, 0, 0, len(name)+1, 0, name)
	w.left, w.pad = h.Size, padding(h.Size)
	_, err := w.w.Write(append(b, make([]byte, padding(int64(len(b))))...))
	return err
}

// finish fills the last file's content up.
func (w *Writer) finish() error {
	if w.left > 0 {
		return fmt.Errorf("cpio: %d bytes of content are missing", w.left)
	}
	_, err := w.w.Write(make([]byte, w.pad))
	w.pad = 0
	return err
}

// padding is what is missing to a multiple of four.
func padding(n int64) int64 { return -n & 3 }
