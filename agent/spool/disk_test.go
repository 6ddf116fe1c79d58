package spool

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// clock is a wall clock that can be set and a time since boot that cannot.
type clock struct {
	wall   time.Time
	uptime time.Duration
}

func (c *clock) pass(d time.Duration) { c.wall, c.uptime = c.wall.Add(d), c.uptime+d }

func (c *clock) options(dir string) DiskOptions {
	return DiskOptions{
		Dir: dir, MaxBytes: 1 << 20, MaxAge: time.Hour, Boot: "boot-1",
		Now: func() time.Time { return c.wall }, Uptime: func() time.Duration { return c.uptime },
	}
}

func newClock() *clock {
	return &clock{wall: time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC), uptime: time.Hour}
}

type failer interface {
	Helper()
	Fatal(...any)
}

func open(t failer, o DiskOptions) *Disk {
	t.Helper()
	d, err := OpenDisk(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// words is a value of so many bytes, of which some compress.
func words(i, size int) []byte {
	v, rnd := fmt.Appendf(nil, "%d ", i), rand.New(rand.NewPCG(uint64(i), 1))
	for len(v) < size {
		v = fmt.Appendf(v, "exameter_device,host=h,id=%x ", rnd.Uint64())
	}
	return v[:max(size, len(fmt.Sprint(i))+1)]
}

func appendAll(t failer, d *Disk, from, to, size int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := d.Append(Record{Topic: "t", Key: []byte("host"), Value: words(i, size)}); err != nil {
			t.Fatal(err)
		}
	}
}

// drain delivers everything and returns the numbers of the records.
func drain(t failer, d *Disk) (got []int) {
	t.Helper()
	for {
		b, err := d.Next(7, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Records) == 0 {
			return got
		}
		for _, r := range b.Records {
			got = append(got, numberOf(t, r))
		}
		if err := d.Ack(b, len(b.Records)); err != nil {
			t.Fatal(err)
		}
	}
}

func numberOf(t failer, r Record) (i int) {
	t.Helper()
	if _, err := fmt.Sscanf(string(r.Value), "%d ", &i); err != nil || r.Topic != "t" || string(r.Key) != "host" || !bytes.Equal(r.Value, words(i, len(r.Value))) {
		t.Fatal(fmt.Sprintf("a record came back as %q %q %.60q: %v", r.Topic, r.Key, r.Value, err))
	}
	return i
}

func series(from, to int) (out []int) {
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

func segments(t failer, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".seg" {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names
}

// TestDiskOutlivesTheProcess opens what another left without a word, as after kill -9, and goes on where it was delivered up to.
func TestDiskOutlivesTheProcess(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	d := open(t, c.options(dir))
	appendAll(t, d, 0, 500, 2000)
	b, err := d.Next(100, 1<<20)
	if err != nil || len(b.Records) != 100 {
		t.Fatalf("%d records, %v", len(b.Records), err)
	}
	if err := d.Ack(b, 40); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDisk(c.options(dir)); !errors.Is(err, ErrInUse) {
		t.Fatalf("a second one opened it: %v", err)
	}
	_ = d.lock.Close() // all that the kernel does for a process that is gone
	d = open(t, c.options(dir))
	if s := d.Stats(); s.Records != 460 || s.Dropped != 0 || s.Broken != 0 {
		t.Errorf("after opening it again: %+v", s)
	}
	appendAll(t, d, 500, 510, 2000)
	if got := drain(t, d); !slices.Equal(got, series(40, 510)) {
		t.Errorf("delivered %v", got)
	}
	if s := d.Stats(); s != (Stats{}) {
		t.Errorf("an empty queue counts %+v", s)
	}
	if left := segments(t, dir); len(left) != 0 {
		t.Errorf("an empty queue leaves %v", left)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestDiskIsBounded drops and counts the oldest, by size and by age.
func TestDiskIsBounded(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	o := c.options(dir)
	d := open(t, o)
	appendAll(t, d, 0, 8000, 2000)
	s := d.Stats()
	if s.Bytes > o.MaxBytes || s.Bytes < o.MaxBytes*3/4 || s.Dropped == 0 || s.Records+s.Dropped != 8000 {
		t.Fatalf("%+v of at most %d bytes", s, o.MaxBytes)
	}
	first := int(s.Dropped)
	// A clock that is set makes nothing old; time that passes does.
	c.wall = c.wall.AddDate(10, 0, 0)
	appendAll(t, d, 8000, 8001, 100)
	if got := d.Stats(); got.Dropped != s.Dropped {
		t.Errorf("a clock that was set cost %d records", got.Dropped-s.Dropped)
	}
	c.pass(59 * time.Minute)
	appendAll(t, d, 8001, 8002, 100)
	if b, err := d.Next(1, 1<<20); err != nil || numberOf(t, b.Records[0]) != first {
		t.Errorf("after an hour less a minute the oldest is %v, want %d: %v", b.Records, first, err)
	}
	c.pass(2 * time.Minute)
	appendAll(t, d, 8002, 8003, 100)
	if s := d.Stats(); s.Records+s.Dropped != 8003 || s.Records > 3000 || s.Records < 3 {
		t.Errorf("after an hour and a minute: %+v", s)
	}
	c.pass(2 * time.Hour)
	if got := drain(t, d); len(got) != 0 {
		t.Errorf("delivered %d records that are too old", len(got))
	}
	if s := d.Stats(); s.Records != 0 || s.Dropped != 8003 {
		t.Errorf("at last: %+v", s)
	}
}

// TestDiskAfterAReboot judges the age of what an earlier boot left by the clock, and by the time since boot where that was set back.
func TestDiskAfterAReboot(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*clock)
		want   int
	}{
		{"soon", func(c *clock) { c.wall, c.uptime = c.wall.Add(5*time.Minute), time.Minute }, 10},
		{"late", func(c *clock) { c.wall, c.uptime = c.wall.Add(2*time.Hour), time.Minute }, 0},
		{"with a clock that begins anew", func(c *clock) { c.wall, c.uptime = time.Unix(0, 0), time.Minute }, 10},
		{"with such a clock, long after", func(c *clock) { c.wall, c.uptime = time.Unix(0, 0), 2*time.Hour }, 0},
	} {
		c, dir := newClock(), t.TempDir()
		d := open(t, c.options(dir))
		appendAll(t, d, 0, 10, 100)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		tc.change(c)
		o := c.options(dir)
		o.Boot = "boot-2"
		d = open(t, o)
		if got := drain(t, d); len(got) != tc.want {
			t.Errorf("%s: %d records came back, want %d", tc.name, len(got), tc.want)
		}
		if s := d.Stats(); s.Dropped != int64(10-tc.want) {
			t.Errorf("%s: %+v", tc.name, s)
		}
		_ = d.Close()
	}
}

// TestDiskAnywhere finds what it wrote in a folder whose name means something as a pattern.
func TestDiskAnywhere(t *testing.T) {
	c, dir := newClock(), filepath.Join(t.TempDir(), "rack[1]*?")
	d := open(t, c.options(dir))
	appendAll(t, d, 0, 3, 100)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	o := c.options(dir)
	o.Now = func() time.Time { return c.wall }
	if s, err := Look(o); err != nil || s.Records != 3 {
		t.Errorf("looked at: %+v, %v", s, err)
	}
	d = open(t, c.options(dir))
	defer d.Close()
	if got := drain(t, d); !slices.Equal(got, series(0, 3)) {
		t.Errorf("delivered %v", got)
	}
}

// TestDiskOpensWithoutReadingItAll looks at how much the kernel was asked to read: a large queue must not hold up the start of an agent, to
// which a twentieth of a processor is given.
func TestDiskOpensWithoutReadingItAll(t *testing.T) {
	read := func() (n int64) {
		b, err := os.ReadFile("/proc/self/io")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(string(b), "rchar: %d", &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	c, dir := newClock(), t.TempDir()
	o := c.options(dir)
	o.MaxBytes = 32 << 20
	d := open(t, o)
	n := 0
	for ; d.Stats().Bytes < 24<<20; n++ {
		appendAll(t, d, n, n+1, 100<<10)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	before := read()
	d = open(t, o)
	defer d.Close()
	if mib := (read() - before) >> 20; mib > 8 {
		t.Errorf("%d MiB of 24 were read", mib)
	}
	if s := d.Stats(); s.Records != int64(n) || s.Bytes < 24<<20 || s.Broken != 0 {
		t.Errorf("%+v of %d records", s, n)
	}
	if got := drain(t, d); !slices.Equal(got, series(0, n)) {
		t.Errorf("delivered %v", got)
	}
}

// TestDiskAgesByTheLastRecord drops a segment whose last record is too old, though what follows it is young.
func TestDiskAgesByTheLastRecord(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	for i := range 2 {
		d := open(t, c.options(dir))
		appendAll(t, d, 10*i, 10*i+10, 100)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		c.pass([]time.Duration{50 * time.Minute, 20 * time.Minute}[i])
	}
	d := open(t, c.options(dir))
	defer d.Close()
	if s := d.Stats(); s.Dropped != 10 || s.Records != 10 {
		t.Errorf("%+v", s)
	}
	if got := drain(t, d); !slices.Equal(got, series(10, 20)) {
		t.Errorf("delivered %v", got)
	}
}

// TestDiskCountsABrokenBeginning spoils the beginning of the oldest segment, whose name tells which record was its first.
func TestDiskCountsABrokenBeginning(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	d := open(t, c.options(dir))
	appendAll(t, d, 0, 300, 1500)
	b, err := d.Next(7, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Ack(b, 7), d.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segments(t, dir)[0], []byte("spoilt"), 0o640); err != nil {
		t.Fatal(err)
	}
	d = open(t, c.options(dir))
	defer d.Close()
	got := drain(t, d)
	if s := d.Stats(); s.Broken == 0 || int(s.Broken)+len(got)+7 != 300 {
		t.Errorf("delivered 7 and %d of 300, %+v", len(got), s)
	}
}

// TestDiskGoesOnAfterARefusal has a disk refuse the first record of a segment; the next is too long for what has been begun.
func TestDiskGoesOnAfterARefusal(t *testing.T) {
	c := newClock()
	d := open(t, c.options(t.TempDir()))
	defer d.Close()
	if err := d.extend(c.uptime.Nanoseconds(), 1); err != nil {
		t.Fatal(err)
	}
	if err := d.tail.Close(); err != nil { // no write succeeds any more
		t.Fatal(err)
	}
	if err := d.Append(Record{Topic: "t", Value: []byte("v")}); err == nil {
		t.Fatal("written to a closed file")
	}
	noise := make([]byte, 200<<10)
	rnd := rand.NewChaCha8([32]byte{})
	_, _ = rnd.Read(noise)
	for d.Append(Record{Topic: "t", Value: noise}) != nil {
	}
	b, err := d.Next(10, 1<<20)
	if err != nil || len(b.Records) != 1 || !bytes.Equal(b.Records[0].Value, noise) {
		t.Errorf("%d records came back, %v, %+v", len(b.Records), err, d.Stats())
	}
}

// TestDiskSkipsWhatIsBroken spoils files in all sorts of ways: what can be read comes back in order, and the rest is counted.
func TestDiskSkipsWhatIsBroken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "spool")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		c := newClock()
		o := c.options(dir)
		d := open(t, o)
		appendAll(t, d, 0, 300, 1500) // three segments or more
		live := rapid.Bool().Draw(t, "while it is open")
		if !live {
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		}
		names := segments(t, dir)
		if len(names) < 2 {
			t.Fatal("too few segments")
		}
		last := false
		for range rapid.IntRange(1, 4).Draw(t, "times") {
			n := rapid.IntRange(0, len(names)-1).Draw(t, "segment")
			last = last || n == len(names)-1
			b, err := os.ReadFile(names[n])
			if err != nil {
				continue // it was removed
			}
			at := rapid.IntRange(0, max(len(b)-1, 0)).Draw(t, "at")
			switch rapid.IntRange(0, 4).Draw(t, "how") {
			case 0:
				b = b[:at]
			case 1:
				copy(b[at:], bytes.Repeat([]byte{byte(rapid.IntRange(0, 255).Draw(t, "byte"))}, rapid.IntRange(1, 5000).Draw(t, "bytes")))
			case 2:
				b = slices.Insert(b, at, make([]byte, rapid.IntRange(1, 5000).Draw(t, "bytes"))...)
			case 3:
				b = slices.Delete(b, at, min(at+rapid.IntRange(1, 5000).Draw(t, "bytes"), len(b)))
			case 4:
				if err := os.Remove(names[n]); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := os.WriteFile(names[n], b, 0o640); err != nil {
				t.Fatal(err)
			}
		}
		if !live {
			d = open(t, o)
		}
		defer d.Close()
		appended := 300
		if !last || !live { // what is written to, and spoiled, is nobody's fault but the spoiler's
			appendAll(t, d, 1000, 1010, 1500)
			appended = 310
		}
		got := drain(t, d)
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("delivered %v", got)
		}
		s := d.Stats()
		if s.Records != 0 || s.Dropped != 0 || len(segments(t, dir)) != 0 {
			t.Fatalf("at last %+v, %v", s, segments(t, dir))
		}
		// What is lost at the very end of what there is, or with its file at the beginning, cannot be counted when it is opened again: nothing tells of it.
		if int(s.Broken)+len(got) > appended+1 || live && !last && int(s.Broken)+len(got) != appended {
			t.Fatalf("delivered %d of %d, %+v", len(got), appended, s)
		}
		if appended == 310 && (len(got) < 10 || got[len(got)-10] != 1000) {
			t.Fatalf("what was added afterwards did not come back: %v", got)
		}
	})
}

// broken is a file that cannot be read.
type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, syscall.EIO }

// TestDiskThatCannotBeRead tries for a minute, and then counts what cannot be read and goes on behind it.
func TestDiskThatCannotBeRead(t *testing.T) {
	c := newClock()
	d := open(t, c.options(t.TempDir()))
	defer d.Close()
	appendAll(t, d, 0, 300, 1500)
	fail := func() {
		t.Helper()
		d.out.file = broken{}
		if b, err := d.Next(7, 1<<20); !errors.Is(err, syscall.EIO) || len(b.Records) > 0 {
			t.Fatalf("read %d records, %v", len(b.Records), err)
		}
	}
	b, err := d.Next(10, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Ack(b, 10); err != nil {
		t.Fatal(err)
	}
	fail()
	c.pass(patience / 2)
	fail()
	if s := d.Stats(); s.Broken != 0 || s.Records != 290 {
		t.Errorf("within a minute: %+v", s)
	}
	d.out.file = d.file
	if b, err = d.Next(10, 1<<20); err != nil || numberOf(t, b.Records[0]) != 10 {
		t.Errorf("when it can be read again: %v, %v", b, err)
	}
	fail() // which begins a minute of its own
	c.pass(patience + time.Second)
	first := d.segments[0]
	lost := int64(first.end - d.head)
	if b, err = d.Next(10, 1<<20); err != nil || len(b.Records) == 0 || numberOf(t, b.Records[0]) != int(first.end) || d.Stats().Broken != lost {
		t.Errorf("after a minute: %v, %v, %+v, want %d given up", b, err, d.Stats(), lost)
	}
}

// TestDiskThatCannotBeOpenedIsKept opens a queue on a disk that fails to read the beginning of a part: that part is not thrown away for it.
func TestDiskThatCannotBeOpenedIsKept(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	d := open(t, c.options(dir))
	appendAll(t, d, 0, 3, 100)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	parts, err := segmentFiles(dir)
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	aside := filepath.Join(t.TempDir(), "part")
	if err := errors.Join(os.Rename(parts[0], aside), os.Symlink("/proc/self/mem", parts[0])); err != nil { // whose beginning reads as EIO
		t.Fatal(err)
	}
	if d, err := OpenDisk(c.options(dir)); !errors.Is(err, syscall.EIO) || d != nil {
		t.Fatalf("opened: %t, error %v", d != nil, err)
	}
	if err := errors.Join(os.Remove(parts[0]), os.Rename(aside, parts[0])); err != nil {
		t.Fatal(err)
	}
	d = open(t, c.options(dir))
	defer d.Close()
	if got := drain(t, d); !slices.Equal(got, series(0, 3)) || d.Stats().Broken != 0 {
		t.Errorf("delivered %v, %+v", got, d.Stats())
	}
}

// TestDiskLosesNothingUncounted drives a queue at random: every record is delivered, in order, or counted.
func TestDiskLosesNothingUncounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "spool")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		c := newClock()
		o := c.options(dir)
		o.MaxBytes = 1 << 17
		d := open(t, o)
		defer func() { _ = d.Close() }()
		made := 0
		var got []int
		var before Stats
		var flying Batch
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1:
				n := rapid.IntRange(1, 40).Draw(t, "records")
				appendAll(t, d, made, made+n, rapid.IntRange(10, 6000).Draw(t, "size"))
				made += n
			case 2:
				if flying, err = d.Next(rapid.IntRange(1, 20).Draw(t, "batch"), 1<<20); err != nil {
					t.Fatal(err)
				}
			case 3:
				n := rapid.IntRange(0, len(flying.Records)).Draw(t, "delivered")
				for _, r := range flying.Records[:n] {
					got = append(got, numberOf(t, r))
				}
				if err := d.Ack(flying, n); err != nil {
					t.Fatal(err)
				}
				if n < len(flying.Records) && rapid.Bool().Draw(t, "reject") {
					if err := d.Reject(flying, n); err != nil {
						t.Fatal(err)
					}
				}
				flying = Batch{}
			case 4:
				c.pass(time.Duration(rapid.IntRange(0, 40).Draw(t, "minutes")) * time.Minute)
			case 5:
				s := d.Stats()
				before.Dropped += s.Dropped
				before.Broken += s.Broken
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				d, flying = open(t, o), Batch{}
			}
		}
		s := d.Stats().Add(before)
		if int(s.Records-before.Records+s.Dropped)+len(got) != made || s.Broken != 0 {
			t.Fatalf("made %d, delivered %d, %+v", made, len(got), s)
		}
		got = append(got, drain(t, d)...)
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("delivered %v", got)
		}
	})
}

func TestDiskRefusesWhatIsTooLarge(t *testing.T) {
	d := open(t, newClock().options(t.TempDir()))
	defer d.Close()
	if err := d.Append(Record{Topic: "t", Value: make([]byte, maxValue+1)}); !errors.Is(err, errTooLarge) {
		t.Errorf("a record of more than 4 MiB: %v", err)
	}
	appendAll(t, d, 0, 3, 10)
	if got := drain(t, d); !slices.Equal(got, series(0, 3)) {
		t.Errorf("delivered %v", got)
	}
}

// FuzzSegment reads any bytes as a segment.
func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	d := open(f, newClock().options(dir))
	appendAll(f, d, 0, 3, 200)
	b, err := os.ReadFile(segments(f, dir)[0])
	if err != nil {
		f.Fatal(err)
	}
	_ = d.Close()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "00000000000000000000.seg"), b, 0o640); err != nil {
			t.Fatal(err)
		}
		d := open(t, newClock().options(dir))
		defer d.Close()
		for n := 0; ; n++ {
			got, err := d.Next(10, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Records) == 0 {
				break
			}
			if n > len(b) {
				t.Fatal("it does not end")
			}
			if err := d.Ack(got, len(got.Records)); err != nil {
				t.Fatal(err)
			}
		}
		appendAll(t, d, 5, 6, 10)
		if got := drain(t, d); len(got) != 1 || got[0] != 5 {
			t.Fatalf("delivered %v", got)
		}
	})
}

func BenchmarkDiskAppend(b *testing.B) {
	for _, sync := range []bool{false, true} {
		b.Run(fmt.Sprintf("sync=%t", sync), func(b *testing.B) {
			c := newClock()
			o := c.options(b.TempDir())
			o.MaxBytes = 64 << 20
			d := open(b, o)
			defer d.Close()
			v := words(7, 5000)
			b.SetBytes(int64(len(v)))
			for b.Loop() {
				if err := d.Append(Record{Topic: "exameter.v1.telemetry.c", Key: []byte("host"), Value: v}); err != nil {
					b.Fatal(err)
				}
				if sync {
					if err := d.Sync(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
