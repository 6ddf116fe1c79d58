package broker

import (
	"bytes"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/segmentio/kafka-go"
)

func compressed(t *testing.T, in []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	w := kafka.Lz4.Codec().NewWriter(&z)
	if _, err := w.Write(in); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second closes nothing
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return z.Bytes()
}

// TestLZ4IsReadBack compresses small and large batches, most of them with a writer that was used before.
func TestLZ4IsReadBack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range 200 {
		in := make([]byte, 1+rnd.IntN(200_000))
		for j := range in {
			in[j] = byte(rnd.IntN(4)) * byte(j%7)
		}
		if i%2 == 0 {
			in = in[:min(len(in), 5000)]
		}
		r := kafka.Lz4.Codec().NewReader(bytes.NewReader(compressed(t, in)))
		out, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(out, in) {
			t.Fatalf("%d bytes came back as %d: %v", len(in), len(out), err)
		}
		_ = r.Close()
	}
}

// TestLZ4TakesLittle compresses a report with a writer of its own. One of kafka-go's takes some 8 MiB for it.
func TestLZ4TakesLittle(t *testing.T) {
	runtime.GC()
	runtime.GC() // pools are empty after two
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	compressed(t, make([]byte, 5000))
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
		t.Errorf("%d KiB were allocated", n>>10)
	}
}
