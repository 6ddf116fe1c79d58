package consume

import "unsafe"

// buffer is the memory of one fetch: the answer, what its batches were inflated to, and the records, which lie in one of
// the two. Buffers go round: a fetch takes one when its answer arrives, and gives it back when its records are applied.
type buffer struct {
	body     []byte
	inflated []byte
	records  []Record
	places   chan struct{} // where it gives its place back, nil where it took none
	loose    int           // how often in a row it was far larger than what it held
}

// inHand is how many answers of a consumer are inflated at a time and not applied yet: some megabytes each where a log is read
// from its beginning. The others wait as they came, which is a quarter of a megabyte each.
const inHand = 8

// maxKept bounds a buffer that is kept for later. One that was far larger than what it held so often in a row is let go: what a log that was
// caught up with took would be kept for good otherwise, some tens of megabytes after a while.
const (
	maxKept  = 2 << 20
	maxLoose = 8
)

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
	if b.size() > 8*(len(b.body)+len(b.inflated))+fewBytes {
		b.loose++
	} else {
		b.loose = 0
	}
	if b.size() <= maxKept && b.loose < maxLoose {
		select {
		case buffers <- b:
		default:
		}
	}
}

// size is how much memory the buffer holds.
func (b *buffer) size() int {
	return cap(b.body) + cap(b.inflated) + cap(b.records)*int(unsafe.Sizeof(Record{}))
}
