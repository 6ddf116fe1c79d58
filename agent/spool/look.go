package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Standing is how a queue on disk stands, seen from outside.
type Standing struct {
	Records, Bytes int64         // that wait
	Oldest         time.Duration // for how long the oldest of them has waited at most
	Full           bool          // the file system has no room to spare
}

// Look says how a queue on disk stands, whoever has it open. It changes nothing. The error is fs.ErrNotExist where there is none, and
// fs.ErrPermission where this user could not write to it.
func Look(o DiskOptions) (Standing, error) {
	var s Standing
	if _, err := os.Stat(o.Dir); err != nil {
		return s, fmt.Errorf("look at the spool: %w", err)
	}
	if err := unix.Access(o.Dir, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
		return s, fmt.Errorf("look at the spool %q: %w", o.Dir, err)
	}
	s.Full = !spare(o.Dir)
	d := &Disk{o: o, boot: hashOf(o.Boot)}
	if f, err := os.Open(filepath.Join(o.Dir, "cursor")); err == nil {
		d.cursor = f
		defer f.Close()
		d.head = d.readCursor()
	}
	names, err := segmentFiles(o.Dir)
	if err != nil {
		return s, err
	}
	var before *segment
	for _, name := range names {
		seg, err := begun(name)
		switch {
		case errors.Is(err, os.ErrNotExist): // delivered meanwhile
			continue
		case err != nil:
			return s, err
		case seg == nil: // broken
			continue
		}
		if before != nil {
			before.end = seg.first // the numbers tell how much is in it
			s.add(d, before)
		}
		before = seg
	}
	if before == nil {
		return s, nil
	}
	switch _, err := before.scan(); {
	case errors.Is(err, os.ErrNotExist): // delivered meanwhile
	case err != nil:
		return s, err
	default:
		s.add(d, before)
	}
	return s, nil
}

// begun reads the beginning of a segment, and nothing where that is broken. Where the disk does not give it, it may be whole: that is an error.
func begun(name string) (*segment, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open a part of the spool: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read a part of the spool: %w", err)
	}
	b := make([]byte, headerSize)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read a part of the spool: %w", err)
	}
	h, err := parseHeader(b[:n])
	if err != nil {
		return nil, nil
	}
	return &segment{header: h, path: name, size: st.Size()}, nil
}

func (s *Standing) add(d *Disk, seg *segment) {
	n := span(max(d.head, seg.first), seg.end)
	if n == 0 {
		return
	}
	age := d.o.Uptime() - time.Duration(seg.uptime)
	if seg.boot != d.boot {
		age = d.o.Now().Sub(time.Unix(0, seg.wall))
	}
	s.Records += n
	s.Bytes += seg.size
	s.Oldest = max(s.Oldest, age)
}

// spare reports whether the file system of a directory has room that others do not need.
func spare(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) != nil || fs.Bavail >= fs.Blocks/100*freeShare
}
