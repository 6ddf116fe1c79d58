// Package quarantine keeps records aside that could not be used, in a topic of their own with reason and origin, for
// somebody to look at. It never holds up those who send to it: what is too much is counted and let go.
package quarantine

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/telemetry"
)

// Limits that keep a broken centre from filling the topic.
const (
	MaxValue  = 64 << 10 // bytes of the value that are kept; the header "length" has the whole length
	MaxKey    = 1 << 10
	MaxDetail = 512
	PerSecond = 20
	queue     = 256
)

// Record is a record that could not be used.
type Record struct {
	Reason    string
	Detail    string
	Topic     string
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
}

// Writer writes messages to Kafka; *kafka.Writer is one.
type Writer interface {
	WriteMessages(ctx context.Context, msgs ...kafka.Message) error
}

// Quarantine takes records from any goroutine and writes them from one.
type Quarantine struct {
	w       Writer
	log     *slog.Logger
	now     func() time.Time
	records chan kafka.Message

	mu     sync.Mutex
	second int64 // of the clock, and how many records were taken in it
	taken  int

	written    atomic.Int64
	suppressed atomic.Int64
	failed     atomic.Int64
}

// New makes a quarantine. Run writes what Put takes.
func New(w Writer, log *slog.Logger, now func() time.Time) *Quarantine {
	return &Quarantine{w: w, log: log, now: now, records: make(chan kafka.Message, queue)}
}

// NewWriter writes to the quarantine topic through a transport. The topic must exist.
func NewWriter(c *kafka.Client) *kafka.Writer {
	return &kafka.Writer{
		Addr: c.Addr, Transport: c.Transport, Topic: telemetry.QuarantineTopic, RequiredAcks: kafka.RequireAll,
		BatchTimeout: 50 * time.Millisecond, MaxAttempts: 2, WriteTimeout: 10 * time.Second, Compression: kafka.Lz4,
	}
}

// Put keeps a record aside, or counts it as suppressed when there are too many. The record's bytes are copied.
func (q *Quarantine) Put(r *Record) {
	if !q.admit() {
		q.suppressed.Add(1)
		return
	}
	header := func(k, v string) kafka.Header { return kafka.Header{Key: k, Value: []byte(v)} }
	m := kafka.Message{
		Key: clip(r.Key, MaxKey), Value: clip(r.Value, MaxValue),
		Headers: []kafka.Header{
			header("reason", r.Reason), header("detail", string(clip([]byte(r.Detail), MaxDetail))), header("topic", r.Topic),
			header("partition", strconv.Itoa(r.Partition)), header("offset", strconv.FormatInt(r.Offset, 10)),
			header("length", strconv.Itoa(len(r.Value))),
		},
	}
	select {
	case q.records <- m:
	default:
		q.suppressed.Add(1)
	}
}

// admit reports whether there is room for one more record in this second.
func (q *Quarantine) admit() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := q.now().Unix(); now != q.second {
		q.second, q.taken = now, 0
	}
	if q.taken >= PerSecond {
		return false
	}
	q.taken++
	return true
}

func clip(b []byte, n int) []byte { return append([]byte(nil), b[:min(len(b), n)]...) }

// Run writes until ctx ends. What is still in the queue then is tried once more for a second.
func (q *Quarantine) Run(ctx context.Context) {
	var said time.Time
	write := func(ctx context.Context, m kafka.Message) {
		if err := q.w.WriteMessages(ctx, m); err != nil {
			q.failed.Add(1)
			if now := q.now(); now.Sub(said) > time.Minute {
				said = now
				q.log.Warn("cannot write to the quarantine topic", "topic", telemetry.QuarantineTopic, "error", err)
			}
			return
		}
		q.written.Add(1)
	}
	for {
		select {
		case m := <-q.records:
			write(ctx, m)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			for len(q.records) > 0 && last.Err() == nil {
				write(last, <-q.records)
			}
			return
		}
	}
}

// Stats count what became of the records.
type Stats struct {
	Written    int64
	Suppressed int64
	Failed     int64
}

// Stats returns the current counts.
func (q *Quarantine) Stats() Stats {
	return Stats{Written: q.written.Load(), Suppressed: q.suppressed.Load(), Failed: q.failed.Load()}
}
