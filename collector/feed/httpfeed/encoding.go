package httpfeed

import (
	"bytes"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// minEncoded is the size from which compression is worth it: less fits into one packet as it is.
const minEncoded = 1 << 10

// coding is a content coding of HTTP.
type coding struct {
	name   string
	encode func([]byte) []byte
}

// codings are those that answers are given in, the best one first.
var codings = [...]coding{{"zstd", zstdOf}, {"gzip", gzipOf}}

// identity is the coding of an answer as it is.
const identity = -1

// encoded is an answer's body in one coding, worked out once, for the first who asks for it.
type encoded struct {
	once sync.Once
	body []byte
}

// preferred returns the index of the coding that a client likes best by its Accept-Encoding headers, or identity: that is answered
// to a client that says nothing, and to one that takes nothing we have. Of two that it likes alike, it is the first.
func preferred(headers []string) int {
	best, most := identity, 0.0
	if q, named := quality(headers, "identity"); named {
		most = q
	}
	for i := range codings {
		q, named := quality(headers, codings[i].name)
		if !named {
			q, _ = quality(headers, "*")
		}
		if q > most || q == most && q > 0 && best == identity {
			best, most = i, q
		}
	}
	return best
}

// quality is how much a client likes a coding, from 0 to 1, and whether it names it. What cannot be read it does not like.
func quality(headers []string, name string) (q float64, named bool) {
	for _, header := range headers {
		for item := range strings.SplitSeq(header, ",") {
			item, weight, weighted := strings.Cut(item, ";")
			if !strings.EqualFold(strings.TrimSpace(item), name) {
				continue
			}
			if !weighted {
				return 1, true
			}
			_, value, _ := strings.Cut(strings.ToLower(weight), "q=")
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || !(v >= 0 && v <= 1) {
				v = 0
			}
			return v, true
		}
	}
	return 0, false
}

// coding returns the coding in which a request is answered.
func (a *answer) coding(r *http.Request) int {
	if len(a.body) < minEncoded {
		return identity
	}
	return preferred(r.Header.Values("Accept-Encoding"))
}

// in returns the body in a coding.
func (a *answer) in(coding int) []byte {
	if coding == identity {
		return a.body
	}
	e := &a.encoded[coding]
	e.once.Do(func() { e.body = codings[coding].encode(a.body) })
	return e.body
}

// encoders bounds how many answers are compressed at a time, and so what that takes of memory: half of the processors are
// left to the figures.
var encoders = max(1, runtime.GOMAXPROCS(0)/2)

// zstdEncoder makes frames that a reader needs a megabyte to read. More than it has encoders wait for their turn.
var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(encoders), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("zstd: " + err.Error()) // the options are constants
	}
	return e
})

func zstdOf(b []byte) []byte { return zstdEncoder().EncodeAll(b, make([]byte, 0, len(b)/8)) }

// gzipWriters are as many as may work at a time.
var gzipWriters = sync.OnceValue(func() chan *gzip.Writer {
	free := make(chan *gzip.Writer, encoders)
	for range encoders {
		w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		if err != nil {
			panic("gzip: " + err.Error()) // the level is a constant
		}
		free <- w
	}
	return free
})

func gzipOf(b []byte) []byte {
	w := <-gzipWriters()
	defer func() { gzipWriters() <- w }()
	var out bytes.Buffer
	out.Grow(len(b) / 8)
	w.Reset(&out)
	_, _ = w.Write(b) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}
