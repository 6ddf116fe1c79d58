package consume

import (
	"encoding/binary"
	"slices"

	"github.com/pierrec/lz4/v4"
)

// Parts of an LZ4 frame; see "LZ4 Frame Format Description".
const (
	lz4Magic         = 0x184D2204
	lz4Version       = 0x40
	lz4VersionMask   = 0xC3 // with what must be zero, and no dictionary
	lz4BlockChecksum = 0x10
	lz4Size          = 0x08
	lz4Raw           = 1 << 31
	lz4Window        = 64 << 10
)

// unframe appends to dst what the one LZ4 frame in b holds, at most limit bytes. Producers write a frame for each batch,
// which is a record where agents produce, so what a frame costs beside its blocks counts. Frames with anything out of the
// ordinary are left to a reader of frames at large: ok is false then. Their checksums are not looked at, for the batch's
// own covers them.
func unframe(dst, b []byte, limit int) (out []byte, ok bool) {
	le := binary.LittleEndian
	if len(b) < 7 || le.Uint32(b) != lz4Magic || b[4]&lz4VersionMask != lz4Version {
		return dst, false
	}
	flags, kind := b[4], b[5]>>4
	if kind < 4 || kind > 7 {
		return dst, false
	}
	largest := 1 << (8 + 2*kind)
	head := 7
	if flags&lz4Size != 0 {
		head += 8
	}
	start := len(dst)
	for out, b = dst, b[min(head, len(b)):]; len(b) >= 4; {
		size := le.Uint32(b)
		if b = b[4:]; size == 0 {
			return out, true
		}
		n := int(size &^ lz4Raw)
		if n > largest || n > len(b) || len(out)-start > limit {
			return dst, false
		}
		if size&lz4Raw != 0 {
			out = append(out, b[:n]...)
		} else if out, ok = block(out, b[:n], start, min(largest, limit-(len(out)-start))); !ok {
			return dst, false
		}
		if b = b[n:]; flags&lz4BlockChecksum != 0 {
			b = b[min(4, len(b)):]
		}
		if len(out)-start > limit {
			return dst, false
		}
	}
	return dst, false
}

// block appends what a compressed block holds, at most limit bytes. Blocks may refer to what lies before them, from start.
func block(out, b []byte, start, limit int) ([]byte, bool) {
	have := len(out)
	// Reports shrink to a sixth or so. A block cannot grow more than 255 times.
	for room := min(8*len(b), limit); ; room = min(4*room, limit) {
		out = slices.Grow(out, room)
		free := out[have : have+min(cap(out)-have, limit)]
		n, err := lz4.UncompressBlockWithDict(b, free, out[max(start, have-lz4Window):have])
		if err == nil {
			return out[:have+n], true
		}
		if len(free) >= min(255*len(b), limit) {
			return out, false
		}
	}
}
