package consume

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// made is a record batch as a broker keeps it.
type made struct {
	base       int64
	last       int32 // last offset delta
	attributes uint16
	first, max int64
	records    []madeRecord
}

type madeRecord struct {
	millis, offset int64
	key, value     []byte
	headers        int
}

func (m made) bytes(t testing.TB) []byte {
	t.Helper()
	var body []byte
	for _, r := range m.records {
		b := []byte{0}
		b = binary.AppendVarint(b, r.millis)
		b = binary.AppendVarint(b, r.offset)
		for _, f := range [][]byte{r.key, r.value} {
			if f == nil {
				b = binary.AppendVarint(b, -1)
				continue
			}
			b = append(binary.AppendVarint(b, int64(len(f))), f...)
		}
		b = binary.AppendVarint(b, int64(r.headers))
		for range r.headers {
			b = append(binary.AppendVarint(b, 1), 'h')
			b = append(binary.AppendVarint(b, 1), 'v')
		}
		body = append(binary.AppendVarint(body, int64(len(b))), b...)
	}
	if codec := kafka.Compression(m.attributes & compressionMask).Codec(); codec != nil {
		var z bytes.Buffer
		w := codec.NewWriter(&z)
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		body = z.Bytes()
	}
	be := binary.BigEndian
	b := be.AppendUint64(nil, uint64(m.base))
	b = be.AppendUint32(b, uint32(49+len(body)))
	b = be.AppendUint32(b, 0)
	b = append(b, 2, 0, 0, 0, 0)
	b = be.AppendUint16(b, m.attributes)
	b = be.AppendUint32(b, uint32(m.last))
	b = be.AppendUint64(b, uint64(m.first))
	b = be.AppendUint64(b, uint64(m.max))
	b = append(b, bytes.Repeat([]byte{0xff}, 14)...) // no producer
	b = be.AppendUint32(b, uint32(len(m.records)))
	b = append(b, body...)
	be.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

func show(records []Record) (out []string) {
	for _, r := range records {
		out = append(out, fmt.Sprintf("%d@%d %s=%s nil:%t", r.Offset, r.Time.UnixMilli(), r.Key, r.Value, r.Value == nil))
	}
	return out
}

func TestParseBatches(t *testing.T) {
	two := made{base: 10, last: 1, first: 1000, max: 1005, records: []madeRecord{
		{0, 0, []byte("k"), []byte("v"), 2}, {5, 1, []byte("l"), nil, 0},
	}}
	stamped := two
	stamped.base, stamped.attributes = 12, logAppendTime
	for _, tc := range []struct {
		name    string
		batches []made
		cut     int
		from    int64
		next    int64
		want    []string
	}{
		{name: "nothing", from: 4, next: 4},
		{name: "producer's times", batches: []made{two}, from: 10, next: 12, want: []string{"10@1000 k=v nil:false", "11@1005 l= nil:true"}},
		{name: "broker's time", batches: []made{stamped}, from: 12, next: 14, want: []string{"12@1005 k=v nil:false", "13@1005 l= nil:true"}},
		{name: "begins before the offset", batches: []made{two}, from: 11, next: 12, want: []string{"11@1005 l= nil:true"}},
		{name: "a batch that is over", batches: []made{two, stamped}, from: 12, next: 14, want: []string{"12@1005 k=v nil:false", "13@1005 l= nil:true"}},
		{name: "emptied by compaction", batches: []made{{base: 20, last: 9}}, from: 20, next: 30},
		{name: "thinned by compaction", batches: []made{{base: 20, last: 9, records: []madeRecord{{0, 3, []byte("k"), []byte("v"), 0}}}}, from: 20, next: 30, want: []string{"23@0 k=v nil:false"}},
		{name: "control records", batches: []made{{base: 20, attributes: controlBatch, records: []madeRecord{{0, 0, []byte{0, 0, 0, 1}, []byte{0}, 0}}}}, from: 20, next: 21},
		{name: "cut off", batches: []made{two, stamped}, cut: 3, from: 10, next: 12, want: []string{"10@1000 k=v nil:false", "11@1005 l= nil:true"}},
		{name: "empty value", batches: []made{{base: 1, records: []madeRecord{{0, 0, []byte("k"), []byte{}, 0}}}}, from: 1, next: 2, want: []string{"1@0 k= nil:false"}},
	} {
		var b []byte
		for _, m := range tc.batches {
			b = append(b, m.bytes(t)...)
		}
		got, next, err := parseBatches(b[:len(b)-tc.cut], tc.from, &buffer{})
		if err != nil || next != tc.next || fmt.Sprint(show(got)) != fmt.Sprint(tc.want) {
			t.Errorf("%s: %v, next %d, error %v; want %v, next %d", tc.name, show(got), next, err, tc.want, tc.next)
		}
	}
	for codec := uint16(1); codec <= 4; codec++ {
		m := two
		m.attributes = codec
		got, next, err := parseBatches(m.bytes(t), 10, &buffer{})
		if err != nil || next != 12 || len(got) != 2 || string(got[0].Value) != "v" {
			t.Errorf("compression %d: %v, next %d, error %v", codec, show(got), next, err)
		}
	}
}

func TestParseBatchesRefuses(t *testing.T) {
	good := made{base: 10, last: 1, records: []madeRecord{{0, 0, []byte("k"), []byte("v"), 0}, {0, 1, []byte("k"), []byte("v"), 0}}}
	change := func(at int, to byte, checksum bool) []byte {
		b := good.bytes(t)
		b[at] = to
		if checksum {
			binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
		}
		return b
	}
	for name, b := range map[string][]byte{
		"checksum":         change(62, 0xff, false),
		"old format":       change(16, 1, false),
		"record length":    change(61, 0x7f, true),
		"unknown codec":    change(22, 7, true),
		"not compressed":   change(22, 4, true),
		"too many records": change(60, 9, true),
		"length":           change(11, 3, false),
	} {
		got, next, err := parseBatches(b, 10, &buffer{})
		var corrupt *corruptError
		if !errors.As(err, &corrupt) || next != 10 || corrupt.next <= 10 || len(got) != 0 {
			t.Errorf("%s: %v, next %d, error %v", name, show(got), next, err)
		}
	}
}

// unpack reads all that an answer holds, as a follower does that fetches from where it got to, and calls each with what it got each time.
func unpack(t *testing.T, b []byte, from, end int64, each func([]Record, *buffer)) {
	t.Helper()
	for from < end {
		buf := &buffer{}
		records, next, err := parseBatches(b, from, buf)
		if err != nil || next <= from {
			t.Fatalf("from %d: next %d, error %v", from, next, err)
		}
		each(records, buf)
		from = next
	}
}

// TestManySwollenBatches reads an answer of a few kilobytes whose batches swell to gigabytes: it takes the memory of two of them at most.
func TestManySwollenBatches(t *testing.T) {
	swollen := made{attributes: 4, records: []madeRecord{{key: []byte("k"), value: make([]byte, maxInflated-64)}}}
	one := swollen.bytes(t)
	var b []byte
	const batches = 8
	for i := range batches {
		binary.BigEndian.PutUint64(one, uint64(i)) // the base offset, which the checksum leaves out
		b = append(b, one...)
	}
	var got []int64
	unpack(t, b, 0, batches, func(records []Record, buf *buffer) {
		if len(buf.inflated) > 2*maxInflated {
			t.Fatalf("%d bytes are inflated at a time", len(buf.inflated))
		}
		for _, r := range records {
			got = append(got, r.Offset)
		}
	})
	if fmt.Sprint(got) != "[0 1 2 3 4 5 6 7]" {
		t.Errorf("read %v", got)
	}
}

// TestManySmallRecords reads a batch of more records than are taken at a time: none is left out, and none comes twice.
func TestManySmallRecords(t *testing.T) {
	const n = 2*maxRecords + 5
	m := made{base: 100, last: n - 1, attributes: 4, records: make([]madeRecord, n)}
	for i := range m.records {
		m.records[i].offset = int64(i)
	}
	next := int64(100)
	unpack(t, m.bytes(t), 100, 100+n, func(records []Record, _ *buffer) {
		if len(records) > maxRecords {
			t.Fatalf("%d records at a time", len(records))
		}
		for _, r := range records {
			if r.Offset != next {
				t.Fatalf("record %d comes where %d should", r.Offset, next)
			}
			next++
		}
	})
	if next != 100+n {
		t.Errorf("read up to %d of %d", next, 100+n)
	}
}

// FuzzParseBatches finds no input that panics, goes back, or yields records outside what it passed.
func FuzzParseBatches(f *testing.F) {
	f.Add(made{base: 10, last: 1, first: 5, records: []madeRecord{{0, 0, []byte("k"), []byte("v"), 1}, {1, 1, nil, nil, 0}}}.bytes(f), int64(10))
	f.Add(made{base: 10, attributes: 3, records: []madeRecord{{0, 0, []byte("k"), []byte("v"), 1}}}.bytes(f), int64(0))
	f.Fuzz(func(t *testing.T, b []byte, from int64) {
		if from < 0 {
			return
		}
		// Most changes break the checksum; mending it lets the others through.
		if len(b) > batchHeader {
			binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
		}
		records, next, err := parseBatches(b, from, &buffer{})
		if next < from {
			t.Fatalf("went back from %d to %d", from, next)
		}
		var corrupt *corruptError
		if err != nil && !errors.As(err, &corrupt) {
			t.Fatalf("error %v is of no known kind", err)
		}
		if err != nil && corrupt.next <= next {
			t.Fatalf("stands still at %d", next)
		}
		for _, r := range records {
			if r.Offset < from {
				t.Fatalf("record %d lies before %d", r.Offset, from)
			}
		}
	})
}

func FuzzParseFetch(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := parseFetch(b, 1); err == nil && len(got.records) > len(b) {
			t.Fatalf("%d bytes of records in an answer of %d", len(got.records), len(b))
		}
	})
}

func TestBackoff(t *testing.T) {
	b := backoff{min: 100 * time.Millisecond, max: time.Second}
	for i, want := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		want *= time.Millisecond
		if got := b.next(); got > want || got < want*3/4 {
			t.Errorf("wait %d is %s, want up to a quarter less than %s", i, got, want)
		}
	}
	b.reset()
	if got := b.next(); got > 100*time.Millisecond {
		t.Errorf("after a reset: %s", got)
	}
}
