package consume

import "unsafe"

// buffer is the memory of one fetch: the answer, what its batches were inflated to, and the records, which lie in one of
// the two. Buffers go round: a fetch takes one when its answer arrives, and gives it back when its records are applied.
type buffer struct {
	body     []byte
	inflated []byte
	records  []Record
	places   chan struct{} // where it gives its place back, nil where it took none
}

// inHand is how many answers of a consumer are inflated at a time and not applied yet: some megabytes each where a log is read
// from its beginning. The others wait as they came, which is a quarter of a megabyte each.
const inHand = 8

// maxKept bounds a buffer that is kept for later.
const maxKept = 2 << 20

// buffers are those that wait for later. Garbage collections leave them alone: they would have to be made anew after each.
var buffers = make(chan *buffer, 2*inHand)

// take returns a buffer with room for a body of n bytes.
func take(n int) *buffer {
	var b *buffer
	select {
	case b = <-buffers:
	default:
		b = &buffer{}
	}
	if cap(b.body) < n {
		b.body = make([]byte, n)
	}
	b.body, b.inflated, b.records = b.body[:n], b.inflated[:0], b.records[:0]
	return b
}

// release gives the buffer back. Nothing may refer to what lies in it any more.
func (b *buffer) release() {
	if b.places != nil {
		<-b.places
		b.places = nil
	}
	if cap(b.body)+cap(b.inflated)+cap(b.records)*int(unsafe.Sizeof(Record{})) <= maxKept {
		select {
		case buffers <- b:
		default:
		}
	}
}
