package quarantine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

type recorder struct {
	mu   sync.Mutex
	msgs []kafka.Message
	err  error
}

func (r *recorder) WriteMessages(_ context.Context, msgs ...kafka.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.msgs = append(r.msgs, msgs...)
	return r.err
}

func TestPut(t *testing.T) {
	w := &recorder{}
	var logged bytes.Buffer
	q := New(w, slog.New(slog.NewTextHandler(&logged, nil)), func() time.Time { return time.Unix(7, 0) })
	value := bytes.Repeat([]byte("x"), MaxValue+5)
	for i := range PerSecond + 3 {
		q.Put(&Record{Reason: "syntax", Detail: strings.Repeat("d", 4*MaxDetail), Topic: "t", Partition: 3, Offset: int64(i), Key: []byte("k"), Value: value})
	}
	copy(value, "changed by its owner")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q.Run(ctx) // ended: it writes what is queued and returns
	if s := q.Stats(); s != (Stats{Written: PerSecond, Suppressed: 3}) {
		t.Errorf("Stats = %+v", s)
	}
	m := w.msgs[1]
	if len(m.Value) != MaxValue || m.Value[0] != 'x' || string(m.Key) != "k" {
		t.Errorf("key %q, %d bytes of value beginning with %q", m.Key, len(m.Value), m.Value[:1])
	}
	got := map[string]string{}
	for _, h := range m.Headers {
		got[h.Key] = string(h.Value)
	}
	if got["reason"] != "syntax" || got["topic"] != "t" || got["partition"] != "3" || got["offset"] != "1" ||
		got["length"] != "65541" || len(got["detail"]) != MaxDetail {
		t.Errorf("headers = %v", got)
	}
}

func TestRunCountsFailures(t *testing.T) {
	w := &recorder{err: errors.New("no such topic")}
	q := New(w, slog.New(slog.NewTextHandler(io.Discard, nil)), time.Now)
	q.Put(&Record{Reason: "syntax"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q.Run(ctx)
	if s := q.Stats(); s != (Stats{Failed: 1}) {
		t.Errorf("Stats = %+v", s)
	}
}
