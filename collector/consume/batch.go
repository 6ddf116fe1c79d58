package consume

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// maxInflated bounds a batch after decompression. Ours hold a record or a few; a mirror's may hold some megabytes.
const maxInflated = 16 << 20

// maxRecords bounds the records that are taken from one answer, so that batches of many small ones, which shrink to next to nothing, do not fill
// the memory. It stands far above what an answer holds otherwise.
const maxRecords = 1 << 16

// maxOffset is beyond what any partition reaches.
const maxOffset = 1 << 62

// Attributes of a record batch; see "Record Batch" in Kafka's documentation of the message format.
const (
	compressionMask = 0x07
	logAppendTime   = 0x08
	controlBatch    = 0x20
	batchHeader     = 61
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// corruptError says that a batch cannot be read, and where the next one begins.
type corruptError struct {
	next int64
	err  error
}

func (e *corruptError) Error() string { return "corrupt record batch: " + e.err.Error() }
func (e *corruptError) Unwrap() error { return e.err }

// parseBatches returns the records of the batches in b from offset from on, and the offset to go on with, which
// stands behind the last whole batch whether or not compaction left records in it. Where b holds more than fits into memory it ends earlier:
// the next fetch begins with the rest. The records share memory with b and with buf.
func parseBatches(b []byte, from int64, buf *buffer) ([]Record, int64, error) {
	next := from
	into := buf.records
	defer func() { buf.records = into[:0] }()
	for len(b) >= batchHeader {
		base := int64(binary.BigEndian.Uint64(b))
		length := int64(int32(binary.BigEndian.Uint32(b[8:])))
		if length < batchHeader-12 {
			return into, next, &corruptError{next + 1, fmt.Errorf("length %d", length)}
		}
		if length > int64(len(b)-12) {
			return into, next, nil // cut off; the next fetch brings it whole
		}
		batch := b[:12+length]
		b = b[12+length:]
		last := base + int64(int32(binary.BigEndian.Uint32(batch[23:])))
		if base < 0 || last < base || last >= maxOffset {
			return into, next, &corruptError{next + 1, fmt.Errorf("offsets %d to %d", base, last)}
		}
		if last < next {
			continue // the broker may begin with a batch that ends before the offset asked for
		}
		if len(buf.inflated) >= maxInflated {
			return into, next, nil
		}
		all, err := parseBatch(batch, base, next, into, buf)
		if err != nil {
			return into, next, &corruptError{last + 1, err}
		}
		if into = all; len(into) >= maxRecords {
			return into, min(into[len(into)-1].Offset, last) + 1, nil
		}
		next = last + 1
	}
	return into, next, nil
}

// parseBatch appends the records of one batch from offset from on, as long as there are fewer than maxRecords. Batches of control records hold
// none.
func parseBatch(b []byte, base, from int64, into []Record, buf *buffer) ([]Record, error) {
	if magic := b[16]; magic != 2 {
		return into, fmt.Errorf("message format %d, want 2", magic)
	}
	if have, want := crc32.Checksum(b[21:], castagnoli), binary.BigEndian.Uint32(b[17:]); have != want {
		return into, fmt.Errorf("checksum %08x, want %08x", have, want)
	}
	attributes := binary.BigEndian.Uint16(b[21:])
	if attributes&controlBatch != 0 {
		return into, nil
	}
	first, latest := int64(binary.BigEndian.Uint64(b[27:])), int64(binary.BigEndian.Uint64(b[35:]))
	count := int32(binary.BigEndian.Uint32(b[57:]))
	body, err := buf.inflate(b[batchHeader:], attributes&compressionMask)
	if err != nil {
		return into, err
	}
	r := reader{b: body}
	whole := len(into)
	for range count {
		rec, err := parseRecord(&r, base)
		if err != nil {
			return into[:whole], err
		}
		rec.millis += first
		if attributes&logAppendTime != 0 {
			rec.millis = latest // one time for the batch: the broker's when it appended it
		}
		if len(into) == maxRecords {
			break
		}
		if rec.Offset >= from {
			into = append(into, Record{Offset: rec.Offset, Time: time.UnixMilli(rec.millis), Key: rec.key, Value: rec.value})
		}
	}
	return into, nil
}

// inflate decompresses the records of a batch into the buffer, unless they are not compressed.
func (buf *buffer) inflate(b []byte, codec uint16) ([]byte, error) {
	if codec == 0 {
		return b, nil
	}
	c := kafka.Compression(codec).Codec()
	if c == nil {
		return nil, fmt.Errorf("compression %d is not known", codec)
	}
	have := len(buf.inflated)
	if codec == uint16(kafka.Lz4) {
		if out, ok := unframe(buf.inflated, b, maxInflated); ok {
			buf.inflated = out
			return out[have:len(out):len(out)], nil
		}
	}
	r := c.NewReader(bytes.NewReader(b))
	defer r.Close()
	out, err := readAtMost(buf.inflated, r, maxInflated)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	buf.inflated = out
	return out[have:len(out):len(out)], nil
}

// readAtMost appends what r yields, which is an error beyond limit bytes.
func readAtMost(dst []byte, r io.Reader, limit int) ([]byte, error) {
	for most := len(dst) + limit; ; {
		dst = slices.Grow(dst, 4<<10)
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > most:
			return dst, fmt.Errorf("more than %d bytes", limit)
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}

// rawRecord is a record with its time relative to its batch's.
type rawRecord struct {
	Offset     int64
	millis     int64
	key, value []byte
}

var errRecord = errors.New("record makes no sense")

// parseRecord reads one record.
func parseRecord(r *reader, base int64) (rec rawRecord, err error) {
	body := reader{b: r.take(int(r.varint()))}
	body.skip(1) // attributes, unused
	rec.millis = body.varint()
	rec.Offset = base + body.varint()
	if n := body.varint(); n >= 0 {
		rec.key = body.take(int(n))
	}
	if n := body.varint(); n >= 0 {
		rec.value = body.take(int(n))
	}
	// Headers follow, which nothing here reads.
	if r.bad || body.bad || rec.Offset < base {
		return rec, errRecord
	}
	return rec, nil
}

// reader takes a message apart. After a step beyond its end it is bad and yields zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	t := r.b[:n:n]
	r.b = r.b[n:]
	return t
}

func (r *reader) skip(n int) { r.take(n) }

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}
