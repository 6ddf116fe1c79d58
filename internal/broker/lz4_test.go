package broker

import (
	"bytes"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/segmentio/kafka-go"
)

// TestLZ4TakesLittle compresses small and large batches again and again: what is written is read back, and what is held for it is small.
func TestLZ4TakesLittle(t *testing.T) {
	codec := kafka.Lz4.Codec()
	rnd := rand.New(rand.NewPCG(1, 1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range 200 {
		in := make([]byte, 1+rnd.IntN(200_000))
		for j := range in {
			in[j] = byte(rnd.IntN(4)) * byte(j%7)
		}
		if i%2 == 0 {
			in = in[:min(len(in), 5000)]
		}
		var z bytes.Buffer
		w := codec.NewWriter(&z)
		if _, err := w.Write(in); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r := codec.NewReader(&z)
		out, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(out, in) {
			t.Fatalf("%d bytes came back as %d: %v", len(in), len(out), err)
		}
		_ = r.Close()
		if i%20 == 0 {
			runtime.GC()
			runtime.GC() // pools are empty after two
		}
	}
	runtime.ReadMemStats(&after)
	// A writer of 4 MiB blocks would have been made ten times.
	if n := after.TotalAlloc - before.TotalAlloc; n > 80<<20 {
		t.Errorf("%d MiB were allocated", n>>20)
	}
}
