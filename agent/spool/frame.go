package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/pierrec/lz4/v4"
)

// A segment is a header and frames, one a record. All numbers are little-endian.
//
//	header: magic "EXSPOOL1", number of the first record (8), wall clock (8, ns), uptime (8, ns), hash of the boot id (8), CRC-32C of these
//	frame:  mark (4), length of the rest behind the checksum (4), CRC-32C of length and rest (4), number (8), uptime (8, ns),
//	        length of the topic (2), topic, length of the key (2), key, length of the value (4), value, compressed with LZ4 where that is shorter
//
// The mark lets a reader find the next frame behind one that is broken; the numbers tell how many records were lost there.
const (
	magic      = "EXSPOOL1"
	headerSize = len(magic) + 4*8 + 4
	frameMark  = 0xf5e3a1c7
	prefixSize = 12
	fixedSize  = 8 + 8 + 2 + 2 + 4

	maxTopic = 249 // of Kafka
	maxKey   = 1 << 10
	maxValue = 4 << 20 // what a record may hold; brokers take a quarter of it unless told otherwise
	maxFrame = fixedSize + maxTopic + maxKey + maxValue
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errBroken   = errors.New("broken")
	errTooLarge = errors.New("the record is too large to be kept on disk")
)

// header says what a segment begins with.
type header struct {
	first  uint64
	wall   int64 // ns
	uptime int64 // ns since boot
	boot   uint64
}

func (h *header) append(b []byte) []byte {
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint64(b, h.first)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.wall))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.uptime))
	b = binary.LittleEndian.AppendUint64(b, h.boot)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[len(b)-headerSize+4:], castagnoli))
}

func parseHeader(b []byte) (h header, err error) {
	if len(b) < headerSize || !bytes.HasPrefix(b, []byte(magic)) || crc32.Checksum(b[:headerSize-4], castagnoli) != binary.LittleEndian.Uint32(b[headerSize-4:]) {
		return h, errBroken
	}
	u := func(i int) uint64 { return binary.LittleEndian.Uint64(b[len(magic)+8*i:]) }
	return header{u(0), int64(u(1)), int64(u(2)), u(3)}, nil
}

// packer writes frames.
type packer struct {
	lz  lz4.Compressor
	out []byte
}

// pack returns a record's frame, which is good until the next call.
func (p *packer) pack(r *Record, number uint64, uptime int64) ([]byte, error) {
	if len(r.Topic) > maxTopic || len(r.Key) > maxKey || len(r.Value) > maxValue {
		return nil, fmt.Errorf("%w: topic of %d bytes, key of %d, value of %d", errTooLarge, len(r.Topic), len(r.Key), len(r.Value))
	}
	le := binary.LittleEndian
	b := append(p.out[:0], make([]byte, prefixSize)...)
	b = le.AppendUint64(b, number)
	b = le.AppendUint64(b, uint64(uptime))
	b = append(le.AppendUint16(b, uint16(len(r.Topic))), r.Topic...)
	b = append(le.AppendUint16(b, uint16(len(r.Key))), r.Key...)
	b = le.AppendUint32(b, uint32(len(r.Value)))
	at := len(b)
	b = append(b, make([]byte, len(r.Value))...)
	// As much room as the value itself takes: what does not become shorter is stored as it is.
	if n, err := p.lz.CompressBlock(r.Value, b[at:]); err == nil && n > 0 && n < len(r.Value) {
		b = b[:at+n]
	} else {
		copy(b[at:], r.Value)
	}
	le.PutUint32(b, frameMark)
	le.PutUint32(b[4:], uint32(len(b)-prefixSize))
	le.PutUint32(b[8:], frameSum(b[4:8], b[prefixSize:]))
	p.out = b
	return b, nil
}

func frameSum(length, rest []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, rest)
}

// frame is a record as it stands in a segment.
type frame struct {
	Record
	number uint64
	uptime int64
	size   int64 // in the file
}

// reader reads the frames of a segment up to a size, which a writer may let grow meanwhile.
type reader struct {
	file io.ReaderAt
	at   int64 // of the next frame
	buf  []byte
}

// next returns the next whole frame before size, whatever stands before it; io.EOF where there is none.
func (r *reader) next(size int64) (frame, error) {
	for {
		f, err := r.frame(size)
		if !errors.Is(err, errBroken) {
			return f, err
		}
		if err := r.seek(size); err != nil {
			return f, err
		}
	}
}

// frame reads the frame that begins here, and goes on behind it.
func (r *reader) frame(size int64) (f frame, err error) {
	if r.at >= size {
		return f, io.EOF
	}
	prefix, err := r.read(r.at, prefixSize, size)
	if err != nil {
		return f, err
	}
	le := binary.LittleEndian
	length := int64(le.Uint32(prefix[4:]))
	sum := le.Uint32(prefix[8:])
	if le.Uint32(prefix) != frameMark || length < fixedSize || length > maxFrame {
		return f, errBroken
	}
	whole, err := r.read(r.at, prefixSize+length, size)
	if err != nil {
		return f, err
	}
	if frameSum(whole[4:8], whole[prefixSize:]) != sum || !f.parse(whole[prefixSize:]) {
		return f, errBroken
	}
	f.size = prefixSize + length
	r.at += f.size
	return f, nil
}

// parse takes a frame apart whose checksum is right. It copies what it returns.
func (f *frame) parse(b []byte) bool {
	le := binary.LittleEndian
	f.number, f.uptime, b = le.Uint64(b), int64(le.Uint64(b[8:])), b[16:]
	short := func() (v []byte, ok bool) {
		if len(b) < 2 || len(b)-2 < int(le.Uint16(b)) {
			return nil, false
		}
		v, b = b[2:2+le.Uint16(b)], b[2+le.Uint16(b):]
		return v, true
	}
	topic, ok := short()
	if !ok {
		return false
	}
	key, ok := short()
	if !ok || len(b) < 4 || le.Uint32(b) > maxValue {
		return false
	}
	value := make([]byte, le.Uint32(b))
	if b = b[4:]; len(b) == len(value) {
		copy(value, b)
	} else if n, err := lz4.UncompressBlock(b, value); err != nil || n != len(value) {
		return false
	}
	f.Record = Record{Topic: string(topic), Key: bytes.Clone(key), Value: value}
	return true
}

// read reads n bytes at an offset. What would reach beyond size is broken: no writer leaves half a frame behind unless it was killed.
func (r *reader) read(at, n, size int64) ([]byte, error) {
	if n > size-at {
		return nil, errBroken
	}
	if int64(cap(r.buf)) < n {
		r.buf = make([]byte, max(n, 16<<10))
	}
	b := r.buf[:n]
	if _, err := r.file.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	} else if err != nil {
		return nil, errBroken // shorter than it was
	}
	return b, nil
}

// seek goes to the next mark behind this place, or to the end.
func (r *reader) seek(size int64) error {
	var mark [4]byte
	binary.LittleEndian.PutUint32(mark[:], frameMark)
	for at := r.at + 1; ; {
		n := min(64<<10, size-at)
		if n < int64(len(mark)) {
			r.at = size
			return nil
		}
		b, err := r.read(at, n, size)
		if errors.Is(err, errBroken) {
			r.at = size
			return nil
		}
		if err != nil {
			r.at = size
			return err
		}
		if i := bytes.Index(b, mark[:]); i >= 0 {
			r.at = at + int64(i)
			return nil
		}
		at += n - int64(len(mark)) + 1
	}
}
