package consume

import "testing"

// TestBuffersShrink catches up, which takes large buffers, and then follows closely: their memory is given back.
func TestBuffersShrink(t *testing.T) {
	use := func(n, body, inflated int) {
		for range n {
			var hand []*buffer
			for range cap(buffers) { // all that may wait for later are in use at a time
				b := take(body)
				b.inflated = append(b.inflated, make([]byte, inflated)...)
				hand = append(hand, b)
			}
			for _, b := range hand {
				b.release()
			}
		}
	}
	kept := func() (bytes int) {
		for range len(buffers) {
			b := <-buffers
			bytes += b.size()
			buffers <- b
		}
		return bytes
	}
	use(1, 256<<10, 1<<20)
	large := kept()
	if use(1, 256<<10, 1<<20); kept() != large {
		t.Errorf("%d bytes are kept of buffers that are used, and %d at first", kept(), large)
	}
	use(maxLoose+1, 2<<10, 12<<10)
	if small := kept(); large < 16<<20 || small > 1<<20 {
		t.Errorf("%d bytes are kept after catching up, and %d of them for good", large, small)
	}
}
