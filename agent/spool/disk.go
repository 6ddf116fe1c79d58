package spool

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Defaults and bounds of a queue on disk.
const (
	minSegment = 64 << 10
	maxSegment = 4 << 20
	// freeShare is the part of a file system that a queue leaves to others, in hundredths.
	freeShare = 5
	// patience is how long a place that cannot be read is tried before it counts as broken: a disk that fails may come back.
	patience = time.Minute
)

// ErrInUse says that another process has the directory open.
var ErrInUse = errors.New("in use by another process")

// ErrFull says that the file system has no room to spare.
var ErrFull = fmt.Errorf("the file system has less than %d %% of its room left", freeShare)

// DiskOptions say where a queue on disk is and what it may hold.
type DiskOptions struct {
	Dir      string
	MaxBytes int64
	MaxAge   time.Duration
	Boot     string               // this boot's id
	Uptime   func() time.Duration // since boot, by a clock that nobody can set
	Now      func() time.Time
}

// Disk is a bounded queue of records on disk, for what Kafka cannot be given now. Records come out in the order in which they went in. The
// oldest make room when it is full, and leave when they are too old; either is counted.
//
// It lies in files of its own (segments), each record with a checksum. What is broken is skipped and counted. Records are with the kernel
// when Append returns, so that they outlive the process; Sync brings them to the disk, so that they outlive the machine.
//
// One goroutine uses it; Stats may be called from any.
type Disk struct {
	o        DiskOptions
	boot     uint64
	lock     *os.File
	cursor   *os.File // holds the number of the next record that was not delivered
	packer   packer
	unsynced bool

	segments []*segment // by number; the last one may be written to
	tail     *os.File   // of the last one; nil where none is written to
	next     uint64     // number of the next record
	head     uint64     // number of the next record that was not delivered
	fallen   uint64     // number after the last record that was dropped
	out      reader     // of the first segment
	file     *os.File   // what it reads
	unwell   bool       // it could not be read, since the time since boot that unread has
	unread   time.Duration

	mu    sync.Mutex
	stats Stats
}

// segment is one file.
type segment struct {
	header
	path string
	size int64  // of what is whole
	end  uint64 // number after the last record
	last int64  // when that was written, by the time since boot, ns
	// guessed says that end and last are those at which the next segment begins: nothing in this one is later.
	guessed bool
}

// suffix is what the files of segments end with.
const suffix = ".seg"

// segmentFiles lists the files of segments, by number.
func segmentFiles(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the spool: %w", err)
	}
	for _, e := range entries { // by name
		if strings.HasSuffix(e.Name(), suffix) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil
}

// OpenDisk opens a queue, which is made if it is not there.
func OpenDisk(o DiskOptions) (*Disk, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the spool's directory: %w", err)
	}
	d := &Disk{o: o, boot: hashOf(o.Boot)}
	if err := d.open(); err != nil {
		return nil, errors.Join(err, d.release())
	}
	return d, nil
}

func hashOf(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}

func (d *Disk) open() (err error) {
	if d.lock, err = os.OpenFile(filepath.Join(d.o.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o640); err != nil {
		return fmt.Errorf("open the spool's lock: %w", err)
	}
	if err := unix.Flock(int(d.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrInUse
		}
		return fmt.Errorf("lock the spool %q: %w", d.o.Dir, err)
	}
	if d.cursor, err = os.OpenFile(filepath.Join(d.o.Dir, "cursor"), os.O_CREATE|os.O_RDWR, 0o640); err != nil {
		return fmt.Errorf("open the spool's cursor: %w", err)
	}
	lost, err := d.list()
	if err != nil {
		return err
	}
	d.head = d.readCursor()
	if n := len(d.segments); n > 0 {
		d.stats.Broken += span(max(d.head, lost), d.segments[0].first)
		d.next = d.segments[n-1].end
		d.head = min(max(d.head, d.segments[0].first), d.next)
	}
	d.next = max(d.next, d.head)
	d.tidy()
	d.expire()
	d.count()
	return nil
}

// list finds the segments. Of most the beginning alone is read, which tells by its number what the one before holds: a large queue must not
// hold up the start. Lost is the number of the first record of what is broken before all that is not; the highest number where nothing is.
func (d *Disk) list() (lost uint64, err error) {
	names, err := segmentFiles(d.o.Dir)
	if err != nil {
		return 0, err
	}
	lost = math.MaxUint64
	for i, name := range names {
		s, err := begun(name)
		if err != nil {
			return 0, err
		}
		if s == nil { // the numbers tell how much was in it, unless it is the last
			if number, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(name), suffix), 10, 64); err == nil && len(d.segments) == 0 {
				lost = min(lost, number)
			}
			if i == len(names)-1 {
				d.stats.Broken++
			}
			if err := os.Remove(name); err != nil {
				return 0, fmt.Errorf("remove a broken part of the spool: %w", err)
			}
			continue
		}
		d.segments = append(d.segments, s)
	}
	for i, s := range d.segments {
		last := i == len(d.segments)-1
		if !last && d.segments[i+1].boot == s.boot && d.segments[i+1].first > s.first {
			s.end, s.last, s.guessed = d.segments[i+1].first, d.segments[i+1].uptime, true
			continue
		}
		torn, err := s.scan()
		if err != nil {
			return 0, err
		}
		if last && torn && s.path == names[len(names)-1] {
			d.stats.Broken++
		}
	}
	d.segments = slices.DeleteFunc(d.segments, func(s *segment) bool {
		if s.end > s.first {
			return false
		}
		err = errors.Join(err, os.Remove(s.path))
		return true
	})
	if err != nil {
		return 0, fmt.Errorf("remove an empty part of the spool: %w", err)
	}
	return lost, nil
}

// span is how many numbers there are from one up to another.
func span(from, to uint64) int64 {
	if to <= from {
		return 0
	}
	return int64(min(to-from, 1<<40))
}

// scan reads a segment through, and reports whether something that is no record comes after the last one. A file that the kernel cannot read
// ends where it cannot.
func (s *segment) scan() (torn bool, err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return false, fmt.Errorf("open a part of the spool: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return false, fmt.Errorf("read a part of the spool: %w", err)
	}
	r := reader{file: f, at: int64(headerSize)}
	s.size, s.end, s.last, s.guessed = r.at, s.first, s.uptime, false
	for {
		one, err := r.next(st.Size())
		if err != nil {
			return s.size < st.Size(), nil
		}
		if one.number >= s.end {
			s.end, s.size, s.last = one.number+1, r.at, one.uptime
		}
	}
}

// readCursor returns how far delivery was. Where that cannot be read, records are delivered once more.
func (d *Disk) readCursor() uint64 {
	b := make([]byte, 21)
	n, _ := d.cursor.ReadAt(b, 0)
	text, ok := strings.CutSuffix(string(b[:n]), "\n")
	number, err := strconv.ParseUint(strings.TrimLeft(text, "0"), 10, 64)
	if !ok || err != nil {
		return 0
	}
	return number
}

func (d *Disk) writeCursor() error {
	if _, err := d.cursor.WriteAt(fmt.Appendf(nil, "%020d\n", d.head), 0); err != nil {
		return fmt.Errorf("note how far the spool was delivered: %w", err)
	}
	return nil
}

// Append adds a record at the end. Where it fails, the record is not in the queue.
func (d *Disk) Append(r Record) error {
	up := d.o.Uptime().Nanoseconds()
	b, err := d.packer.pack(&r, d.next, up)
	if err != nil {
		return err
	}
	if err := d.extend(up, int64(len(b))); err != nil {
		return err
	}
	s := d.segments[len(d.segments)-1]
	if _, err := d.tail.WriteAt(b, s.size); err != nil {
		// Half a frame may stand there; the next one is written over it.
		return fmt.Errorf("write to the spool: %w", err)
	}
	s.size += int64(len(b))
	s.last = up
	d.next++
	s.end = d.next
	d.unsynced = true
	d.makeRoom()
	d.expire()
	d.count()
	return nil
}

// extend sees to it that there is a segment with room for n more bytes.
func (d *Disk) extend(up, n int64) error {
	if k := len(d.segments); d.tail != nil && k > 0 && d.segments[k-1].size+n <= d.segmentBytes() {
		return nil
	}
	if err := d.endSegment(); err != nil {
		return err
	}
	if k := len(d.segments); k > 0 && d.segments[k-1].end == d.segments[k-1].first {
		d.leave(k - 1) // nothing could be written to it; the next has its number, and its name
	}
	if !spare(d.o.Dir) {
		if len(d.segments) < 2 {
			return ErrFull
		}
		d.drop() // its own oldest records, rather than others' room
	}
	h := header{first: d.next, wall: d.o.Now().UnixNano(), uptime: up, boot: d.boot}
	path := filepath.Join(d.o.Dir, fmt.Sprintf("%020d%s", d.next, suffix))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o640)
	if err != nil {
		return fmt.Errorf("begin a part of the spool: %w", err)
	}
	if _, err := f.Write(h.append(nil)); err != nil {
		return errors.Join(fmt.Errorf("begin a part of the spool: %w", err), f.Close(), os.Remove(path))
	}
	d.tail = f
	d.segments = append(d.segments, &segment{header: h, path: path, size: int64(headerSize), end: h.first, last: up})
	return nil
}

// segmentBytes is how long a segment grows. A full queue is never less than seven eighths full.
func (d *Disk) segmentBytes() int64 {
	return min(max(d.o.MaxBytes/8, minSegment), maxSegment)
}

// endSegment syncs and closes the segment that is written to.
func (d *Disk) endSegment() error {
	if d.tail == nil {
		return nil
	}
	err := errors.Join(d.Sync(), d.tail.Close())
	d.tail = nil
	if err != nil {
		return fmt.Errorf("end a part of the spool: %w", err)
	}
	return nil
}

// Sync brings what was appended to the disk.
func (d *Disk) Sync() error {
	if !d.unsynced || d.tail == nil {
		return nil
	}
	if err := d.tail.Sync(); err != nil {
		return fmt.Errorf("sync the spool: %w", err)
	}
	d.unsynced = false
	return nil
}

// makeRoom drops the oldest segments beyond the bound.
func (d *Disk) makeRoom() {
	for len(d.segments) > 1 && d.bytes() > d.o.MaxBytes {
		d.drop()
	}
}

func (d *Disk) bytes() (n int64) {
	for _, s := range d.segments {
		n += s.size
	}
	return n
}

// expire drops segments whose last record is too old. Within a boot age goes by the time since boot, whatever happens to the clock; what
// is older than the boot is at least as old as it, and for the rest the clock has to be believed.
func (d *Disk) expire() {
	up := d.o.Uptime()
	for len(d.segments) > 0 {
		s := d.segments[0]
		if s.guessed && d.age(up, s, s.uptime) > d.o.MaxAge && d.age(up, s, s.last) <= d.o.MaxAge {
			end := s.end
			_, _ = s.scan() // else it stays too young
			s.end = max(s.end, end)
		}
		if d.age(up, s, s.last) <= d.o.MaxAge {
			return
		}
		d.drop()
	}
}

// age is how old what was written to a segment at a time since boot is.
func (d *Disk) age(up time.Duration, s *segment, at int64) time.Duration {
	if s.boot == d.boot {
		return up - time.Duration(at)
	}
	written := time.Unix(0, s.wall).Add(time.Duration(at - s.uptime))
	return max(up, d.o.Now().Sub(written))
}

// drop drops the oldest segment with what was not delivered of it.
func (d *Disk) drop() {
	s := d.segments[0]
	d.note(span(max(d.head, s.first), s.end), span(d.head, s.first))
	d.remove()
	d.head = max(d.head, s.end)
	d.fallen = s.end
	_ = d.writeCursor() // else it is found to be behind the first segment
}

// remove removes the oldest segment.
func (d *Disk) remove() {
	if len(d.segments) == 1 && d.tail != nil {
		_ = d.tail.Close() // nothing in it is wanted any more
		d.tail, d.unsynced = nil, false
	}
	_ = os.Remove(d.segments[0].path) // else it is found to be delivered when the queue is opened again
	d.leave(0)
}

// leave takes a segment off the list.
func (d *Disk) leave(i int) {
	if i == 0 && d.file != nil {
		_ = d.file.Close()
		d.file = nil
	}
	d.segments = slices.Delete(d.segments, i, i+1)
}

// tidy removes segments all of which was delivered.
func (d *Disk) tidy() {
	for len(d.segments) > 0 && d.segments[0].end <= d.head {
		d.remove()
	}
}

func (d *Disk) count() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Records, d.stats.Bytes = 0, d.bytes()
	for _, s := range d.segments {
		d.stats.Records += span(max(d.head, s.first), s.end)
	}
}

// Next returns the oldest records of one topic, at most the given records and bytes, but at least one, unless there is none. They stay in
// the queue until they are acknowledged.
func (d *Disk) Next(maxRecords int, maxBytes int64) (Batch, error) {
	d.expire()
	defer d.count()
	for len(d.segments) > 0 {
		b, err := d.read(maxRecords, maxBytes)
		if err != nil || len(b.Records) > 0 {
			return b, err
		}
		// Nothing is left in this segment that can be read.
		d.unwell = false
		end := d.segments[0].end
		d.note(0, span(d.head, end))
		d.head = max(d.head, end)
		d.tidy()
	}
	return Batch{}, nil
}

// read reads from the first segment on from the cursor.
func (d *Disk) read(maxRecords int, maxBytes int64) (b Batch, err error) {
	s := d.segments[0]
	if d.file == nil {
		if d.file, err = os.Open(s.path); err != nil {
			d.file = nil
			if errors.Is(err, os.ErrNotExist) {
				return b, nil // somebody removed it
			}
			return b, fmt.Errorf("read the spool: %w", err)
		}
		d.out = reader{file: d.file, at: int64(headerSize), buf: d.out.buf}
	}
	from := d.out.at
	defer func() { d.out.at = from }()
	var bytes int64
	for {
		f, err := d.out.next(s.size)
		if err != nil && !errors.Is(err, io.EOF) && len(b.Records) == 0 && d.hopes() {
			return b, fmt.Errorf("read the spool: %w", err)
		}
		if err != nil {
			return b, nil // the end, or what the kernel cannot read
		}
		d.unwell = false
		if f.number < d.head || f.number >= s.end {
			if len(b.Records) == 0 {
				from = d.out.at
			}
			continue
		}
		bytes += f.Record.size()
		if len(b.Records) > 0 && (len(b.Records) >= maxRecords || bytes > maxBytes || f.Topic != b.Records[0].Topic) {
			return b, nil
		}
		b.Records, b.numbers = append(b.Records, f.Record), append(b.numbers, f.number)
	}
}

// hopes says whether what cannot be read now is to be tried again.
func (d *Disk) hopes() bool {
	up := d.o.Uptime()
	if !d.unwell {
		d.unwell, d.unread = true, up
	}
	return up-d.unread < patience
}

// note counts what fell out of the queue.
func (d *Disk) note(dropped, broken int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Dropped += dropped
	d.stats.Broken += broken
}

// Ack removes the first n records of a batch: they were delivered.
func (d *Disk) Ack(b Batch, n int) error {
	if n <= 0 {
		return nil
	}
	fell := int64(0) // dropped while they were on their way, and arrived
	for _, number := range b.numbers[:n] {
		if number < d.fallen {
			fell++
		}
	}
	d.note(-fell, 0)
	return d.pass(b.numbers[n-1]+1, int64(n)-fell)
}

// Reject removes the record with the given index of a batch, those before which were acknowledged: it can never be delivered, and counts as
// dropped.
func (d *Disk) Reject(b Batch, i int) error {
	if b.numbers[i] < d.head {
		return nil // it fell out meanwhile
	}
	d.note(1, 0)
	return d.pass(b.numbers[i]+1, 1)
}

// pass goes on behind so many records. Numbers that are passed by without a record are of what could not be read.
func (d *Disk) pass(to uint64, records int64) error {
	if to <= d.head {
		return nil
	}
	d.note(0, max(span(d.head, to)-records, 0))
	d.head = to
	d.tidy()
	d.count()
	return d.writeCursor()
}

// Resize changes the bounds.
func (d *Disk) Resize(maxBytes int64, maxAge time.Duration) {
	d.o.MaxBytes, d.o.MaxAge = maxBytes, maxAge
	d.makeRoom()
	d.expire()
	d.count()
}

// Stats counts what is in the queue now.
func (d *Disk) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats
}

// Close syncs and closes the queue. What is in it is there when it is opened again.
func (d *Disk) Close() error {
	return errors.Join(d.endSegment(), d.release())
}

func (d *Disk) release() error {
	var errs []error
	for _, f := range []*os.File{d.file, d.cursor, d.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
