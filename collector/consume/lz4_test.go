package consume

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/pierrec/lz4/v4"
	"github.com/segmentio/kafka-go"
)

// framed compresses b with some options.
func framed(t testing.TB, b []byte, options ...lz4.Option) []byte {
	t.Helper()
	var z bytes.Buffer
	w := lz4.NewWriter(&z)
	if err := w.Apply(options...); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

func TestUnframe(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300<<10)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	text := bytes.Repeat([]byte("exameter_device,centre=a,host=b state=\"busy\" 1\n"), 7000)
	mixed := append(append([]byte(nil), text...), noise...)
	for name, in := range map[string][]byte{"nothing": {}, "a letter": {'a'}, "text": text, "noise": noise, "mixed": mixed, "zeros": make([]byte, 1<<20)} {
		for options, z := range map[string][]byte{
			"defaults": framed(t, in),
			"checked":  framed(t, in, lz4.BlockChecksumOption(true), lz4.ChecksumOption(true)),
			"small":    framed(t, in, lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false)),
			"sized":    framed(t, in, lz4.SizeOption(uint64(len(in)))),
			"hard":     framed(t, in, lz4.CompressionLevelOption(lz4.Level9), lz4.BlockSizeOption(lz4.Block256Kb)),
		} {
			before := []byte("before")
			out, ok := unframe(before, z, len(in))
			if !ok || !bytes.Equal(out[len(before):], in) || string(out[:len(before)]) != "before" {
				t.Errorf("%s, %s: %t, %d bytes of %d", name, options, ok, len(out)-len(before), len(in))
			}
			if len(in) > 0 {
				if out, ok := unframe(nil, z, len(in)-1); ok {
					t.Errorf("%s, %s: %d bytes beyond the limit", name, options, len(out))
				}
			}
		}
	}
}

// Kafka's own producers make blocks that refer to those before them, as this encoder does not: a frame by hand.
func TestUnframeLinkedBlocks(t *testing.T) {
	frame := []byte{0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0x00}
	first := []byte{0x40, 'a', 'b', 'c', 'd'}                         // four letters
	second := []byte{0x04, 0x04, 0x00, 0x50, 'e', 'f', 'g', 'h', 'i'} // eight from four back, then five letters
	for _, b := range [][]byte{first, second} {
		frame = append(append(frame, byte(len(b)), 0, 0, 0), b...)
	}
	frame = append(frame, 0, 0, 0, 0)
	if out, ok := unframe(nil, frame, 100); !ok || string(out) != "abcdabcdabcdefghi" {
		t.Errorf("%t %q", ok, out)
	}
}

// FuzzUnframe holds the quick reader of frames to the codec's: what it takes, the codec takes, or only finds a checksum
// wrong that the quick one does not look at; and both read the same.
func FuzzUnframe(f *testing.F) {
	for _, s := range []string{"", "a", "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc"} {
		f.Add(framed(f, []byte(s)))
		f.Add(framed(f, []byte(s), lz4.BlockChecksumOption(true)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 20
		out, ok := unframe(nil, b, limit)
		if len(out) > limit {
			t.Fatalf("%d bytes", len(out))
		}
		if !ok {
			return
		}
		r := kafka.Lz4.Codec().NewReader(bytes.NewReader(b))
		defer r.Close()
		want, _ := io.ReadAll(io.LimitReader(r, limit+1))
		if !bytes.HasPrefix(out, want) {
			t.Fatalf("read %q, the codec %q", out, want)
		}
	})
}
