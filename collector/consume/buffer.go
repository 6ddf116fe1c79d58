package consume

import (
	"sync"
	"unsafe"
)

// buffer is the memory of one fetch: the answer, what its batches were inflated to, and the records, which lie in one of
// the two. Buffers go round: a fetch takes one when its answer arrives, and gives it back when its records are applied.
type buffer struct {
	body     []byte
	inflated []byte
	records  []Record
}

// maxKept bounds a buffer that is kept for later.
const maxKept = 8 << 20

var buffers = sync.Pool{New: func() any { return &buffer{} }}

// take returns a buffer with room for a body of n bytes.
func take(n int) *buffer {
	b := buffers.Get().(*buffer)
	if cap(b.body) < n {
		b.body = make([]byte, n)
	}
	b.body, b.inflated, b.records = b.body[:n], b.inflated[:0], b.records[:0]
	return b
}

// release gives the buffer back. Nothing may refer to what lies in it any more.
func (b *buffer) release() {
	if cap(b.body)+cap(b.inflated)+cap(b.records)*int(unsafe.Sizeof(Record{})) <= maxKept {
		buffers.Put(b)
	}
}
