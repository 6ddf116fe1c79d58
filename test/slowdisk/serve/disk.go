package main

import (
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/exameter/exameter/test/slowdisk"
)

// disk holds up what the kernel asks of a file system, as the settings say.
type disk struct {
	fuse.RawFileSystem

	mu       sync.Mutex
	settings slowdisk.Settings
	changed  chan struct{} // closed when the settings change
	free     time.Time     // when the disk has written what it was given
}

func (d *disk) set(s slowdisk.Settings) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settings = s
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *disk) now() (slowdisk.Settings, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settings, d.changed
}

// pass waits for as long as the settings of this moment say, and says what comes of the call. A disk that hangs does so for all of them.
func (d *disk) pass(wait func(slowdisk.Settings) time.Duration, fails func(slowdisk.Settings) bool) fuse.Status {
	for began := time.Now(); ; {
		s, changed := d.now()
		var timer <-chan time.Time
		if !s.Hangs {
			left := wait(s) - time.Since(began)
			if left <= 0 {
				if fails(s) {
					return fuse.EIO
				}
				return fuse.OK
			}
			timer = time.After(left)
		}
		select {
		case <-changed:
		case <-timer:
		}
	}
}

func (d *disk) read() fuse.Status {
	return d.pass(func(s slowdisk.Settings) time.Duration { return s.Read }, func(s slowdisk.Settings) bool { return s.FailsRead })
}

func (d *disk) change() fuse.Status {
	return d.pass(func(s slowdisk.Settings) time.Duration { return s.Write }, func(s slowdisk.Settings) bool { return s.FailsWrite })
}

func (d *disk) sync() fuse.Status {
	return d.pass(func(s slowdisk.Settings) time.Duration { return s.Sync }, func(s slowdisk.Settings) bool { return s.FailsWrite || s.FailsSync })
}

// look is what is answered from memory by a disk that is slow or broken, and by none that hangs.
func (d *disk) look() fuse.Status {
	return d.pass(func(slowdisk.Settings) time.Duration { return 0 }, func(slowdisk.Settings) bool { return false })
}

// write is a change that has to wait for those before it, where so many bytes go in a second.
func (d *disk) write(n int) fuse.Status {
	began := time.Now()
	d.mu.Lock()
	queue := time.Duration(0)
	if rate := d.settings.Rate; rate > 0 {
		if d.free.Before(began) {
			d.free = began
		}
		d.free = d.free.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
		queue = d.free.Sub(began)
	}
	d.mu.Unlock()
	return d.pass(func(s slowdisk.Settings) time.Duration {
		if s.Rate > 0 {
			return queue + s.Write
		}
		return s.Write
	}, func(s slowdisk.Settings) bool { return s.FailsWrite })
}

func (d *disk) Lookup(cancel <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if s := d.look(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.Lookup(cancel, h, name, out)
}

func (d *disk) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	if s := d.look(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.GetAttr(cancel, in, out)
}

func (d *disk) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if s := d.look(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.Open(cancel, in, out)
}

func (d *disk) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if s := d.look(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.OpenDir(cancel, in, out)
}

func (d *disk) StatFs(cancel <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	if s := d.look(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.StatFs(cancel, in, out)
}

func (d *disk) Flush(cancel <-chan struct{}, in *fuse.FlushIn) fuse.Status {
	if s := d.look(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.Flush(cancel, in)
}

func (d *disk) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	if s := d.read(); s != fuse.OK {
		return nil, s
	}
	return d.RawFileSystem.Read(cancel, in, buf)
}

func (d *disk) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	if s := d.read(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.ReadDir(cancel, in, out)
}

func (d *disk) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	if s := d.read(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.ReadDirPlus(cancel, in, out)
}

func (d *disk) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	if s := d.write(len(data)); s != fuse.OK {
		return 0, s
	}
	return d.RawFileSystem.Write(cancel, in, data)
}

func (d *disk) Writev(cancel <-chan struct{}, in *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	n := 0
	for _, b := range data {
		n += len(b)
	}
	if s := d.write(n); s != fuse.OK {
		return 0, s
	}
	return d.RawFileSystem.Writev(cancel, in, data)
}

func (d *disk) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	if s := d.change(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.Create(cancel, in, name, out)
}

func (d *disk) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	if s := d.change(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.SetAttr(cancel, in, out)
}

func (d *disk) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	if s := d.change(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.Mkdir(cancel, in, name, out)
}

func (d *disk) Unlink(cancel <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	if s := d.change(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.Unlink(cancel, h, name)
}

func (d *disk) Rmdir(cancel <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	if s := d.change(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.Rmdir(cancel, h, name)
}

func (d *disk) Rename(cancel <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	if s := d.change(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.Rename(cancel, in, from, to)
}

func (d *disk) Fallocate(cancel <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	if s := d.change(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.Fallocate(cancel, in)
}

func (d *disk) CopyFileRange(cancel <-chan struct{}, in *fuse.CopyFileRangeIn) (uint32, fuse.Status) {
	if s := d.write(int(in.Len)); s != fuse.OK {
		return 0, s
	}
	return d.RawFileSystem.CopyFileRange(cancel, in)
}

func (d *disk) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	if s := d.sync(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.Fsync(cancel, in)
}

func (d *disk) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	if s := d.sync(); s != fuse.OK {
		return s
	}
	return d.RawFileSystem.FsyncDir(cancel, in)
}
