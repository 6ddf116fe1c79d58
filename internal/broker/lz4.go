package broker

import (
	"io"
	"sync"

	"github.com/pierrec/lz4/v4"
	"github.com/segmentio/kafka-go/compress"
	kafkalz4 "github.com/segmentio/kafka-go/compress/lz4"
)

// kafka-go compresses in blocks of 4 MiB, of which a writer holds two however little it writes. A report is some kilobytes, and an agent shall
// take less than 20 MB in all. The table of codecs is the one place where that can be said, and before anybody reads it.
func init() { compress.Codecs[compress.Lz4] = &smallBlocks{} }

// smallBlocks is kafka-go's codec with writers that work in blocks of 64 KiB. What they write every reader of LZ4 frames reads.
type smallBlocks struct {
	kafkalz4.Codec
	writers sync.Pool
}

// NewWriter implements compress.Codec.
func (c *smallBlocks) NewWriter(w io.Writer) io.WriteCloser {
	z, _ := c.writers.Get().(*lz4.Writer)
	if z == nil {
		z = lz4.NewWriter(nil)
		_ = z.Apply(lz4.BlockSizeOption(lz4.Block64Kb)) // fails once writing has begun
	}
	z.Reset(w)
	return &smallWriter{z, &c.writers}
}

// smallWriter goes back to its pool when it is closed.
type smallWriter struct {
	*lz4.Writer
	pool *sync.Pool
}

func (w *smallWriter) Close() error {
	z := w.Writer
	if z == nil {
		return nil
	}
	w.Writer = nil
	err := z.Close()
	z.Reset(nil)
	w.pool.Put(z)
	return err
}
